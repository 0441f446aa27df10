package rules

// togetherCodes are about several rules of one folder.
var togetherCodes = []Code{
	{
		format: "a test of `fired` in `when` must name the rules that it follows", Code: "E701", Title: "following every rule",
		Explain: "A rule that followed all rules would follow itself. Name those that are meant, joined by `or` or in a list.",
		Wrong:   "when: on(fired)",
		Mended:  "-- a.expr --\n{ per: visitor, when: on(click), then: alert(\"one\") }\n-- b.expr --\n{ per: visitor, when: on(fired and rule == \"a\"), then: alert(\"two\") }",
	},
	{
		format: "there is no rule %s, so this test never matches", Code: "W702", Title: "following a rule that there is not",
		Explain: "A rule's id is the name of its file, without `.expr`.",
		Wrong:   "-- a.expr --\n{ per: visitor, when: on(click), then: alert(\"one\") }\n-- b.expr --\n{ per: visitor, when: on(fired and rule == \"a.expr\"), then: alert(\"two\") }",
		Mended:  "-- a.expr --\n{ per: visitor, when: on(click), then: alert(\"one\") }\n-- b.expr --\n{ per: visitor, when: on(fired and rule == \"a\"), then: alert(\"two\") }",
	},
	{
		format: "rules follow each other in a circle: %s", Code: "E703", Title: "rules in a circle",
		Explain: "Each would fire because of the other, without end. One of them has to begin with something that a visitor does.",
		Wrong:   "-- a.expr --\n{ per: visitor, when: on(fired and rule == \"b\"), then: alert(\"one\") }\n-- b.expr --\n{ per: visitor, when: on(fired and rule == \"a\"), then: alert(\"two\") }",
		Mended:  "-- a.expr --\n{ per: visitor, when: on(click), then: alert(\"one\") }\n-- b.expr --\n{ per: visitor, when: on(fired and rule == \"a\"), then: alert(\"two\") }",
	},
	{
		format: "this rule does the same as %s", Code: "W704", Title: "two rules that are the same",
		Explain: "`per`, `when` and `then` of both files say the same, so everybody gets it twice. A rule in `mode: \"shadow\"` or `\"paused\"` is not looked at. Most often one is a copy that was to be changed.",
		Wrong:   "-- a.expr --\n{ per: visitor, when: on(click), then: popup(\"hello\") }\n-- copy.expr --\n{ per: visitor, when: on(click), then: popup(\"hello\") }",
		Mended:  "-- a.expr --\n{ per: visitor, when: on(click), then: popup(\"hello\") }\n-- copy.expr --\n{ per: visitor, when: on(form_view), then: popup(\"hello\") }",
	},
	{
		format: "the pool %s is %s here, and %s in %s", Code: "E705", Title: "a pool that means two things",
		Explain: "All rules that name a pool count together, so they have the same `per`, number and window.",
		Wrong:   "-- a.expr --\n{ per: visitor, when: on(click), then: popup(\"one\"), limit: cap(\"popups\", 2, \"1d\") }\n-- b.expr --\n{ per: visitor, when: on(form_view), then: popup(\"two\"), limit: cap(\"popups\", 3, \"1d\") }",
		Mended:  "-- a.expr --\n{ per: visitor, when: on(click), then: popup(\"one\"), limit: cap(\"popups\", 2, \"1d\") }\n-- b.expr --\n{ per: visitor, when: on(form_view), then: popup(\"two\"), limit: cap(\"popups\", 2, \"1d\") }",
	},
	{
		format: "one event can make this rule fire more than %d times through the rules that it follows", Code: "E706", Title: "firings that multiply",
		Explain: "A rule that follows several rules fires once for each of them. Where every rule follows all before it, each doubles the firings of one event; the limit is 100,000 of one rule.",
		Wrong:   "-- r0.expr --\n{ per: visitor, when: on(click), then: alert(\"r0\") }\n-- r1.expr --\n{ per: visitor, when: on(fired and rule == \"r0\"), then: alert(\"r1\") }\n-- r2.expr --\n{ per: visitor, when: on(fired and rule in [\"r0\", \"r1\"]), then: alert(\"r2\") }\n-- r3.expr --\n{ per: visitor, when: on(fired and rule in [\"r0\", \"r1\", \"r2\"]), then: alert(\"r3\") }\n… and so on, up to r18.expr",
		Mended:  "-- r0.expr --\n{ per: visitor, when: on(click), then: alert(\"r0\") }\n-- r1.expr --\n{ per: visitor, when: on(fired and rule == \"r0\"), then: alert(\"r1\") }\n-- r2.expr --\n{ per: visitor, when: on(fired and rule == \"r1\"), then: alert(\"r2\") }",
	},
	{
		format: "the firings of %s never come here: %s", Code: "W707", Title: "following a rule that is not heard",
		Explain: "A rule sees the firings of rules with its own `per`, and of the kinds below it: visitor, user, company. A rule in `mode: \"shadow\"` or `\"paused\"` makes none.",
		Wrong:   "-- a.expr --\n{ per: company, when: on(click), then: alert(\"one\") }\n-- b.expr --\n{ per: visitor, when: on(fired and rule == \"a\"), then: alert(\"two\") }",
		Mended:  "-- a.expr --\n{ per: visitor, when: on(click), then: alert(\"one\") }\n-- b.expr --\n{ per: company, when: on(fired and rule == \"a\"), then: alert(\"two\") }",
	},
}
