package oracle

import "testing"

// Section 1: "per: user also knows what an anonymous visitor did before being identified".
func TestMerge(t *testing.T) {
	merge := Options{Merge: true, Drain: true}
	runScripts(t, []script{
		{
			cites: "rings: union. A condition false for the user before the identifying event and true for the merged one after it fires",
			rules: `u: per: user, when: count(page_view, "10s") >= 3, then: alert("x", {v: values(page_view, path, "10s")})`,
			events: `1000 page_view visitor=a path=/old
				5000 page_view visitor=a path=/anon
				6000 page_view visitor=b user=u path=/own
				12000 form_view visitor=a user=u
				12000 page_view visitor=c user=u path=/c`,
			opts: merge,
			// /old has left the window.
			want: `u u 12000 line:5 {"v":["/c","/own","/anon"]}`,
		},
		{
			cites: "That event is the instant",
			rules: `u: per: user, when: count(page_view, "10s") >= 3
				o: per: user, when: on(page_view)`,
			events: `1000 page_view visitor=a
				2000 page_view visitor=a
				3000 page_view visitor=b user=u
				4000 form_view visitor=a user=u`,
			opts: merge,
			// The anonymous page views make no pulse, then or now.
			want: `o u 3000 line:3
				u u 4000 line:4`,
		},
		{
			cites:  "An anonymous visitor fires no user rule",
			rules:  `u: per: user, when: count(page_view, "10s") >= 1`,
			events: `1000 page_view visitor=a`,
			opts:   merge,
		},
		{
			cites: "a user found by mail identifies the visitor, too",
			rules: `u: per: user, when: count(page_view, "10s") >= 2`,
			events: `1000 page_view visitor=a
				2000 page_view visitor=a email=Ana@b.example`,
			opts: merge,
			want: `u ana@b.example 2000 line:2`,
		},
		{
			cites: "a later own id is another user and moves nothing; a bound visitor is never merged again",
			rules: `u: per: user, when: count(page_view, "10s") >= 2`,
			events: `1000 page_view visitor=a
				2000 form_view visitor=a user=u
				3000 page_view visitor=a user=w
				4000 page_view visitor=a
				5000 page_view visitor=b user=u`,
			opts: merge,
			want: `u w 4000 line:4
				u u 5000 line:5`,
		},
		{
			cites: "a dropped one changes no identity",
			rules: `u: per: user, when: count(page_view, "10s") >= 2`,
			events: `1000 page_view visitor=a id=1
				2000 page_view visitor=a id=1 user=u
				3000 page_view visitor=a user=u`,
			opts: merge,
			want: `u u 3000 line:3`,
		},
		{
			cites: "several visitors become one user, each at its own event",
			rules: `u: per: user, when: count(page_view, "1m") >= 4`,
			events: `1000 page_view visitor=a
				2000 page_view visitor=b
				3000 page_view visitor=b user=u
				4000 page_view visitor=b
				5000 form_view visitor=a user=u`,
			opts: merge,
			want: `u u 5000 line:5`,
		},
		{
			cites: "values: of the same ts the later stamp first, whoever took it",
			rules: `u: per: user, when: on(form_view), then: alert("x", {v: values(page_view, path, "10s"), l: last(page_view, path)})`,
			events: `1000 page_view visitor=b user=u path=/1
				1000 page_view visitor=a path=/2
				1000 page_view visitor=b path=/3
				900 page_view visitor=a path=/0
				2000 form_view visitor=a user=u`,
			opts: merge,
			want: `u u 2000 line:5 {"v":["/3","/2","/1","/0"],"l":"/3"}`,
		},
		{
			cites: "numbers and points are those of both; since is since the newest of both",
			rules: `u: per: user, when: on(form_view), then: alert("x", {s: sum(page_view, n, "ever"), p: score({page_view: 4}, half_life("1s")), ago: since(page_view)})`,
			events: `1000 page_view visitor=a n=1
				2000 page_view visitor=b user=u n=2
				3000 form_view visitor=a user=u`,
			opts: merge,
			want: `u u 3000 line:3 {"s":3,"p":3,"ago":1}`,
		},
		{
			cites: "first: the newest matching ts of both",
			rules: `u: per: user, when: first(page_view, "10s")`,
			events: `5000 page_view visitor=a
				14999 page_view visitor=a user=u
				5000 page_view visitor=b at=15000
				24999 page_view visitor=b user=w`,
			opts: merge,
			want: `u w 24999 line:4`,
		},
		{
			cites: "what rules of the anonymous visitor fired is part of its past",
			rules: `u: per: user, when: count(fired and rule == "v", "10s") >= 2
				v: when: on(page_view)`,
			events: `1000 page_view visitor=a
				2000 page_view visitor=a
				3000 form_view visitor=a user=u`,
			opts: merge,
			want: `v a 1000 line:1
				v a 2000 line:2
				u u 3000 line:3`,
		},
		{
			cites: "a fired of the visitor born of time, while it is anonymous and after",
			rules: `u: per: user, when: count(fired and rule == "v", "1m") >= 2
				v: when: absent(page_leave, "1s", after(page_view))`,
			events: `1000 page_view visitor=a
				3000 page_view visitor=a
				3500 form_view visitor=a user=u`,
			opts: merge,
			want: `v a 2000 timer
				v a 4000 timer
				u u 4000 fired:v`,
		},
		{
			cites: "without the merge an anonymous past stays the visitor's",
			rules: `u: per: user, when: count(page_view, "10s") >= 2`,
			events: `1000 page_view visitor=a
				2000 page_view visitor=a user=u`,
		},
	})
}

