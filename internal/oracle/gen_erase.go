package oracle

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// WithErasures puts erasures of visitors and users that occur in a stream, and now and then of somebody unknown, in the place of some of its
// lines. The same seed gives the same.
func WithErasures(seed uint64, lines []string) []string {
	g := rand.New(rand.NewPCG(seed, 7))
	out := slices.Clone(lines)
	people := [][2]string{{"visitor", "nobody"}, {"user", "nobody@acme.example"}}
	for i, text := range lines {
		var e struct {
			Visitor, User, Email any
			Ts, At               *int64
		}
		if json.Unmarshal([]byte(text), &e) != nil {
			continue
		}
		for kind, id := range map[string]any{"visitor": e.Visitor, "user": e.User, "email": e.Email} {
			if id != nil {
				people = append(people, [2]string{strings.Replace(kind, "email", "user", 1), fmt.Sprint(id)})
			}
		}
		slices.SortFunc(people, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
		if people = slices.Compact(people); i == 0 || g.IntN(20) > 0 {
			continue
		}
		who := people[g.IntN(len(people))]
		line := fmt.Sprintf(`{"erase":%q,"key":%q`, who[0], who[1])
		if e.Ts != nil {
			line += fmt.Sprintf(`,"ts":%d`, *e.Ts)
		}
		if e.At != nil {
			line += fmt.Sprintf(`,"at":%d`, *e.At)
		}
		out[i] = line + "}"
	}
	return out
}
