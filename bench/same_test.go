package bench

import (
	"context"
	"strings"
	"testing"
)

// TestSameFirings: the engine and the hand-written program give the same firings, each rule some, on any number of shards.
func TestSameFirings(t *testing.T) {
	keys, ok := keysOf("keys-10000")
	if !ok {
		t.Fatal("there is no workload keys-10000")
	}
	dense, ok := denseOf("dense-4000")
	if !ok {
		t.Fatal("there is no workload dense-4000")
	}
	for _, load := range []*workload{six, b2b, late, keys, mission(2_000), signIns(2_000), dense} {
		t.Run(load.name, func(t *testing.T) { testSameFirings(t, load) })
	}
}

func testSameFirings(t *testing.T, load *workload) {
	s, err := newStream(load, 60_000)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var want answers
	for _, shards := range []int{0, 1, 3} {
		a := &applied{shards: shards}
		if _, _, err := a.apply(s, true); err != nil {
			t.Fatal(err)
		}
		if shards == 0 {
			want = a.answers
			for i, id := range load.columns() {
				if want.count[i] == 0 {
					t.Errorf("%s never fires: the stream proves nothing about it", id)
				}
			}
			continue
		}
		if a.answers != want {
			t.Errorf("%s: %v, by hand %v", a.name(), a.answers, want)
		}
	}
}

// TestPastsDecide: in the workload sign-in a program that forgets what visitors did before they were known gives other firings.
func TestPastsDecide(t *testing.T) {
	load := signIns(2_000)
	var found [2]answers
	for i, hand := range []func(*stream) handProgram{newSignInHand, newMissionHand} {
		load.hand = hand
		s, err := newStream(load, 60_000)
		if err != nil {
			t.Fatal(err)
		}
		a := &applied{}
		if _, _, err := a.apply(s, true); err != nil {
			t.Fatal(err)
		}
		found[i] = a.answers
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
	if found[0] == found[1] {
		t.Error("no past joins a user that decides anything")
	}
}

// TestTooLargeByHand: where the program by hand would not fit, it is left out and said so, and there is no ratio to it.
func TestTooLargeByHand(t *testing.T) {
	w, ok := keysOf("mission-10000000")
	if !ok || !w.tooLargeByHand() || mission(handMost).tooLargeByHand() {
		t.Fatal("10 million visitors are no more than the program by hand is given, or 3 million are")
	}
	r := &Report{}
	runs := []*applied{{shards: 1, keys: 1}, {shards: 2, keys: 1}}
	for _, a := range runs {
		a.seconds, a.cpu, a.live = []float64{1}, []float64{1}, []float64{1}
	}
	tellCore(&Options{Events: 1}, r, w, runs)
	if len(r.LeftOut) != 1 || r.RatioToHand != 0 || r.Tables[0].Columns[1] != "time ÷ one shard" {
		t.Errorf("left out %q, ratio %v, columns %q", r.LeftOut, r.RatioToHand, r.Tables[0].Columns)
	}
}

// TestLateEvents: as many events as the workload says come late, and others fire than if none were.
func TestLateEvents(t *testing.T) {
	const events = 800_000
	s, err := newStream(late, events)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	within, beyond := 0, 0
	for i := range s.events {
		switch e := &s.events[i]; {
		case e.ts > e.at:
			t.Fatalf("event %d happens after it came", i)
		case e.at-e.ts > handLateness:
			beyond++
		case e.at > e.ts:
			within++
		}
	}
	for _, n := range [][2]int{{within, lateShare}, {beyond, lateBeyond}} {
		if want := events * n[1] / 100; n[0] < want*9/10 || n[0] > want*11/10 {
			t.Errorf("%d events, want some %d", n[0], want)
		}
	}
	aware, deaf := byRule(newLateHand(s), s), byRule(newHand(s), s)
	for i, id := range late.ids() {
		if aware[i] == deaf[i] {
			t.Errorf("%s fires as for a program that knows no late event: the stream proves nothing about it", id)
		}
	}
}

// byRule is what a program fires for a stream, rule by rule.
func byRule(h handProgram, s *stream) (all [mostRules]answers) {
	for i := range s.events {
		h.apply(&s.events[i])
	}
	for _, f := range h.fired() {
		all[f.rule].add(f.rule, f.key, f.at, mostRules)
	}
	return all
}

// TestAnswersTellFiringsApart: the sum sees what the counts do not.
func TestAnswersTellFiringsApart(t *testing.T) {
	of := func(fs ...handFiring) (a answers) {
		for _, f := range fs {
			a.add(f.rule, f.key, f.at, mostRules)
		}
		return a
	}
	base := of(handFiring{0, "a", 1}, handFiring{1, "b", 2})
	if of(handFiring{1, "b", 2}, handFiring{0, "a", 1}) != base {
		t.Error("the order counts")
	}
	for name, other := range map[string]answers{
		"another key":      of(handFiring{0, "a", 1}, handFiring{1, "c", 2}),
		"another instant":  of(handFiring{0, "a", 1}, handFiring{1, "b", 3}),
		"instants swapped": of(handFiring{0, "a", 2}, handFiring{1, "b", 1}),
	} {
		if other == base {
			t.Errorf("%s is not seen", name)
		}
	}
}

// TestDifferentAnswersAreNoResult: where the answers differ there is no report.
func TestDifferentAnswersAreNoResult(t *testing.T) {
	s, err := newStream(six, MinEvents)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	a := &applied{shards: 1}
	a.answers.count[0] = 1 // as if the warm-up had seen one more
	if err := a.run(s, true); err == nil || !strings.Contains(err.Error(), "firings") {
		t.Errorf("a round with other firings than the warm-up: %v", err)
	}
}

// TestStreamIsSeeded: two streams of one length are equal to the byte, and their times rise strictly.
func TestStreamIsSeeded(t *testing.T) {
	a, errA := newStream(mission(100), 2000)
	b, errB := newStream(mission(100), 2000)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if string(a.buf) != string(b.buf) {
		t.Error("two streams differ")
	}
	for i := 1; i < len(a.events); i++ {
		if a.events[i].at <= a.events[i-1].at {
			t.Fatalf("event %d is not later than the one before", i)
		}
	}
}

func TestRunStopsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, Options{Level: "core", Events: MinEvents}); err == nil {
		t.Error("it ran to its end")
	}
}
