package nudge

import (
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// The hash is stored: it is xxhash64 of scope, zero byte and text, however long they are.
func TestHashKey(t *testing.T) {
	for n := range 200 {
		text := strings.Repeat("é1", n)[:n]
		for _, scope := range []string{"", "visitor", "company", "a\xffb\x00\xe9c.", strings.Repeat("s", 90)} {
			if got, want := HashKey(scope, text), KeyHash(xxhash.Sum64String(scope+"\x00"+text)); got != want {
				t.Fatalf("%q, %d bytes: %x, want %x", scope, n, got, want)
			}
		}
	}
}
