package oracle

import (
	"sort"
	"time"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// test is matches, asked once per row and test.
func (r *rule) test(e *row, test ast.Node) bool {
	answer, asked := e.memo[test]
	if !asked {
		answer = r.matches(e, test)
		if e.memo == nil {
			e.memo = map[any]bool{}
		}
		e.memo[test] = answer
	}
	return answer
}

// window are the matching rows of an operator's window: "t - W < ts <= t".
func (s *state) window(call *ast.CallNode) []*row {
	length := duration(call.Arguments[windowArg[callee(call)]])
	var in []*row
	for _, e := range s.rows {
		if s.t-length < e.ts && e.ts <= s.t && s.rule.test(e, call.Arguments[0]) {
			in = append(in, e)
		}
	}
	return in
}

// newestFirst are the different values of a distinct or values, newest first: by the newest ts of each, then the later stamp.
func (s *state) newestFirst(call *ast.CallNode) []nudge.Value {
	rows := s.window(call)
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].ts < rows[j].ts })
	seen := map[nudge.Value]bool{}
	var out []nudge.Value
	for i := len(rows) - 1; i >= 0; i-- {
		v := s.valueOf(call, rows[i])
		if v.Present() && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

func (s *state) days(call *ast.CallNode) int {
	days := map[string]bool{}
	for _, e := range s.window(call) {
		days[time.UnixMilli(int64(e.ts)).In(s.rule.location).Format(time.DateOnly)] = true
	}
	return len(days)
}

// taken is the row that the key takes at this instant where it may pulse.
func (s *state) taken(test ast.Node) *row {
	if s.input != byRow {
		return nil
	}
	e := s.rows[len(s.rows)-1]
	if e.history || !s.rule.test(e, test) {
		return nil
	}
	return e
}

func (s *state) on(call *ast.CallNode) bool { return s.taken(call.Arguments[0]) != nil }

// first: "pulse at a matching event when the newest matching ts so far is missing or ≤ ts − W".
func (s *state) first(call *ast.CallNode) bool {
	e := s.taken(call.Arguments[0])
	if e == nil {
		return false
	}
	length := duration(call.Arguments[1])
	for _, old := range s.rows[:len(s.rows)-1] {
		if s.rule.test(old, call.Arguments[0]) && old.ts > e.ts-length {
			return false
		}
	}
	return true
}

// pulsed is the row that opened a wait of absent or dwell that pulses at this instant.
func (s *state) pulsed(call *ast.CallNode) *row {
	if s.input != byTimer {
		return nil
	}
	w := s.rule.foldWait(call, s.past, s.t)
	if w.pulsedAt != s.t {
		return nil
	}
	return w.start
}
