package engine

import (
	"hash/fnv"
	"maps"
	"sort"

	"nudge"
	"nudge/rules"
)

// dictionary gives operators, cooldowns, pools and other scopes the numbers under which keys store them. A number is never given to
// anything else, so that what a removed rule left behind is not taken for a new one's.
type dictionary struct {
	ops    map[string]uint32
	scopes map[string]uint16
	live   map[string]bool // texts of the plan that runs; a text that comes back later gets a new number
	sizes  map[string]size // of its operators

	// What warms, see warming.go.
	cold    map[string]coldness // texts of operators
	held    map[string]bool     // ids of rules
	sources map[string]string   // text of each rule's file
	nextOp  uint32
}

// size is what an operator keeps. One that must keep more than before has not seen what it lacks.
type size struct {
	Keep   int          `json:"keep"`
	Window nudge.Millis `json:"window"`
	Slots  int          `json:"slots"`
}

func newDictionary() *dictionary {
	return &dictionary{
		ops: map[string]uint32{}, live: map[string]bool{}, nextOp: 1,
		scopes: map[string]uint16{"visitor": rules.ScopeVisitor, "user": rules.ScopeUser, "company": rules.ScopeCompany},
	}
}

// number returns the text's number, a new one if neither this plan nor the one before had it. live collects the texts of this plan.
func (d *dictionary) number(text string, live map[string]bool) uint32 {
	if live[text] || d.live[text] {
		live[text] = true
		return d.ops[text]
	}
	live[text] = true
	d.ops[text] = d.nextOp
	d.nextOp++
	return d.ops[text]
}

// role says what a matching event is to an operator, a bit for each test. An ending counts before a start of the same event. For a score
// and a sequence a bit is one of its tests, so that one event's matches are one number.
type role uint64

const (
	roleEnd role = 1 << iota
	roleMain
)

func pointsRole(i int) role { return 1 << i }
func stepRole(i int) role   { return 1 << i }
func noRole(i int) role     { return 1 << (firstNo + i) }

const firstNo = 32

// Every test of the largest score and of the longest sequence has a bit: less would not compile.
const (
	_ = uint(64 - rules.MaxPoints)
	_ = uint(firstNo - rules.MaxSteps)
)

// listener is an operator that a test's matching events concern.
type listener struct {
	op   int32
	role role
}

// wakeUse is a rule's use of a window operator whose expiries can make its condition true.
type wakeUse struct {
	rule   int32
	window nudge.Millis
	wake   int
	mark   float64 // OpScore
	marks  marks   // OpSince
}

// program is a plan with what the shards look up in it.
type program struct {
	plan       *rules.Plan
	nums       []uint32    // operator → number
	scopeNums  []uint16    // scope → number
	opOf       []int32     // number → operator with timers, -1 for all others
	userOp     []int32     // number → operator of users, -1 for all others
	live       []bool      // number → whether an operator, cooldown or pool of the plan has it
	hearing                // who listens now
	all        hearing     // who listens once nothing is cold
	cold       []coldness  // by operator
	held       []bool      // rule → whether it is warming and fires nothing
	opRules    [][]int32   // operator → rules whose when uses it
	wakes      [][]wakeUse // operator → uses with wake-ups
	timed      []bool      // operator → whether it can set a timer
	rules      []ruleInfo
	fieldSlots map[uint64]int // hash of a field's name → slot
	fieldHash  []uint64       // slot → hash of its field's name
	slotOf     struct{ visitor, user, company, rule, key, typ, ts, at int }
	hasFired   bool     // some test sees fired events
	forward    []string // ids of rules that count what was fired from their deployment on
}

type ruleInfo struct {
	cooldown    uint32 // number of the slot that holds the last delivered firing
	limit       uint32 // number of the pool's slot; 0 without limit
	pulses      bool   // when needs a pulse: without one it is false
	unlessFired bool   // unless listens to fired events
}

