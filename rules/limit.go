package rules

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// MaxCap bounds how many firings a pool lets through in its window: so many instants are kept per key.
const MaxCap = 1000

const limitExample = `limit: cap("popups", 2, "1d")`

// checkLimit checks limit: cap("pool", n, W).
func (r *rule) checkLimit(c *checker, p pair) {
	at := nodePos(p.value)
	call, ok := p.value.(*ast.CallNode)
	if ok {
		name, _ := callName(call)
		ok = name == "cap" && len(call.Arguments) == 3
	}
	if !ok {
		r.errorf(at, limitExample, "`limit` takes cap(…) with a pool, a number and how long")
		return
	}
	pool, isText := call.Arguments[0].(*ast.StringNode)
	if !isText || pool.Value == "" || len(pool.Value) > nudge.MaxNameBytes {
		r.errorf(nodePos(call.Arguments[0]), limitExample, "the pool of `cap` is a name in quotes, of at most %d bytes", nudge.MaxNameBytes)
		return
	}
	n, isNumber := call.Arguments[1].(*ast.IntegerNode)
	if !isNumber || n.Value < 1 || n.Value > MaxCap {
		r.errorf(nodePos(call.Arguments[1]), limitExample, "`cap` lets a whole number of firings through, 1 to %d", MaxCap)
		return
	}
	if window := c.window(call.Arguments[2], operator{}); window != 0 {
		r.limit, r.limitAt = &Cap{Pool: pool.Value, N: n.Value, Window: window}, at
	}
}

// checkPools reports rules that name one pool and mean different things by it.
func checkPools(rules []*rule) {
	first := map[string]*rule{}
	for _, r := range rules {
		if r.limit == nil {
			continue
		}
		f := first[r.limit.Pool]
		if f == nil {
			first[r.limit.Pool] = r
			continue
		}
		if is, was := r.limitText(), f.limitText(); is != was {
			r.errorf(r.limitAt, "give both the same `per`, number and window, or two pools", "the pool %s is %s here, and %s in %s",
				quote(r.limit.Pool), is, was, f.file)
		}
	}
}

// limitText is what must be the same wherever a pool is named.
func (r *rule) limitText() string {
	per := r.kind.String()
	if r.per != nil {
		per = r.per.String()
	}
	return fmt.Sprintf("%d in %q per %s", r.limit.N, durationText(r.limit.Window), per)
}
