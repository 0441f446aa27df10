package rules

import (
	"math"
	"slices"
	"time"

	"nudge"
)

// Ever is the window that never ends.
const Ever = nudge.Millis(math.MaxInt64)

// Source is one file of a rules folder. A rule's id is its file name without ".expr"; "catalog.expr" is the catalog.
type Source struct {
	File string // base name
	Text string
}

// Options of Compile.
type Options struct {
	Names    *nudge.Names   // required: the names of fields and event types are interned here
	Location *time.Location // the engine's time zone for days(); nil is UTC
	MaxKept  int            // up to how many entries a value is exact that is not compared with a constant; 0 is DefaultMaxKept
	Parts    bool           // also take each rule apart: Rule.Parts and Rule.Asks

	// LogRetention is how long the engine keeps its log, 0 if that is not known: a window beyond it is warned of.
	LogRetention nudge.Millis

	// Deployed says that the sources come out of a deploy record: they were accepted, so what only later versions refuse is let pass.
	Deployed bool
	Previous *Plan // a plan of which most can be taken over, so that editing one rule of many costs no more than that rule; nil: none
}

// DefaultMaxKept is the default of Options.MaxKept, in entries per key and operator.
const DefaultMaxKept = 1000

// Plan is a set of rules, checked and compiled: what the engine runs. It is immutable and safe for concurrent use.
//
// Plans made one from the other (Options.Previous) are of one line: what is in several of them has the same place in Fields, Tests, Scopes
// and Ops of each, and the same Rule.Number. So these lists may hold what no rule of this plan uses any more; a line ends, and the next plan
// is made afresh, before that becomes much.
type Plan struct {
	Sources []Source
	Fields  []nudge.NameID // slot of a Row → the field it holds
	Tests   []Test
	Scopes  []Scope // 0 visitor, 1 user, 2 company, then one for each other per expression
	Ops     []Op
	Rules   []Rule // per scope in settling order: priority, highest first, then id in byte order

	emits map[nudge.NameID]int // type → how many actions emit it

	lefts []testFunc   // beside Tests: what is still to be tried of a row under which the index has the test filed; nil: nothing
	slots []int32      // name id → slot + 1, 0 where no rule reads the field
	index index        // finds the tests that can match a row
	names *nudge.Names // of the options: the text of a row's type
	fixed fixedSlots   // the slots that Read fills from a record's header
	line  *planner     // what the next plan takes over
}

// SameLine says whether the numbers and places of two plans mean the same.
func (p *Plan) SameLine(q *Plan) bool { return p.line == q.line }

// Emits says whether some rule emits events of a type: from outside it is refused.
func (p *Plan) Emits(typ nudge.NameID) bool { return p.emits[typ] > 0 }

