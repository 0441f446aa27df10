package oracle

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// limit is cap(pool, n, window): at most n delivered firings per key and window of all rules that name the pool.
type limit struct {
	pool   string
	most   int
	window nudge.Millis
}

func limitOf(n ast.Node) (*limit, error) {
	call, ok := n.(*ast.CallNode)
	if !ok || callee(call) != "cap" {
		return nil, fmt.Errorf("want cap(pool, n, window)")
	}
	pool, isText := call.Arguments[0].(*ast.StringNode)
	most, isNumber := call.Arguments[1].(*ast.IntegerNode)
	if !isText || !isNumber || most.Value < 1 {
		return nil, fmt.Errorf("want the pool's name and a whole number above 0")
	}
	return &limit{pool: pool.Value, most: most.Value, window: duration(call.Arguments[2])}, nil
}

// full says whether a pool of the key holds no more at an instant: "delivered firings with t − W < at ≤ t".
func (k *key) full(l *limit, t nudge.Millis) bool {
	if l == nil {
		return false
	}
	in := 0
	for _, at := range k.pools[l.pool] {
		if t-l.window < at && at <= t {
			in++
		}
	}
	return in >= l.most
}

// fill counts one delivered firing of a live rule.
func (k *key) fill(l *limit, t nudge.Millis) {
	if l != nil {
		k.pools[l.pool] = append(k.pools[l.pool], t)
	}
}
