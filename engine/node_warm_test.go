package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

const (
	warmOne   = `{per: visitor, when: on(page_view), then: alert("one", {})}`
	warmThree = `{per: visitor, when: count(page_view, "1h") >= 3, then: alert("three", {})}`
	warmForm  = `{per: visitor, when: count(form_view, "1h") >= 2, then: alert("form", {})}`
)

// states are those of the rules, "+" for a live one.
func (l *life) states() string {
	var words []string
	for _, r := range l.node.Rules() {
		words = append(words, map[bool]string{true: "-", false: "+"}[r.Warming]+r.Rule)
	}
	return strings.Join(words, " ")
}

// While the log is read back the rule is silent and says how far it is, and the others go on; from the live record on it knows all.
func TestRuleWarms(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		page := event("page_view", "v", "")
		l.deploy("one", warmOne)
		if n := len(l.kinds(nudge.RecordLive)); n != 0 {
			t.Fatalf("%d live records, but there was nothing to read", n)
		}
		l.send(page, page)
		release := l.hold("read")
		l.deploy("one", warmOne, "three", warmThree)
		if got := brief(l.send(page)); got != "one:v" {
			t.Errorf("fired %q while warming", got)
		}
		if got := l.states(); got != "+one -three" {
			t.Errorf("states %q while warming", got)
		}
		if r := l.node.Rules()[1]; r.Read != 0 || r.Of != l.dir.Log.Next() {
			t.Errorf("%+v, but nothing was read and the log ends at %d", r, l.dir.Log.Next())
		}
		release()
		l.warm()
		if got := l.states(); got != "+one +three" {
			t.Errorf("states %q", got)
		}
		if got := brief(l.send(page)); got != "one:v" { // it has been true for a while
			t.Errorf("fired %q", got)
		}
		l.send(event("page_view", "w", ""))
		if got := brief(l.send(event("page_view", "w", ""), event("page_view", "w", ""))); got != "one:w one:w three:w" {
			t.Errorf("fired %q", got)
		}
		live, deploys := l.kinds(nudge.RecordLive), l.kinds(nudge.RecordDeploy)
		if len(live) != 1 || live[0].off <= deploys[1].off {
			t.Fatalf("live records %v, deployments %v", live, deploys)
		}
		if r, err := readLive(live[0].rec); err != nil || r != (liveRecord{deploys[1].off, 1}) {
			t.Errorf("the live record says %+v %v", r, err)
		}
		for _, e := range l.entries() {
			if e.First <= live[0].off && e.First+nudge.Offset(e.Count) > live[0].off && e.Count != 1 {
				t.Errorf("the live record shares an entry with %d others", e.Count-1)
			}
		}
		same(t, "the log read back", l.told(), l.reference())
	})
}

// A rule that another one makes share a larger ring is not held; one whose own number grows is.
func TestSharedRingGrows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		page := event("page_view", "v", "")
		l.deploy("three", warmThree)
		l.send(page, page)
		release := l.hold("read")
		five := strings.Replace(warmThree, "3", "5", 1)
		l.deploy("three", warmThree, "five", five)
		if got := l.states(); got != "-five +three" {
			t.Errorf("states %q", got)
		}
		if got := brief(l.send(page)); got != "three:v" {
			t.Errorf("fired %q", got)
		}
		release()
		l.warm()
		if got := brief(l.send(page, page)); got != "five:v" {
			t.Errorf("fired %q", got)
		}
		l.deploy("three", strings.Replace(five, "5", "7", 1), "five", five)
		l.warm()
		if got := brief(l.send(page, page)); got != "three:v" {
			t.Errorf("fired %q", got)
		}
		same(t, "the log read back", l.told(), l.reference())
	})
}

// Another deployment while rules warm: what is still cold is read anew, what is taken away goes, and the first live record, should it
// have been asked for, means nothing.
func TestDeployWhileWarming(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		page, form := event("page_view", "v", ""), event("form_view", "v", "")
		l.deploy("one", warmOne)
		l.send(page, page, form)
		release := l.hold("read")
		l.deploy("one", warmOne, "three", warmThree)
		go func() { // the deployment waits for the reading to be stopped
			synctest.Wait()
			release()
		}()
		l.deploy("one", warmOne, "three", warmThree, "form", warmForm)
		l.warm()
		if got := brief(l.send(form, page)); got != "form:v one:v three:v" {
			t.Errorf("fired %q", got)
		}
		release = l.hold("read")
		l.deploy("one", warmOne, "away", strings.Replace(warmThree, "1h", "2h", 1), "gone", strings.Replace(warmForm, "form_view", "form_submit", 1))
		release()
		l.deploy("one", warmOne)
		if got := l.states(); got != "+one" {
			t.Errorf("states %q", got)
		}
		stale := liveRecord{l.kinds(nudge.RecordDeploy)[1].off, 1}.record()
		if _, err := l.node.Submit(context.Background(), stale, 1, true); err != nil {
			t.Fatal(err)
		}
		if got := brief(l.send(page)); got != "one:v" {
			t.Errorf("fired %q", got)
		}
		same(t, "the log read back", l.told(), l.reference())
	})
}

