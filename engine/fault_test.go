package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
	"nudge/ingest"
	"nudge/rules"
	"nudge/state"
)

// poisoned is the visitor whose events the engine of these tests cannot apply.
const poisoned = "poison"

// newPoisonable opens a node on a folder in memory whose engine panics when it decides for the poisoned visitor.
func newPoisonable(t *testing.T, fs vfs.FS, shards int) (*state.Dir, *Node) {
	t.Helper()
	names := nudge.NewNames()
	d, err := state.Open(dataDir, state.Options{FS: fs, Names: names, CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewNode(NodeOptions{
		Log: d.Log, Store: d.Store, Logger: slog.New(slog.DiscardHandler),
		Engine: Options{Names: names, Shards: shards, Observe: func(d Decision) {
			if d.Key == poisoned {
				panic("an operator that cannot be")
			}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, n
}

// recoverFault recovers a node, and returns the fault that it meets.
func recoverFault(n *Node) (f *Fault, err error) {
	defer func() {
		if v := recover(); v != nil {
			f = v.(*Fault)
		}
	}()
	return nil, n.Recover()
}

// A record that the engine cannot apply stops every start, and the panic names it; made a void, it does not any more, and all others are as they were.
func TestFaultAndVoid(t *testing.T) {
	for _, tt := range []struct{ shards, events int }{{1, 5}, {4, 5}, {4, 500}} { // on the caller's goroutine, and on others
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			fs := vfs.NewMem()
			d, n := newPoisonable(t, fs, tt.shards)
			if err := n.Recover(); err != nil {
				t.Fatal(err)
			}
			const at = 3 // of the events
			logEvents(t, d, n, tt.events, at)
			bad := nudge.Offset(1 + 1 + at)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				d, n = newPoisonable(t, fs, tt.shards)
				f, err := recoverFault(n)
				if err != nil || f == nil || f.Offset != bad {
					t.Fatalf("%v, %v", f, err)
				}
				for _, part := range []string{"BUG", fmt.Sprintf("offset %d failed: an operator that cannot be", bad), fmt.Sprintf("nudge log void %d", bad), "observe"} {
					if !strings.Contains(f.Error(), part) {
						t.Errorf("%q does not say %q", f, part)
					}
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
			}
			d, n = newPoisonable(t, fs, tt.shards)
			defer d.Close()
			if err := d.Log.Void(t.Context(), bad, 1); err != nil {
				t.Fatal(err)
			}
			if f, err := recoverFault(n); f != nil || err != nil {
				t.Fatal(f, err)
			}
			fired, err := n.Firings(nudge.Cursor{}, 10_000)
			if err != nil || len(fired) != tt.events-1 {
				t.Fatalf("%v: %d firings, want %d", err, len(fired), tt.events-1)
			}
			for i, x := range fired {
				want := nudge.Offset(2 + i)
				if want >= bad {
					want++
				}
				if x.Cursor != (nudge.Cursor{Offset: want}) {
					t.Fatalf("firing %d has the cursor %v, want offset %d", i, x.Cursor, want)
				}
			}
		})
	}
}

// logEvents logs a rule and one batch of events, of which one is poisoned, as a server does that dies before it applies them.
func logEvents(t *testing.T, d *state.Dir, n *Node, events, at int) {
	t.Helper()
	rule := rules.Source{File: "each.expr", Text: `{per: visitor, when: on(event("seen")), then: alert("seen", {})}`}
	codec := ingest.NewCodec(ingest.CodecOptions{Names: n.options.Engine.Names})
	var b nudge.RecordBuilder
	for i := range events {
		visitor := fmt.Sprint("v", i)
		if i == at {
			visitor = poisoned
		}
		if _, _, err := codec.ReplayEvent([]byte(fmt.Sprintf(`{"type":"seen","visitor":%q}`, visitor)), &b); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []nudge.Entry{
		{First: 1, At: 1000, Count: 1, Records: deployment([]rules.Source{rule}, n.options.Engine.settings())},
		{First: 2, At: 2000, Count: events, Records: b.Buf},
	} {
		if err := errors.Join(d.Log.Append(e), d.Log.Sync()); err != nil {
			t.Fatal(err)
		}
	}
}
