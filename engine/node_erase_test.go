package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// secrets are texts of one person that stand nowhere else: its ids, its mail addresses, what it typed and how its events are called.
type secrets struct {
	visitors []string
	user     string
	mail     string
	typed    []string // short and long
	message  string
}

func newSecrets(rng *rand.Rand) secrets {
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return hex.EncodeToString(b)
	}
	return secrets{
		visitors: []string{text(8), text(20)}, user: text(7), mail: text(8) + "@acme.example", typed: []string{text(6), text(40)}, message: text(9),
	}
}

func (s *secrets) all() []string {
	return slices.Concat(s.visitors, []string{s.user, strings.ToUpper(s.user), s.mail, s.message}, s.typed)
}

// keepers are rules that keep what people say, and name them, wherever it can be kept.
func keepers() []string {
	payload := `{u: user, v: visitor, m: email, t: note, all: values(page_view, user, "7d"), who: values(page_view, visitor, "7d"), said: values(page_view, note, "7d"),
		mails: values(page_view, upper(user), "7d"), last: last(page_view, note), n: distinct(page_view, note, "7d"), k: distinct(page_view, user, "7d"), d: days(page_view, "7d")}`
	var files []string
	for _, per := range []string{"visitor", "user", "company", "user ?? visitor", "plan"} {
		id := strings.NewReplacer(" ", "", "?", "-").Replace(per)
		files = append(files,
			id+"-on", `{per: `+per+`, when: on(page_view), then: alert("seen " + user, `+payload+`)}`,
			id+"-wait", `{per: `+per+`, when: absent(form_submit, "1h", after(page_view)), then: alert("gone", `+payload+`)}`)
	}
	return append(files, "popup", `{per: user, when: on(page_view), then: popup("hello", {t: note})}`,
		"chain", `{per: company, when: distinct(fired and rule == "popup", user, "7d") >= 1, then: alert("chain", {who: values(fired and rule == "popup", key, "7d")})}`)
}

// live sends what a person does, anonymous first, on two devices, with its name and with its mail address.
func (s *secrets) live(l *life, round int) {
	id := func(i int) string { return fmt.Sprintf(`,"id":"%s-%d-%d"`, s.message, round, i) }
	note := func(i int) string { return fmt.Sprintf(`,"props":{"note":%q,"plan":"pro"}`, s.typed[i]) }
	l.send(event("page_view", s.visitors[0], note(0)+id(0)))
	l.send(event("page_view", s.visitors[1], `,"email":"`+strings.ToUpper(s.mail)+`"`+note(1)+id(1)))
	l.send(event("page_view", s.visitors[0], `,"user":"`+s.user+`","email":"`+s.mail+`"`+note(1)+id(2)), `{"type":"page_view","user":"`+s.user+`","company":"acme.example"`+note(0)+id(3)+`}`)
	l.send(`{"type":"page_view","email":"` + s.mail + `"` + note(0) + id(4) + `}`)
}

// others are what somebody else does in the same company.
func others(l *life, round int) {
	l.send(event("page_view", "bobs", fmt.Sprintf(`,"user":"bob","company":"acme.example","props":{"note":"hi","plan":"pro"},"id":"bob-%d"`, round)))
}

