package oracle

import (
	"strings"
	"testing"

	"nudge"
)

// Section 4.
func TestTime(t *testing.T) {
	runScripts(t, []script{
		{
			cites: "at = max(clock, the line's own at, or else its ts) and ts = min(ts, at); without ts, ts = at",
			rules: `r: when: on(page_view), then: alert("x", {ts: ts, at: at})`,
			events: `- page_view visitor=v at=1000
				2000 page_view visitor=v at=1500
				1400 page_view visitor=v
				- page_view visitor=v
				3000 page_view visitor=v
				2500 page_view visitor=v at=2600`,
			want: `r v 1000 line:1 {"ts":1000,"at":1000}
				r v 1500 line:2 {"ts":1500,"at":1500}
				r v 1500 line:3 {"ts":1400,"at":1500}
				r v 1500 line:4 {"ts":1500,"at":1500}
				r v 3000 line:5 {"ts":3000,"at":3000}
				r v 3000 line:6 {"ts":2500,"at":3000}`,
		},
		{cites: "with no clock yet such a line is refused", events: `- page_view visitor=v`, err: "line 1: ts"},
		{
			cites: "Every line that is not refused moves the clock, duplicates too",
			rules: `r: when: dwell(form_view, "1s", until(form_submit))`,
			events: `1000 form_view visitor=v id=i
				2000 form_view visitor=v id=i`,
			want: `r v 2000 timer`,
		},
		{
			cites: "an instant of a key is one record: two records of one at are two instants",
			rules: `r: when: count(page_view, "1s") == 1`,
			events: `1000 page_view visitor=v
				1000 page_view visitor=v`,
			want: `r v 1000 line:1`,
		},
		{
			cites: "all its timers due at the same ms taken together: two pulses meet",
			rules: `r: when: dwell(form_view, "3s", until(page_leave)) and absent(page_leave, "2s", after(form_submit))
				s: when: dwell(form_view, "3s", until(page_leave)) and count(page_view, "3s") == 0
				x: when: dwell(form_view, "3s", until(page_leave)) and count(page_view, "3001ms") == 0`,
			events: `1000 form_view visitor=v
				1000 page_view visitor=v
				2000 form_submit visitor=v`,
			opts: Options{Drain: true},
			want: `r v 4000 timer
				s v 4000 timer`,
		},
		{
			cites: "Timers due at or before at run before a record stamped at",
			rules: `t: when: absent(page_leave, "1s", after(form_view)) and count(page_view, "ever") == 0
				z: per: visitor, when: on(page_view)`,
			events: `1000 form_view visitor=b
				2000 page_view visitor=b`,
			want: `t b 2000 timer
				z b 2000 line:2`,
		},
		{
			cites:  "after the last line the clock stands still unless until or drain",
			rules:  `r: when: absent(page_leave, "1s", after(form_view))`,
			events: `1000 form_view visitor=v`,
		},
		{
			cites:  "until TIME: timers due at or before it run",
			rules:  `r: when: absent(page_leave, "1s", after(form_view))`,
			events: `1000 form_view visitor=v`,
			opts:   Options{Until: 1999},
		},
	})
}