// Section 1: how the states of absent, dwell and sequence are merged.
func TestMergeOfWaits(t *testing.T) {
	merge := Options{Merge: true, Drain: true}
	const went = `u: per: user, when: absent(form_submit, "10s", after(form_view)), then: alert("x", {f: form})`
	const dwelt = `u: per: user, when: dwell(form_view, "10s", until(form_submit)), then: alert("x", {f: form})`
	runScripts(t, []script{
		{
			cites: "an open wait of the visitor goes to the user",
			rules: went,
			events: `1000 form_view visitor=a form=anon
				2000 page_view visitor=a user=u`,
			opts: merge,
			want: `u u 11000 timer {"f":"anon"}`,
		},
		{
			cites: "open waits: the earlier deadline",
			rules: went,
			events: `1000 form_view visitor=a form=anon
				2000 form_view visitor=b user=u form=own
				3000 form_view visitor=c user=w form=own
				4000 form_view visitor=d form=anon
				5000 page_view visitor=a user=u
				5000 page_view visitor=d user=w`,
			opts: merge,
			want: `u u 11000 timer {"f":"anon"}
				u w 13000 timer {"f":"own"}`,
		},
		{
			cites: "open waits: on a tie the earlier ts",
			rules: went,
			events: `500 form_view visitor=a form=anon at=20000
				600 form_view visitor=b user=u form=own at=20000
				700 form_view visitor=c form=late at=20000
				20000 page_view visitor=a user=u
				20000 page_view visitor=c user=u`,
			opts: merge,
			want: `u u 20001 timer {"f":"anon"}`,
		},
		{
			cites: "deadlines that pass while anonymous pulse silently",
			rules: went,
			events: `1000 form_view visitor=a
				12000 page_view visitor=a user=u
				1000 form_view visitor=b at=12000
				12001 page_view visitor=b user=u`,
			opts: merge,
		},
		{
			cites: "one that is open wins over one that has pulsed",
			rules: dwelt,
			events: `1000 form_view visitor=a form=anon
				12000 form_view visitor=b user=u form=own
				13000 page_view visitor=a user=u
				20000 form_view visitor=c user=w form=own
				31000 form_view visitor=d form=anon
				32000 page_view visitor=d user=w`,
			opts: merge,
			want: `u u 22000 timer {"f":"own"}
				u w 30000 timer {"f":"own"}
				u w 41000 timer {"f":"anon"}`,
		},
		{
			cites: "… also where its firing left no trace: a wait whose deadline is past has pulsed",
			rules: `u: per: user, when: dwell(form_view, "10s", until(form_submit)), mode: "shadow"`,
			events: `1000 form_view visitor=b user=u
				12000 form_view visitor=a
				13000 page_view visitor=a user=u`,
			opts: merge,
			want: `u u 11000 timer shadow
				u u 22000 timer shadow`,
		},
		{
			cites: "Timers due at or before at run before a record stamped at: a wait of the visitor that is due at the identifying event has pulsed",
			rules: went,
			events: `1000 form_view visitor=a form=anon
				5000 form_view visitor=b user=u form=own
				11000 page_view visitor=a user=u`,
			opts: merge,
			want: `u u 15000 timer {"f":"own"}`,
		},
		{
			cites: "one that has pulsed waits for a leave, in the user, too",
			rules: dwelt,
			events: `1000 form_view visitor=a form=anon
				12000 page_view visitor=a user=u
				13000 form_view visitor=a form=not
				24000 form_submit visitor=a
				25000 form_view visitor=a form=ready`,
			opts: merge,
			want: `u u 35000 timer {"f":"ready"}`,
		},
		{
			cites: "of two that have, the later start: an ending with a ts before it makes nothing ready",
			rules: dwelt,
			events: `1000 form_view visitor=a form=anon
				5000 form_view visitor=b user=u form=own
				16000 page_view visitor=a user=u
				4000 form_submit visitor=a
				17000 form_view visitor=a form=not
				5000 form_submit visitor=a
				18000 form_view visitor=a form=ready`,
			opts: merge,
			want: `u u 15000 timer {"f":"own"}
				u u 28000 timer {"f":"ready"}`,
		},
		{
			cites: "it is not made ready by the other side's endings",
			rules: dwelt,
			events: `1000 form_view visitor=b user=u form=own
				12000 form_submit visitor=a
				13000 page_view visitor=a user=u
				14000 form_view visitor=b form=not
				15000 form_submit visitor=b
				16000 form_view visitor=b form=ready`,
			opts: merge,
			want: `u u 11000 timer {"f":"own"}
				u u 26000 timer {"f":"ready"}`,
		},
		{
			cites: "newest ending ts: where it lies inside (ts(start), ts(start) + W) of the other side's open wait, that wait ends",
			rules: dwelt,
			events: `1000 form_view visitor=b user=u form=own
				5000 form_submit visitor=a
				6000 page_view visitor=a user=u
				1000 form_view visitor=c form=anon at=6000
				5000 form_submit visitor=d user=w at=6000
				6000 page_view visitor=c user=w`,
			opts: merge,
		},
		{
			cites: "… inside: not at ts(start), and not at ts(start) + W",
			rules: dwelt,
			events: `1000 form_view visitor=b user=u form=start at=12000
				1000 form_submit visitor=a at=12000
				12000 page_view visitor=a user=u
				1000 form_view visitor=d user=w form=end at=12000
				11000 form_submit visitor=c at=12000
				12000 page_view visitor=c user=w`,
			opts: merge,
			want: `u u 12001 timer {"f":"start"}
				u w 12001 timer {"f":"end"}`,
		},
		{
			cites: "an ending of one side that ends the other's wait leaves its own later wait",
			rules: went,
			events: `1000 form_view visitor=b user=u form=own
				5000 form_submit visitor=a
				6000 form_view visitor=a form=anon
				7000 page_view visitor=a user=u`,
			opts: merge,
			want: `u u 16000 timer {"f":"anon"}`,
		},
		{
			cites: "newest ending ts: the later. A start with ts below it opens nothing",
			rules: dwelt,
			events: `5000 form_submit visitor=a
				3000 form_submit visitor=b user=u
				5500 page_view visitor=a user=u
				4999 form_view visitor=b form=not
				5000 form_view visitor=b form=yes`,
			opts: merge,
			want: `u u 15000 timer {"f":"yes"}`,
		},
		{
			cites: "the identifying event acts on the merged state",
			rules: dwelt,
			events: `1000 form_view visitor=a form=anon
				2000 form_submit visitor=a user=u
				3000 form_view visitor=b form=anon
				4000 form_view visitor=b user=w form=own`,
			opts: merge,
			want: `u w 13000 timer {"f":"anon"}`,
		},
	})
}

