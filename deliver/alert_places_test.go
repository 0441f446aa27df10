package deliver

import (
	"math/rand/v2"
	"slices"
	"testing"

	"nudge"
)

// A walk that skips sees every alert that one through all firings sees, wherever it begins and whenever the next ones are published.
func TestAlertPlaces(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var p alertPlaces
		var all []nudge.Firing
		next := nudge.Cursor{Offset: 1 + nudge.Offset(rng.IntN(3))}
		rare := 1 + rng.IntN(9)
		for range rng.IntN(40 * keepPlaces) {
			f := popupFiring("v", next.Offset, 0, "p")
			if rng.IntN(rare) == 0 {
				f = alertFiring(next.Offset, "a")
				f.Shadow = rng.IntN(4) == 0
			}
			f.Cursor = next
			p.add(&f)
			if rng.IntN(10) == 0 {
				p.add(&f) // it comes out again
			}
			all = append(all, f)
			if next.N++; rng.IntN(2) == 0 {
				next = nudge.Cursor{Offset: next.Offset + 1 + nudge.Offset(rng.IntN(2))}
			}
		}
		for range 200 {
			c := nudge.Cursor{Offset: nudge.Offset(rng.Uint64N(uint64(next.Offset) + 2)), N: rng.Uint32N(3)}
			to := p.skip(c)
			if to.Less(c) {
				t.Fatalf("from %s back to %s", c, to)
			}
			passed := slices.ContainsFunc(all, func(f nudge.Firing) bool {
				return c.Less(f.Cursor) && !to.Less(f.Cursor) && f.Delivered() && hasAlert(&f)
			})
			if passed {
				t.Fatalf("an alert stands between %s and %s", c, to)
			}
		}
		if len(p.at) > 2*keepPlaces {
			t.Errorf("%d places are kept", len(p.at))
		}
	}
}

// Who waits for alerts does not read the popups between two of them.
func TestAlertsSkipPopups(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		r.publish(alertFiring(1, "first"))
		s := r.stream("/v1/alerts/stream")
		defer s.close()
		if e := s.next(); e.id != "1-0" {
			t.Fatalf("event %+v", e)
		}
		for i := range 2000 {
			r.publish(popupFiring("v", nudge.Offset(2+i), 0, "p"))
		}
		read := r.feed.read.Load()
		r.publish(alertFiring(5000, "second"))
		if e := s.next(); e.id != "5000-0" {
			t.Fatalf("event %+v", e)
		}
		if n := r.feed.read.Load() - read; n != 1 {
			t.Errorf("%d firings were read for one alert", n)
		}
	})
}