// newProgram makes the program of a plan. With warms, operators that lack a past are cold.
func newProgram(p *rules.Plan, names *nudge.Names, d *dictionary, warms bool) *program {
	g := &program{plan: p, fieldSlots: map[uint64]int{}}
	live, sizes, cold, began := map[string]bool{}, map[string]size{}, map[string]coldness{}, d.nextOp
	var forward []int // operators that are new, see fired events and so count from now on
	for _, sc := range p.Scopes {
		if _, ok := d.scopes[sc.Per]; !ok {
			d.scopes[sc.Per] = uint16(len(d.scopes))
		}
		g.scopeNums = append(g.scopeNums, d.scopes[sc.Per])
		g.listeners = append(g.listeners, make([][]listener, len(p.Tests)))
		g.listening = append(g.listening, make([]bool, len(p.Tests)))
	}
	for i := range p.Ops {
		op := &p.Ops[i]
		text := p.Scopes[op.Scope].Per + "\x00" + opName[op.Kind] + "\x00" + op.Text
		num := d.number(text, live)
		g.nums = append(g.nums, num)
		was, is := d.sizes[text], size{op.Keep, op.Window, len(op.Slots)}
		grew := is.Keep > was.Keep || is.Window > was.Window || is.Slots > was.Slots
		g.cold = append(g.cold, coldWarm)
		if c := d.coldness(text, num >= began, grew); warms && c != coldWarm && seesFired(p, op) {
			forward = append(forward, i)
		} else if warms && c != coldWarm {
			g.cold[i], cold[text] = c, c
		}
		sizes[text] = is
		eachTest(op, func(test int, r role) { g.listen(op.Scope, test, listener{int32(i), r}) })
	}
	g.linkRules(d, live)
	g.hold(d, forward)
	d.live, d.sizes, d.cold = live, sizes, cold
	maps.DeleteFunc(d.ops, func(text string, _ uint32) bool { return !live[text] })
	for slot, name := range p.Fields {
		h := fnv.New64a()
		h.Write([]byte(names.Text(name)))
		g.fieldHash = append(g.fieldHash, h.Sum64())
		g.fieldSlots[h.Sum64()] = slot
	}
	g.slotOf.visitor, g.slotOf.user, g.slotOf.company = p.Slot(nudge.NameVisitor), p.Slot(nudge.NameUser), p.Slot(nudge.NameCompany)
	g.slotOf.rule, g.slotOf.key, g.slotOf.typ = p.Slot(nudge.NameRule), p.Slot(nudge.NameKey), p.Slot(nudge.NameType)
	g.slotOf.ts, g.slotOf.at = p.Slot(nudge.NameTs), p.Slot(nudge.NameAt)
	for i := range p.Tests {
		g.hasFired = g.hasFired || p.Tests[i].Fired
	}
	return g
}

// eachTest calls f for each test that an operator listens to, with what its matching events are to the operator.
func eachTest(op *rules.Op, f func(test int, r role)) {
	switch op.Kind {
	case rules.OpScore:
		for i := range op.Points {
			f(op.Points[i].Test, pointsRole(i))
		}
		return
	case rules.OpSequence:
		for i, s := range op.Steps {
			f(s.Test, stepRole(i))
			if s.No >= 0 {
				f(s.No, noRole(i))
			}
		}
		return
	}
	if op.End >= 0 {
		f(op.End, roleEnd)
	}
	f(op.Test, roleMain)
}

func newWakeUse(rule int, u *rules.Use) wakeUse {
	return wakeUse{rule: int32(rule), window: u.Window, wake: u.Wake, mark: u.Mark, marks: sinceMarks(u.Mark)}
}

func (g *program) listen(scope, test int, l listener) {
	g.listeners[scope][test] = append(g.listeners[scope][test], l)
	g.listening[scope][test] = true
}

