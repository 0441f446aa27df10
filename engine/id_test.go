package engine

import (
	"testing"

	"nudge"
)

// TestIDOfShort: an id holds a short text as docs/format/checkpoint.md says, whatever its length.
func TestIDOfShort(t *testing.T) {
	for n := range shortText + 1 {
		text := "abcdefghijklmn\xff"[shortText-n:]
		var want [16]byte
		want[0] = byte(n)
		copy(want[1:], text)
		if got := idOfValue(nudge.TextValue(text)).bytes(); got != want {
			t.Errorf("%q: % x, want % x", text, got, want)
		}
		if got, short := shortOf(want[:]); got != text || !short {
			t.Errorf("% x holds %q", want, got)
		}
	}
	if id := idOfValue(nudge.TextValue("sixteen letters.")).bytes(); id != hashOf(nudge.Text, "sixteen letters.") {
		t.Errorf("% x is not the hash of a long text", id)
	}
}
