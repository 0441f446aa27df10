package rules

// entryCodes are about the entries of a rule and its actions.
var entryCodes = []Code{
	{
		format: "the rule has no `%s`", Code: "E601", Title: "a rule that lacks an entry",
		Explain: "`per` says whom the rule watches, `when` at what it fires, `then` what happens. All three are needed.",
		Wrong:   "{ per: visitor, when: on(click) }",
		Mended:  "{ per: visitor, when: on(click), then: popup(\"hello\") }",
	},
	{
		format: "a rule has no entry `%s`", Code: "E602", Title: "an entry that there is not",
		Explain: "The entries are listed in LANGUAGE.md. What is for people only goes into `title`, `owner` and `tags`.",
		Wrong:   "{ per: visitor, when: on(click), then: popup(\"hello\"), color: \"red\" }",
		Mended:  "{ per: visitor, when: on(click), then: popup(\"hello\", {color: \"red\"}) }",
	},
	{
		format: "`per` is written without quotes", Code: "E603", Title: "per in quotes",
		Explain: "`per` is a name of the language or a field, not a text.",
		Wrong:   "{ per: \"visitor\", when: on(click), then: popup(\"hello\") }",
		Mended:  "{ per: visitor, when: on(click), then: popup(\"hello\") }",
	},
	{
		format: "`per` is the same for every event", Code: "E604", Title: "per without a field",
		Explain: "A rule watches many keys, each by itself: visitors, users, companies, or the values of a field.",
		Wrong:   "{ per: 5, when: on(click), then: alert(\"hello\") }",
		Mended:  "{ per: form, when: on(click), then: alert(\"hello\") }",
	},
	{
		format: "true and false are not keys", Code: "E605", Title: "per true or false",
		Explain: "A key is a text, or a whole number.",
		Wrong:   "-- catalog.expr --\n{purchase: {gift: \"bool\"}}\n-- a.expr --\n{ per: gift, when: on(purchase), then: alert(\"bought\") }",
		Mended:  "-- catalog.expr --\n{purchase: {gift: \"bool\"}}\n-- a.expr --\n{ per: user, when: on(purchase and gift), then: alert(\"bought\") }",
	},
	{
		format: "`cooldown` is a text with a unit", Code: "E606", Title: "a cooldown that is no text",
		Explain: "A duration is a text of whole numbers and units `w d h m s ms`.",
		Wrong:   "{ per: visitor, when: on(click), then: popup(\"hello\"), cooldown: 1 }",
		Mended:  "{ per: visitor, when: on(click), then: popup(\"hello\"), cooldown: \"1d\" }",
	},
	{
		format: "`priority` is a number; the highest is settled first", Code: "E607", Title: "a priority that is no number",
		Explain: "Of several rules that fire at one moment the one with the highest number comes first; 0 is what a rule without one has.",
		Wrong:   "{ per: visitor, when: on(click), then: popup(\"hello\"), priority: \"high\" }",
		Mended:  "{ per: visitor, when: on(click), then: popup(\"hello\"), priority: 10 }",
	},
	{
		format: "`mode` is one of three texts", Code: "E608", Title: "a mode that is none of the three",
		Explain: "`\"live\"` does what the rule says, `\"shadow\"` only records it, `\"paused\"` does nothing.",
		Wrong:   "{ per: visitor, when: on(click), then: popup(\"hello\"), mode: \"off\" }",
		Mended:  "{ per: visitor, when: on(click), then: popup(\"hello\"), mode: \"paused\" }",
	},
	{
		format: "there is no mode %s", Code: "E609", Title: "a mode that is misspelt",
		Explain: "The modes are `\"live\"`, `\"shadow\"` and `\"paused\"`.",
		Wrong:   "{ per: visitor, when: on(click), then: popup(\"hello\"), mode: \"shadwo\" }",
		Mended:  "{ per: visitor, when: on(click), then: popup(\"hello\"), mode: \"shadow\" }",
	},
	{
		format: "`%s` is a text in quotes", Code: "E610", Title: "a title or owner that is no text",
		Explain: "`title` and `owner` are for people, as texts.",
		Wrong:   "{ per: visitor, when: on(click), then: popup(\"hello\"), owner: growth }",
		Mended:  "{ per: visitor, when: on(click), then: popup(\"hello\"), owner: \"growth\" }",
	},
	{
		format: "`tags` is a list of texts", Code: "E611", Title: "tags that are no list",
		Explain: "One tag is a list too.",
		Wrong:   "{ per: visitor, when: on(click), then: popup(\"hello\"), tags: \"growth\" }",
		Mended:  "{ per: visitor, when: on(click), then: popup(\"hello\"), tags: [\"growth\"] }",
	},
	{
		format: "`%s` is an action: it goes into `then`", Code: "E612", Title: "an action outside of then",
		Explain: "A condition only looks; what happens stands in `then`.",
		Wrong:   "when: on(click) and popup(\"hello\")",
		Mended:  "when: on(click),\nthen: popup(\"hello\")",
	},
	{
		format: "`then` does nothing", Code: "E613", Title: "an empty list of actions",
		Explain: "A rule does at least one thing. To see it fire without any effect use `mode: \"shadow\"`.",
		Wrong:   "then: []",
		Mended:  "then: [popup(\"hello\")]",
	},
	{
		format: "a rule has at most %d actions", Code: "E614", Title: "too many actions",
		Explain: "A rule has at most 20 actions.",
		Wrong:   "then: [alert(\"1\"), alert(\"2\"), …] // 21 of them",
		Mended:  "then: [alert(\"1\"), alert(\"2\")]",
	},
	{
		format: "`then` takes an action, or a list of actions", Code: "E615", Title: "no action",
		Explain: "An action is called with its arguments: `popup(\"template\")`, `alert(\"text\", {key: \"value\"})`.",
		Wrong:   "then: \"hello\"",
		Mended:  "then: popup(\"hello\")",
	},
	{
		format: "there is no action `%s`", Code: "E616", Title: "an action that there is not",
		Explain: "The actions are listed in LANGUAGE.md.",
		Wrong:   "then: popop(\"hello\")",
		Mended:  "then: popup(\"hello\")",
	},
	{
		format: "a popup goes to one visitor: a company rule has none to show it to", Code: "E617", Title: "a popup in a company rule",
		Explain: "Tell sales with `alert`, or write the rule per visitor or user.",
		Wrong:   "{ per: company, when: count(page_view, \"7d\") >= 3, then: popup(\"hello\") }",
		Mended:  "{ per: company, when: count(page_view, \"7d\") >= 3, then: alert(\"hello\") }",
	},
	{
		format: "`%s` takes a %s and, if needed, a map", Code: "E618", Title: "an action with other arguments",
		Explain: "First the template or text, then the data in one map.",
		Wrong:   "then: popup(\"hello\", {a: 1}, {b: 2})",
		Mended:  "then: popup(\"hello\", {a: 1, b: 2})",
	},
	{
		format: "the first argument of `%s` is a text", Code: "E619", Title: "an action without a text",
		Explain: "The template's name or the alert's text is a text, or is joined out of texts, fields and operators by `+`.",
		Wrong:   "then: alert(5)",
		Mended:  "then: alert(\"5 visits\")",
	},
	{
		format: "the text of `%s` is empty", Code: "E620", Title: "an action with an empty text",
		Explain: "Nobody could read it.",
		Wrong:   "then: alert(\"\")",
		Mended:  "then: alert(\"hello\")",
	},
	{
		format: "the data of `%s` is a map", Code: "E621", Title: "data that are no map",
		Explain: "Data are keys with values, in braces.",
		Wrong:   "then: popup(\"hello\", path)",
		Mended:  "then: popup(\"hello\", {page: path})",
	},
	{
		format: "a map, a list or a test cannot be calculated with", Code: "E622", Title: "a sum with a list",
		Explain: "In data `+` joins texts, numbers, fields and counts.",
		Wrong:   "then: popup(\"hello\", {n: values(page_view, path, \"1d\") + 1})",
		Mended:  "then: popup(\"hello\", {n: values(page_view, path, \"1d\")})",
	},
	{
		format: "what is true at one instant only does not go into the data", Code: "E623", Title: "a condition of a moment in the data",
		Explain: "The data tell what was so when the rule fired. Ask for a state.",
		Wrong:   "then: popup(\"hello\", {x: on(click) and count(click, \"1d\") > 3})",
		Mended:  "then: popup(\"hello\", {x: count(click, \"1d\") > 3})",
	},
	{
		format: "`%s` is true at one instant only and does not go into the data", Code: "E624", Title: "a moment in the data",
		Explain: "The data tell what was so when the rule fired. Ask for a state.",
		Wrong:   "then: popup(\"hello\", {x: on(click)})",
		Mended:  "then: popup(\"hello\", {x: happened(click, \"1d\")})",
	},
}
