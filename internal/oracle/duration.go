package oracle

import (
	"regexp"
	"strconv"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// ever is the window that everything is in.
const ever nudge.Millis = 1 << 61

var unitPattern = regexp.MustCompile(`^([0-9]+)(ms|s|m|h|d|w)`)

var units = map[string]nudge.Millis{"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}

// duration reads a constant length of time; 0 where it is none.
func duration(n ast.Node) nudge.Millis {
	if s, ok := n.(*ast.StringNode); ok {
		return parseDuration(s.Value)
	}
	return 0
}

// parseDuration reads "1h30m" or "ever"; 0 where it is neither.
func parseDuration(text string) (sum nudge.Millis) {
	if text == "ever" {
		return ever
	}
	for rest := text; rest != ""; {
		m := unitPattern.FindStringSubmatch(rest)
		if m == nil {
			return 0
		}
		count, err := strconv.ParseInt(m[1], 10, 40)
		if err != nil {
			return 0
		}
		sum += nudge.Millis(count) * units[m[2]]
		rest = rest[len(m[0]):]
	}
	return sum
}

// canonical is a length of time in its largest units; weeks are written as days.
func canonical(d nudge.Millis) (text string) {
	for _, unit := range []string{"d", "h", "m", "s", "ms"} {
		if n := d / units[unit]; n > 0 {
			text += strconv.FormatInt(int64(n), 10) + unit
			d -= n * units[unit]
		}
	}
	return text
}
