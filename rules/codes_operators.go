package rules

// operatorCodes are about the arguments of operators, durations, and what an operator keeps.
var operatorCodes = []Code{
	{
		format: "`%s` takes %d argument%s, %s; here it has %d", Code: "E501", Title: "a wrong number of arguments",
		Explain: "The order is always: which events, which value of them, how long.",
		Wrong:   "when: count(click) >= 3",
		Mended:  "when: count(click, \"1d\") >= 3",
	},
	{
		format: "a text is not an event test", Code: "E502", Title: "an event in quotes",
		Explain: "An event of a name that is no plain word is `event(\"Product Viewed\")`; others are written without quotes.",
		Wrong:   "when: on(\"click\")",
		Mended:  "when: on(click)",
	},
	{
		format: "%s is the same for every event: name a field", Code: "E503", Title: "a constant in the place of a field",
		Explain: "`distinct` and `values` tell apart what differs from event to event. A field is written without quotes.",
		Wrong:   "when: distinct(page_view, \"path\", \"7d\") >= 3",
		Mended:  "when: distinct(page_view, path, \"7d\") >= 3",
	},
	{
		format: "the last argument is %s(…) with one event test", Code: "E504", Title: "an operator without its end",
		Explain: "`dwell` says until what it waits, `absent` after what.",
		Wrong:   "when: dwell(form_view, \"20s\", form_submit)",
		Mended:  "when: dwell(form_view, \"20s\", until(form_submit))",
	},
	{
		format: "`%s` belongs into `%s`", Code: "E505", Title: "a word outside of its operator",
		Explain: "The word means something only as an argument of that operator.",
		Wrong:   "when: on(click) and after(form_view)",
		Mended:  "when: absent(click, \"1h\", after(form_view))",
	},
	{
		format: "how long is a text with a unit", Code: "E506", Title: "a duration that is no text",
		Explain: "A duration is a text of whole numbers and units `w d h m s ms`: `\"30d\"`, `\"1h30m\"`, `\"500ms\"`.",
		Wrong:   "when: count(click, 30) >= 3",
		Mended:  "when: count(click, \"30d\") >= 3",
	},
	{
		format: "%s is not a duration", Code: "E507", Title: "a text that is no duration",
		Explain: "Units are `w d h m s ms`, the larger ones first. Months and years differ in length: count them in days.",
		Wrong:   "when: count(click, \"30 days\") >= 3",
		Mended:  "when: count(click, \"30d\") >= 3",
	},
	{
		format: "an empty text is not a duration", Code: "E508", Title: "an empty duration",
		Explain: "Say how long: `\"30d\"`, `\"1h30m\"`.",
		Wrong:   "when: count(click, \"\") >= 3",
		Mended:  "when: count(click, \"30d\") >= 3",
	},
	{
		format: "the duration %s is too long", Code: "E509", Title: "a duration that is too long",
		Explain: "The longest is `\"3660d\"`. What has no end is `\"ever\"`, where it is allowed.",
		Wrong:   "when: count(click, \"4000d\") >= 3",
		Mended:  "when: count(click, \"ever\") >= 3",
	},
	{
		format: "the duration %s is no time at all", Code: "E510", Title: "a duration of 0",
		Explain: "The shortest is `\"1ms\"`. What happens at this very moment is `on(…)`.",
		Wrong:   "when: count(click, \"0s\") >= 1",
		Mended:  "when: on(click)",
	},
	{
		format: "the window \"today\" is not in this version", Code: "E511", Title: "today",
		Explain: "The word is kept for a version to come. The last 24 hours are `\"1d\"`.",
		Wrong:   "when: count(click, \"today\") >= 3",
		Mended:  "when: count(click, \"1d\") >= 3",
	},
	{
		format: "\"ever\" cannot be used here", Code: "E512", Title: "ever in the wrong place",
		Explain: "Nobody waits forever, and a cooldown ends: they take a duration of at most `\"3660d\"`.",
		Wrong:   "{ per: visitor, when: on(click), then: popup(\"hello\"), cooldown: \"ever\" }",
		Mended:  "{ per: visitor, when: on(click), then: popup(\"hello\"), cooldown: \"3660d\" }",
	},
	{
		format: "comparing with %s keeps more than %d entries per key", Code: "E513", Title: "a number that is too large to count to",
		Explain: "To decide a comparison with K exactly, the K newest events of every visitor, user or company are kept. `count(…, \"ever\")` is a plain number and has no limit.",
		Wrong:   "when: count(click, \"1d\") >= 20000",
		Mended:  "when: count(click, \"ever\") >= 20000",
	},
	{
		format: "comparing with %s keeps up to %d entries per key (%s)", Code: "W514", Title: "a comparison that needs much memory",
		Explain: "To decide a comparison with K exactly, the K newest events or values of every visitor, user or company are kept. With many keys that adds up; where there is a choice, take a smaller number.",
		Wrong:   "when: distinct(page_view, path, \"ever\") >= 5000",
		Mended:  "when: distinct(page_view, path, \"ever\") >= 50",
	},
	{
		format: "the very number of `%s` is used: up to %d entries are kept per key (%s)%s", Code: "W515", Title: "a number that is used as it is",
		Explain: "In arithmetic, beside another operator and in data the number itself is needed, so as many entries as may be are kept for every key. Compared with a constant only as many are kept as decide it. `count(…, \"ever\")` is a plain number without any limit.",
		Wrong:   "when: count(click, \"1d\") > 2 * count(page_view, \"1d\")",
		Mended:  "when: count(click, \"1d\") > 20",
	},
	{
		format: "`%s` looks back %s, but the log is kept for %s only: a new rule knows less at first", Code: "W516", Title: "a window longer than the log",
		Explain: "A new rule, or one with a new operator, begins with what the log still holds. Until it has run for as long as its window, it knows less than it asks for. Keep the log longer, or take a shorter window; if the rule may begin so, leave it.",
		Wrong:   "when: count(page_view, \"90d\") >= 20",
		Mended:  "when: count(page_view, \"30d\") >= 20",
	},
}
