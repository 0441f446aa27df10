package bench

import (
	"strings"

	"nudge/rules"
)

// workload is rules, the site whose events they see, and the same rules written by hand.
type workload struct {
	name      string
	rules     []rules.Source
	visitors  int // ids drawn by Zipf's law
	companies int
	live      int // visitors that make a page view before the clock starts
	hand      func(*stream) handProgram
}

// handProgram is a hand-written program for a workload's rules.
type handProgram interface {
	apply(*event)
	fired() []handFiring
	forget() // what fired, so that the state can be weighed
	keys() int
}

var six = &workload{name: DefaultWorkload, rules: sixRules, visitors: sixVisitors, companies: sixCompanies, hand: newHand}

// mission is the workload of that name with so many visitors, and as many of them in a company as a million have.
func mission(visitors int) *workload {
	return &workload{
		name: missionName, rules: missionRules, visitors: visitors, companies: max(visitors*sixCompanies/sixVisitors, 1), live: visitors, hand: newMissionHand,
	}
}

const missionName = "mission"

// ids are the ids of the workload's rules in the order of reports.
func (w *workload) ids() []string {
	var ids []string
	for _, s := range w.rules {
		ids = append(ids, strings.TrimSuffix(s.File, ".expr"))
	}
	return ids
}

// mostRules bounds the rules of a workload.
const mostRules = 12