func TestMergeOfSequences(t *testing.T) {
	merge := Options{Merge: true, Drain: true}
	runScripts(t, []script{
		{
			cites: "a sequence begun anonymously goes on in the user, and ends at the identifying event",
			rules: `u: per: user, when: sequence(page_view, form_view, form_submit, "10s")`,
			events: `1000 page_view visitor=a
				2000 form_view visitor=a
				10999 form_submit visitor=a user=u
				1000 page_view visitor=b at=12000
				2000 form_view visitor=b
				11000 form_submit visitor=b user=w`,
			opts: merge,
			want: `u u 10999 line:3`,
		},
		{
			cites: "partials: per step the one with the newer first",
			rules: `u: per: user, when: sequence(page_view, form_view, form_submit, "10s")`,
			events: `1000 page_view visitor=a
				2000 form_view visitor=a
				5000 page_view visitor=b user=u
				6000 form_view visitor=b
				7000 page_leave visitor=a user=u
				14999 form_submit visitor=a`,
			opts: merge,
			want: `u u 14999 line:6`,
		},
		{
			cites: "on a tie the visitor's: the newest of the partial is the visitor's",
			rules: `u: per: user, when: sequence(page_view, form_view, form_submit, "10s")`,
			events: `1000 page_view visitor=a
				3000 form_view visitor=a
				1000 page_view visitor=b user=u at=3000
				2000 form_view visitor=b
				4000 page_leave visitor=a user=u
				2500 form_submit visitor=b
				3000 form_submit visitor=b`,
			opts: merge,
			want: `u u 4000 line:7`,
		},
		{
			cites: "an anonymous completion pulses silently and clears the visitor's partials only",
			rules: `u: per: user, when: sequence(page_view, form_view, "10s")`,
			events: `1000 page_view visitor=b user=u
				2000 page_view visitor=a
				3000 form_view visitor=a
				4000 page_leave visitor=a user=u
				5000 form_view visitor=a`,
			opts: merge,
			want: `u u 5000 line:5`,
		},
	})
}
