package oracle

import (
	"github.com/expr-lang/expr/ast"

	"nudge"
)

// wait is one absent or dwell of one key (section 3, Deadlines).
type wait struct {
	start    *row // of what is open, or of the last pulse; nil: never opened
	open     bool
	deadline nudge.Millis
	ended    bool // an ending came after the start, with ts ≥ its ts, and did not cancel
	spent    bool // a dwell that has pulsed and saw no leave yet
	anEnd    bool // there was an ending event
	newest   nudge.Millis
	pulsedAt nudge.Millis // instant of the last pulse, 0: none
}

// foldWait runs an absent or dwell over all that a key took, from the first to the instant t.
func (r *rule) foldWait(call *ast.CallNode, p past, t nudge.Millis) wait {
	var w wait
	isDwell := callee(call) == "dwell"
	length := duration(call.Arguments[1])
	starts, ends := call.Arguments[0], inner(call.Arguments[2])
	if !isDwell {
		starts, ends = ends, starts // absent(e, W, after(a))
	}
	for _, taken := range p {
		e := taken.row
		if e == nil {
			w.run(taken.at, isDwell)
			w.merge(r.foldWait(call, taken.merged, taken.at), length)
			continue
		}
		w.run(e.at, isDwell) // timers due at or before at run before the record
		if r.test(e, ends) {
			w.end(e, length)
		}
		if r.test(e, starts) {
			w.begin(e, length)
		}
	}
	w.run(t, isDwell)
	return w
}

// inner is the test of after(…) and until(…).
func inner(n ast.Node) ast.Node {
	return n.(*ast.CallNode).Arguments[0]
}

// run pulses if the deadline is at or before t.
func (w *wait) run(t nudge.Millis, isDwell bool) {
	if w.open && w.deadline <= t {
		w.open, w.pulsedAt = false, w.deadline
		w.spent = isDwell && !w.ended
	}
}

// end: "An ending event cancels it when its ts lies in [ts(start), ts(start) + W)"; "After the pulse of a dwell an ending event stamped
// after the start, with ts ≥ ts(start), even one that came before the pulse, makes it ready again."
func (w *wait) end(e *row, length nudge.Millis) {
	if w.start != nil && e.ts >= w.start.ts {
		if w.open && e.ts < w.start.ts+length {
			w.open = false
		}
		w.ended, w.spent = true, false
	}
	if !w.anEnd || e.ts > w.newest {
		w.anEnd, w.newest = true, e.ts
	}
}

// begin: "Each operator remembers the newest ts of its ending events; a start with ts below that opens nothing". History starts nothing.
func (w *wait) begin(e *row, length nudge.Millis) {
	if w.open || w.spent || e.history || w.anEnd && e.ts < w.newest {
		return
	}
	w.start, w.open, w.ended = e, true, false
	w.deadline = max(e.ts+length, e.at+1)
}

// merge takes in the wait of an anonymous visitor who is this user, both run up to the same instant. Endings come first, each side's for the
// other; then "one that is open wins over one that has pulsed", and of two of a kind one stays. A wait that has pulsed is one that is spent: one
// that is ready again is as good as none.
func (w *wait) merge(v wait, length nudge.Millis) {
	w.endBy(&v, length)
	v.endBy(w, length)
	visitors := false
	switch {
	case w.open && v.open:
		visitors = v.deadline < w.deadline || v.deadline == w.deadline && v.start.ts < w.start.ts
	case w.spent && v.spent:
		visitors = v.start.ts > w.start.ts
	case v.open, v.spent && !w.open:
		visitors = true
	}
	anEnd, newest := w.anEnd || v.anEnd, w.newest
	if v.anEnd && (!w.anEnd || v.newest > newest) {
		newest = v.newest
	}
	if visitors {
		*w = v
	}
	w.anEnd, w.newest, w.pulsedAt = anEnd, newest, 0
}

// endBy ends an open wait where the other side's newest ending "lies inside (ts(start), ts(start) + W)".
func (w *wait) endBy(other *wait, length nudge.Millis) {
	if w.open && other.anEnd && other.newest > w.start.ts && other.newest < w.start.ts+length {
		w.open = false
	}
}