// Section 5.1 and 5.2.
func TestRisingEdges(t *testing.T) {
	runScripts(t, []script{
		{
			cites: "The rule fires when before is false and after is true: not again while it stays true",
			rules: `r: when: count(page_view, "10s") >= 2`,
			events: `1000 page_view visitor=v
				2000 page_view visitor=v
				3000 page_view visitor=v`,
			want: `r v 2000 line:2`,
		},
		{
			cites: "A condition that was true, expired silently, and becomes true again fires again",
			rules: `r: when: count(page_view, "10s") >= 2`,
			events: `1000 page_view visitor=v
				2000 page_view visitor=v
				12000 page_view visitor=v
				21999 page_view visitor=v`,
			want: `r v 2000 line:2
				r v 21999 line:4`,
		},
		{
			cites: "Before: for a record, windows moved to at",
			rules: `r: when: count(page_view, "10s") >= 2`,
			events: `1000 page_view visitor=v
				2000 page_view visitor=v
				11000 page_view visitor=v`,
			want: `r v 2000 line:2
				r v 11000 line:3`,
		},
		{
			cites:  "a condition true before the key's first event does not rise by it",
			rules:  `r: when: count(page_view, "10s") == 0`,
			events: `1000 form_view visitor=v`,
			opts:   Options{Drain: true},
		},
		{
			cites:  "A condition that can become true by time alone gets a wake-up timer at that instant",
			rules:  `r: when: count(page_view, "10s") == 0, then: alert("x", {p: path, n: count(page_view, "11s")})`,
			events: `1000 page_view visitor=v path=/p`,
			opts:   Options{Drain: true},
			want:   `r v 11000 timer {"p":null,"n":1}`,
		},
		{
			cites: "wake-ups: == between; arithmetic or comparison of window values (at every expiry)",
			rules: `e: when: count(page_view, "10s") == 1
				c: when: count(page_view, "10s") < count(form_view, "20s")
				a: when: count(page_view, "20s") - count(page_view, "10s") >= 2`,
			events: `1000 form_view visitor=v
				1000 page_view visitor=v
				2000 page_view visitor=v`,
			opts: Options{Drain: true},
			want: `c v 1000 line:1
				e v 1000 line:2
				e v 11000 timer
				a v 12000 timer
				c v 12000 timer`,
		},
		{
			cites: "distinct, days and happened wake up, too",
			rules: `d: when: distinct(page_view, path, "10s") == 1
				h: when: not happened(page_view, "10s")
				y: when: days(page_view, "2d") == 1`,
			events: `86399999 page_view visitor=v path=/a
				86400000 page_view visitor=v path=/b`,
			opts: Options{Drain: true},
			want: `d v 86399999 line:1
				y v 86399999 line:1
				d v 86409999 timer
				h v 86410000 timer
				y v 259199999 timer`,
		},
		{
			cites: "a pulse beside a level: on(x) and level fires at each x while the level holds",
			rules: `r: when: on(form_view) and count(page_view, "10s") >= 1`,
			events: `1000 form_view visitor=v
				2000 page_view visitor=v
				3000 form_view visitor=v
				4000 form_view visitor=v
				12000 form_view visitor=v`,
			want: `r v 3000 line:3
				r v 4000 line:4`,
		},
		{
			cites: "a pulse of a timer is over when the record of the same ms comes",
			rules: `r: when: dwell(form_view, "1s", until(page_leave)) and happened(page_view, "1s")`,
			events: `1000 form_view visitor=v
				2000 page_view visitor=v`,
			opts: Options{Drain: true},
		},
	})
}

