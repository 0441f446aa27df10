package rules

// conditionCodes are about conditions: what looks at one key over time.
var conditionCodes = []Code{
	{
		format: "`%s` is an event: a condition looks at many events over time", Code: "E401", Title: "an event in the place of a condition",
		Explain: "Say how the event is looked at: `on(…)` is the moment at which it happens, `happened(…, \"7d\")` the time after it, `count(…, \"7d\") >= 3` how often.",
		Wrong:   "when: page_view",
		Mended:  "when: on(page_view)",
	},
	{
		format: "`%s` is a field: a condition asks operators, and fields stand in their event tests", Code: "E402", Title: "a field in a condition",
		Explain: "A condition looks at many events; a field belongs to one of them. Put the comparison into an operator's event test.",
		Wrong:   "when: path == \"/pricing\"",
		Mended:  "when: on(page_view and path == \"/pricing\")",
	},
	{
		format: "`%s` looks at one event: it belongs into an event test", Code: "E403", Title: "a test in a condition",
		Explain: "`startsWith`, `in`, `has`, `lower` and the like look at one event. Put them into an operator's event test.",
		Wrong:   "when: path startsWith \"/pricing\"",
		Mended:  "when: on(page_view and path startsWith \"/pricing\")",
	},
	{
		format: "`%s` is a number, not a condition: compare it with something", Code: "E404", Title: "a count without a comparison",
		Explain: "How many are enough? If one is, write `happened(…)`.",
		Wrong:   "when: count(page_view, \"7d\")",
		Mended:  "when: count(page_view, \"7d\") >= 3",
	},
	{
		format: "this is a number, not a condition: compare it with something", Code: "E405", Title: "a number without a comparison",
		Explain: "A condition is true or false. A number becomes one by a comparison.",
		Wrong:   "when: count(page_view, \"7d\") + count(click, \"7d\")",
		Mended:  "when: count(page_view, \"7d\") + count(click, \"7d\") >= 3",
	},
	{
		format: "this is not a condition", Code: "E406", Title: "no condition",
		Explain: "`when` and `unless` take a condition: operators, compared with numbers and joined by `and`, `or`, `not`. It is not put in quotes.",
		Wrong:   "when: \"on(click)\"",
		Mended:  "when: on(click)",
	},
	{
		format: "`%v` is always the same: a condition asks at least one operator", Code: "E407", Title: "true or false as a condition",
		Explain: "A rule fires when its condition becomes true; one that is always true never becomes it. To switch a rule off write `mode: \"paused\"`.",
		Wrong:   "when: true",
		Mended:  "when: on(click)",
	},
	{
		format: "this is always the same: a condition asks at least one operator", Code: "E408", Title: "a condition of constants",
		Explain: "Nothing in the condition depends on what happens.",
		Wrong:   "when: 5 > 3",
		Mended:  "when: count(click, \"1d\") > 3",
	},
	{
		format: "conditions compare numbers, not texts", Code: "E409", Title: "a text in a condition",
		Explain: "What operators count is compared with a number, written without quotes.",
		Wrong:   "when: count(page_view, \"7d\") >= \"3\"",
		Mended:  "when: count(page_view, \"7d\") >= 3",
	},
	{
		format: "nothing in a condition is compared with `%v`", Code: "E410", Title: "a comparison with true or false",
		Explain: "A condition is true by itself; its opposite is `not …`. How many is a number.",
		Wrong:   "when: count(page_view, \"7d\") == true",
		Mended:  "when: happened(page_view, \"7d\")",
	},
	{
		format: "nothing in a condition is compared with `nil`", Code: "E411", Title: "a comparison with nil",
		Explain: "There is no nothing in a condition: of what did not happen the count is 0.",
		Wrong:   "when: count(page_view, \"7d\") == nil",
		Mended:  "when: count(page_view, \"7d\") == 0",
	},
	{
		format: "`happened` is true or false, not a number", Code: "E412", Title: "happened in a comparison",
		Explain: "`happened(…)` stands alone; how often is `count(…)`.",
		Wrong:   "when: happened(click, \"1d\") >= 3",
		Mended:  "when: count(click, \"1d\") >= 3",
	},
	{
		format: "`values` is a list, for the data of `then` only", Code: "E413", Title: "values in a condition",
		Explain: "A list cannot be compared. How many different values there are is `distinct(…)`.",
		Wrong:   "when: values(page_view, path, \"7d\") >= 3",
		Mended:  "when: distinct(page_view, path, \"7d\") >= 3",
	},
	{
		format: "there is no operator `%s`", Code: "E414", Title: "an operator that there is not",
		Explain: "The operators are listed in LANGUAGE.md.",
		Wrong:   "when: cuont(click, \"1d\") >= 3",
		Mended:  "when: count(click, \"1d\") >= 3",
	},
	{
		format: "`%s` needs its arguments", Code: "E415", Title: "an operator without arguments",
		Explain: "Say which events, and how long.",
		Wrong:   "when: count >= 3",
		Mended:  "when: count(click, \"1d\") >= 3",
	},
	{
		format: "what is true at one instant only cannot stand under `%s`", Code: "E416", Title: "not of a moment",
		Explain: "`on`, `first`, `absent`, `dwell` are true at one moment, so their opposite is true nearly always and says nothing. What must not have been before is `not happened(…)`, or `unless`.",
		Wrong:   "when: on(click) and not on(form_submit)",
		Mended:  "when: on(click) and not happened(form_submit, \"1d\")",
	},
	{
		format: "`or` has something true at one instant on one side and a lasting state on the other", Code: "E417", Title: "a moment or a state",
		Explain: "It would be unclear when such a rule fires. Write two rules, one for each side.",
		Wrong:   "when: on(click) or count(page_view, \"1d\") >= 3",
		Mended:  "when: on(click) and count(page_view, \"1d\") >= 3",
	},
	{
		format: "`%s` is true at one instant only: it cannot be compared or counted with", Code: "E418", Title: "a moment in a comparison",
		Explain: "`on`, `first`, `absent`, `dwell` are no numbers. How often is `count(…)`.",
		Wrong:   "when: on(click) >= 3",
		Mended:  "when: count(click, \"1d\") >= 3",
	},
	{
		format: "`%s` is true at one instant only and cannot stand in `unless`", Code: "E419", Title: "a moment in unless",
		Explain: "`unless` is looked at when the rule fires, and hardly anything else happens at that very moment. Ask what has happened before.",
		Wrong:   "{ per: visitor, when: on(click), then: popup(\"hello\"), unless: on(form_submit) }",
		Mended:  "{ per: visitor, when: on(click), then: popup(\"hello\"), unless: happened(form_submit, \"1d\") }",
	},
	{
		format: "nothing can be divided by 0", Code: "E420", Title: "a division by 0",
		Explain: "A comparison with such a number would never be true.",
		Wrong:   "when: count(click, \"1d\") / 0 > 1",
		Mended:  "when: count(click, \"1d\") / 2 > 1",
	},
	{
		format: "`%s` is never below 0, so this is always true", Code: "W421", Title: "a comparison that is always true",
		Explain: "Nothing is counted below 0.",
		Wrong:   "when: on(click) and count(page_view, \"1d\") >= 0",
		Mended:  "when: on(click) and count(page_view, \"1d\") >= 1",
	},
	{
		format: "`%s` is a whole number from 0, so this is always %v", Code: "W422", Title: "a comparison with a number that a count never is",
		Explain: "A count is 0, 1, 2 and so on; it is never 2.5 and never less than 0.",
		Wrong:   "when: count(page_view, \"1d\") == 2.5",
		Mended:  "when: count(page_view, \"1d\") == 2",
	},
	{
		format: "this can never be true: %s, but %s", Code: "W423", Title: "comparisons that contradict each other",
		Explain: "The same events are counted twice, and no number is in both ranges. What happened in a shorter window is also in the longer one; there are never more different values, or days, than events.",
		Wrong:   "when: count(page_view, \"7d\") >= 3 and count(page_view, \"7d\") < 2",
		Mended:  "when: count(page_view, \"7d\") >= 3 and count(page_view, \"1d\") < 2",
	},
}