// An erased person leaves the feed at once and every file soon; the receipt says what was removed, and is still there after a restart.
func TestNodeErases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, s := vfs.NewMem(), newSecrets(rand.New(rand.NewPCG(1, 1)))
		o := lifeOptions{fs: fs, segmentBytes: 4 << 10, checkpoint: 3}
		l := begin(t, o)
		l.deploy(keepers()...)
		s.live(l, 0)
		others(l, 0)
		time.Sleep(time.Second) // for checkpoints
		if left := l.leftIn(fs, s.all()[:1]); len(left) < 5 {
			t.Fatalf("the test tests nothing: %q", left)
		}
		before := l.walk(nudge.Cursor{}, 3)
		r, err := l.node.Erase(context.Background(), "user", s.user)
		if err != nil {
			t.Fatal(err)
		}
		if r.State.Visitors != 2 || r.State.Users != 2 || r.State.OtherKeys == 0 || r.State.Values == 0 || r.Complete {
			t.Errorf("what the state held: %+v", r)
		}
		checkFeed := func(when string) {
			t.Helper()
			feed := l.walk(nudge.Cursor{}, 3)
			for _, text := range s.all() {
				if strings.Contains(fmt.Sprintf("%+v", feed), text) {
					t.Errorf("%s the feed still holds %s", when, text)
				}
			}
			if n := strings.Count(brief(feed), ":bob"); n < 3 {
				t.Errorf("%s of somebody else %d firings are left: %s", when, n, brief(feed))
			}
		}
		checkFeed("at once")
		if l.gone == nil || !l.gone[0](s.visitors[0]) || l.gone[0]("bobs") {
			t.Error("the deliverers are not told whose popups to drop")
		}
		r = l.erased(r.ID)
		checkFeed("when it is complete")
		after := l.walk(nudge.Cursor{}, 1000)
		if r.Log.Records != 5 || r.Log.Segments == 0 || r.CompletedAt < r.At || r.Feed.Removed != len(before)-len(after) || r.Feed.Redacted == 0 {
			t.Errorf("receipt %+v; the feed had %d firings and has %d", r, len(before), len(after))
		}
		if left := l.leftIn(fs, s.all()); len(left) > 0 {
			t.Errorf("left: %s", strings.Join(left, "\n"))
		}
		checkOthers(t, before, after)
		others(l, 1)
		l.end()
		l = begin(t, o)
		if again, ok, err := l.node.Erasure(r.ID); err != nil || !ok || again != r {
			t.Errorf("after a restart the receipt is %+v %v %v, want %+v", again, ok, err, r)
		}
		if _, ok, err := l.node.Erasure(r.ID + 1); ok || err != nil {
			t.Errorf("a receipt of what was no erasure: %v %v", ok, err)
		}
		same(t, "the feed after a restart", l.walk(nudge.Cursor{}, 1000)[:len(after)], after)
		l.end()
	})
}

// checkOthers compares the feed before an erasure and after it: what stays has its cursor, and but for its texts is as it was; what is of
// somebody else and shows nobody's texts is the same to the byte.
func checkOthers(t *testing.T, before, after []nudge.Firing) {
	t.Helper()
	was, bobs := map[nudge.Cursor]nudge.Firing{}, 0
	for _, f := range before {
		was[f.Cursor] = f
	}
	for _, f := range after {
		old := was[f.Cursor]
		if f.Key == "bob" || f.Key == "bobs" {
			bobs++
		} else {
			f.Actions, old.Actions = nil, nil
		}
		if got, want := string(mustJSON(f)), string(mustJSON(old)); got != want {
			t.Errorf("at cursor %s the feed has\n%s\nand had\n%s", f.Cursor, got, want)
		}
	}
	if bobs < 3 {
		t.Errorf("only %d firings of somebody else were compared", bobs)
	}
}

// beginWithoutEraser is begin for a node that leaves the files alone: to it every erasure came while a rule was warming.
func beginWithoutEraser(t *testing.T, o lifeOptions) *life {
	l, err := tryLife(t, o)
	if err != nil {
		t.Fatal(err)
	}
	l.node.warmup.reads.Store(1)
	l.run()
	return l
}

// A node that is stopped while a receipt waits in its queue ends all the same. Whether the queue or the end comes first is chance.
func TestStopsWithAReceiptInTheQueue(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			l := begin(t, lifeOptions{})
			l.deploy(keepers()...)
			others(l, 0)
			purged := l.hold("purge")
			if _, err := l.node.Erase(context.Background(), "user", "bob"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // for the checkpoint
			synced := l.hold("sync")
			l.later(false, l.records(event("page_view", "ana", "")), 1)
			synctest.Wait()
			purged()
			time.Sleep(time.Second)
			if n := len(l.node.queue); n != 1 {
				t.Fatalf("%d requests are in the queue, not the receipt: the test tests nothing", n)
			}
			l.cut()
			synced()
			select {
			case err := <-l.done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Error("the node goes on")
				r := <-l.node.queue
				r.done <- result{err: nudge.ErrStopped} // so that the test ends
			}
		})
	}
}