// Section 5.3.
func TestSettling(t *testing.T) {
	runScripts(t, []script{
		{
			cites: "settled one after another: priority (highest first), then id in byte order",
			rules: `b: when: on(page_view)
				a: when: on(page_view)
				Z: when: on(page_view)
				low: when: on(page_view), priority: -1.5
				top: when: on(page_view), priority: 3`,
			events: `1 page_view visitor=v`,
			want: `top v 1 line:1
				Z v 1 line:1
				a v 1 line:1
				b v 1 line:1
				low v 1 line:1`,
		},
		{
			cites: "cooldown: elapsed < cooldown suppresses; after a delivered one only; it uses at",
			rules: `r: when: on(page_view), cooldown: "10s"`,
			events: `1000 page_view visitor=v
				5000 page_view visitor=v
				10999 page_view visitor=v
				5500 page_view visitor=v at=11000
				20999 page_view visitor=v
				21000 page_view visitor=v`,
			opts: Options{Suppressed: true},
			want: `r v 1000 line:1
				r v 5000 line:2 cooldown
				r v 10999 line:3 cooldown
				r v 11000 line:4
				r v 20999 line:5 cooldown
				r v 21000 line:6`,
		},
		{
			cites: "unless is the first gate; a firing that it drops starts no cooldown; true drops, it is not queued",
			rules: `r: when: on(page_view), unless: happened(form_submit, "2s"), cooldown: "10s"`,
			events: `1000 form_submit visitor=v
				2000 page_view visitor=v
				3000 page_view visitor=v
				4000 form_submit visitor=v
				5000 page_view visitor=v`,
			opts: Options{Suppressed: true},
			want: `r v 2000 line:2 unless
				r v 3000 line:3
				r v 5000 line:5 unless`,
		},
		{
			cites: "unless: the state after the instant",
			rules: `r: when: on(page_view), unless: count(page_view, "10s") >= 2`,
			events: `1000 page_view visitor=v
				2000 page_view visitor=v`,
			want: `r v 1000 line:1`,
		},
		{
			cites: "unless sees every fired of the key's rules settled before it, also one that the key has not yet taken",
			rules: `a: when: on(page_view), priority: 1
				b: when: on(page_view), unless: happened(fired and rule == "a", "1s")
				c: when: on(page_view), unless: happened(fired and rule == "b", "1s")
				d: when: on(page_view), priority: 2, unless: happened(fired and rule == "a", "1s")`,
			events: `1000 page_view visitor=v`,
			opts:   Options{Suppressed: true},
			want: `d v 1000 line:1
				a v 1000 line:1
				b v 1000 line:1 unless
				c v 1000 line:1`,
		},
		{
			cites: "a fired that the key has taken is one event, not a pending one, too",
			rules: `a: when: on(page_view)
				b: when: on(page_view), unless: count(fired and rule == "a", "10s") >= 3`,
			events: `1000 page_view visitor=v
				2000 page_view visitor=v
				3000 page_view visitor=v`,
			want: `a v 1000 line:1
				b v 1000 line:1
				a v 2000 line:2
				b v 2000 line:2
				a v 3000 line:3`,
		},
		{
			cites: "… pending ones are seen by what an earlier fired fires, too",
			rules: `a: when: on(page_view), priority: 1
				b: when: on(page_view)
				x: when: on(fired and rule == "a"), unless: happened(fired and rule == "b", "1s")`,
			events: `1000 page_view visitor=v`,
			opts:   Options{Suppressed: true},
			want: `a v 1000 line:1
				x v 1000 fired:a unless
				b v 1000 line:1`,
		},
		{
			cites: "a suppressed or shadow firing makes no fired; a shadow rule keeps its cooldown",
			rules: `a: when: on(page_view), cooldown: "10s", mode: "shadow"
				b: when: on(page_view), cooldown: "10s"
				x: when: on(fired and rule in ["a", "b"])`,
			events: `1000 page_view visitor=v
				2000 page_view visitor=v`,
			opts: Options{Suppressed: true},
			want: `a v 1000 line:1 shadow
				b v 1000 line:1
				x v 1000 fired:b
				a v 2000 line:2 shadow cooldown
				b v 2000 line:2 cooldown`,
		},
	})
}

