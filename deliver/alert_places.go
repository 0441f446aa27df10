package deliver

import (
	"math"
	"sort"

	"nudge"
)

// alertPlaces says how far the feed was published and where in it the newest alerts stand, so that who waits for one need not read the firings between:
// of a site's firings most are popups, and each open stream would read all of them.
type alertPlaces struct {
	from, to nudge.Cursor   // firings behind the one and up to the other are known
	at       []nudge.Cursor // of those that have an alert to deliver, in order
}

// keepPlaces is how many alerts are remembered at least, once there were so many. Who is further behind reads the feed.
const keepPlaces = 1024

// add takes the next firing that is published. It is not new where it comes out again.
func (p *alertPlaces) add(f *nudge.Firing) (isNew bool) {
	if p.to == (nudge.Cursor{}) {
		p.from = before(f.Cursor)
	} else if !p.to.Less(f.Cursor) {
		return false
	}
	p.to = f.Cursor
	if !hasAlert(f) {
		return true
	}
	if len(p.at) == 2*keepPlaces {
		p.from = p.at[keepPlaces-1]
		p.at = append(p.at[:0], p.at[keepPlaces:]...)
	}
	p.at = append(p.at, f.Cursor)
	return true
}

// skip is the last cursor, at or behind c, up to which no alert is passed over. Where the firings behind c are not known it is c.
func (p *alertPlaces) skip(c nudge.Cursor) nudge.Cursor {
	if c.Less(p.from) || !c.Less(p.to) {
		return c
	}
	i := sort.Search(len(p.at), func(i int) bool { return c.Less(p.at[i]) })
	if i == len(p.at) {
		return p.to
	}
	if next := before(p.at[i]); c.Less(next) {
		return next
	}
	return c
}

// before is the cursor before another: no firing stands between the two.
func before(c nudge.Cursor) nudge.Cursor {
	if c.N > 0 {
		return nudge.Cursor{Offset: c.Offset, N: c.N - 1}
	}
	return nudge.Cursor{Offset: c.Offset - 1, N: math.MaxUint32}
}