// linkRules notes which rules an operator concerns, and which timers they need.
func (g *program) linkRules(d *dictionary, live map[string]bool) {
	p := g.plan
	g.opRules = make([][]int32, len(p.Ops))
	g.wakes = make([][]wakeUse, len(p.Ops))
	g.timed = make([]bool, len(p.Ops))
	for i := range p.Ops {
		g.timed[i] = isWait(p.Ops[i].Kind)
	}
	for ri := range p.Rules {
		r := &p.Rules[ri]
		info := ruleInfo{cooldown: d.number("cooldown\x00"+r.ID, live)}
		if r.Limit != nil {
			info.limit = d.number(limitText(p.Scopes[r.Scope].Per, r.Limit), live)
		}
		for _, u := range r.When.Uses {
			info.pulses = info.pulses || isPulse(p.Ops[u.Op].Kind)
			if l := g.opRules[u.Op]; len(l) == 0 || l[len(l)-1] != int32(ri) {
				g.opRules[u.Op] = append(l, int32(ri))
			}
			if u.Wake != rules.WakeNever {
				g.wakes[u.Op] = append(g.wakes[u.Op], newWakeUse(ri, &u))
				g.timed[u.Op] = true
			}
		}
		if r.Unless != nil {
			for _, u := range r.Unless.Uses {
				eachTest(&p.Ops[u.Op], func(test int, _ role) { info.unlessFired = info.unlessFired || p.Tests[test].Fired })
			}
		}
		g.rules = append(g.rules, info)
	}
	g.live = make([]bool, d.nextOp)
	for _, num := range g.nums {
		g.live[num] = true
	}
	for i := range g.rules {
		g.live[g.rules[i].cooldown], g.live[g.rules[i].limit] = true, true
	}
	g.opOf = g.opsByNumber(func(i int) bool { return g.timed[i] })
	g.userOp = g.opsByNumber(func(i int) bool { return p.Ops[i].Scope == rules.ScopeUser })
	for _, l := range g.opRules {
		sort.Slice(l, func(a, b int) bool { return l[a] < l[b] })
	}
}

// opsByNumber turns nums around for the operators that are wanted; all other numbers have -1.
func (g *program) opsByNumber(wanted func(op int) bool) []int32 {
	of := make([]int32, len(g.live))
	for i := range of {
		of[i] = -1
	}
	for i, num := range g.nums {
		if wanted(i) {
			of[num] = int32(i)
		}
	}
	return of
}

// opName is how an operator's kind is written in the dictionary. Stored: the texts never change.
var opName = [...]string{
	rules.OpCount: "count", rules.OpTotal: "total", rules.OpDistinct: "distinct", rules.OpValues: "values",
	rules.OpOn: "on", rules.OpFirst: "first", rules.OpAbsent: "absent", rules.OpDwell: "dwell",
	rules.OpNumbers: "numbers", rules.OpTally: "tally", rules.OpLast: "last", rules.OpSince: "since",
	rules.OpScore: "score", rules.OpSequence: "sequence",
}

func isWait(k rules.OpKind) bool { return k == rules.OpAbsent || k == rules.OpDwell }

func isPulse(k rules.OpKind) bool {
	return k == rules.OpOn || k == rules.OpFirst || k == rules.OpSequence || isWait(k)
}

// levelOf is the level on which keys of a kind are applied.
func levelOf(k nudge.Kind) int {
	switch k {
	case nudge.KindVisitor:
		return 0
	case nudge.KindUser:
		return 1
	}
	return 2
}

const levels = 3

// maxSlots bounds the operators, cooldowns and pools of one kind of key: a key's record counts its slots in 16 bits.
const maxSlots = 60_000

// slotsPerScope is how many slots a key of each scope can come to have.
func slotsPerScope(p *rules.Plan) []int {
	n := make([]int, len(p.Scopes))
	for i := range p.Ops {
		n[p.Ops[i].Scope]++
	}
	for i := range p.Rules {
		n[p.Rules[i].Scope]++
		if p.Rules[i].Limit != nil { // a pool of its own, at most
			n[p.Rules[i].Scope]++
		}
	}
	return n
}
