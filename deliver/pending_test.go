package deliver

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"nudge"
)

// The hub against a list of everything that was published, on random publications, receipts and steps of time.
func TestPendingAgainstAList(t *testing.T) {
	const ttl, perVisitor, maxBytes = 50, 3, 4500
	rapid.Check(t, func(t *rapid.T) {
		now := nudge.Millis(1000)
		hub, err := New(Options{Feed: &memFeed{}, PopupTTL: ttl * 1e6, MaxPopupsPerVisitor: perVisitor, MaxPopups: 8, MaxPopupBytes: maxBytes, Now: func() nudge.Millis { return now }})
		if err != nil {
			t.Fatal(err)
		}
		visitors := rapid.SampledFrom([]string{"u", "v", "w", "x"})
		offset := nudge.Offset(0)
		var model []*popup // pending, oldest first
		alive := func() {  // the hub may hold on to expired ones only behind the reader's back
			model = slices.DeleteFunc(model, func(p *popup) bool { return p.expires <= now })
		}
		t.Repeat(map[string]func(*rapid.T){
			"publish": func(t *rapid.T) {
				alive()
				hub.pendingCount()
				offset++
				names := rapid.SliceOfN(rapid.Just("t"), 1, perVisitor+2).Draw(t, "actions")
				f := popupFiring(visitors.Draw(t, "visitor"), offset, now, names...)
				f.Actions[0].Data = fmt.Appendf(nil, `{"a":"%0*d"}`, rapid.SampledFrom([]int{1, 700, 1300}).Draw(t, "size"), 1)
				hub.Publish([]nudge.Firing{f})
				model = append(model, popupsOf(&f, ttl)...)
				model = newest(model, perVisitor, func(p *popup) bool { return p.visitor == f.Visitor })
				model = newest(model, 8, func(*popup) bool { return true })
				for bytesOf(model) > maxBytes {
					model = model[1:]
				}
			},
			"receipt": func(t *rapid.T) {
				if len(model) > 0 {
					i := rapid.IntRange(0, len(model)-1).Draw(t, "which")
					hub.Receipt(model[i].id)
					model = slices.Delete(model, i, i+1)
				}
			},
			"erase": func(t *rapid.T) {
				gone := visitors.Draw(t, "visitor")
				hub.Erase(func(text string) bool { return text == gone })
				model = slices.DeleteFunc(model, func(p *popup) bool { return p.visitor == gone })
			},
			"wait": func(t *rapid.T) { now += nudge.Millis(rapid.IntRange(1, ttl).Draw(t, "ms")) },
			"": func(t *rapid.T) {
				alive()
				for _, visitor := range []string{"u", "v", "w", "x"} {
					after := nudge.Cursor{Offset: nudge.Offset(rapid.Uint64Range(0, uint64(offset)).Draw(t, "after"))}
					want := ""
					for _, p := range model {
						if p.visitor == visitor && after.Less(p.cursor) {
							want += p.id + " "
						}
					}
					got := ""
					for _, p := range hub.pendingAfter(visitor, after) {
						got += p.id + " "
					}
					if got != want {
						t.Fatalf("%s after %s: %q, want %q", visitor, after, got, want)
					}
				}
				checkLinks(t, hub)
			},
		})
	})
}

func bytesOf(list []*popup) (n int) {
	for _, p := range list {
		n += p.bytes()
	}
	return n
}

// newest keeps the n last of those that match, and all others.
func newest(list []*popup, n int, match func(*popup) bool) []*popup {
	count := 0
	for _, p := range list {
		if match(p) {
			count++
		}
	}
	return slices.DeleteFunc(list, func(p *popup) bool {
		if !match(p) {
			return false
		}
		count--
		return count >= n
	})
}

// checkLinks holds the three views of what is pending against each other.
func checkLinks(t *rapid.T, h *Hub) {
	n, bytes := 0, h.pending.bytes
	var last *popup
	for p := h.pending.oldest; p != nil; p = p.newer {
		if p.older != last || h.pending.byID[p.id] != p || !slices.Contains(h.pending.byVisitor[p.visitor].popups, p) {
			t.Fatalf("popup %s is not where it should be", p.id)
		}
		last = p
		bytes -= p.bytes()
		n++
	}
	if bytes != 0 {
		t.Fatalf("they are said to take %d bytes too many", bytes)
	}
	inboxes := 0
	for visitor, b := range h.pending.byVisitor {
		if inboxes += len(b.popups); len(b.popups) == 0 {
			t.Fatalf("the inbox of %s is empty and nobody watches it", visitor)
		}
	}
	if got := fmt.Sprint(len(h.pending.byID), inboxes, last == h.pending.newest); got != fmt.Sprint(n, n, true) {
		t.Fatalf("%d popups are linked; by id, in inboxes, end of the list: %s", n, got)
	}
}
