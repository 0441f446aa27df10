package oracle

import (
	"strings"
	"testing"
)

// Section 1: events, identity, de-duplication.
func TestEvents(t *testing.T) {
	const all = `v: per: visitor, when: on(page_view), then: alert("x", {u: user, c: company})
		u: per: user, when: on(page_view)
		c: per: company, when: on(page_view)`
	runScripts(t, []script{
		{
			cites: "user: the event's own user id, else the visitor's last known one, else the lower-cased mail address",
			rules: `u: per: user, when: on(page_view)`,
			events: `1 page_view visitor=a
				2 page_view visitor=a email=Ana@Acme.example
				3 page_view visitor=a
				4 page_view visitor=a user=7
				5 page_view visitor=a email=bob@b.example
				6 page_view email=BOB@b.example`,
			want: `u ana@acme.example 2 line:2
				u ana@acme.example 3 line:3
				u 7 4 line:4
				u 7 5 line:5
				u bob@b.example 6 line:6`,
		},
		{
			cites: "company: the event's own (an explicit group), else the domain of its work mail address, else the last known of its user",
			rules: all,
			events: `1 page_view visitor=a email=ana@acme.example
				2 page_view visitor=a
				3 page_view visitor=a company=other
				4 page_view visitor=b user=ana@acme.example
				5 page_view visitor=c email=x@gmail.com`,
			want: `v a 1 line:1 {"u":"ana@acme.example","c":"acme.example"}
				u ana@acme.example 1 line:1
				c acme.example 1 line:1
				v a 2 line:2 {"u":"ana@acme.example","c":"acme.example"}
				u ana@acme.example 2 line:2
				c acme.example 2 line:2
				v a 3 line:3 {"u":"ana@acme.example","c":"other"}
				u ana@acme.example 3 line:3
				c other 3 line:3
				v b 4 line:4 {"u":"ana@acme.example","c":"other"}
				u ana@acme.example 4 line:4
				c other 4 line:4
				v c 5 line:5 {"u":"x@gmail.com","c":null}
				u x@gmail.com 5 line:5`,
		},
		{
			cites: "else of its visitor from events without a user (only its own one or a mail domain is remembered)",
			rules: `c: per: company, when: on(page_view)`,
			events: `1 page_view visitor=a company=anon
				2 page_view visitor=a
				3 page_view visitor=a user=u
				4 page_view visitor=b user=u
				5 page_view visitor=c user=w company=named
				6 page_view visitor=c user=x`,
			want: `c anon 1 line:1
				c anon 2 line:2
				c anon 3 line:3
				c named 5 line:5`,
		},
		{
			cites: "there is never an empty key, and empty text is no key",
			rules: `r: per: form, when: on(page_view)
				v: per: visitor, when: on(page_view)`,
			events: `1 page_view visitor="" user=u form=""
				2 page_view visitor=a`,
			want: `v a 2 line:2`,
		},
		{
			cites: "the same id of the same visitor (of an event without one: the same user as sent, else mail, else company) is applied once",
			rules: `r: when: on(page_view)
				u: per: user, when: on(page_view)
				c: per: company, when: on(page_view)`,
			events: `1 page_view id=i visitor=a
				2 page_view id=i visitor=b
				3 page_view id=i visitor=a user=new
				4 page_view id=i user=a
				5 page_view id=i email=A@b.example
				6 page_view id=i email=a@B.example
				6 page_view id=i email=aa@b.example
				7 page_view id=i company=a
				8 page_view id=i company=a
				9 page_view visitor=a`,
			want: `r a 1 i
				r b 2 i
				u a 4 i
				u a@b.example 5 i
				c b.example 5 i
				u aa@b.example 6 i
				c b.example 6 i
				c a 7 i
				r a 9 line:10`,
		},
		{
			cites: "at less than 24 h after the applied one's; a dropped one extends nothing",
			rules: `r: when: on(page_view)`,
			events: `1 page_view id=1 visitor=a
				86400000 page_view id=1 visitor=a
				86400001 page_view id=1 visitor=a`,
			want: `r a 1 1
				r a 86400001 1`,
		},
		{
			cites: "and among the newest N events of the engine, dropped ones included",
			rules: `r: when: on(page_view)`,
			events: `1 page_view id=i visitor=a
				2 page_view id=i visitor=a
				3 page_view id=j visitor=b
				4 page_view id=i visitor=a`,
			opts: Options{DedupEvents: 3},
			want: `r a 1 i
				r b 3 j
				r a 4 i`,
		},
		{
			cites: "a whole number in id, visitor, user or company is taken as its text, null is missing",
			rules: all,
			events: `1 page_view visitor=5 user=6 company=7 id=8
				2 page_view visitor="5" user=null company=null id="8"`,
			want: `v 5 1 8 {"u":"6","c":"7"}
				u 6 1 8
				c 7 1 8`,
		},
		{cites: "any other wrong type in a named field is refused", events: `1 page_view visitor=a email=5`, err: "line 1: email"},
		{cites: "any other wrong type in a named field is refused", events: `1 page_view visitor=1.5`, err: "line 1: visitor"},
		{cites: "fired is refused from outside", events: `1 fired visitor=a`, err: "line 1: type"},
		{
			cites: "props.path is path; a top-level one wins; unknown top-level fields are properties too",
			rules: `r: when: on(page_view and path == "/p" and plan == "pro" and card.brand == "visa")`,
			events: `{"type":"page_view","ts":1,"visitor":"a","props":{"path":"/p","plan":"free","card":{"brand":"visa"}},"plan":"pro"}
				{"type":"page_view","ts":2,"visitor":"a","path":"/q","props":{"path":"/p","card":{"brand":"visa"}},"plan":"pro"}`,
			want: `r a 1 line:1`,
		},
		{
			cites: "per: any event field or text expression over one event",
			rules: `r: per: lower(form), when: count(page_view, "10s") >= 2
				n: per: plan, when: on(page_view)`,
			events: `1 page_view visitor=a form=Demo plan=7
				2 page_view visitor=b form=dEMO plan=7.5
				3 page_view visitor=b form=5 plan=true`,
			want: `n 7 1 line:1
				r demo 2 line:2`,
		},
	})
}

