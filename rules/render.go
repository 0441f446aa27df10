package rules

import (
	"strconv"

	"nudge"
)

// Compiled payloads: renderFunc appends JSON, partFunc gives one value to calculate or join with.
type (
	renderFunc = func(dst []byte, row *Row, r []Reading) []byte
	partFunc   = func(row *Row, r []Reading) nudge.Value
)

// action compiles one action.
func (p *planner) action(a *action, scope int) Action {
	s := &useSet{planner: p, scope: scope}
	text := s.part(a.text, true)
	data := func(dst []byte, _ *Row, _ []Reading) []byte { return append(dst, "{}"...) }
	if a.data != nil {
		data = s.render(a.data)
	}
	return Action{Kind: a.kind, Uses: s.uses, Render: func(dst []byte, row *Row, r []Reading) (string, []byte) {
		return plainText(text(row, r)), data(dst, row, r)
	}}
}

// render compiles what appends a payload as JSON.
func (s *useSet) render(p *payload) renderFunc {
	switch p.kind {
	case payloadNull:
		return func(dst []byte, _ *Row, _ []Reading) []byte { return append(dst, "null"...) }
	case payloadMap:
		return s.renderMap(p)
	case payloadList:
		parts := make([]renderFunc, len(p.parts))
		for i, part := range p.parts {
			parts[i] = s.render(part)
		}
		return func(dst []byte, row *Row, r []Reading) []byte {
			dst = append(dst, '[')
			for i, f := range parts {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = f(dst, row, r)
			}
			return append(dst, ']')
		}
	case payloadTest:
		f := s.planner.testFunc(p.term)
		return func(dst []byte, row *Row, _ []Reading) []byte {
			switch f(row) {
			case True:
				return append(dst, "true"...)
			case False:
				return append(dst, "false"...)
			}
			return append(dst, "null"...)
		}
	case payloadCond:
		f := s.condFunc(p.cond, false, true)
		return func(dst []byte, _ *Row, r []Reading) []byte { return strconv.AppendBool(dst, f(r)) }
	case payloadAsk:
		if p.ask.kind == OpValues || p.ask.name == "happened" {
			return s.renderAsk(p.ask)
		}
	}
	f := s.part(p, false)
	return func(dst []byte, row *Row, r []Reading) []byte { return f(row, r).AppendJSON(dst) }
}

func (s *useSet) renderMap(p *payload) renderFunc {
	heads := make([][]byte, len(p.parts))
	parts := make([]renderFunc, len(p.parts))
	for i, part := range p.parts {
		head := []byte{'{'}
		if i > 0 {
			head[0] = ','
		}
		heads[i] = append(nudge.AppendJSONString(head, p.keys[i]), ':')
		parts[i] = s.render(part)
	}
	if len(parts) == 0 {
		return func(dst []byte, _ *Row, _ []Reading) []byte { return append(dst, "{}"...) }
	}
	return func(dst []byte, row *Row, r []Reading) []byte {
		for i, f := range parts {
			dst = f(append(dst, heads[i]...), row, r)
		}
		return append(dst, '}')
	}
}

func (s *useSet) renderAsk(a *ask) renderFunc {
	i := s.add(a, WakeNever)
	if a.kind != OpValues {
		return func(dst []byte, _ *Row, r []Reading) []byte { return strconv.AppendBool(dst, r[i].N >= 1) }
	}
	return func(dst []byte, _ *Row, r []Reading) []byte {
		dst = append(dst, '[')
		for j, v := range r[i].Values {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = v.AppendJSON(dst)
		}
		return append(dst, ']')
	}
}

// part compiles a single value. In the text of an action what is missing is left out; in data it makes the whole value null.
func (s *useSet) part(p *payload, inText bool) partFunc {
	switch p.kind {
	case payloadTerm:
		f := s.planner.valueFunc(p.term)
		return func(row *Row, _ []Reading) nudge.Value { return f(row) }
	case payloadAsk:
		return readPart(p.ask, s.add(p.ask, WakeNever))
	case payloadNeg:
		f := s.part(p.parts[0], false)
		zero := nudge.NumberValue(0)
		return func(row *Row, r []Reading) nudge.Value { return arithValues("-", zero, f(row, r)) }
	case payloadArith:
		a, b, op := s.part(p.parts[0], inText), s.part(p.parts[1], inText), p.op
		return func(row *Row, r []Reading) nudge.Value { return joinValues(op, a(row, r), b(row, r), inText) }
	}
	panic("BUG: not a single value")
}

// readPart is what an operator reads, as a value. A number that is nothing, or that is not known any more, is missing.
func readPart(a *ask, i int) partFunc {
	if a.kind == OpLast {
		return func(_ *Row, r []Reading) nudge.Value { return r[i].Value }
	}
	known := a.isCount() // a count shows its limit where it is above that: the last entry that is kept only says that it is
	return func(_ *Row, r []Reading) nudge.Value {
		switch {
		case r[i].None || r[i].More && !known:
			return nudge.Value{}
		case r[i].More:
			return nudge.NumberValue(r[i].N - 1)
		}
		return nudge.NumberValue(r[i].N)
	}
}

// joinValues calculates with two numbers; + also joins a text with what stands beside it.
func joinValues(op string, a, b nudge.Value, inText bool) nudge.Value {
	switch {
	case op != "+" || a.Kind == nudge.Number && b.Kind == nudge.Number:
		return arithValues(op, a, b)
	case inText, a.Present() && b.Present() && (a.Kind == nudge.Text || b.Kind == nudge.Text):
		return nudge.TextValue(plainText(a) + plainText(b))
	}
	return nudge.Value{}
}

// plainText is a value as a person reads it; nothing where it is missing.
func plainText(v nudge.Value) string {
	switch v.Kind {
	case nudge.Text:
		return v.Text
	case nudge.Missing, nudge.Null:
		return ""
	}
	return string(v.AppendJSON(nil))
}
