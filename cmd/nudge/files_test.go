package main

import (
	"strings"
	"testing"
)

func TestShareFiles(t *testing.T) {
	const maxConns = 1 << 16
	for _, tt := range []struct {
		limit int
		want  fileShares
	}{
		{0, fileShares{1000, maxConns}},
		{filesLeast, fileShares{80, 48}},
		{1024, fileShares{256, 1024 - 64 - 256}},
		{4096, fileShares{1000, 4096 - 64 - 1000}},
		{1 << 20, fileShares{1000, maxConns}},
	} {
		if got, err := shareFiles(tt.limit, maxConns); err != nil || got != tt.want {
			t.Errorf("of %d: %+v, %v, want %+v", tt.limit, got, err, tt.want)
		}
	}
	if _, err := shareFiles(filesLeast-1, maxConns); err == nil || !strings.Contains(err.Error(), "ulimit -n") {
		t.Errorf("of one too few: %v", err)
	}
}
