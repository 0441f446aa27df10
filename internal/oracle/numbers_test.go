package oracle

import "testing"

// Section 3, sum avg min max.
func TestNumbers(t *testing.T) {
	runScripts(t, []script{
		{
			cites: "sum avg min max: over the numbers v among them (a text, true, null are none of them), in the window",
			rules: `r: when: on(form_submit), then: alert("x", {s: sum(page_view, n, "10s"), g: avg(page_view, n, "10s"), lo: min(page_view, n, "10s"), hi: max(page_view, n, "10s")})`,
			events: `1000 page_view visitor=v n=100
				2000 page_view visitor=v n=4
				2000 form_view visitor=v n=50
				3000 page_view visitor=v n="7"
				3000 page_view visitor=v n=true
				3000 page_view visitor=v n=null
				3000 page_view visitor=v
				4000 page_view visitor=v n=-1.5
				11000 form_submit visitor=v`,
			want: `r v 11000 line:9 {"s":2.5,"g":1.25,"lo":-1.5,"hi":4}`,
		},
		{
			cites: "added as integers of 10⁻⁶: 0.1 + 0.2 is 0.3, and 3e-7 is nothing while 5e-7 is a millionth, half away from zero",
			rules: `a: when: sum(page_view, n, "1s") == 0.3
				b: when: sum(form_view, n, "1s") == 0.000001
				c: when: sum(form_submit, n, "1s") == -0.000001`,
			events: `1 page_view visitor=v n=0.1
				1 page_view visitor=v n=0.2
				2 form_view visitor=v n=0.0000003
				3 form_view visitor=v n=0.0000003
				4 form_view visitor=v n=0.0000005
				5 form_submit visitor=v n=-0.0000005`,
			want: `a v 1 line:2
				b v 4 line:5
				c v 5 line:6`,
		},
		{
			cites: "a number further from 0 than 1e12 counts as missing",
			rules: `a: when: max(page_view, n, "1s") >= 1e12
				b: when: min(page_view, n, "1s") <= -1e12
				c: when: count(page_view, "1s") == 5, then: alert("x", {s: sum(page_view, n, "1s"), g: avg(page_view, n, "1s")})`,
			events: `1 page_view visitor=v n=1000000000000.1
				2 page_view visitor=v n=1e12
				3 page_view visitor=v n=-1e300
				4 page_view visitor=v n=-1e12
				5 page_view visitor=v n=3`,
			want: `a v 2 line:2
				b v 4 line:4
				c v 5 line:5 {"s":3,"g":1}`,
		},
		{
			cites: "a sum is exact beyond what 64 bits hold",
			rules: `r: when: sum(page_view, n, "ever") >= 12e12`,
			events: func() (lines string) {
				for range 12 {
					lines += "1 page_view visitor=v n=1e12\n"
				}
				return lines
			}(),
			want: `r v 1 line:12`,
		},
		{
			cites: "added as integers of 10⁻⁶",
			rules: `r: when: on(form_view), then: alert("x", {s: sum(page_view, n, "1s"), g: avg(page_view, n, "1s"), lo: min(page_view, n, "1s")})`,
			events: `1 page_view visitor=v n=999999999999
				2 form_view visitor=v
				3 page_view visitor=v n=1000000000000
				4 form_view visitor=v`,
			want: `r v 2 line:2 {"s":999999999999,"g":999999999999,"lo":999999999999}
				r v 4 line:4 {"s":1999999999999,"g":9.999999999995e+11,"lo":999999999999}`,
		},
		{
			cites: "the sum of nothing is 0, a comparison with avg, min or max of nothing is false",
			rules: `s: when: on(form_submit) and sum(page_view, n, "1s") == 0
				g: when: on(form_submit) and avg(page_view, n, "1s") < 5
				l: when: on(form_submit) and not (min(page_view, n, "1s") < 5)
				h: when: on(form_submit) and max(page_view, n, "1s") != 5
				a: when: on(form_submit) and max(page_view, n, "1s") + 1 > 0, then: alert("x", {g: avg(page_view, n, "1s")})
				n: when: on(form_submit), then: alert("x", {s: sum(page_view, n, "1s"), g: avg(page_view, n, "1s"), lo: min(page_view, n, "1s"), hi: max(page_view, n, "1s")})`,
			events: `1 page_view visitor=v n="5"
				2 form_submit visitor=v`,
			want: `l v 2 line:2
				n v 2 line:2 {"s":0,"g":null,"lo":null,"hi":null}
				s v 2 line:2`,
		},
		{
			cites: "any comparison of one window value with a constant wakes up (every expiry): max falls, avg rises, sum passes through",
			rules: `h: when: max(page_view, n, "10s") < 5
				g: when: avg(page_view, n, "10s") >= 3
				s: when: sum(page_view, n, "10s") == 4
				z: when: sum(page_view, n, "10s") == 0`,
			events: `1000 page_view visitor=v n=1
				2000 page_view visitor=v n=7
				3000 page_view visitor=v n=-3
				5000 page_view visitor=v n=4`,
			opts: Options{Drain: true},
			// The sums: 1, 8, 5, 9; without the first 8, without the second 1, then 4, then 0.
			want: `h v 1000 line:1
				g v 2000 line:2
				h v 12000 timer
				g v 13000 timer
				s v 13000 timer
				z v 15000 timer`,
		},
		{
			cites: `W may also be "ever" for sum`,
			rules: `r: when: sum(page_view, n, "ever") >= 3, then: alert("x", {g: avg(page_view, n, "ever"), lo: min(page_view, n, "ever"), hi: max(page_view, n, "ever")})`,
			events: `1 page_view visitor=v n=1
				90000000000 page_view visitor=v n=2`,
			want: `r v 90000000000 line:2 {"g":1.5,"lo":1,"hi":2}`,
		},
		{
			cites: "v may be an expression over one event; what is late is counted where it belongs",
			rules: `r: when: sum(page_view, n * 2, "2h") >= 6`,
			events: `10000000 page_view visitor=v n=1
				2800000 page_view visitor=v n=5
				2800001 page_view visitor=v n=2`,
			want: `r v 10000000 line:3`,
		},
	})
}