// A crash while rules warm, and one behind the live record but before a checkpoint holds what was read.
func TestCrashAroundLive(t *testing.T) {
	for _, behind := range []bool{false, true} {
		t.Run(fmt.Sprintf("behind=%v", behind), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				fs := vfs.NewCrashableMem()
				l := begin(t, lifeOptions{fs: fs, checkpoint: 2})
				page := event("page_view", "v", "")
				l.deploy("one", warmOne)
				l.send(page, page)
				time.Sleep(time.Second) // a checkpoint holds the two
				release := l.hold("read")
				l.deploy("one", warmOne, "three", warmThree)
				l.send(page)
				time.Sleep(time.Second) // and one the warming rule
				open := func() {}
				if behind {
					open = l.hold("commit")
					release()
					l.warm()
					l.send(event("page_view", "w", ""))
				}
				crashed := fs.CrashClone(vfs.CrashCloneCfg{})
				told := l.told()
				release()
				open()
				l.end()

				l = begin(t, lifeOptions{fs: crashed, shards: 3})
				defer l.end()
				if got := l.states(); behind && got != "+one +three" {
					t.Errorf("states %q behind the live record", got)
				}
				l.warm()
				same(t, "the feed after the crash", l.walk(nudge.Cursor{}, 10), told)
				w := event("page_view", "w", "")
				if got := brief(l.send(w, w, w)); got != "one:w one:w one:w three:w" && got != "one:w one:w three:w one:w" {
					t.Errorf("fired %q", got)
				}
				if got := brief(l.send(page)); got != "one:v" {
					t.Errorf("fired %q: true all along", got)
				}
				same(t, "the log read back", l.walk(nudge.Cursor{}, 10), l.reference())
			})
		})
	}
}

// The log is kept from where the reading began until a checkpoint holds what was read.
func TestLogIsKeptForWarming(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{checkpoint: 2})
		defer l.end()
		page := event("page_view", "v", "")
		l.deploy("one", warmOne)
		l.send(page, page)
		time.Sleep(time.Second)
		if l.kept.Load() < 3 {
			t.Fatalf("the log is kept from %d on", l.kept.Load())
		}
		release := l.hold("read")
		l.deploy("one", warmOne, "three", warmThree)
		l.send(page, page)
		time.Sleep(time.Second)
		if l.kept.Load() != 1 {
			t.Errorf("the log is kept from %d on while it is read", l.kept.Load())
		}
		before := l.node.Stats().Checkpoints.Load()
		release()
		l.warm()
		time.Sleep(time.Second)
		if live := l.kinds(nudge.RecordLive)[0].off; l.kept.Load() <= uint64(live) || l.node.Stats().Checkpoints.Load() == before {
			t.Errorf("the log is kept from %d on, the live record is %d; %d checkpoints since", l.kept.Load(), live, l.node.Stats().Checkpoints.Load()-before)
		}
	})
}

// A log that cannot be read back stops the node (I7).
func TestWarmingFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		l.deploy("one", warmOne)
		l.send(event("page_view", "v", ""))
		broken := errors.New("the segment is broken")
		l.set("read", func() error { return broken })
		l.deploy("three", warmThree)
		if err := <-l.done; !errors.Is(err, broken) {
			t.Errorf("Run: %v", err)
		}
		l.cut = nil
	})
}

