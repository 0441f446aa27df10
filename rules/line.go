package rules

import (
	"slices"
	"strings"
	"sync"
	"time"

	"nudge"
)

// planner makes the plans of a line, each out of the one before: what is equal is made once, tests, scopes and operators being found by
// their canonical text, and what the new plan does not change it shares with the old one. Its own tables belong to whoever holds mu;
// the plans that it has made never change.
type planner struct {
	mu      sync.Mutex
	newest  *Plan   // the only one that can be followed by another: it is the one that the tables describe
	opts    Options // of all plans of the line, with their defaults
	words   *vocabulary
	catalog string // its text

	sources []Source   // of the newest plan
	files   []ruleFile // beside sources
	issued  int        // rule numbers

	tests    map[string]int
	terms    []*term // of the tests
	testUses []int   // how many places of operators name the test
	scopes   map[string]int
	ops      map[opIdentity]int
	users    [][]*place // operator → the rules that use it
	slots    map[nudge.NameID]int
	emits    map[nudge.NameID]int // type → how many actions emit it
	index    index

	// What is compiled of equal texts is one: rules of many sections deny the same things and tell the same values apart, and what they share stays in
	// the processor's caches.
	left   map[string]testFunc  // by what is left to try of a test
	values map[string]valueFunc // by what is told apart

	// What belongs to the plan that is being made.
	age       uint64 // above that of all plans before
	next      *Plan
	sharedOps int       // how many of next.Ops are the plan's before
	placing   *place    // of the rule that is being compiled
	touched   []int     // operators that have more users, or fewer
	isTouched []bool    // by operator
	unsettled []settler // parts of index that were changed
	err       error     // the table of names is full
}

type opIdentity struct {
	scope int
	text  string
}

// takeLine is the line, locked, in which the next plan of the sources can be made: the previous plan's, or a new one.
func takeLine(sources []Source, opts Options) *planner {
	catalog := catalogOf(sources)
	if opts.Previous != nil {
		p := opts.Previous.line
		p.mu.Lock()
		same := p.opts.agree(opts.withDefaults()) && p.catalog == catalog
		switch {
		case same && p.newest == opts.Previous:
			return p
		case same:
			next := p.successor()
			p.mu.Unlock()
			next.mu.Lock()
			return next
		}
		p.mu.Unlock()
	}
	p := newPlanner(opts)
	p.catalog, p.words = catalog, newVocabulary()
	if i := slices.IndexFunc(sources, func(s Source) bool { return s.File == catalogFile }); i >= 0 {
		r := newReporter(sources[i])
		r.deployed = opts.Deployed
		p.words.readCatalog(r)
	}
	p.mu.Lock()
	return p
}

// agree says whether plans under these options and those can be of one line.
func (o Options) agree(p Options) bool {
	return o.Names == p.Names && o.Location.String() == p.Location.String() && o.MaxKept == p.MaxKept &&
		o.Parts == p.Parts && o.LogRetention == p.LogRetention && o.Deployed == p.Deployed
}

// catalogOf is the catalog's text, with something before it that tells an empty one from none.
func catalogOf(sources []Source) string {
	i, found := slices.BinarySearchFunc(sources, catalogFile, func(s Source, file string) int { return strings.Compare(s.File, file) })
	if !found {
		return ""
	}
	return "catalog " + sources[i].Text
}

func (o Options) withDefaults() Options {
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.MaxKept <= 0 {
		o.MaxKept = DefaultMaxKept
	}
	return o
}

func newPlanner(opts Options) *planner {
	opts.Previous = nil
	return &planner{
		opts: opts.withDefaults(), tests: map[string]int{}, scopes: map[string]int{}, ops: map[opIdentity]int{},
		slots: map[nudge.NameID]int{}, emits: map[nudge.NameID]int{}, index: index{any: &bucket{}},
		left: map[string]testFunc{}, values: map[string]valueFunc{},
	}
}

// successor begins a new line with what is known of the files but their places.
func (p *planner) successor() *planner {
	s := newPlanner(p.opts)
	s.words, s.catalog = p.words, p.catalog
	s.sources, s.files = p.sources, unplaced(p.files)
	return s
}

func unplaced(files []ruleFile) []ruleFile {
	out := slices.Clone(files)
	for i := range out {
		out[i].place = nil
	}
	return out
}

// isStale says whether more than a quarter of what the line's next plan would list is of no use to it: then it is made afresh.
func (p *planner) isStale(files, fresh int) bool {
	const few = 64
	unused := p.issued + fresh - files
	return p.newest != nil && unused > files/4+few
}

