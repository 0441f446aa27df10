package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"nudge"
	"nudge/rules"
)

// The workload "dense-N": N rules on a site of 200 sections, so that an event meets N/200 of them, where one of "rules-N" meets eight. No two rules of a
// section ask the same: of each shape there are several, which differ in the page that does not count, in window and threshold. The people of a company
// keep to one section. All is spread over 35 days, so that windows pass.
const (
	densePrefix    = "dense-"
	denseSections  = 200
	denseLeast     = denseSections * denseShapes // one rule of each shape in each section
	denseShapes    = 8
	densePages     = 20
	denseVisitors  = 1_000_000 // drawn by Zipf's law, as those of "six"
	denseCompanies = 5_000
	denseKnown     = 30 // visitors in a hundred that are known users
	denseUsers     = 3  // of a company
)

// Shapes of the rules, and the names of their columns.
const (
	denseCount = iota
	denseDistinct
	denseBought
	denseDwell
	denseFirst
	denseUser
	denseCompany
	denseRank
)

var denseNames = []string{"count", "distinct", "bought", "dwell", "first", "user", "company", "rank"}

// denseTexts are the rules of a section, as formats of its name, of a page, of a rank, of a window in days, of a threshold, and of how many people of a company.
var denseTexts = [denseShapes]string{
	denseCount:    `{per: visitor, when: count(page_view and section == "%[1]s" and path != "/%[1]s/page-%02[2]d", "%[4]dd") >= %[5]d, then: alert("often", {})}`,
	denseDistinct: `{per: visitor, when: distinct(page_view and path startsWith "/%[1]s/" and path != "/%[1]s/page-%02[2]d", path, "%[4]dd") >= %[5]d, then: alert("reads", {})}`,
	denseBought:   `{per: visitor, when: happened(page_view and section in ["%[1]s", "t%[2]d"] and path != "/%[1]s/page-%02[2]d", "1d") and count(event("purchase") and section == "%[1]s", "%[4]dd") >= 2, then: alert("bought", {})}`,
	denseDwell:    `{per: visitor, when: dwell(page_view and path == "/%[1]s/page-%02[2]d", "20s", until(page_leave and section == "%[1]s")), then: alert("dwells", {})}`,
	denseFirst:    `{per: visitor, when: first(page_view and section == "%[1]s" and rank >= %[3]d, "%[4]dd") and count(event("purchase") and section == "%[1]s", "30d") >= 1, then: alert("back", {})}`,
	denseUser:     `{per: user, when: count(page_view and section == "%[1]s" and not (path endsWith "/page-%02[2]d"), "%[4]dd") >= %[5]d, then: alert("user", {})}`,
	denseCompany:  `{per: company, when: distinct(page_view and section == "%[1]s" and path != "/%[1]s/page-%02[2]d", user, "%[4]dd") >= %[6]d, then: alert("company", {})}`,
	denseRank:     `{per: visitor, when: count(page_view and path startsWith "/%[1]s/" and rank != %[3]d, "%[4]dd") >= %[5]d, then: alert("ranks", {})}`,
}

// denseRule is what a rule asks for.
type denseRule struct {
	shape, section int
	page           int // that does not count, or that is dwelt on
	rank           int
	window         nudge.Millis
	threshold      int
}

// denseDays are the windows.
var denseDays = [...]int{1, 2, 3, 5, 7, 14, 30}

// denseRuleOf is the rule of a number. Neighbours are of one section, and of eight shapes; rules 1,600 apart are of one section and shape.
func denseRuleOf(number int) denseRule {
	variant := number / denseLeast
	return denseRule{
		shape: number % denseShapes, section: number / denseShapes % denseSections, page: variant % densePages, rank: variant % 10,
		window: nudge.Millis(denseDays[variant%len(denseDays)]) * day, threshold: 5 + variant%10,
	}
}

func denseSection(section int) string { return "s" + sectionText(section) }

func denseRules(n int) (sources []rules.Source) {
	for i := range n {
		r := denseRuleOf(i)
		sources = append(sources, rules.Source{
			File: fmt.Sprintf("rule-%06d.expr", i),
			Text: fmt.Sprintf(denseTexts[r.shape]+"\n", denseSection(r.section), r.page, r.rank, r.window/day, r.threshold, denseUsers),
		})
	}
	return sources
}

// denseOf is the workload of that name.
func denseOf(name string) (w *workload, ok bool) {
	digits, ok := strings.CutPrefix(name, densePrefix)
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < denseLeast || n > rules.MaxFiles {
		return nil, false
	}
	return &workload{
		name: name, rules: denseRules(n), shapes: denseNames, visitors: denseVisitors, identified: denseKnown, companies: denseCompanies, hand: newDenseHand,
	}, true
}

// densePath is a page of a section, as a path.
func densePath(section string, page int) string { return fmt.Sprintf("/%s/page-%02d", section, page) }

// denseWriter writes events of the site.
type denseWriter struct {
	b             nudge.RecordBuilder
	section, rank nudge.NameID
	types         [kinds]nudge.NameID
	random        *rand.Rand
}

func newDenseWriter(names *nudge.Names) (*denseWriter, error) {
	w := &denseWriter{random: rand.New(rand.NewPCG(sixSeed, 0))}
	var err error
	if w.section, err = names.Intern("section"); err != nil {
		return nil, err
	}
	if w.rank, err = names.Intern("rank"); err != nil {
		return nil, err
	}
	for _, k := range []kind{pageView, pageLeave, purchase} {
		if w.types[k], err = names.Intern(kindName[k]); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *denseWriter) builder() *nudge.RecordBuilder { return &w.b }

// write draws what a visitor does: 95 in a hundred events are page views.
func (w *denseWriter) write(v visit, at, ts nudge.Millis) event {
	v.kind = pageView
	switch n := w.random.IntN(100); {
	case n >= 98:
		v.kind = purchase
	case n >= 95:
		v.kind = pageLeave
	}
	number := int(mix(uint64(v.company)) % denseSections)
	section := denseSection(number)
	e := event{at: at, ts: ts, kind: v.kind, record: uint32(len(w.b.Buf)), rank: uint8(w.random.IntN(10))}
	w.b.Begin(nudge.RecordEvent, w.types[v.kind])
	w.b.Ts(ts)
	visitor := "visitor-" + strconv.Itoa(v.visitor)
	e.visitor = w.text(nudge.NameVisitor, visitor)
	if v.user {
		e.user = w.text(nudge.NameUser, "user-"+strconv.Itoa(v.visitor))
		e.company = w.text(nudge.NameCompany, "company-"+strconv.Itoa(v.company)+".example")
	}
	e.path = w.text(nudge.NamePath, densePath(section, w.random.IntN(densePages)))
	e.form = w.text(w.section, section)
	w.b.Number(w.rank, float64(e.rank))
	w.b.End(nudge.HashKey("visitor", visitor))
	return e
}

func (w *denseWriter) text(name nudge.NameID, text string) span {
	w.b.Text(name, text)
	return span{uint32(len(w.b.Buf) - len(text)), uint32(len(text))}
}
