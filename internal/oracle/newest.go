package oracle

import (
	"github.com/expr-lang/expr/ast"

	"nudge"
)

// newest is the newest row ever that matches an operator's event: "largest ts, then stamp"; nil: none.
func (s *state) newest(call *ast.CallNode) (newest *row) {
	for _, e := range s.rows {
		if s.rule.test(e, call.Arguments[0]) && (newest == nil || e.ts >= newest.ts) {
			newest = e
		}
	}
	return newest
}

// last: "v of the newest matching event (largest ts, then stamp), ever; nothing where it is missing there".
func (s *state) last(call *ast.CallNode) nudge.Value {
	newest := s.newest(call)
	if newest == nil {
		return unknown
	}
	return s.valueOf(call, newest)
}

// since: "seconds since the newest matching event"; nothing where there was none.
func (s *state) since(call *ast.CallNode) nudge.Value {
	newest := s.newest(call)
	if newest == nil {
		return unknown
	}
	return nudge.NumberValue(float64(s.t-newest.ts) / 1000)
}
