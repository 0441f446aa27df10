package engine

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"nudge"
)

// A firing's row is to the byte what encoding/json writes, whatever its texts hold.
func TestAppendFiring(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	parts := []string{"a", "/pricing", "Bücher", `"`, `\`, "<b>&", "\n", "\x00", "\x7f", "\u2028", "–", "日本", "\xff", "\xe2\x80", "😀"}
	text := func() string {
		var s string
		for range rng.IntN(4) {
			s += parts[rng.IntN(len(parts))]
		}
		return s
	}
	for range 5000 {
		f := nudge.Firing{
			ID: text(), Cursor: nudge.Cursor{Offset: nudge.Offset(rng.Uint64()), N: rng.Uint32()}, Rule: "r" + text(), Kind: nudge.Kind(rng.IntN(256)),
			Per: text(), Key: text(), At: nudge.Millis(rng.Uint64()), Cause: text(), Visitor: text(), Timer: rng.IntN(2) == 0, Shadow: rng.IntN(2) == 0,
			Suppressed: text(), Source: nudge.KeyHash(rng.Uint64()),
		}
		for range rng.IntN(3) {
			data, err := json.Marshal(map[string]string{text(): text()})
			if err != nil {
				t.Fatal(err)
			}
			f.Actions = append(f.Actions, nudge.Action{Kind: nudge.ActionKind(rng.IntN(256)), Name: text(), Data: data})
			f.Sources = append(f.Sources, nudge.KeyHash(rng.Uint64()))
		}
		var want bytes.Buffer
		to := json.NewEncoder(&want)
		to.SetEscapeHTML(false)
		if err := to.Encode(&f); err != nil {
			t.Fatal(err)
		}
		if got := append(appendFiring([]byte("before"), &f), '\n'); string(got) != "before"+want.String() {
			t.Fatalf("the row is\n%s, want\n%s", got, want.String())
		}
	}
}

func BenchmarkAppendFiring(b *testing.B) {
	f := nudge.Firing{
		ID: "0123456789abcdef0123456789abcdef", Cursor: nudge.Cursor{Offset: 123456789, N: 1}, Rule: "pricing-help", Per: "visitor", Key: "visitor-123456",
		At: 1761958836294, Cause: "7a3c1d9e-2b4f-4c1a-9d2e-0f1e2d3c4b5a", Visitor: "visitor-123456", Source: 1 << 60,
		Actions: []nudge.Action{{Kind: nudge.ActionPopup, Name: "pricing-help", Data: []byte(`{"headline":"Questions about prices?","page":"/pricing/17"}`)}},
	}
	var row []byte
	b.ReportAllocs()
	for b.Loop() {
		row = appendFiring(row[:0], &f)
	}
}