// Section 5.4.
func TestFired(t *testing.T) {
	runScripts(t, []script{
		{
			cites: "a rule can follow another: absent(mail_open, \"3d\", after(fired and rule == …))",
			rules: `a: when: on(page_view)
				b: when: absent(form_submit, "10s", after(fired and rule == "a")), then: alert("x", {rule: rule, v: visitor, ts: ts, id: id})`,
			events: `1000 page_view visitor=v
				2000 page_view visitor=w
				3000 form_submit visitor=w`,
			opts: Options{Drain: true},
			want: `a v 1000 line:1
				a w 2000 line:2
				b v 11000 timer {"rule":"a","v":"v","ts":1000,"id":null}`,
		},
		{
			cites: "seen by rules of the same key and of the kinds above it (visitor → user → company), not below",
			rules: `c: per: company, when: on(page_view)
				cc: per: company, when: on(fired and rule in ["c", "u", "v"]), then: alert("x", {k: key, u: user, v: visitor})
				u: per: user, when: on(page_view)
				uu: per: user, when: on(fired and rule in ["c", "u", "v"]), then: alert("x", {k: key, c: company, v: visitor})
				v: per: visitor, when: on(page_view)
				vv: per: visitor, when: on(fired and rule in ["c", "u", "v"]), then: alert("x", {k: key, u: user, c: company})`,
			events: `1 page_view visitor=V user=U company=C`,
			want: `v V 1 line:1
				vv V 1 fired:v {"k":"V","u":"U","c":"C"}
				uu U 1 fired:v {"k":"V","c":"C","v":"V"}
				cc C 1 fired:v {"k":"V","u":"U","v":"V"}
				u U 1 line:1
				uu U 1 fired:u {"k":"U","c":"C","v":null}
				cc C 1 fired:u {"k":"U","u":"U","v":null}
				c C 1 line:1
				cc C 1 fired:c {"k":"C","u":"U","v":null}`,
		},
		{
			cites: "rules of any other kind see that of their own key only; the fields that per reads",
			rules: `o: per: lower(form), when: on(form_view)
				oo: per: lower(form), when: on(fired and form == "Demo" and rule in ["o", "v"]), then: alert("x", {k: key, f: form, u: user})
				v: per: visitor, when: on(form_view)
				vv: per: visitor, when: on(fired and rule in ["o", "v"])`,
			events: `1 form_view visitor=v user=u form=Demo`,
			want: `v v 1 line:1
				vv v 1 fired:v
				o demo 1 line:1
				oo demo 1 fired:o {"k":"demo","f":"Demo","u":"u"}`,
		},
		{
			cites: "what a fired fires comes before the next fired of the same cause",
			rules: `a1: when: on(page_view), priority: 1
				a2: when: on(page_view)
				n: when: count(fired and rule in ["a1", "a2", "b"], "1s") >= 2, then: alert("x", {by: rule})
				b: when: on(fired and rule == "a1")`,
			events: `1 page_view visitor=v`,
			want: `a1 v 1 line:1
				b v 1 fired:a1
				n v 1 fired:b {"by":"b"}
				a2 v 1 line:1`,
		},
		{
			cites: "at the key above: the record first, then fireds in the order of settling: all that rose by one input before what their fired fires",
			rules: `a1: when: on(page_view), priority: 1
				a2: when: on(page_view)
				b: when: on(fired and rule == "a1")
				u: per: user, when: on(page_view)
				l1: per: user, when: count(fired and rule in ["u", "a1", "a2", "b"], "1s") == 1
				l2: per: user, when: count(fired and rule in ["u", "a1", "a2", "b"], "1s") == 2
				l3: per: user, when: count(fired and rule in ["u", "a1", "a2", "b"], "1s") == 3
				l4: per: user, when: count(fired and rule in ["u", "a1", "a2", "b"], "1s") == 4`,
			events: `1 page_view visitor=v user=u`,
			// The user takes the record, its own fired u (1st), then a1 (2nd), a2 (3rd), b (4th).
			want: `a1 v 1 line:1
				b v 1 fired:a1
				l4 u 1 fired:b
				l2 u 1 fired:a1
				a2 v 1 line:1
				l3 u 1 fired:a2
				u u 1 line:1
				l1 u 1 fired:u`,
		},
		{
			cites: "timers of one ms: own timers of the key above first, then the fireds that come up, in the order (kind, key)",
			rules: `t: when: absent(page_leave, "1s", after(page_view))
				u: per: user, when: absent(page_leave, "1s", after(page_view))
				n: per: user, when: count(fired and rule in ["t", "u"], "1s") >= 3, then: alert("x", {by: rule, k: key})`,
			events: `1000 page_view visitor=b user=u
				1000 page_view visitor=a user=u`,
			opts: Options{Drain: true},
			want: `t a 2000 timer
				t b 2000 timer
				n u 2000 fired:t {"by":"t","k":"b"}
				u u 2000 timer`,
		},
		{
			cites: "born of time, the user and company known for the key then (the last known, not those of the event that opened the wait)",
			rules: `t: when: absent(page_leave, "1s", after(form_view)), then: alert("x", {u: user, c: company})
				u: per: user, when: on(fired and rule == "t"), then: alert("x", {c: company})
				c: per: company, when: on(fired and rule == "t"), then: alert("x", {u: user})`,
			events: `1000 form_view visitor=a
				1500 page_view visitor=a user=u company=C`,
			opts: Options{Drain: true},
			want: `t a 2000 timer {"u":null,"c":null}
				u u 2000 fired:t {"c":"C"}
				c C 2000 fired:t {"u":"u"}`,
		},
		{
			cites: "… for an anonymous visitor, the company from its events without a user",
			rules: `t: when: absent(page_leave, "1s", after(form_view))
				c: per: company, when: on(fired and rule == "t"), then: alert("x", {u: user, v: visitor})`,
			events: `1000 form_view visitor=a
				1500 page_view visitor=a company=C`,
			opts: Options{Drain: true},
			want: `t a 2000 timer
				c C 2000 fired:t {"u":null,"v":"a"}`,
		},
		{
			cites: "a user key itself and its known company; a company key its company, no user",
			rules: `u: per: user, when: absent(page_leave, "1s", after(form_view))
				c: per: company, when: absent(page_leave, "1s", after(form_view))
				x: per: company, when: on(fired and rule in ["u", "c"]), then: alert("x", {k: key, u: user, c: company})`,
			events: `1000 form_view user=u company=C`,
			opts:   Options{Drain: true},
			want: `u u 2000 timer
				x C 2000 fired:u {"k":"u","u":"u","c":"C"}
				c C 2000 timer
				x C 2000 fired:c {"k":"C","u":null,"c":"C"}`,
		},
		{
			cites: "A test that does not contain fired never matches a fired event",
			rules: `a: when: on(page_view)
				b: when: on(not page_view)
				l: let x = fired; when: on(x and rule == "a")`,
			events: `1 page_view visitor=v`,
			want: `a v 1 line:1
				l v 1 fired:a`,
		},
		{
			cites: "An anonymous visitor fires no user rule, and an event before identification stays the visitor's",
			rules: `u: per: user, when: count(page_view, "10s") >= 2`,
			events: `1 page_view visitor=v
				2 page_view visitor=v user=u
				3 page_view visitor=v`,
			want: `u u 3 line:3`,
		},
	})
}

