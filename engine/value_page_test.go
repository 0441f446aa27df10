package engine

import (
	"bytes"
	"strings"
	"testing"
)

// Values stay as they were laid out, whether they are shorter or longer than the room that was made for them, or than a page.
func TestValuePage(t *testing.T) {
	var p valuePage
	var got, want [][]byte
	for _, size := range []int{0, 5, identityRoom, identityPage - 300, identityRoom + 1, identityPage, 3 * identityPage, 1, identityPage / 2, identityPage / 2, 2} {
		for _, text := range []string{"", "v1", strings.Repeat("x", 256)} {
			rest := bytes.Repeat([]byte{byte(len(want))}, size)
			got = append(got, p.end(append(p.begin(text), rest...)))
			want = append(want, append(appendText(nil, text), rest...))
		}
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) || cap(got[i]) != len(got[i]) {
			t.Errorf("value %d: %d bytes with room for %d, want %d bytes", i, len(got[i]), cap(got[i]), len(want[i]))
		}
	}
}
