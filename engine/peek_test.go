package engine

import (
	"encoding/json"
	"strings"
	"testing"

	"nudge"
	"nudge/internal/oracle"
)

// peeked are rules of every kind of operator.
var peeked = []oracle.Rule{
	{ID: "count", Text: `{per: visitor, when: count(page_view, "1h") >= 2, then: alert("x", {all: count(page_view, "ever")}), cooldown: "1h", limit: cap("alerts", 3, "1d")}`},
	{ID: "distinct", Text: `{per: visitor, when: distinct(page_view, path, "1h") >= 5, then: alert("x", {seen: values(page_view, path, "1h")})}`},
	{ID: "sum", Text: `{per: visitor, when: sum(page_view, n, "1h") >= 90 or sum(page_view, n, "ever") >= 90, then: alert("x")}`},
	{ID: "last", Text: `{per: visitor, when: last(page_view, path) == "/c" or since(page_view) >= 100, then: alert("x")}`},
	{ID: "score", Text: `{per: visitor, when: score({page_view: 2}, half_life("1h")) >= 50, then: alert("x")}`},
	{ID: "steps", Text: `{per: visitor, when: sequence(page_view, form_view, form_submit, "1h"), then: alert("x")}`},
	{ID: "wait", Text: `{per: visitor, when: dwell(form_view, "20s", until(page_leave)), then: alert("x", {form: field("form")})}`},
	{ID: "user", Text: `{per: user, when: count(page_view, "1h") >= 9, then: alert("x")}`},
	{ID: "form", Text: `{per: form, when: count(form_view, "1d") >= 5, then: alert("x")}`},
}

var peekedLines = []string{
	`{"type":"page_view","visitor":"v1","path":"/a","n":1.5,"ts":1000}`,
	`{"type":"page_view","visitor":"v1","path":"/a/path/of/more/than/fifteen/bytes","n":-2,"ts":2000}`,
	`{"type":"page_leave","visitor":"v1","ts":2500}`,
	`{"type":"form_view","visitor":"v1","form":"demo","ts":3000}`,
	`{"type":"page_view","visitor":"v2","user":"u1","company":"acme.example","path":"/b","ts":4000}`,
}

// checkpointOf is the checkpoint of a stream after its last record.
func checkpointOf(t *testing.T, s *stream) *Checkpoint {
	t.Helper()
	e := engineOf(t, s, Options{Shards: 3})
	firings := e.Apply(s.batch())
	st := &memStore{rows: map[string][]byte{}}
	c := e.freeze()
	c.firings.add(firings)
	e.step(1 << 30)
	st.commit(c, e.takeRows())
	cp, err := OpenCheckpoint(st, nudge.NewNames())
	if err != nil || cp == nil {
		t.Fatal(cp, err)
	}
	return cp
}