// Section 5.5 and 6.
func TestTheLine(t *testing.T) {
	rules := []Rule{{ID: "demo-help", Text: `{per: visitor, when: dwell(form_view, "20s", until(form_submit)), then: popup("demo-help", {form: form})}`}}
	got, err := Run(rules, []string{`{"type":"form_view","visitor":"v1","form":"demo","ts":1764000000000}`}, Options{Drain: true})
	id := nudge.FiringID("demo-help", "visitor", "v1", 1764000020000, "timer")
	want := `{"rule":"demo-help","key":"v1","at":1764000020000,"time":"2025-11-24T16:00:20.000Z","cause":"timer","id":"` + id +
		`","actions":[{"popup":"demo-help","data":{"form":"demo"}}]}`
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("got %v %v\nwant %s", got, err, want)
	}
	rules = rulesOf("a: per: lower(form), when: on(page_view)\nb: per: lower(form), when: on(fired and rule == \"a\")")
	got, err = Run(rules, []string{"", `{"type":"page_view","visitor":"v1","form":"D","ts":5,"id":9}`}, Options{})
	first := nudge.FiringID("a", "lower(form)", "d", 5, "record:2")
	second := nudge.FiringID("b", "lower(form)", "d", 5, "fired:"+first)
	if err != nil || len(got) != 2 || !strings.Contains(got[0], `"cause":"9","id":"`+first) || !strings.Contains(got[1], `"cause":"fired:`+first+`","id":"`+second) {
		t.Errorf("got %v %v, want ids %s and %s", got, err, first, second)
	}
}