// Where the log no longer holds the beginning, the checkpoint says who was who, and what rules had counted stays.
func TestWarmingFromATrimmedLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{segmentBytes: 4 << 10, logMax: 16 << 10, checkpoint: 20})
		defer l.end()
		old := `{per: visitor, when: count(form_view, "ever") >= 3, then: alert("old", {})}`
		l.deploy("old", old)
		l.send(event("form_view", "v", `,"user":"u"`), event("form_view", "v", ""))
		for i := range 500 {
			l.send(event("click", fmt.Sprint("other", i), `,"title":"`+strings.Repeat("x", 100)+`"`))
			time.Sleep(time.Second)
		}
		if l.dir.Log.First() < 10 {
			t.Fatalf("the log begins at %d", l.dir.Log.First())
		}
		l.send(event("page_view", "v", ""))
		user := `{per: user, when: count(page_view, "1h") >= 2, then: alert("user", {})}`
		l.deploy("old", old, "grown", strings.Replace(old, "3", "4", 1), "user", user)
		l.warm()
		if from := l.kinds(nudge.RecordLive); len(from) != 1 {
			t.Fatalf("%d live records", len(from))
		}
		if got := brief(l.send(event("page_view", "v", ""))); got != "user:u" {
			t.Errorf("fired %q: that v is u was said before the log's beginning", got)
		}
		if got := brief(l.send(event("form_view", "v", ""))); got != "old:v" {
			t.Errorf("fired %q: two forms are known from before", got)
		}
		if got := brief(l.send(event("form_view", "v", ""))); got != "grown:v" {
			t.Errorf("fired %q", got)
		}
	})
}

// What two slots know together.
func TestUniteSlots(t *testing.T) {
	times := func(keep int, times ...nudge.Millis) ring {
		var tb table
		i := tb.add(1, 0, "k")
		for _, ts := range times {
			tb.addTime(i, 1, keep, ts, -1)
		}
		return slices.Clone(tb.slot(i, 1))
	}
	for _, x := range []struct {
		had, read, want []nudge.Millis
		keep            int
	}{
		{[]nudge.Millis{1, 2, 3}, []nudge.Millis{2, 3, 4}, []nudge.Millis{1, 2, 3, 4}, 9},
		{[]nudge.Millis{1, 2, 2}, []nudge.Millis{2, 2, 2}, []nudge.Millis{1, 2, 2, 2}, 9},
		{[]nudge.Millis{1, 5}, []nudge.Millis{2, 3, 5}, []nudge.Millis{3, 5}, 2},
	} {
		got := uniteRings(times(9, x.had...), times(9, x.read...), x.keep, noTime)
		var all []nudge.Millis
		for i := range got.len() {
			all = append(all, got.at(i))
		}
		if !slices.Equal(all, x.want) {
			t.Errorf("%v and %v: %v, want %v", x.had, x.read, all, x.want)
		}
	}
	type seen struct {
		value string
		ts    nudge.Millis
	}
	slots := func(all ...seen) (distinct distinctSet, values []byte) {
		var tb table
		i := tb.add(1, 0, "k")
		for _, s := range all {
			tb.addValue(i, 1, 9, idOfValue(nudge.TextValue(s.value)), s.ts, -1)
			tb.keepValue(i, 2, 9, nudge.TextValue(s.value), s.ts, 0, 0)
		}
		return slices.Clone(tb.slot(i, 1)), slices.Clone(tb.slot(i, 2))
	}
	hadSet, hadValues := slots(seen{"a", 1}, seen{"b", 7}, seen{"c", 3})
	readSet, readValues := slots(seen{"a", 5}, seen{"d", 7})
	want := []string{"d", "b", "a"}
	set := uniteDistinct(hadSet, readSet, 3, noTime)
	if set.len() != 3 {
		t.Fatalf("%d values, want 3", set.len())
	}
	for i, v := range want {
		id := idOfValue(nudge.TextValue(v))
		if set.find(id) != i {
			t.Errorf("%q is at %d, want %d", v, set.find(id), i)
		}
	}
	var kept []string
	for _, v := range valuesAfter(uniteValues(hadValues, readValues, 3, noTime), -1) {
		kept = append(kept, v.Text)
	}
	if !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q", kept, want)
	}
}

// TestTailIsBounded: at its bound the tail closes, and what is in it can still be taken.
func TestTailIsBounded(t *testing.T) {
	for _, x := range []struct {
		name  string
		bytes int
		fits  int
	}{{"entries", 1, maxTailEntries}, {"bytes", maxTailCopied / 4, 4}} {
		t.Run(x.name, func(t *testing.T) {
			var tail tail
			records := make([]byte, x.bytes)
			tail.add(nudge.Entry{Records: records})
			tail.open()
			for i := range x.fits + 3 {
				tail.add(nudge.Entry{First: nudge.Offset(i + 1), Records: records})
			}
			n := nudge.Offset(0)
			for e := range tail.entries {
				if n++; e.First != n {
					t.Fatalf("entry %d is the %dth", e.First, n)
				}
			}
			if over := int(n) - x.fits; over < 0 || over > 1 {
				t.Errorf("%d entries were kept, want %d", n, x.fits)
			}
		})
	}
}