// place is a rule in the plans of a line.
type place struct {
	number int
	needs  []opNeed
	emits  []nudge.NameID // types
}

// opNeed is what a rule needs of an operator.
type opNeed struct {
	op     int
	keep   int
	window nudge.Millis
	least  nudge.Millis // OpFirst: the smallest window
	starts bool         // a wait of when: fields are what firings use of the event that opens it
	fields []string     // sorted
}

// need is the rule's need of an operator, a new one if it has none so far.
func (l *place) need(op int) *opNeed {
	for i := range l.needs {
		if l.needs[i].op == op {
			return &l.needs[i]
		}
	}
	l.needs = append(l.needs, opNeed{op: op})
	return &l.needs[len(l.needs)-1]
}

// touch notes that an operator's users change.
func (p *planner) touch(op int) {
	for len(p.isTouched) <= op {
		p.isTouched = append(p.isTouched, false)
	}
	if !p.isTouched[op] {
		p.isTouched[op] = true
		p.touched = append(p.touched, op)
	}
}

// leave takes a rule out.
func (p *planner) leave(l *place) {
	for _, n := range l.needs {
		users := p.users[n.op]
		i := slices.Index(users, l)
		users[i] = users[len(users)-1]
		p.users[n.op] = users[:len(users)-1]
		p.touch(n.op)
	}
	for _, typ := range l.emits {
		if p.emits[typ]--; p.emits[typ] == 0 {
			delete(p.emits, typ)
		}
	}
}

// enter gives the rule that has been compiled to the operators that it uses.
func (p *planner) enter(l *place) {
	for _, n := range l.needs {
		p.users[n.op] = append(p.users[n.op], l)
		p.touch(n.op)
	}
	for _, typ := range l.emits {
		p.emits[typ]++
	}
}

// settleOps gives the operators whose users have changed the size that those need, and forgets those that have none left.
func (p *planner) settleOps() {
	for _, i := range p.touched {
		p.isTouched[i] = false
		if len(p.users[i]) == 0 {
			p.forgetOp(i)
		} else {
			p.sizeOp(i)
		}
	}
	p.touched = p.touched[:0]
}

func (p *planner) sizeOp(i int) {
	was := &p.next.Ops[i]
	keep, window, least, waits := 0, nudge.Millis(0), nudge.Millis(0), false
	var fields []string
	for _, l := range p.users[i] {
		n := l.need(i)
		keep, window, waits = max(keep, n.keep), max(window, n.window), waits || n.starts
		if least == 0 || n.least < least {
			least = n.least
		}
		fields = append(fields, n.fields...)
	}
	if window == 0 {
		window = was.Window // it is the operator's own
	}
	slots := was.Slots
	if waits {
		slices.Sort(fields)
		slots = make([]int, 0, len(fields))
		for _, f := range slices.Compact(fields) {
			slots = append(slots, p.slot(f))
		}
	}
	if was.Keep != keep || was.Window != window || was.Least != least || (was.Slots == nil) != (slots == nil) || !slices.Equal(was.Slots, slots) {
		op := p.changeOp(i)
		op.Keep, op.Window, op.Least, op.Slots = keep, window, least, slots
	}
}

// changeOp is an operator that may be changed.
func (p *planner) changeOp(i int) *Op {
	if i < p.sharedOps {
		p.next.Ops, p.sharedOps = slices.Clone(p.next.Ops), 0
	}
	return &p.next.Ops[i]
}

// forgetOp makes an operator one that is not found any more. If it comes back it is another one: it has missed what was in between.
func (p *planner) forgetOp(i int) {
	op := &p.next.Ops[i]
	delete(p.ops, opIdentity{op.Scope, op.Text})
	for _, t := range op.tests() {
		if p.testUses[t]--; p.testUses[t] == 0 {
			p.file(int32(t), p.terms[t], false)
			delete(p.tests, p.next.Tests[t].Text)
		}
	}
}

// tests are the tests that an operator names; one may come twice.
func (op *Op) tests() []int {
	var tests []int
	for _, t := range [...]int{op.Test, op.End} {
		if t >= 0 {
			tests = append(tests, t)
		}
	}
	for _, x := range op.Points {
		tests = append(tests, x.Test)
	}
	for _, s := range op.Steps {
		if tests = append(tests, s.Test); s.No >= 0 {
			tests = append(tests, s.No)
		}
	}
	return tests
}