// Until the files are done a person is hidden from whoever reads the feed, from memory and from the store, before a restart and after it.
func TestErasedAreHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSecrets(rand.New(rand.NewPCG(2, 1)))
		o := lifeOptions{fs: vfs.NewMem(), segmentBytes: 4 << 10, recall: nudge.Millis(time.Hour / time.Millisecond)}
		l := beginWithoutEraser(t, o)
		l.deploy(keepers()...)
		l.node.warmup.reads.Store(1)
		s.live(l, 0)
		others(l, 0)
		hidden := func(when string) {
			t.Helper()
			for _, text := range s.all() {
				if strings.Contains(fmt.Sprintf("%+v", l.walk(nudge.Cursor{}, 2)), text) {
					t.Errorf("%s the feed holds %s", when, text)
				}
			}
		}
		erase := func() nudge.Receipt {
			r, err := l.node.Erase(context.Background(), "user", s.user)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		first := erase()
		hidden("from memory")
		inMemory := l.walk(nudge.Cursor{}, 100)
		l.end()
		l = beginWithoutEraser(t, o)
		hidden("from a checkpoint that has it no more")
		if r, _, _ := l.node.Erasure(first.ID); r.Complete || r.Feed.Removed < 10 {
			t.Errorf("receipt %+v", r)
		}
		s = newSecrets(rand.New(rand.NewPCG(3, 1)))
		s.live(l, 1)
		l.end()
		l = beginWithoutEraser(t, o) // now the store has it
		second := erase()
		hidden("from the store")
		l.end()
		l = beginWithoutEraser(t, o)
		hidden("from the store after a restart")
		if strings.Contains(fmt.Sprintf("%+v", l.told()), s.user) {
			t.Error("the deliverers are told of it after a restart")
		}
		same(t, "what was not the person's", l.walk(nudge.Cursor{}, 100)[:len(inMemory)], inMemory)
		l.end()
		l = begin(t, o)
		l.erased(first.ID)
		l.erased(second.ID)
		if left := l.leftIn(o.fs, s.all()); len(left) > 0 {
			t.Errorf("left: %s", strings.Join(left, "\n"))
		}
		l.end()
	})
}

