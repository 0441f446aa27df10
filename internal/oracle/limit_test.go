package oracle

import (
	"strings"
	"testing"
)

// Section 2, limit; section 5.3 and 5.4.
func TestLimit(t *testing.T) {
	runScripts(t, []script{
		{
			cites: "at most n delivered firings per key and window (delivered firings with t − W < at ≤ t)",
			rules: `r: when: on(page_view), limit: cap("p", 2, "10s")`,
			events: `1000 page_view visitor=v
				2000 page_view visitor=v
				2500 page_view visitor=w
				10999 page_view visitor=v
				11000 page_view visitor=v
				11500 page_view visitor=v
				12000 page_view visitor=v`,
			opts: Options{Suppressed: true},
			want: `r v 1000 line:1
				r v 2000 line:2
				r w 2500 line:3
				r v 10999 line:4 limit
				r v 11000 line:5
				r v 11500 line:6 limit
				r v 12000 line:7`,
		},
		{
			cites: "cooldown and limit use at",
			rules: `r: when: on(page_view), limit: cap("p", 1, "10s")`,
			events: `1000 page_view visitor=v at=5000
				14000 page_view visitor=v
				1500 page_view visitor=v at=15000`,
			opts: Options{Suppressed: true},
			want: `r v 5000 line:1
				r v 14000 line:2 limit
				r v 15000 line:3`,
		},
		{
			cites: "shared by all rules naming the pool; the higher priority is settled first and takes the place",
			rules: `a: when: on(page_view), limit: cap("p", 1, "10s")
				b: when: on(page_view), limit: cap("p", 1, "10s"), priority: 1
				c: when: on(page_view), limit: cap("q", 1, "10s")`,
			events: `1000 page_view visitor=v`,
			opts:   Options{Suppressed: true},
			want: `b v 1000 line:1
				a v 1000 line:1 limit
				c v 1000 line:1`,
		},
		{
			cites: "unless, cooldown, limit, in that order; what is suppressed fills nothing",
			rules: `r: when: on(page_view), unless: happened(form_view, "1s"), cooldown: "3s", limit: cap("p", 2, "20s")`,
			events: `1000 form_view visitor=v
				1000 page_view visitor=v
				2000 page_view visitor=v
				3000 page_view visitor=v
				5000 page_view visitor=v
				6000 page_view visitor=v
				8000 page_view visitor=v
				8000 form_view visitor=v
				8500 page_view visitor=v
				22000 page_view visitor=v`,
			opts: Options{Suppressed: true},
			want: `r v 1000 line:2 unless
				r v 2000 line:3
				r v 3000 line:4 cooldown
				r v 5000 line:5
				r v 6000 line:6 cooldown
				r v 8000 line:7 limit
				r v 8500 line:9 unless
				r v 22000 line:10`,
		},
		{
			cites: "a firing that the limit suppresses starts no cooldown and makes no fired",
			rules: `a: when: on(form_view), limit: cap("p", 1, "2s")
				f: when: on(fired and rule == "r")
				r: when: on(page_view), cooldown: "10s", limit: cap("p", 1, "2s")`,
			events: `1000 form_view visitor=v
				2000 page_view visitor=v
				3000 page_view visitor=v`,
			opts: Options{Suppressed: true},
			want: `a v 1000 line:1
				r v 2000 line:2 limit
				r v 3000 line:3
				f v 3000 fired:r`,
		},
		{
			cites: "A shadow rule is held by a full pool but does not fill it",
			rules: `s: when: on(page_view), mode: "shadow", priority: 1, limit: cap("p", 1, "10s")
				r: when: on(page_view), limit: cap("p", 1, "10s")`,
			events: `1000 page_view visitor=v
				2000 page_view visitor=v`,
			opts: Options{Suppressed: true},
			want: `s v 1000 line:1 shadow
				r v 1000 line:1
				s v 2000 line:2 shadow limit
				r v 2000 line:2 limit`,
		},
	})
}

// Section 2, the recorded actions.
func TestRecordedActions(t *testing.T) {
	rules := []Rule{{ID: "r", Text: `{per: visitor, when: on(page_view), then: [untag("old"), emit("hot", {p: path, n: count(page_view, "1s")}),
		tag("a"), tag("b", "1w2d90m"), tag("c", "1500ms"), webhook("crm", {d: [1]}), webhook("bare")]}`}}
	got, err := Run(rules, []string{`{"type":"page_view","visitor":"v","path":"/x","ts":1}`}, Options{})
	const want = `"actions":[{"untag":"old","data":{}},{"emit":"hot","data":{"p":"/x","n":1}},{"tag":"a","data":{}},` +
		`{"tag":"b","data":{"ttl":"9d1h30m"}},{"tag":"c","data":{"ttl":"1s500ms"}},{"webhook":"crm","data":{"d":[1]}},{"webhook":"bare","data":{}}]}`
	if err != nil || len(got) != 1 || !strings.HasSuffix(got[0], want) {
		t.Errorf("got %v %v\nwant …%s", got, err, want)
	}
	for _, then := range []string{`tag("a", 5)`, `webhook("a", 5)`, `emit(path)`, `shout("x")`, `page_view`} {
		if _, err := Run([]Rule{{ID: "r", Text: `{per: visitor, when: on(page_view), then: ` + then + `}`}}, nil, Options{}); err == nil {
			t.Errorf("then: %s is no action, and is taken", then)
		}
	}
}
