package engine

import (
	"math"

	"nudge"
)

// dedupPage is how many ids one page of the queue holds.
const dedupPage = 1 << 12

// dedupQueue holds ids in the order in which they were applied. Entries have numbers, ascending; a page's last numbers are given to none where its
// successor was begun early, and none has a low half of all ones, for which the index has another use. 18 bytes an id.
type dedupQueue struct {
	pages []*idPage // the oldest first; of the numbers from first on
	first uint64    // number of the first page's first entry
	head  uint64    // number of the oldest entry that is held
	tail  uint64    // the next entry's
	count int
	spare *idPage
}

// idPage holds the ids of consecutive numbers, their ordinals and times as distances from the first one's.
type idPage struct {
	ordinal uint64
	at      nudge.Millis
	n       int

	fingerprints [dedupPage]uint64
	ordinals     [dedupPage]uint32
	ats          [dedupPage]uint32
	groups       [dedupPage]uint16
}

func (q *dedupQueue) empty() bool { return q.count == 0 }

func (q *dedupQueue) len() int { return q.count }

func (q *dedupQueue) page(n uint64) (*idPage, int) {
	return q.pages[(n-q.first)/dedupPage], int((n - q.first) % dedupPage)
}

// at is the entry of a number that is held.
func (q *dedupQueue) at(n uint64) dedupEntry {
	p, i := q.page(n)
	return dedupEntry{p.fingerprints[i], p.groups[i], p.ordinal + uint64(p.ordinals[i]), p.at + nudge.Millis(p.ats[i])}
}

func (q *dedupQueue) fingerprint(n uint64) uint64 {
	p, i := q.page(n)
	return p.fingerprints[i]
}

// nth is the number of the n-th oldest entry, or of one near it where numbers are left out: from 0 on, less than are held.
func (q *dedupQueue) nth(n int) uint64 { return min(q.head+uint64(n), q.tail-1) }

// after is the number behind one that is held: tail behind the last.
func (q *dedupQueue) after(n uint64) uint64 {
	if p, i := q.page(n); i+1 == p.n && n+1 < q.tail {
		return n + uint64(dedupPage-i)
	}
	return n + 1
}

// from is the first number of an entry that is not less than n: tail if there is none.
func (q *dedupQueue) from(n uint64) uint64 {
	if n < q.tail {
		if p, i := q.page(n); i >= p.n {
			return n + uint64(dedupPage-i)
		}
	}
	return n
}

// add appends an entry, whose ordinal and time are not less than those before, and returns its number.
func (q *dedupQueue) add(e dedupEntry) uint64 {
	p := q.last()
	if p == nil || e.ordinal-p.ordinal > math.MaxUint32 || e.at-p.at > math.MaxUint32 {
		p = q.grow(e)
	}
	i := p.n
	p.fingerprints[i], p.groups[i] = e.fingerprint, e.group
	p.ordinals[i], p.ats[i] = uint32(e.ordinal-p.ordinal), uint32(e.at-p.at)
	p.n++
	n := q.tail
	q.tail++
	q.count++
	return n
}

// last is the page that has room, nil if none has.
func (q *dedupQueue) last() *idPage {
	if len(q.pages) == 0 {
		return nil
	}
	if p := q.pages[len(q.pages)-1]; p.n < dedupPage && uint32(q.tail) != math.MaxUint32 {
		return p
	}
	return nil
}

// grow begins a page for e.
func (q *dedupQueue) grow(e dedupEntry) *idPage {
	p := q.spare
	if q.spare = nil; p == nil {
		p = &idPage{}
	}
	p.ordinal, p.at, p.n = e.ordinal, e.at, 0
	q.pages = append(q.pages, p)
	q.tail = q.first + uint64(len(q.pages)-1)*dedupPage
	if q.count == 0 {
		q.head = q.tail
	}
	return p
}

// drop forgets the oldest entry.
func (q *dedupQueue) drop() {
	q.head = q.after(q.head)
	q.count--
	for len(q.pages) > 0 && q.head >= q.first+dedupPage {
		q.spare = q.pages[0]
		q.pages[0] = nil
		q.pages = q.pages[1:]
		q.first += dedupPage
	}
}