// Of a company its key goes, its firings and the events that name nobody; its people stay, and what they do next is for a new key.
func TestNodeErasesACompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := lifeOptions{fs: vfs.NewMem(), segmentBytes: 4 << 10, checkpoint: 3}
		l := begin(t, o)
		const typed = "5e07b1c9d2a84f36"
		own := []string{
			"third", `{per: company, when: count(page_view, "7d") >= 3, then: alert("three")}`,
			"note", `{per: company, when: on(page_view), then: alert("seen", {all: values(page_view, note, "7d")})}`,
			"plan", `{per: plan, when: on(page_view), then: alert("seen", {all: values(page_view, note, "7d"), n: count(page_view, "7d")})}`,
			"bob", `{per: user, when: count(page_view, "7d") >= 2, then: alert("two", {c: company})}`,
		}
		l.deploy(own...)
		bob := event("page_view", "bobs", `,"user":"bob","company":"acme.example","props":{"note":"hi","plan":"pro"}`)
		l.send(`{"type":"page_view","company":"acme.example","props":{"note":"`+typed+`","plan":"pro"}}`, bob)
		time.Sleep(time.Second) // for checkpoints
		if left := l.leftIn(o.fs, []string{typed}); len(left) < 3 {
			t.Fatalf("the test tests nothing: %q", left)
		}
		r := l.erase("company", "acme.example")
		var want nudge.Receipt
		want.ID, want.Kind, want.Digest, want.At, want.Complete, want.CompletedAt = r.ID, "company", r.Digest, r.At, true, r.CompletedAt
		want.State.Companies, want.State.Values, want.Log.Records, want.Log.Segments = 1, 1, 1, 1
		want.Feed.Removed, want.Feed.Redacted = 3, 1 // of the company two, and what its event fired for its plan; bob's for the plan showed its note
		if r != want {
			t.Errorf("receipt %+v, want %+v", r, want)
		}
		if left := l.leftIn(o.fs, []string{typed}); len(left) > 0 {
			t.Errorf("left: %s", strings.Join(left, "\n"))
		}
		fired := func(want string) {
			t.Helper()
			var got []string
			for _, f := range l.send(bob) {
				got = append(got, f.Rule+":"+f.Key+" "+string(f.Actions[0].Data))
			}
			if slices.Sort(got); strings.Join(got, "\n") != want {
				t.Errorf("fired\n%s\nwant\n%s", strings.Join(got, "\n"), want)
			}
		}
		fired(`bob:bob {"c":"acme.example"}
note:acme.example {"all":["hi"]}
plan:pro {"all":["hi"],"n":3}`)
		l.deploy(append(own, "late", `{per: company, when: count(page_view or form_view, "7d") >= 2, then: alert("two")}`)...)
		l.warm()
		fired(`late:acme.example {}
note:acme.example {"all":["hi"]}
plan:pro {"all":["hi"],"n":4}`)
		l.end()
	})
}

// Nobody is told whether a person was known.
func TestNodeErasesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		l.deploy(keepers()...)
		others(l, 0)
		r := l.erase("visitor", "nobody")
		want := nudge.Receipt{ID: r.ID, Kind: "visitor", Digest: r.Digest, At: r.At, Complete: true, CompletedAt: r.CompletedAt}
		if r != want {
			t.Errorf("receipt %+v, want %+v", r, want)
		}
		if took := r.CompletedAt - r.At; took > 5000 {
			t.Errorf("it took %d ms: no checkpoint is begun for it", took)
		}
		if _, err := l.node.Erase(context.Background(), "person", "ana"); !errors.Is(err, ErrErase) {
			t.Errorf("no kind of key: %v", err)
		}
		l.end()
	})
}

// A rule that is deployed after an erasure counts without the person, whether the log still holds its events or not.
func TestNewRulesCountWithoutTheErased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := lifeOptions{fs: vfs.NewMem(), segmentBytes: 4 << 10}
		l := begin(t, o)
		l.deploy("old", `{per: company, when: count(page_view, "7d") >= 5, then: alert("five of the old")}`)
		for range 3 {
			l.send(event("page_view", "ana", `,"company":"acme"`))
		}
		l.send(event("page_view", "bob", `,"company":"acme"`))
		release := l.hold("drop")
		r, err := l.node.Erase(context.Background(), "visitor", "ana")
		if err != nil {
			t.Fatal(err)
		}
		rule := func(id, other string) []string { // what counts for it no other rule counts
			return []string{id, `{per: company, when: count(page_view or ` + other + `, "7d") >= 3, then: alert("` + id + `")}`}
		}
		old := []string{"old", `{per: company, when: count(page_view, "7d") >= 5, then: alert("five of the old")}`}
		l.deploy(append(old, rule("held", "form_view")...)...)
		l.warm()
		release()
		l.erased(r.ID)
		l.deploy(slices.Concat(old, rule("held", "form_view"), rule("voided", "page_leave"))...)
		l.warm()
		for i, want := range []string{"old:acme", "held:acme voided:acme"} {
			if got := brief(l.send(event("page_view", "bob", `,"company":"acme"`))); got != want {
				t.Errorf("event %d fires %q, want %q", i, got, want)
			}
		}
		l.end()
	})
}

