package engine

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nudge"
	"nudge/internal/oracle"
	"nudge/rules"
)

// warming is a random stream in which other rules are deployed before one record, and maybe others again before a later one, and go live
// before a third.
type warming struct {
	*stream
	base, between, next *rules.Plan
	first, deploy, live int // before these records between and next are deployed, and the rules go live; first may be deploy

	held []string // rules that warm
	same []string // rules that both deployments have as they are
}

// A record's offset is twice its place in the stream, so that there is room for the live record.
func offsetOf(i int) nudge.Offset { return nudge.Offset(2 * (i + 1)) }

func (x *warming) liveOffset() nudge.Offset { return offsetOf(x.live) - 1 }

// newWarming makes the stream of a seed; nil where its rules have a cycle, or none of the new ones lacks a past.
func newWarming(t testing.TB, seed uint64) *warming {
	t.Helper()
	set, lines := generate(seed, streamLength)
	o := oracle.RandomOptions(seed)
	r := rand.New(rand.NewPCG(seed, 17))
	x := &warming{stream: newStream(t, set, lines, o)}
	x.deploy = 1 + r.IntN(streamLength/2)
	x.first = x.deploy
	x.live = x.deploy + 1 + r.IntN(streamLength-x.deploy-1)
	if r.IntN(4) == 0 {
		x.live = x.deploy + 1
	}
	compile := func(set []oracle.Rule) *rules.Plan {
		var sources []rules.Source
		for _, rule := range set {
			sources = append(sources, rules.Source{File: rule.ID + ".expr", Text: rule.Text})
		}
		plan, _ := rules.Compile(sources, rules.Options{Names: x.names, Location: x.options.Location})
		return plan
	}
	before, after := edit(r, seed, set)
	x.base = compile(before)
	between := after
	if r.IntN(2) == 0 && x.deploy > 1 {
		between, after = edit(r, seed, after)
		x.first = 1 + r.IntN(x.deploy-1)
	}
	x.between, x.next = compile(between), compile(after)
	if x.base == nil || x.between == nil || x.next == nil {
		return nil
	}
	e := x.engine(t, 1)
	e.warms = true
	e.Deploy(x.base)
	x.apply(t, e, 0, x.first)
	e.Deploy(x.between)
	x.apply(t, e, x.first, x.deploy)
	e.Deploy(x.next)
	x.held = e.program.warming()
	for _, rule := range before {
		if slices.Contains(after, rule) && slices.Contains(between, rule) {
			x.same = append(x.same, rule.ID)
		}
	}
	if len(x.held) == 0 {
		return nil
	}
	return x
}

// edit makes two sets of rules of one: some rules are only in one of them, and some keep more in the second.
func edit(r *rand.Rand, seed uint64, set []oracle.Rule) (before, after []oracle.Rule) {
	others, _ := generate(seed*37, 1)
	for _, rule := range set {
		switch r.IntN(5) {
		case 0:
			after = append(after, rule)
		case 1, 2:
			before, after = append(before, rule), append(after, grow(r, rule))
		default:
			before, after = append(before, rule), append(after, rule)
		}
	}
	for _, rule := range others {
		if !slices.ContainsFunc(set, func(other oracle.Rule) bool { return other.ID == rule.ID }) {
			after = append(after, rule)
		}
	}
	return before, after
}

var (
	thresholds = regexp.MustCompile(`(>=?) (\d)`)
	durations  = regexp.MustCompile(`"(\d+)(ms|s|m|h|d)"`)
)

// grow makes thresholds or windows of a rule larger.
func grow(r *rand.Rand, rule oracle.Rule) oracle.Rule {
	which := r.IntN(3)
	if which != 0 {
		rule.Text = thresholds.ReplaceAllStringFunc(rule.Text, func(s string) string {
			m := thresholds.FindStringSubmatch(s)
			n, _ := strconv.Atoi(m[2])
			return m[1] + " " + strconv.Itoa(n+1)
		})
	}
	if which != 1 {
		rule.Text = durations.ReplaceAllStringFunc(rule.Text, func(s string) string {
			m := durations.FindStringSubmatch(s)
			n, _ := strconv.Atoi(m[1])
			return strconv.Quote(strconv.Itoa(2*n) + m[2])
		})
	}
	return rule
}