func TestCheckpointForPeople(t *testing.T) {
	c := checkpointOf(t, newStream(t, peeked, peekedLines, oracle.Options{}))
	if c.Next != 6 || c.Clock != 4000 || c.Events != 5 || len(c.Rules) != len(peeked) || c.Warming != nil {
		t.Errorf("%+v", c)
	}
	counts, due, visitors, users, err := c.Counts()
	if err != nil || due != 23_000 || visitors != 1 || users != 1 {
		t.Errorf("%v: due %d, %d visitors, %d users", err, due, visitors, users)
	}
	for i, want := range []KeyCount{{"visitor", 2, 0, 2}, {"user", 1, 0, 0}, {"form", 1, 0, 0}} {
		if got := counts[i]; got.Bytes == 0 || got.Per != want.Per || got.Keys != want.Keys || got.Timed != want.Timed {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	firings, delivered, oldest, newest, err := c.FeedCounts()
	if err != nil || firings != 1 || delivered != 1 || oldest != newest || newest.Offset != 2 {
		t.Errorf("%v: %d firings, %d delivered, %v to %v", err, firings, delivered, oldest, newest)
	}
	if err := c.Firings(newest, func(f nudge.Firing) error { t.Errorf("%+v", f); return nil }); err != nil {
		t.Error(err)
	}
}

func TestKeyForPeople(t *testing.T) {
	c := checkpointOf(t, newStream(t, peeked, peekedLines, oracle.Options{}))
	k, ok, err := c.Key("visitor", "v1")
	if err != nil || !ok || Instant(23_000) != k.Due || !k.Stored {
		t.Fatalf("%v, %v: %+v", ok, err, k)
	}
	got := map[string]string{}
	for _, s := range k.Slots {
		b, err := json.Marshal(s.Holds)
		if err != nil {
			t.Fatal(err)
		}
		name := s.What
		if s.Past {
			name += " of the past"
		}
		got[name] += string(b)
	}
	const sec = `"1970-01-01T00:00:0`
	for what, want := range map[string]string{
		"count":             `{"times":[` + sec + `1.000Z",` + sec + `2.000Z"]}`,
		"count of the past": `{"times":[` + sec + `1.000Z",` + sec + `2.000Z"]}`,
		"total":             `{"events":2}`,
		"values":            `{"values":[{"at":` + sec + `2.000Z","value":"/a/path/of/more/than/fifteen/bytes"},{"at":` + sec + `1.000Z","value":"/a"}]}`,
		"numbers":           `{"numbers":[{"at":` + sec + `1.000Z","value":1.5},{"at":` + sec + `2.000Z","value":-2}]}`,
		"tally":             `{"numbers":2,"sum":-0.5,"least":-2,"most":1.5}`,
		"last":              `{"at":` + sec + `2.000Z","value":"/a/path/of/more/than/fifteen/bytes"}`,
		"since":             `{"newest":` + sec + `2.000Z"}`,
		"sequence":          `{"partials":[{"step":1,"first":` + sec + `2.000Z","newest":` + sec + `2.000Z"},{"step":2,"first":` + sec + `2.000Z","newest":` + sec + `3.000Z"}]}`,
		"dwell": `{"state":"open","newest_end":` + sec + `2.500Z","started":` + sec + `3.000Z","deadline":"1970-01-01T00:00:23.000Z",` +
			`"visitor":"v1","kept":{"form":"demo"}}`,
		"cooldown": `{"newest":` + sec + `2.000Z"}`,
		"limit":    `{"times":[` + sec + `2.000Z"]}`,
	} {
		if got[what] != want {
			t.Errorf("%s: %s\nwant %s", what, got[what], want)
		}
	}
	if d := got["distinct"]; !strings.Contains(d, `"value":"/a"`) || !strings.Contains(d, `"value":"hash `) {
		t.Errorf("distinct: %s", d)
	}
	if s := got["score"]; !strings.Contains(s, `"points":3.9`) {
		t.Errorf("score: %s", s)
	}
	u, ok, err := c.Key("user", "u1")
	if err != nil || !ok || len(u.Company) != 1 || u.Company[0] != (Binding{5, "acme.example"}) || len(u.Visitor) != 1 || u.Visitor[0].To != "v2" {
		t.Errorf("%v, %v: %+v", ok, err, u)
	}
	if v, _, err := c.Key("visitor", "v2"); err != nil || len(v.User) != 1 || v.User[0].To != "u1" {
		t.Errorf("%v: %+v", err, v)
	}
	if n, ok, err := c.Key("visitor", "nobody"); ok || err != nil {
		t.Errorf("%v: %+v", err, n)
	}
	if _, _, err := c.Key("plan", "x"); err == nil || !strings.Contains(err.Error(), "there are company, form, user, visitor") {
		t.Error(err)
	}
}

// Of random rules and streams every key can be shown, its timer among it, and no slot is strange.
func TestEveryKeyForPeople(t *testing.T) {
	for seed := range uint64(6) {
		set, lines := generate(seed, 60)
		s := newStream(t, set, lines, oracle.Options{})
		c := checkpointOf(t, s)
		e := engineOf(t, s, Options{Shards: 2})
		e.Apply(s.batch())
		pers := e.scopeNames()
		for _, shard := range e.shards {
			for l := range shard.tables {
				tab := &shard.tables[l]
				for i := range tab.count {
					if tab.removedAt(i) {
						continue
					}
					scope, key := tab.identity(i)
					k, ok, err := c.Key(pers[scope], string(key))
					if err != nil || !ok || len(k.Slots) != slotCount(tab.record(i)) {
						t.Fatalf("seed %d, %s %s: %v, %v, %d slots", seed, pers[scope], key, ok, err, len(k.Slots))
					}
					if due := shard.nextDue(tab, i, e.clock); due != never && Instant(due) != k.Due {
						t.Errorf("seed %d, %s %s: due %v, want %v", seed, pers[scope], key, k.Due, due)
					}
					b, err := json.Marshal(k)
					if err != nil || strings.Contains(string(b), "nothing that runs") {
						t.Errorf("seed %d: %s %v", seed, b, err)
					}
				}
			}
		}
	}
}

func TestNoCheckpoint(t *testing.T) {
	if c, err := OpenCheckpoint(&memStore{rows: map[string][]byte{}}, nudge.NewNames()); c != nil || err != nil {
		t.Fatal(c, err)
	}
}