// Section 2: event tests and conditions. Each rule is on(test): the want names the lines at which it is true.
func TestEventTests(t *testing.T) {
	const stream = `{"type":"page_view","visitor":"a","ts":1,"path":"/docs","n":5,"ok":true,"s":" AbÄ "}
		{"type":"page_view","visitor":"a","ts":2,"n":"5","ok":false,"list":[1]}
		{"type":"Product Viewed","visitor":"a","ts":3,"path":"/x","n":null,"Product Name":"hat"}`
	for test, want := range map[string]string{
		`page_view`:                               "12",
		`event("Product Viewed")`:                 "3",
		`field("Product Name") == "hat"`:          "3",
		`path startsWith "/do"`:                   "1",
		`not (path startsWith "/do")`:             "3", // needs a path
		`path not startsWith "/do"`:               "3",
		`path endsWith "x" or path contains "oc"`: "13",
		"path matches `^/[a-d]`":                  "1",
		`n == 5`:                                  "1",
		`n != 5`:                                  "", // another type is unknown, too
		`not (n == 5)`:                            "",
		`n == "5"`:                                "2",
		`n == 5 or page_view`:                     "12", // unknown or true
		`not (n == 5 and event("nothing"))`:       "123",
		`has(n)`:                                  "12", // null: false
		`not has(n)`:                              "3",
		`has(list)`:                               "2",
		`ok`:                                      "1",
		`not ok`:                                  "2",
		`ok == false`:                             "2",
		`(n ?? 7) == 7`:                           "3",
		`(path ?? "none") == "none"`:              "2",
		`path in ["/x", "/y"]`:                    "3",
		`path not in ["/x", "/y"]`:                "1",
		`n in ["5", 5]`:                           "12",
		`n * 2 - 1 == 9`:                          "1",
		`n / 0 == 0 or not (n / 0 == 0)`:          "",
		`len(s) == 5 and lower(trim(s)) == "abä"`: "1",
		`upper(s) == " ABÄ "`:                     "1",
		`path < "/e"`:                             "1",
		`ts >= 2 and at < 3`:                      "2",
		`type == "page_view" and visitor == "a"`:  "12",
		`fired and rule == "z" or page_view`:      "12",
		`-n == -5`:                                "1",
		`1 < n and n < 6`:                         "1",
		`1 < n < 6`:                               "1",
	} {
		out, err := Run([]Rule{{ID: "r", Text: `{per: visitor, when: on(` + test + `), then: alert("x")}`}}, nonEmpty(stream), Options{})
		if err != nil {
			t.Errorf("%s: %v", test, err)
		}
		got := ""
		for _, line := range out {
			_, rest, _ := strings.Cut(line, `"cause":"line:`)
			got += rest[:1]
		}
		if got != want {
			t.Errorf("on(%s) pulses at lines %q, want %q", test, got, want)
		}
	}
}

