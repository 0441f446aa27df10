package oracle

import "testing"

// Section 3, score.
func TestScore(t *testing.T) {
	const points = `score({page_view: 4, (form_view and form == "demo"): 10, form_submit: -3}, half_life("10s"))`
	runScripts(t, []script{
		{
			cites: "sum of p · 2^(−(t−ts)/half-life)",
			rules: `r: when: on(page_leave), then: alert("x", {p: ` + points + `})`,
			events: `0 page_leave visitor=v
				1000 page_view visitor=v
				1000 form_view visitor=v form=demo
				1000 form_view visitor=v form=other
				11000 form_submit visitor=v
				11000 page_leave visitor=v
				21000 page_leave visitor=v
				26000 page_leave visitor=v
				900000000 page_leave visitor=v`,
			// 14/2 − 3 = 4, then 2, then 2/√2 = 1.41421356…, then nothing.
			want: `r v 0 line:1 {"p":0}
				r v 11000 line:6 {"p":4}
				r v 21000 line:7 {"p":2}
				r v 26000 line:8 {"p":1.414214}
				r v 900000000 line:9 {"p":0}`,
		},
		{
			cites: "an event matching two of them counts for both",
			rules: `r: let view = page_view; when: score({view: 1, page_view: 2, (path == "/a"): 4}, half_life("1s")) >= 7`,
			events: `1 page_view visitor=v
				1000000 page_view visitor=v path=/a`,
			want: `r v 1000000 line:2`,
		},
		{
			cites:  "a name that is no let and no known event is the event of that name",
			rules:  `r: when: score({"Product Viewed": 5}, half_life("1s")) >= 5`,
			events: `{"type":"Product Viewed","visitor":"v","ts":1}`,
			want:   `r v 1 line:1`,
		},
		{
			cites: "score compared with a constant wakes up where it comes to it, and where it passes it",
			rules: `a: when: score({page_view: 8}, half_life("10s")) <= 4
				b: when: score({page_view: 8}, half_life("10s")) < 4
				c: when: score({page_view: 8}, half_life("10s")) == 2
				d: when: 0 >= score({page_view: -1}, half_life("1s")) + 0 and on(form_view)
				n: when: score({page_view: -8}, half_life("10s")) >= -4`,
			events: `1000 page_view visitor=v`,
			opts:   Options{Drain: true},
			// b: at 11001 the score is 4·2^(−0.0001) = 3.999723, below 4. a and n are true of no events, false with one, and rise again.
			want: `a v 11000 timer
				n v 11000 timer
				b v 11001 timer
				c v 21000 timer`,
		},
		{
			cites: "rounded to 10⁻⁶ before it is compared",
			rules: `z: when: score({page_view: 1}, half_life("1s")) == 0
				h: when: score({form_view: 1}, half_life("1000s")) < 0.999999`,
			events: `1000 page_view visitor=v
				1000 form_view visitor=v`,
			opts: Options{Drain: true},
			// z: 2^(−t/1000) < 0.5e-6 first at t = 1000·log2(2e6) = 20931.568… ms, so 20932. h: below 0.9999985 first at
			// t = 1e6·1.5e-6/ln 2 = 2.164… ms, so 3.
			want: `h v 1003 timer
				z v 21932 timer`,
		},
		{
			cites: "events leave no window: late ones count as far as they have faded, however late",
			rules: `r: when: score({page_view: 8}, half_life("1h")) >= 2`,
			events: `1 page_view visitor=v at=7200001
				7200001 form_view visitor=v`,
			want: `r v 7200001 line:1`,
		},
		{
			cites: "score in arithmetic, or two of them compared, beside an on(…)",
			rules: `r: when: on(form_submit) and score({page_view: 2}, half_life("1s")) > score({form_view: 2}, half_life("1s"))`,
			events: `1000 page_view visitor=v
				2000 form_submit visitor=v
				2500 form_view visitor=v
				2600 form_submit visitor=v`,
			want: `r v 2000 line:2`,
		},
	})
}
