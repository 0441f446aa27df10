package oracle

import "testing"

// Section 3, last and since.
func TestLast(t *testing.T) {
	runScripts(t, []script{
		{
			cites: "last(e, v): v of the newest matching event (largest ts, then stamp), ever",
			rules: `r: when: on(form_submit), then: alert("x", {l: last(page_view, path)})`,
			events: `1 form_submit visitor=v
				1000 page_view visitor=v path=/a
				2000 page_view visitor=v path=/b
				1500 page_view visitor=v path=/late at=2500
				2500 form_submit visitor=v
				2000 page_view visitor=v path=/tie
				2500 form_view visitor=v path=/other
				90000000000 form_submit visitor=v`,
			want: `r v 1 line:1 {"l":null}
				r v 2500 line:5 {"l":"/b"}
				r v 90000000000 line:8 {"l":"/tie"}`,
		},
		{
			cites: "last: nothing where it is missing there, or null; a comparison with nothing is false, and not of it true",
			rules: `r: when: last(page_view, path) == "/a"
				n: when: last(page_view, path) != "/a"
				x: when: not (last(page_view, path) == "/a")`,
			events: `1 page_view visitor=v path=/a
				2 page_view visitor=v
				3 page_view visitor=v path=/a
				4 page_view visitor=v path=null
				5 page_view visitor=v path=/b`,
			// x is true before the first event, too.
			want: `r v 1 line:1
				x v 2 line:2
				r v 3 line:3
				x v 4 line:4
				n v 5 line:5`,
		},
		{
			cites: "last: a comparison of two types is false; text, number and bool",
			rules: `t: when: last(page_view, p) == "5"
				n: when: last(page_view, p) >= 5
				m: when: last(page_view, p) != 5
				b: when: last(page_view, p) == true`,
			events: `1 page_view visitor=v p="5"
				2 page_view visitor=v p=5
				3 page_view visitor=v p=true
				4 page_view visitor=v p=4`,
			want: `t v 1 line:1
				n v 2 line:2
				b v 3 line:3
				m v 4 line:4`,
		},
		{
			cites: "last: compared with other lasts",
			rules: `e: when: last(page_view, plan) == last(form_view, plan)
				d: when: last(page_view, plan) != last(form_view, plan)`,
			events: `1 page_view visitor=v plan=pro
				2 form_view visitor=v plan=free
				3 form_view visitor=v plan=pro
				4 form_view visitor=v plan=7`,
			want: `d v 2 line:2
				e v 3 line:3`,
		},
		{
			cites: "history counts as newest ts",
			rules: `r: when: last(page_view, path) == "/h"`,
			events: `1 page_view visitor=v path=/a at=1
				2 page_view visitor=v path=/h at=7200000`,
			want: `r v 7200000 line:2`,
		},
	})
}

func TestSince(t *testing.T) {
	runScripts(t, []script{
		{
			cites: "since(e): seconds since the newest matching event; with a constant it wakes up",
			rules: `a: when: since(page_view) >= 10
				b: when: since(page_view) > 10
				c: when: since(page_view) == 10
				d: when: 9.9995 < since(page_view)
				e: when: since(page_view) != 10
				f: when: not (since(page_view) < 10)`,
			events: `1000 page_view visitor=v
				4000 page_view visitor=v
				3000 page_view visitor=v at=4000`,
			opts: Options{Drain: true},
			// f is true of a key that has seen no page_view: it rises again.
			want: `e v 1000 line:1
				a v 14000 timer
				c v 14000 timer
				d v 14000 timer
				f v 14000 timer
				b v 14001 timer
				e v 14001 timer`,
		},
		{
			cites: "Such instants round up to whole ms",
			rules: `r: when: since(page_view) >= 1.0004
				s: when: since(page_view) > 1.0004
				x: when: since(page_view) == 1.0004`,
			events: `1000 page_view visitor=v`,
			opts:   Options{Drain: true},
			want: `r v 2001 timer
				s v 2001 timer`,
		},
		{
			cites: "a comparison with since is false if there was none",
			rules: `r: when: on(form_view) and since(page_view) >= 0
				n: when: on(form_view) and not (since(page_view) >= 0), then: alert("x", {s: since(page_view)})`,
			events: `1000 form_view visitor=v
				2000 page_view visitor=v
				3500 form_view visitor=v`,
			want: `n v 1000 line:1 {"s":null}
				r v 3500 line:3`,
		},
		{
			cites: "since in arithmetic, or two of them compared, beside an on(…)",
			rules: `a: when: on(form_view) and since(page_view) - since(page_leave) > 1, then: alert("x", {s: since(page_view)})
				b: when: on(form_view) and since(page_view) > since(page_leave)`,
			events: `1000 page_view visitor=v
				2000 page_leave visitor=v
				5000 form_view visitor=v
				5500 page_leave visitor=v
				7000 form_view visitor=v`,
			want: `b v 5000 line:3
				a v 7000 line:5 {"s":6}
				b v 7000 line:5`,
		},
		{
			cites: "before, for timers: windows of 1 ms earlier. A record at the ms itself comes after the timer",
			rules: `r: when: since(page_view) >= 10, then: alert("x", {s: since(page_view)})`,
			events: `1000 page_view visitor=v
				11000 page_view visitor=v
				20999 page_view visitor=v`,
			want: `r v 11000 timer {"s":10}`,
		},
		{
			cites:  "a late event that is already older than the number: it rises at its own instant",
			rules:  `r: when: since(page_view) >= 10`,
			events: `1000 page_view visitor=v at=20000`,
			want:   `r v 20000 line:1`,
		},
	})
}
