//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// stayTime is how long a stay must last to fire.
const stayTime = 2 * time.Second

// companyVisitors is how many visitors of a company make it fire.
const companyVisitors = 3

// rulesOfLoad fire for what the clients send.
var rulesOfLoad = map[string]string{
	"mark":   `{per: visitor, when: on(event("mark")), then: alert("mark", {n: n, want: want, total: count(event("seen"), "ever")%s})}`,
	"stay":   `{per: visitor, when: dwell(event("stay"), "2s", until(event("go"))), then: alert("stay", {})}`,
	"linger": `{per: visitor, when: dwell(event("linger"), "2s", until(event("go"))), then: popup("linger", {})}`,
	"people": `{per: company, when: distinct(event("seen"), visitor, "30d") >= 3,
		then: alert("people", {who: values(event("seen"), visitor, "30d")})}`,
}

// writeRules puts the rules of the load into a folder. more is added to the data of each marked event's alert.
func writeRules(dir, more string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for id, text := range rulesOfLoad {
		if id == "mark" {
			text = fmt.Sprintf(text, more)
		}
		if err := os.WriteFile(filepath.Join(dir, id+".expr"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// tally is what was accepted, and what must have fired for it.
type tally struct {
	seed      uint64
	accepted  int             // events
	marks     []int           // per client: its marked events are numbered from 1 to this
	stays     map[string]bool // visitors whose stay nobody ended
	companies []map[int]bool  // their visitors, up to the number that fires
}

func newTally(seed uint64) tally {
	t := tally{seed: seed, marks: make([]int, loadClients), stays: map[string]bool{}}
	for range loadCompanies {
		t.companies = append(t.companies, map[int]bool{})
	}
	return t
}

// accept notes an answered request.
func (t *tally) accept(r *request) {
	t.accepted += r.events
	t.marks[r.client] = r.last
	for _, visitor := range r.stays {
		t.stays[visitor] = true
	}
	for _, p := range r.people {
		if c := t.companies[p.company]; len(c) < companyVisitors {
			c[p.visitor] = true
		}
	}
}

// expected is how many alerts there must be.
func (t *tally) expected() int {
	n := len(t.stays)
	for _, marks := range t.marks {
		n += marks
	}
	for _, c := range t.companies {
		if len(c) == companyVisitors {
			n++
		}
	}
	return n
}

// alert is one of the feed.
type alert struct {
	ID, Cursor, Rule, Key string
	Data                  struct{ N, Want, Total int }
}

// page reads the alerts after a cursor.
func page(ctx context.Context, base, after string) (alerts []json.RawMessage, next string, err error) {
	status, body, err := get(ctx, base+"/v1/alerts?limit=1000&after="+url.QueryEscape(after))
	if err != nil {
		return nil, after, err
	}
	if status != http.StatusOK {
		return nil, after, fmt.Errorf("read the feed: status %d: %s", status, body)
	}
	var answer struct {
		Alerts []json.RawMessage
		Next   string
	}
	err = json.Unmarshal(body, &answer)
	return answer.Alerts, answer.Next, err
}

// reading is one walk through the feed from its beginning, and what was found.
type reading struct {
	after  string
	alerts int
	sum    hash.Hash
	marks  []map[int]bool
	stays  map[string]bool
	firms  map[string]bool
	offset uint64
	n      uint64
}

func newReading() *reading {
	r := &reading{sum: sha256.New(), stays: map[string]bool{}, firms: map[string]bool{}}
	for range loadClients {
		r.marks = append(r.marks, map[int]bool{})
	}
	return r
}

// read goes on to the feed's end.
func (r *reading) read(ctx context.Context, base string) error {
	for {
		part, next, err := page(ctx, base, r.after)
		if err != nil {
			return err
		}
		if len(part) == 0 {
			return nil
		}
		for _, raw := range part {
			r.sum.Write(raw)
			if err := r.take(raw); err != nil {
				return fmt.Errorf("alert %s: %w", raw, err)
			}
		}
		r.after = next
	}
}

// take checks one alert: in order, right, and for the first time.
func (r *reading) take(raw []byte) error {
	var a alert
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	r.alerts++
	offset, n, _ := strings.Cut(a.Cursor, "-")
	o, err1 := strconv.ParseUint(offset, 10, 64)
	m, err2 := strconv.ParseUint(n, 10, 64)
	if err1 != nil || err2 != nil || o < r.offset || o == r.offset && r.alerts > 1 && m <= r.n {
		return fmt.Errorf("it follows %d-%d", r.offset, r.n)
	}
	r.offset, r.n = o, m
	twice := false
	switch a.Rule {
	case "mark":
		var client, visitor int
		if _, err := fmt.Sscanf(a.Key, "v%d-%d", &client, &visitor); err != nil || client >= loadClients {
			return errors.New("it is of a visitor that nobody has sent")
		}
		if a.Data.Want != a.Data.Total {
			return errors.New("the visits of its visitor are not counted once each")
		}
		twice = r.marks[client][a.Data.N]
		r.marks[client][a.Data.N] = true
	case "stay":
		twice = r.stays[a.Key]
		r.stays[a.Key] = true
	case "people":
		twice = r.firms[a.Key]
		r.firms[a.Key] = true
	}
	if twice {
		return errors.New("it has fired before")
	}
	return nil
}

// compare says what is missing or too much. More marks than were answered means that something fired that nobody was told to be accepted, though it
// was sent until it was.
func (r *reading) compare(t *tally) error {
	var errs []error
	for c, marks := range t.marks {
		if len(r.marks[c]) != marks {
			errs = append(errs, fmt.Errorf("client %d: %d marked events fired, %d were accepted", c, len(r.marks[c]), marks))
		}
	}
	if len(r.stays) != len(t.stays) {
		errs = append(errs, fmt.Errorf("%d stays fired, %d were not ended", len(r.stays), len(t.stays)))
	}
	for visitor := range r.stays {
		if !t.stays[visitor] {
			errs = append(errs, fmt.Errorf("the stay of %s fired though it ended", visitor))
			break
		}
	}
	if want := t.expected(); r.alerts != want {
		errs = append(errs, fmt.Errorf("%d firings, %d expected", r.alerts, want))
	}
	return errors.Join(errs...)
}
