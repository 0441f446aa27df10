package oracle

import "testing"

// Section 3, sequence.
func TestSequence(t *testing.T) {
	const abc = `sequence(event("a"), event("b"), event("c"), "10s")`
	runScripts(t, []script{
		{
			cites: "pulse at the last step when all steps happened in order, and ts(last) − ts(first) < W",
			rules: `r: when: ` + abc,
			events: `1000 a visitor=in
				2000 b visitor=in
				10999 c visitor=in
				1000 a visitor=edge at=11000
				2000 b visitor=edge
				11000 c visitor=edge
				11000 b visitor=order
				11000 a visitor=order
				11000 c visitor=order`,
			want: `r in 10999 line:3`,
		},
		{
			cites: "each a different event: steps are tried from the last to the first, so one event never serves two steps of one match",
			rules: `r: when: sequence(page_view, page_view, page_view, "10s")`,
			events: `1000 page_view visitor=v
				1000 page_view visitor=v
				1000 page_view visitor=v
				1000 page_view visitor=v`,
			want: `r v 1000 line:3`,
		},
		{
			cites: "An event extends a partial as the next step when its ts ≥ the newest's",
			rules: `r: when: ` + abc,
			events: `1000 a visitor=v
				2000 b visitor=v
				1999 c visitor=v
				2000 c visitor=v`,
			want: `r v 2000 line:4`,
		},
		{
			cites: "a new start replaces when its ts is not older",
			rules: `r: when: sequence(event("a"), event("b"), "10s")`,
			events: `1000 a visitor=v
				5000 a visitor=v
				4000 a visitor=v
				14999 b visitor=v
				15000 a visitor=w
				14000 a visitor=w
				24500 b visitor=w`,
			// w: the older start is dropped, 24500 − 15000 < 10 s.
			want: `r v 14999 line:4
				r w 24500 line:7`,
		},
		{
			cites: "A partial that arrives replaces the one standing there when its first is not older, else it is dropped",
			rules: `r: when: ` + abc,
			events: `1000 a visitor=v
				2000 b visitor=v
				6000 a visitor=v
				7000 b visitor=v
				15999 c visitor=v`,
			want: `r v 15999 line:5`,
		},
		{
			cites: "… else it is dropped: a late start and its step do not push out the newer match",
			rules: `r: when: ` + abc,
			events: `6000 a visitor=v
				7000 b visitor=v
				8000 c visitor=w
				5000 a visitor=v
				7500 b visitor=v
				15000 c visitor=v`,
			// The start of 5000 is dropped; b at 7500 extends the start of 6000 once more.
			want: `r v 15000 line:6`,
		},
		{
			cites: "… when its first is not older: of the same first the one that arrives stays, with its newest",
			rules: `r: when: ` + abc,
			events: `1000 a visitor=v
				2000 b visitor=v
				3000 b visitor=v
				2500 c visitor=v
				3000 c visitor=v`,
			want: `r v 3000 line:5`,
		},
		{
			cites: "the partial that was extended stays where it was, too",
			rules: `r: when: sequence(event("a"), event("b"), no(event("x")), event("c"), "10s")`,
			events: `1000 a visitor=v
				2000 b visitor=v
				3000 x visitor=v
				4000 b visitor=v
				5000 c visitor=v`,
			want: `r v 5000 line:5`,
		},
		{
			cites: "no(c) between two steps forbids c between them",
			rules: `r: when: sequence(event("a"), no(event("x")), event("b"), event("c"), "10s")`,
			events: `1000 a visitor=hit
				2000 x visitor=hit
				3000 b visitor=hit
				4000 c visitor=hit
				4000 a visitor=after
				5000 b visitor=after
				6000 x visitor=after
				7000 c visitor=after`,
			want: `r after 7000 line:8`,
		},
		{
			cites: "An event matching no(c), with ts ≥ that partial's newest, removes the partial",
			rules: `r: when: sequence(event("a"), no(event("x")), event("b"), "10s")`,
			events: `2000 a visitor=older
				1999 x visitor=older
				2500 b visitor=older
				3000 a visitor=same
				3000 x visitor=same
				3000 b visitor=same`,
			want: `r older 2500 line:3`,
		},
		{
			cites: "… unless this event has just created it",
			rules: `r: when: sequence(event("a"), no(event("a")), event("b"), "10s")
				s: when: sequence(event("a"), event("b"), no(event("b")), event("c"), "10s")`,
			events: `1000 a visitor=v
				2000 a visitor=v
				3000 b visitor=v
				4000 c visitor=v`,
			want: `r v 3000 line:3
				s v 4000 line:4`,
		},
		{
			cites: "where it is also the next step it extends first, and the partial that it came from goes",
			rules: `r: when: sequence(event("a"), no(event("b") or event("x")), event("b"), event("c"), "10s")`,
			events: `1000 a visitor=v
				2000 b visitor=v
				3000 c visitor=v
				4000 b visitor=v
				5000 c visitor=v
				6000 a visitor=w
				7000 b visitor=w
				8000 b visitor=w
				8500 x visitor=w
				9000 c visitor=w`,
			// w: the second b finds nothing to extend; x forbids nothing after b.
			want: `r v 3000 line:3
				r w 9000 line:10`,
		},
		{
			cites: "… it extends first: as the last step it pulses",
			rules: `r: when: sequence(event("a"), no(event("b")), event("b"), "10s")`,
			events: `1000 a visitor=v
				2000 b visitor=v`,
			want: `r v 2000 line:2`,
		},
		{
			cites: "After a pulse all partials are cleared, and the completing event starts nothing",
			rules: `r: when: sequence(page_view, page_view, "10s")
				s: when: ` + abc,
			events: `1000 page_view visitor=v
				2000 page_view visitor=v
				3000 page_view visitor=v
				4000 page_view visitor=v
				1000 a visitor=w at=5000
				1100 b visitor=w
				1200 c visitor=w
				1300 c visitor=w
				1300 b visitor=w
				1400 c visitor=w`,
			want: `r v 2000 line:2
				r v 4000 line:4
				s w 5000 line:7`,
		},
		{
			cites: "history removes partials by no(c) and extends a partial, but it starts no partial, completes none, and makes no pulse",
			rules: `r: when: sequence(event("a"), no(event("x")), event("b"), event("c"), "5s")`,
			events: `1000 a visitor=starts at=1201
				1100 b visitor=starts at=1201
				1200 c visitor=starts at=1201
				1201 a visitor=extends
				1250 b visitor=extends at=1351
				1400 c visitor=extends
				1400 a visitor=completes
				1400 b visitor=completes
				1450 c visitor=completes at=1600
				1600 c visitor=completes
				1600 a visitor=removes
				1601 x visitor=removes at=1800
				1800 b visitor=removes
				1800 c visitor=removes`,
			opts: Options{Lateness: 100},
			want: `r extends 1400 line:6
				r completes 1600 line:10`,
		},
		{
			cites: "a pulse: at this one instant only, beside a level under and",
			rules: `r: when: sequence(event("a"), event("b"), "10s") and count(page_view, "10s") >= 1`,
			events: `1000 a visitor=v
				2000 b visitor=v
				3000 page_view visitor=v
				4000 a visitor=v
				5000 b visitor=v
				6000 b visitor=v`,
			want: `r v 5000 line:5`,
		},
		{
			cites: "a sequence can follow a rule",
			rules: `a: when: on(page_view)
				r: when: sequence(fired and rule == "a", page_view, "10s")`,
			events: `1000 page_view visitor=v
				1000 page_view visitor=v`,
			want: `a v 1000 line:1
				a v 1000 line:2
				r v 1000 line:2`,
		},
		{cites: "two steps at least", rules: `r: when: sequence(page_view, no(form_view), "10s")`, err: "sequence"},
		{cites: "no stands between steps", rules: `r: when: sequence(no(form_view), page_view, form_view, "10s")`, err: "sequence"},
		{cites: "how long", rules: `r: when: sequence(page_view, form_view, page_view)`, err: "how long"},
	})
}