func (x *warming) engine(t testing.TB, shards int) *Engine {
	t.Helper()
	o := x.options
	o.Shards = shards
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// apply applies the records [from, to), as one batch where none of them erases.
func (x *warming) apply(t testing.TB, e *Engine, from, to int) (out []nudge.Firing) {
	t.Helper()
	for i := from; i < to; {
		n := x.untilErase(i, to-i)
		var b Batch
		for j := i; j < i+n; j++ {
			b.Add(offsetOf(j), x.records[j].at, x.records[j].rec)
		}
		out = append(out, e.Apply(&b)...)
		i += n
		x.eraseLast(t, e, i-1)
	}
	return out
}

// tick applies the live record, which to the rules is nothing but the time.
func (x *warming) tick(e *Engine) []nudge.Firing {
	var b Batch
	b.Add(x.liveOffset(), x.records[x.live-1].at, liveRecord{0, 1}.record())
	return e.Apply(&b)
}

// wanted is what an engine fires that had the second deployment's rules from the first record on, and in which those that warm were
// silent up to the live record.
func (x *warming) wanted(t testing.TB) []nudge.Firing {
	defer func(was map[int]eraseCounts) { x.removed = was }(x.removed)
	x.removed = nil // other rules keep other keys
	e := x.engine(t, 1)
	e.Deploy(x.next)
	for i, r := range x.next.Rules {
		e.program.rules[i].held = slices.Contains(x.held, r.ID)
	}
	var out []nudge.Firing
	for i := range x.records {
		if i == x.live {
			out = append(out, x.tick(e)...)
			e.release(noTime)
		}
		out = append(out, x.apply(t, e, i, i+1)...)
	}
	return append(out, e.Drain()...)
}

// comparable are the firings behind the live record of the rules that the reference has under the same conditions: a rule that follows
// others counts what they fire from its deployment on, and a cooldown and what fills a pool outlive an edit.
func (x *warming) comparable(firings []nudge.Firing) string {
	var b []byte
	edited := slices.ContainsFunc(x.held, x.wasThere)
	for _, f := range firings {
		warms, text := slices.Contains(x.held, f.Rule), fileOf(x.next.Sources, f.Rule)
		if f.Cursor.Offset <= x.liveOffset() || strings.Contains(text, "fired") || !warms && !slices.Contains(x.same, f.Rule) ||
			warms && x.wasThere(f.Rule) && strings.Contains(text, "cooldown") || edited && strings.Contains(text, "cap(") {
			continue
		}
		b = append(b, fmt.Sprint(f.Cursor.Offset, " ")...)
		b = append(f.AppendJSON(b), '\n')
	}
	return string(b)
}

// wasThere says whether a rule was there before the second deployment.
func (x *warming) wasThere(rule string) bool {
	return fileOf(x.base.Sources, rule) != "" || fileOf(x.between.Sources, rule) != ""
}

// warmRun is one way of taking the stream through an engine that warms.
type warmRun struct {
	shards, batch int
	slow          bool  // what was read is taken over one key at a time
	save, crash   int   // a checkpoint before one record, from which the engine is restored before a later one; 0: none
	memory        int64 // a checkpoint is taken after each batch, and records leave memory
	misses        bool  // the bug: the last record before the live one is not read
}

func (x *warming) run(t testing.TB, r warmRun) []nudge.Firing {
	t.Helper()
	e := x.engine(t, r.shards)
	e.warms = true
	e.Deploy(x.base)
	st := &memStore{rows: map[string][]byte{}, memory: r.memory}
	st.budget(e)
	var out, saved []nudge.Firing
	for i := 0; i < len(x.records); {
		if i == x.first && i < x.deploy {
			e.deployed = offsetOf(i) - 1
			e.Deploy(x.between)
		}
		if i == x.deploy {
			e.deployed = offsetOf(i) - 1
			e.Deploy(x.next)
		}
		if i == x.live {
			out = append(out, x.tick(e)...)
			x.goLive(t, e, r.misses)
		}
		if r.save > 0 && i == r.save {
			st.checkpoint(e)
			saved = slices.Clone(out)
		}
		if r.crash > 0 && i == r.crash {
			e = x.engine(t, 1+(r.shards+i)%9)
			e.warms = true
			st.budget(e)
			if err := e.restore(st); err != nil {
				t.Fatal(err)
			}
			i, r.crash, r.save, out = r.save, 0, 0, saved
			if n := min(i+1, len(x.records)); i < n { // the record at which it was saved: deployments before it are in the checkpoint
				out = append(out, x.apply(t, e, i, n)...)
				i = n
			}
			continue
		}
		end := min(i+r.batch, len(x.records))
		for _, at := range []int{x.first, x.deploy, x.live, r.save, r.crash} {
			if at > i {
				end = min(end, at)
			}
		}
		out = append(out, x.apply(t, e, i, end)...)
		i = end
		if r.slow {
			e.takeOver(1)
		}
		if r.memory > 0 && (r.crash == 0 || i <= r.save) && !e.takingOver() {
			st.checkpoint(e)
		}
		e.sweep(end)
	}
	return append(out, e.Drain()...)
}

// goLive reads the records before the live one back and lets the rules go live.
func (x *warming) goLive(t testing.TB, e *Engine, misses bool) {
	t.Helper()
	if !e.cold() {
		t.Fatal("nothing is cold at the live record")
	}
	w := newWarmer(e, 1)
	none := func() error { return nil }
	read := func(off nudge.Offset, at nudge.Millis, rec []byte) {
		if err := w.take(nudge.Entry{First: off, At: at, Count: 1, Records: rec}, none); err != nil {
			t.Fatal(err)
		}
	}
	for i, rec := range x.records[:x.live] {
		if !misses || i+1 < x.live {
			read(offsetOf(i), rec.at, rec.rec)
		}
	}
	read(x.liveOffset(), x.records[x.live-1].at, liveRecord{e.deployed, 1}.record())
	if !w.done {
		t.Fatal("the live record was not recognised")
	}
	e.goLive(w)
}

// TestWarmed is the test of warming: from the live record on the rules answer as if they had been there from the beginning, and neither
// shards nor batches nor a restart from a checkpoint before, between or behind the two records changes a byte.
func TestWarmed(t *testing.T) {
	streams, fired := 0, 0
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		x := newWarming(t, seed)
		if x == nil {
			continue
		}
		streams++
		again := fmt.Sprintf("deployed before %d and %d, live before %d\nagain: go test ./engine -run %s -seed %d -seeds 1", x.first, x.deploy, x.live, t.Name(), seed)
		first := x.run(t, warmRun{shards: 1, batch: 1})
		got, want := x.comparable(first), x.comparable(x.wanted(t))
		fired += strings.Count(want, "\n")
		if got != want {
			t.Fatalf("the rules do not answer as if they had been there: %s\n%s", difference(got, want), again)
		}
		r := rand.New(rand.NewPCG(seed, 18))
		for _, shards := range []int{1, 2, 8} {
			for _, batch := range []int{1, 7, 4096} {
				at := randomRestarts(r, 2, len(x.records))
				v := warmRun{shards: shards, batch: batch, slow: r.IntN(2) == 0}
				if len(at) == 2 {
					v.save, v.crash = at[0], at[1]
				}
				v.memory = int64(r.IntN(2))
				if got, want := text(x.run(t, v)), text(first); got != want {
					t.Fatalf("%+v differs from one shard and single records: %s\n%s", v, difference(got, want), again)
				}
			}
		}
	}
	t.Logf("%d streams with warming rules, %d firings to compare", streams, fired)
	if fired < streams {
		t.Fatalf("only %d firings in %d streams: the test compares nothing", fired, streams)
	}
}

// TestWarmingMustBeWhole is the negative control: one record less, and the same comparison finds differences.
func TestWarmingMustBeWhole(t *testing.T) {
	streams, differ := 0, 0
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		x := newWarming(t, seed)
		if x == nil {
			continue
		}
		streams++
		if x.comparable(x.run(t, warmRun{shards: 2, batch: 7, misses: true})) != x.comparable(x.wanted(t)) {
			differ++
		}
	}
	t.Logf("%d of %d streams differ", differ, streams)
	if differ == 0 {
		t.Fatal("a record that was not read back changed nothing: the test of warming cannot fail")
	}
}
