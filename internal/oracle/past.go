package oracle

import (
	"slices"

	"nudge"
)

// past is what a key took in, in that order.
type past []taken

// taken is one row; or, at an identifying event, all that an anonymous visitor had taken in for user rules.
type taken struct {
	order  int  // among all that all keys took
	row    *row // nil: a merge
	merged past
	at     nudge.Millis // of the merge
}

// rows are all rows of a past, those of a merged one among them, in the order in which they were taken.
func (p past) rows() (rows []*row) {
	all := p.flat()
	slices.SortFunc(all, func(a, b taken) int { return a.order - b.order })
	for _, t := range all {
		rows = append(rows, t.row)
	}
	return rows
}

func (p past) flat() (all past) {
	for _, t := range p {
		if t.row == nil {
			all = append(all, t.merged.flat()...)
		} else {
			all = append(all, t)
		}
	}
	return all
}

// remember adds a row to what a key took.
func (w *world) remember(k *key, e *row) {
	w.taken++
	k.past = append(k.past[:len(k.past):len(k.past)], taken{order: w.taken, row: e})
}

// join merges into a user what the visitor knew that this event identifies; a visitor that is bound already knows nothing.
func (w *world) join(k *key, e *row) {
	visitor := e.text("visitor")
	from := w.anonymous[visitor]
	if k.per != "user" || from == nil {
		return
	}
	delete(w.anonymous, visitor)
	k.past = append(k.past[:len(k.past):len(k.past)], taken{merged: from.past, at: e.at})
}

// anonymousKey is where a visitor without a user keeps what user rules need, nil: nowhere. It decides nothing.
func (w *world) anonymousKey(visitor string) *key {
	if !w.merge || visitor == "" || len(w.rules["user"]) == 0 {
		return nil
	}
	k := w.anonymous[visitor]
	if k == nil {
		k = &key{kind: nudge.KindUser, per: "user", text: visitor, anonymous: true}
		w.anonymous[visitor] = k
	}
	return k
}