// What is being read back for a rule is not taken from under it: the log keeps a person that was erased meanwhile until a restart would not read
// it again.
func TestErasureWaitsForWarming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		o := lifeOptions{fs: fs, segmentBytes: 4 << 10}
		l := begin(t, o)
		l.deploy()
		for range 3 {
			l.send(event("page_view", "ana", `,"company":"acme"`))
		}
		l.send(event("page_view", "bob", `,"company":"acme"`))
		release := l.hold("read")
		var voids atomic.Int64
		l.set("drop", func() error { voids.Add(1); return nil })
		l.deploy("late", `{per: company, when: count(page_view, "7d") >= 5, then: alert("five")}`)
		r, err := l.node.Erase(context.Background(), "visitor", "ana")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := voids.Load(); n > 0 {
			t.Errorf("the log was rewritten while it was read for a rule, %d times", n)
		}
		release()
		l.warm()
		l.erased(r.ID)
		if voids.Load() == 0 {
			t.Error("the log was not rewritten after all")
		}
		if got := brief(l.send(event("page_view", "bob", `,"company":"acme"`))); got != "late:acme" {
			t.Errorf("the fifth event fires %q", got)
		}
		l.end()
	})
}

// A failure is no end: it is tried again until no file holds the person, and said once.
func TestErasureIsTriedAgain(t *testing.T) {
	for _, op := range []string{"drop", "await", "purge", "read"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := vfs.NewMem()
				l := begin(t, lifeOptions{fs: fs, segmentBytes: 4 << 10, checkpoint: 2})
				l.deploy(keepers()...)
				s := newSecrets(rand.New(rand.NewPCG(5, 5)))
				s.live(l, 0)
				time.Sleep(time.Second)
				fails := 3
				l.set(op, func() error {
					if fails--; fails >= 0 {
						return errors.New("planted")
					}
					return nil
				})
				l.erase("user", s.user)
				if left := l.leftIn(fs, s.all()); len(left) > 0 {
					t.Errorf("left: %s", strings.Join(left, "\n"))
				}
				if fails >= 0 {
					t.Errorf("complete after %d of 4 tries", 3-fails)
				}
				l.end()
			})
		})
	}
}

// So many may be under way, and no more.
func TestErasuresAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := begin(t, lifeOptions{segmentBytes: 1 << 20})
		l.deploy()
		release := l.hold("purge")
		var last nudge.Receipt
		for i := range maxErasures {
			r, err := l.node.Erase(context.Background(), "visitor", fmt.Sprint(i))
			if err != nil {
				t.Fatalf("erasure %d: %v", i, err)
			}
			last = r
		}
		if _, err := l.node.Erase(context.Background(), "visitor", "one more"); !errors.Is(err, nudge.ErrBusy) {
			t.Errorf("one more: %v, want that it is refused", err)
		}
		release()
		l.erased(last.ID)
		l.erase("visitor", "one more")
		l.end()
	})
}

// The row of an erasure that is not complete stays, however far the log has been trimmed: whose it is stands nowhere else.
func TestOpenErasuresAreKept(t *testing.T) {
	x := &erasures{}
	x.init(&Node{})
	person := newPerson()
	person.addVisitor("v")
	x.open[7] = &erasure{Receipt: nudge.Receipt{ID: 7}, Person: person, fresh: true}
	st := &memStore{rows: map[string][]byte{}}
	for range 2 {
		c := &checkpoint{logFirst: 100}
		x.freeze(c)
		st.commit(c, nil)
	}
	e, err := readErasure(st.rows[string(erasureKey(7))])
	if err != nil || !e.Person.isVisitor("v") || e.Person.isVisitor("w") || !e.Person.brought(nudge.HashKey("visitor", "v")) || !e.Person.isForm("V") {
		t.Fatalf("stored is %+v, %v", e, err)
	}
	delete(x.open, 7)
	c := &checkpoint{logFirst: 100}
	x.freeze(c)
	if st.commit(c, nil); st.rows[string(erasureKey(7))] != nil {
		t.Error("a complete one stays for ever")
	}
}
