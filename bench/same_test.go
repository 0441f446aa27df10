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
	for _, load := range []*workload{six, b2b, keys, mission(2_000)} {
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
			for i, id := range load.ids() {
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

// TestAnswersTellFiringsApart: the sum sees what the counts do not.
func TestAnswersTellFiringsApart(t *testing.T) {
	of := func(fs ...handFiring) (a answers) {
		for _, f := range fs {
			a.add(f.rule, f.key, f.at)
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