func TestConditionsAndPayloads(t *testing.T) {
	runScripts(t, []script{
		{
			cites: "a comparison with nothing, of two types, or after a division by 0, is false, and not of it true",
			rules: `a: when: on(page_view) and count(form_view, "1s") / count(form_submit, "1s") > 0
				b: when: on(page_view) and not (count(form_view, "1s") / count(form_submit, "1s") > 0)
				c: when: on(page_view) and happened(page_view, "1s") != 1
				d: when: on(page_view) and not (happened(page_view, "1s") == 1)`,
			events: `1 page_view visitor=v`,
			want: `b v 1 line:1
				d v 1 line:1`,
		},
		{
			cites:  "then: bare fields are those of the causing event; missing and null are null; operators may be used too",
			rules:  `r: when: on(page_view), then: [popup("p", {b: path, a: none, n: nil, x: amount * 2, q: lower(path) ?? "?", deep: {k: [1, "t", true, 1.5, -2]}}), alert("x", {n: count(page_view, "1m") * 10, d: happened(form_view, "1m"), v: values(page_view, amount, "1m"), t: page_view and amount > 1, u: none == 1})]`,
			events: `1 page_view visitor=v amount=0.25 path=/A<b>`,
			want: `r v 1 line:1 {"b":"/A\u003cb\u003e","a":null,"n":null,"x":0.5,"q":"/a\u003cb\u003e","deep":{"k":[1,"t",true,1.5,-2]}} ` +
				`{"n":10,"d":false,"v":[0.25],"t":false,"u":null}`,
		},
		{
			cites: "let: names an event test; a let may use an earlier one",
			rules: `r: let demo = form == "demo"; let demo_view = form_view and demo; when: count(demo_view, "10s") >= 2`,
			events: `1 form_view visitor=v form=demo
				2 form_view visitor=v form=x
				3 form_view visitor=v form=demo`,
			want: `r v 3 line:3`,
		},
		{
			cites: "a rule whose mode is paused does nothing",
			rules: `r: when: on(page_view), mode: "paused"
				f: when: on(fired and rule == "r")`,
			events: `1 page_view visitor=v`,
		},
		{cites: "a limit is a cap", rules: `r: when: on(page_view), limit: 5`, err: "rule r: entry limit"},
		{cites: "an unknown operator", rules: `r: when: median(page_view, "1s") > 5`, err: "median"},
		{cites: "a missing argument", rules: `r: when: sum(page_view, "1s") > 5`, err: "sum"},
		{cites: "a window that does not read", rules: `r: when: count(page_view, "1 s") > 5`, err: "length of time"},
	})
}

func TestPerIsTheTextAsWritten(t *testing.T) {
	for per, want := range map[string]string{
		`user ?? visitor`: `user ?? visitor`, `lower( form )`: `lower( form )`, `visitor`: `visitor`, `/* ä */ field("é")`: `field("é")`,
	} {
		for _, tail := range []string{"", ",", ` , title: "per: x"`} {
			r, err := parseRule(Rule{ID: "r", Text: `let per_x = page_view; {when: on(per_x), then: alert("ü"), per: ` + per + tail + `}`})
			if err != nil || r.per != want {
				t.Errorf("per %q: got %q, %v", per, r.per, err)
			}
		}
	}
}