// EventTypes are the types of events that the rules name in their tests, and those that they emit, sorted.
func (p *Plan) EventTypes() []string {
	var types []string
	p.index.byType.each(func(typ nudge.NameID, _ *bucket) { types = append(types, p.names.Text(typ)) })
	for typ := range p.emits {
		types = append(types, p.names.Text(typ))
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// The scopes that are always there.
const (
	ScopeVisitor = 0
	ScopeUser    = 1
	ScopeCompany = 2
)

// Row is one event decoded for a plan: a value for each field that some rule reads. The engine fills in the resolved visitor, user and
// company; other values of a row that Read has filled are not changed.
type Row struct {
	Type nudge.NameID
	Ts   nudge.Millis // event time, never later than At
	At   nudge.Millis // log time
	Vals []nudge.Value

	plan   *Plan   // by which Read has filled the row; nil: it was filled by hand
	filled []int32 // then the slots that may hold a value
}

// Truth is one of SQL's three truth values.
type Truth int8

// The truth values.
const (
	False Truth = iota
	True
	Unknown
)

// Test is one distinct event test.
type Test struct {
	Text  string // canonical
	Fired bool   // contains fired: the only tests that see fired events

	term *term
}

// Scope is one kind of key that rules watch.
type Scope struct {
	Kind  nudge.Kind
	Per   string            // "visitor", "user", "company", or the canonical text of the expression
	Key   func(*Row) string // KindOther: the key's text, "" where the event has none; nil for the other kinds
	Reads []int             // KindOther: the slots that Key reads; a fired event carries them
}

// OpKind is the kind of an operator.
type OpKind uint8

// The kinds of operators.
const (
	OpCount    OpKind = iota // the newest times of matching events: count, happened
	OpTotal                  // how many matching events there ever were: count(e, "ever") that is not compared with a constant
	OpDistinct               // the newest different values with the newest time of each: distinct, days
	OpValues                 // the same with the values themselves, for payloads
	OpOn                     // pulse at a matching event; no state
	OpFirst                  // pulse at a matching event after a pause; the newest time
	OpAbsent                 // pulse Window after a start that no end followed
	OpDwell                  // the same, ready again only after an end
	OpNumbers                // the newest matching events' numbers with their times: sum, avg, min, max in a window
	OpTally                  // sum, count, least and most of all numbers there ever were: sum, avg, min, max over "ever"
	OpLast                   // the value of the newest matching event, ever; where two share a ts, of the one stamped later
	OpSince                  // the newest time of a matching event: since
	OpScore                  // points of matching events, halved with every half-life that has passed
	OpSequence               // pulse at the last of several steps in order
)

// Fold is what a use makes of the numbers of OpNumbers and OpTally.
type Fold uint8

// The folds.
const (
	FoldSum Fold = iota
	FoldAvg
	FoldMin
	FoldMax
)

// Micro is the unit in which numbers are added, so that sums are exact whatever the order: 10⁻⁶.
const Micro = 1_000_000

// MaxNumber bounds the numbers that sum, avg, min and max take: one further from 0 counts as missing. It bounds the points of a score, too.
const MaxNumber = 1e12

// Points is one kind of event that a score counts.
type Points struct {
	Test   int
	Points float64
}

// Step is one step of a sequence.
type Step struct {
	Test int
	No   int // the event that must not come between this step and the next, -1: any may
}

// Op is one operator, shared by all rules that ask the same of the same keys. What is read for each event stands first.
type Op struct {
	Kind   OpKind
	Scope  int
	Test   int                    // the event that counts; for OpAbsent and OpDwell the one that starts; -1 for OpScore and OpSequence
	End    int                    // OpAbsent, OpDwell: the event that ends; else -1
	Keep   int                    // OpCount, OpDistinct, OpValues, OpNumbers: entries in the ring, the most that any use needs
	Window nudge.Millis           // OpAbsent, OpDwell, OpSequence: how long; OpScore: the half-life; rings and OpFirst: the largest window of all uses; else unused
	Least  nudge.Millis           // OpFirst: the smallest window of all uses
	Value  func(*Row) nudge.Value // OpDistinct, OpValues: what is told apart; OpNumbers, OpTally, OpLast: what is kept; nil otherwise
	Field  int                    // OpDistinct: the row's slot of Value, if that is a field as it stands; else -1
	Day    DayFunc                // OpDistinct: what Value is by, if that is the day; else nil
	Points []Points               // OpScore: what counts, in canonical order; Test is -1
	Steps  []Step                 // OpSequence: two at least; Test is -1
	Slots  []int                  // OpAbsent, OpDwell: fields of the starting event that firings need, ascending by field name
	Text   string                 // canonical text without window (rings) and Keep; with the scope's Per it identifies the operator's state
}

// DayFunc is the number of the calendar day, since 1970, on which a time falls, and the span [from, to) around it in which that is the same without asking
// the time zone again.
type DayFunc = func(ts nudge.Millis) (day float64, from, to nudge.Millis)

// Use is one condition's view of an operator.
type Use struct {
	Op     int
	Window nudge.Millis // rings, OpNumbers and OpFirst
	Wake   int          // which expiries can make the condition true: WakeNever, WakeEvery, WakeAtMark, or n > 0: that of the n-th newest entry
	Fold   Fold         // OpNumbers, OpTally
	Mark   float64      // WakeAtMark: the number that the reading is compared with

	// AtLeast, if above 0, is all that the condition asks of OpCount, OpDistinct and OpTotal: whether so many are in the window. Then
	// Reading.N may be AtLeast for as many or more, and one less for fewer.
	AtLeast int
}

// Values of Use.Wake that are not positions.
const (
	WakeNever  = 0
	WakeEvery  = -1
	WakeAtMark = -2 // OpSince, OpScore: at the first ms at which the reading has reached Mark, and at the first at which it has passed it
)

// Reading is what one use reads at an instant.
type Reading struct {
	N      float64       // OpCount, OpTotal, OpDistinct: how many are in the window; OpNumbers, OpTally: the fold; OpSince: seconds; OpScore: points, rounded to 10⁻⁶
	More   bool          // the ring is full and all of it is in the window: there may be more than N
	None   bool          // N is nothing: an average, least or most of no numbers, or since an event that never was
	Pulse  bool          // OpOn, OpFirst, OpAbsent, OpDwell, OpSequence
	Value  nudge.Value   // OpLast; missing where nothing is known
	Values []nudge.Value // OpValues, newest first
}

// Cond is a compiled condition: a pure function of its uses' readings.
type Cond struct {
	Uses []Use
	Eval func([]Reading) bool

	// All says that Eval is true where each use holds by itself, and nowhere else: an operator that pulses does, and of all others there
	// are AtLeast at least.
	All bool
}

// Mode of a rule.
type Mode uint8

// The modes.
const (
	ModeLive Mode = iota
	ModeShadow
	ModePaused
)

// Rule is one compiled rule. What is read for each event stands first.
type Rule struct {
	When     Cond
	Parts    *Parts // of When; nil without Options.Parts
	Unless   *Cond  // nil: none
	Mode     Mode
	Scope    int
	Cooldown nudge.Millis // 0: none
	Limit    *Cap         // nil: none
	Actions  []Action
	ID       string
	Number   int // of this text of the rule: the same in all plans of one line, and never another's
	Priority float64
	Title    string
	Owner    string
	Tags     []string

	UnlessParts *Parts  // of Unless, likewise
	Asks        []Asked // of When, Unless and the actions, likewise
}

// Cap bounds the delivered firings of a key: at most N within Window, counted together for all rules of one scope that name the pool.
type Cap struct {
	Pool   string
	N      int
	Window nudge.Millis
}

// Action is one entry of then. Uses are read at the instant of the firing, after it.
type Action struct {
	Kind nudge.ActionKind
	Uses []Use

	// Render makes the template's name or the alert's text, and appends the data to dst as a JSON object with its keys in the order written. row is the
	// causing event, or what was kept of the event that opened the wait; fields that it lacks are null. The name may be a field's text, which is part of the
	// record: whoever keeps it copies it.
	Render func(dst []byte, row *Row, r []Reading) (name string, data []byte)
}
