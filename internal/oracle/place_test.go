package oracle

import (
	"slices"
	"strings"
	"testing"
)

// A rule with places rises only between them, at lines and by timers, but reads everything.
func TestPlaces(t *testing.T) {
	lines := linesOf(`
		1000 page_view visitor=v
		2000 page_view visitor=v
		3000 page_view visitor=v
		4000 page_view visitor=v`)
	const counts, waits = `count(page_view, "1h") >= 2`, `absent(form_submit, "500ms", after(page_view))`
	for _, tt := range []struct {
		when        string
		from, until Place
		want        []string
	}{
		{`on(page_view)`, Place{}, Place{}, []string{"1000", "2000", "3000", "4000"}},
		{`on(page_view)`, Place{Line: 2, At: 2000}, Place{}, []string{"3000", "4000"}},
		{`on(page_view)`, Place{}, Place{Line: 2, At: 2000}, []string{"1000", "2000"}},
		{`on(page_view)`, Place{Line: 1, At: 1000}, Place{Line: 3, At: 3000}, []string{"2000", "3000"}},
		{counts, Place{Line: 1, At: 1000}, Place{}, []string{"2000"}}, // the first view counts
		{counts, Place{Line: 2, At: 2000}, Place{}, nil},              // it has risen before
		{waits, Place{}, Place{}, []string{"1500", "2500", "3500"}},   // the last one's timer is behind the last line
		{waits, Place{Line: 1, At: 1500}, Place{}, []string{"2500", "3500"}},
		{waits, Place{Line: 1, At: 1499}, Place{Line: 3, At: 3000}, []string{"1500", "2500"}},
		{waits, Place{}, Place{Line: 2, At: 2500}, []string{"1500", "2500"}},
	} {
		rule := Rule{ID: "r", Text: `{per: visitor, when: ` + tt.when + `, then: alert("x")}`, From: tt.from, Until: tt.until}
		out, err := Run([]Rule{rule}, lines, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, line := range out {
			got = append(got, strings.Fields(brief(t, line, map[string]string{}))[2])
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s behind %v up to %v: fired at %v, want %v", tt.when, tt.from, tt.until, got, tt.want)
		}
	}
}
