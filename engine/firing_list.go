package engine

import (
	"iter"
	"slices"
	"sort"

	"nudge"
)

// firingList holds firings in the order of their cursors, in pages that are never moved: one slice that grows has to be copied, which nothing can
// interrupt, to memory that the system must first make; of 100,000 firings that stops everything for a tenth of a second and more.
type firingList struct {
	pages []firingPage // none is empty
	size  int          // about the bytes of all firings
}

// firingPage is only ever appended to, up to its capacity: who copies it has what it held then.
type firingPage struct {
	firings []nudge.Firing
	size    int
}

// firingsPerPage makes pages of some 60 KiB.
const firingsPerPage = 256

func (l *firingList) add(firings []nudge.Firing) {
	for len(firings) > 0 {
		last := len(l.pages) - 1
		if last < 0 || len(l.pages[last].firings) == cap(l.pages[last].firings) {
			l.pages = append(l.pages, firingPage{firings: make([]nudge.Firing, 0, firingsPerPage)})
			last++
		}
		p := &l.pages[last]
		n := min(len(firings), cap(p.firings)-len(p.firings))
		p.firings = append(p.firings, firings[:n]...)
		size := firingsSize(firings[:n])
		p.size += size
		l.size += size
		firings = firings[n:]
	}
}

// frozen is the list as it is now, whatever is added or dropped later.
func (l *firingList) frozen() firingList {
	return firingList{pages: slices.Clone(l.pages), size: l.size}
}

// all yields the firings in order. They are not to be changed.
func (l *firingList) all() iter.Seq[*nudge.Firing] { return l.from(0, 0) }

// after yields the firings behind a cursor, in order. They are not to be changed.
func (l *firingList) after(c nudge.Cursor) iter.Seq[*nudge.Firing] { return l.from(l.behind(c)) }

// from yields the firings from the i-th one of a page on.
func (l *firingList) from(page, i int) iter.Seq[*nudge.Firing] {
	return func(yield func(*nudge.Firing) bool) {
		for ; page < len(l.pages); page, i = page+1, 0 {
			for firings := l.pages[page].firings; i < len(firings); i++ {
				if !yield(&firings[i]) {
					return
				}
			}
		}
	}
}

// drop drops the firings up to a cursor, that at it too.
func (l *firingList) drop(c nudge.Cursor) {
	page, i := l.behind(c)
	for _, p := range l.pages[:page] {
		l.size -= p.size
	}
	l.pages = slices.Delete(l.pages, 0, page)
	if i > 0 {
		p := &l.pages[0]
		size := firingsSize(p.firings[:i])
		p.firings = p.firings[i:]
		p.size -= size
		l.size -= size
	}
}

// edit hands copies of all firings to a function that may change them but for their cursors: what was frozen stays as it is.
func (l *firingList) edit(change func(*nudge.Firing)) {
	l.size = 0
	for k := range l.pages {
		p := &l.pages[k]
		p.firings = append(make([]nudge.Firing, 0, firingsPerPage), p.firings...)
		for i := range p.firings {
			change(&p.firings[i])
		}
		p.size = firingsSize(p.firings)
		l.size += p.size
	}
}

// behind says where the first firing behind a cursor is: the i-th one of a page.
func (l *firingList) behind(c nudge.Cursor) (page, i int) {
	page = sort.Search(len(l.pages), func(k int) bool {
		firings := l.pages[k].firings
		return c.Less(firings[len(firings)-1].Cursor)
	})
	if page < len(l.pages) {
		firings := l.pages[page].firings
		i = sort.Search(len(firings), func(k int) bool { return c.Less(firings[k].Cursor) })
	}
	return page, i
}

// firingsSize is about what firings take in memory, in bytes.
func firingsSize(firings []nudge.Firing) int {
	n := 0
	for i := range firings {
		n += firingBytes(&firings[i])
	}
	return n
}
