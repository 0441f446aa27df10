package engine

import (
	"math"

	"nudge"
	"nudge/rules"
)

// dictionary gives operators, cooldowns, pools and other scopes the numbers under which keys store them. A number is never given to
// anything else, so that what a removed rule left behind is not taken for a new one's.
type dictionary struct {
	ops    map[string]uint32 // texts of the plan that runs; one that comes back later gets a new number
	scopes map[string]uint16
	sizes  map[string]size         // of the plan's operators, cooldowns and pools
	floors map[string]nudge.Millis // see floor.go
	nextOp uint32

	// What warms, see warming.go.
	cold    map[string]coldness // texts of operators
	held    map[string]bool     // ids of rules
	sources []rules.Source      // of the plan
}

// size is what an operator keeps. One that must keep more than before has not seen what it lacks.
type size struct {
	Keep   int          `json:"keep"`
	Window nudge.Millis `json:"window"`
	Slots  int          `json:"slots"`
}

func newDictionary() *dictionary {
	return &dictionary{
		ops: map[string]uint32{}, sizes: map[string]size{}, floors: map[string]nudge.Millis{}, nextOp: 1, cold: map[string]coldness{},
		scopes: map[string]uint16{"visitor": rules.ScopeVisitor, "user": rules.ScopeUser, "company": rules.ScopeCompany},
	}
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
	scope int32
	op    int32
	role  role
}

// wakeUse is a rule's use of a window operator whose expiries can make its condition true.
type wakeUse struct {
	rule   int32 // its number
	window nudge.Millis
	wake   int
	mark   float64 // OpScore
	marks  marks   // OpSince
}

func newWakeUse(rule int32, u *rules.Use) wakeUse {
	return wakeUse{rule: rule, window: u.Window, wake: u.Wake, mark: u.Mark, marks: sinceMarks(u.Mark)}
}

// program is a plan with what the shards look up in it. A deployment changes it between two batches: what the new plan has in common
// with the running one stays as it is.
type program struct {
	plan       *rules.Plan
	dict       *dictionary
	names      *nudge.Names
	nums       []uint32       // operator → number, 0 while no rule uses it
	users      []int32        // operator → how many uses rules make of it
	scopeNums  []uint16       // scope → number, noScope while no rule has it
	scopeOf    []int32        // number → scope, -1 for all others
	opOf       []int32        // number → operator with timers, -1 for all others
	userOp     []int32        // number → operator of users, -1 for all others
	live       []bool         // number → whether an operator, cooldown or pool of the plan has it
	heard      [][]listener   // test → who listens now, ascending by scope
	cold       []coldness     // by operator
	pools      map[string]int // text of a pool → how many rules name it
	opRules    [][]int32      // operator → numbers of the rules whose when uses it
	wakes      [][]wakeUse    // operator → uses with wake-ups
	timed      []bool         // operator → whether it can set a timer
	floors     []nudge.Millis // number → floor; nil: there is none
	at         []int32        // number of a rule → its place in plan.Rules, -1 for all others
	rules      []ruleInfo     // beside plan.Rules
	fieldSlots map[uint64]int // hash of a field's name → slot
	fieldHash  []uint64       // slot → hash of its field's name
	slotOf     struct{ visitor, user, company, rule, key, typ, ts, at int }
	hasFired   bool     // some test sees fired events
	forward    []string // ids of rules that count what was fired from the last deployment on
}

// noScope is the number of a scope that no rule has.
const noScope = math.MaxUint16

// ruleInfo is what is looked at of a rule whenever an event concerns it.
type ruleInfo struct {
	needs       []need // of when, if it is a conjunction; else nil
	cooldown    uint32 // number of the slot that holds the last delivered firing
	limit       uint32 // number of the pool's slot; 0 without limit
	pulses      bool   // when needs a pulse: without one it is false
	unlessFired bool   // unless listens to fired events
	paused      bool
	held        bool // the rule is warming and fires nothing
}

// silent says whether the rule fires nothing, whatever comes.
func (r *ruleInfo) silent() bool { return r.paused || r.held }

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
	used := make([]bool, len(p.Ops))
	for i := range p.Rules {
		n[p.Rules[i].Scope]++
		if p.Rules[i].Limit != nil { // a pool of its own, at most
			n[p.Rules[i].Scope]++
		}
		eachUse(&p.Rules[i], func(u *rules.Use) {
			if !used[u.Op] {
				used[u.Op] = true
				n[p.Ops[u.Op].Scope]++
			}
		})
	}
	return n
}
