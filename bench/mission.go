package bench

import "nudge/rules"

// The workload "mission": twelve rules as a growth team writes them, five of them about time that passes, over the site of the workload
// "six": Zipf's visitors, 8 % of them known users of 2,000 companies, 8 % form events. It is measured with a thousand and with a million
// visitors that all have state before the clock starts.
var missionRules = []rules.Source{
	{File: "m01.expr", Text: `{per: visitor, when: dwell(form_view and form == "demo", "20s", until(form_submit or page_leave or page_view)), then: popup("demo-help", {form: form})}`},
	{File: "m02.expr", Text: `{per: visitor, when: count(page_view, "30d") >= 20 and days(page_view, "30d") >= 3, then: alert("highly engaged", {})}`},
	{File: "m03.expr", Text: `{per: visitor, when: count(page_view and path startsWith "/pricing", "7d") >= 3, then: popup("pricing", {})}`},
	{File: "m04.expr", Text: `{per: visitor, when: absent(page_view, "3d", after(event("report_created"))), then: alert("made a report and left", {})}`},
	{File: "m05.expr", Text: `{per: visitor, when: absent(form_submit, "1h", after(form_view and form == "demo")), then: alert("demo form abandoned", {})}`},
	{File: "m06.expr", Text: `{per: visitor, when: first(page_view, "14d") and count(page_view, "ever") >= 2, then: popup("welcome-back", {})}`},
	{File: "m07.expr", Text: `{per: visitor, when: distinct(page_view, path, "1d") >= 8, then: alert("reads a lot", {})}`},
	{File: "m08.expr", Text: `{per: user, when: count(page_view, "7d") >= 15, then: alert("busy week", {}), cooldown: "7d"}`},
	{File: "m09.expr", Text: `{per: user, when: on(event("report_created")), unless: happened(form_submit, "1d"), then: alert("a report", {}), cooldown: "1d"}`},
	{File: "m10.expr", Text: `{per: user, when: first(event("signup"), "30d"), then: alert("signed up", {})}`},
	{File: "m11.expr", Text: `{per: company, when: distinct(page_view, user, "7d") >= 3, then: alert("several people of one company", {})}`},
	{File: "m12.expr", Text: `{per: company, when: count(page_view and path startsWith "/pricing", "7d") >= 5 and distinct(page_view and path startsWith "/pricing", user, "7d") >= 2, then: alert("a company compares prices", {}), cooldown: "1d"}`},
}

// Numbers of visitors that are alive before the clock starts.
var missionLive = [...]int{1_000, 1_000_000}

// Positions in missionRules.
const (
	m01 = iota
	m02
	m03
	m04
	m05
	m06
	m07
	m08
	m09
	m10
	m11
	m12
)
