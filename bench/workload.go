package bench

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"nudge"
	"nudge/rules"
)

// workload is rules, the site whose events they see, and the same rules written by hand.
type workload struct {
	name       string
	rules      []rules.Source
	shapes     []string // of each of which every so many-th rule is; nil: each rule is of its own
	visitors   int      // ids drawn by Zipf's law
	identified int      // of a hundred visitors are known users
	companies  int
	live       int // visitors that make a page view before the clock starts
	hand       func(*stream) handProgram
	signIn     bool                          // those that are known users are so from some instant of the stream on
	delay      func(*rand.Rand) nudge.Millis // how much later an event comes than it happened; nil: no event is late
}

// handProgram is a hand-written program for a workload's rules.
type handProgram interface {
	apply(*event)
	fired() []handFiring
	forget() // what fired, so that the state can be weighed
	keys() int
}

var six = &workload{name: DefaultWorkload, rules: sixRules, visitors: sixVisitors, identified: sixIdentified, companies: sixCompanies, hand: newHand}

// b2b is six with visitors most of whom are known: what they do goes up two levels more.
var b2b = &workload{name: "b2b", rules: sixRules, visitors: sixVisitors, identified: 60, companies: sixCompanies, hand: newHand}

const (
	keysPrefix    = "keys-"
	missionPrefix = "mission-"

	fewestKeys = 1_000
	mostKeys   = 10_000_000
)

// keysOf is six, or mission, with as many visitors as the name of a workload "keys-N", or "mission-N", says, all of whom have state before the clock
// starts.
func keysOf(name string) (w *workload, ok bool) {
	digits, six := strings.CutPrefix(name, keysPrefix)
	digits, twelve := strings.CutPrefix(digits, missionPrefix)
	n, err := strconv.Atoi(digits)
	if six == twelve || err != nil || n < fewestKeys || n > mostKeys {
		return nil, false
	}
	w = mission(n)
	if six {
		w.rules, w.hand = sixRules, newHand
	}
	w.name = name
	return w, true
}

// streamsOf are the workloads of a name whose events are a stream, ascending by the visitors that are live; nil if there is none.
func streamsOf(name string) []*workload {
	if w, ok := keysOf(name); ok {
		return []*workload{w}
	}
	if w, ok := denseOf(name); ok {
		return []*workload{w}
	}
	switch name {
	case six.name:
		return []*workload{six}
	case b2b.name:
		return []*workload{b2b}
	case late.name:
		return []*workload{late}
	case missionName, signInName:
		make := mission
		if name == signInName {
			make = signIns
		}
		var all []*workload
		for _, live := range missionLive {
			all = append(all, make(live))
		}
		return all
	}
	return nil
}

// mission is the workload of that name with so many visitors, and as many of them in a company as a million have.
func mission(visitors int) *workload {
	return &workload{
		name: missionName, rules: missionRules, visitors: visitors, identified: sixIdentified, companies: max(visitors*sixCompanies/sixVisitors, 1),
		live: visitors, hand: newMissionHand,
	}
}

// signIns is mission, but each of the known users becomes one at some instant of the 35 days: what it did before counts for the user's rules, so that of
// every visitor without a user something has to be kept.
func signIns(visitors int) *workload {
	w := mission(visitors)
	w.name, w.hand, w.signIn = signInName, newSignInHand, true
	return w
}

const (
	missionName = "mission"
	signInName  = "sign-in"
)

// handMost is how many visitors the program by hand for mission is given: it takes 0.7 kB of each, and twice that while its slice grows and until
// it is collected.
const handMost = 3_000_000

func (w *workload) tooLargeByHand() bool { return w.isMission() && w.live > handMost }

func (w *workload) isMission() bool { return len(w.rules) == len(missionRules) }

// columns are the rules in a table of firings, or their shapes, where they are too many.
func (w *workload) columns() []string {
	if w.shapes != nil {
		return w.shapes
	}
	return w.ids()
}

// ids are the ids of the workload's rules in the order of reports.
func (w *workload) ids() []string {
	var ids []string
	for _, s := range w.rules {
		ids = append(ids, strings.TrimSuffix(s.File, ".expr"))
	}
	return ids
}

// mostRules bounds the columns of a workload.
const mostRules = 12
