package examples

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"nudge"
)

var historyNow = nudge.Millis(time.Date(2026, 3, 4, 0, 30, 0, 0, time.UTC).UnixMilli())

// seen is what rules would know of one user at some instant.
type seen struct {
	views  int
	days   map[nudge.Millis]bool
	newest nudge.Millis
}

// byUser follows who is who in the order of the events, as the engine does without merging.
func byUser(t *testing.T, lines [][]byte) map[string]*seen {
	t.Helper()
	users := map[string]string{}
	people := map[string]*seen{}
	for _, line := range lines {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if e.Email != "" {
			users[e.Visitor] = e.Email
		}
		u := users[e.Visitor]
		if u == "" {
			continue
		}
		s := people[u]
		if s == nil {
			s = &seen{days: map[nudge.Millis]bool{}}
			people[u] = s
		}
		if e.Type == "page_view" {
			s.views++
			s.days[e.Ts/day] = true
			s.newest = e.Ts
		}
	}
	return people
}

func TestHistoryIsOneStepShort(t *testing.T) {
	for seed := range uint64(50) {
		now := historyNow + nudge.Millis(seed)*(day+37*minute)
		people := byUser(t, History(seed, now))
		ana := people[DemoPerson]
		if ana == nil || ana.views != demoViews || len(ana.days) < 3 {
			t.Fatalf("seed %d: %s has %+v, want %d views on 3 days", seed, DemoPerson, ana, demoViews)
		}
		recent := map[string]int{}
		for mail, s := range people {
			if mail != DemoPerson && s.views > maxViews {
				t.Errorf("seed %d: %s has %d views, more than %d", seed, mail, s.views, maxViews)
			}
			// The window is widest at midnight.
			if s.newest > now-now%day-recentDays*day {
				_, domain, _ := strings.Cut(mail, "@")
				recent[domain]++
			}
		}
		for domain, n := range recent {
			if strings.HasSuffix(domain, ".example") && n > maxRecent {
				t.Errorf("seed %d: %d people of %s came lately, more than %d", seed, n, domain, maxRecent)
			}
		}
		// Exactly the two, and inside the window also at the end of the day.
		surely := 0
		for mail, s := range people {
			if strings.HasSuffix(mail, "@"+DemoCompany) && s.newest > now-now%day-(recentDays-1)*day {
				surely++
			}
		}
		if surely != maxRecent {
			t.Errorf("seed %d: %d people of %s came lately, want %d", seed, surely, DemoCompany, maxRecent)
		}
		if people[DemoColleague] != nil {
			t.Errorf("seed %d: %s was here", seed, DemoColleague)
		}
	}
}

func TestHistoryIsRealistic(t *testing.T) {
	lines := History(1, historyNow)
	ids := map[string]bool{}
	visitors := map[string]bool{}
	types := map[string]int{}
	last := nudge.Millis(0)
	for _, line := range lines {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if ids[e.ID] {
			t.Fatalf("id %s comes twice", e.ID)
		}
		ids[e.ID] = true
		visitors[e.Visitor] = true
		types[e.Type]++
		if e.Ts < last {
			t.Fatalf("%s is older than the event before it", line)
		}
		last = e.Ts
		if age := historyNow - e.Ts; age <= hour || age > (historyDays+2)*day {
			t.Fatalf("%s is %d ms old: it would not be history", line, age)
		}
	}
	if n := len(visitors); n < 40 || n > 60 {
		t.Errorf("%d visitors, want 40 to 60", n)
	}
	for _, typ := range []string{"page_view", "page_leave", "form_view", "form_start", "form_submit", "identify"} {
		if types[typ] == 0 {
			t.Errorf("no %s", typ)
		}
	}
	t.Log(len(lines), "events", len(visitors), "visitors", types)
}

func TestHistoryIsSeeded(t *testing.T) {
	join := func(seed uint64, now nudge.Millis) string {
		return string(bytes.Join(History(seed, now), []byte("\n")))
	}
	if join(1, historyNow) != join(1, historyNow+20*hour) {
		t.Error("the same seed and day give other events")
	}
	if join(1, historyNow) == join(2, historyNow) {
		t.Error("another seed gives the same events")
	}
	if join(1, historyNow) == join(1, historyNow+day) {
		t.Error("another day gives the same events")
	}
}
