package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// kuiperMode begins the modes of peerMode that make the test binary an eKuiper, with a fault.
const kuiperMode = "kuiper, "

// fakeKuiper is as much of eKuiper as the bench talks to. Its rules are what is expected of them.
type fakeKuiper struct {
	mode string

	mu    sync.Mutex
	sets  map[string]*fakeSet // by stream
	posts int
}

// fakeSet is a stream and its rules.
type fakeSet struct {
	*expected
	came   int
	missed bool // an event
}

// beKuiper serves until it is told to end.
func beKuiper(mode, _ string) error {
	if mode == kuiperMode+"ends" {
		return errors.New("no such file: etc")
	}
	k := &fakeKuiper{mode: strings.TrimPrefix(mode, kuiperMode), sets: map[string]*fakeSet{}}
	sets := sharedSets()
	for i := range sets {
		k.sets["set"+strconv.Itoa(i)] = &fakeSet{expected: sets[i].counting()}
	}
	rest := http.NewServeMux()
	rest.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	rest.HandleFunc("POST /streams", func(http.ResponseWriter, *http.Request) {})
	rest.HandleFunc("POST /rules", k.rule)
	rest.HandleFunc("GET /rules/{id}/status", k.status)
	failed := make(chan error, 2)
	serve := func(ip, port string, h http.Handler) {
		failed <- http.ListenAndServe(net.JoinHostPort(os.Getenv(ip), os.Getenv(port)), h)
	}
	go serve("KUIPER__BASIC__RESTIP", "KUIPER__BASIC__RESTPORT", rest)
	go serve("KUIPER__SOURCE__HTTPSERVERIP", "KUIPER__SOURCE__HTTPSERVERPORT", http.HandlerFunc(k.push))
	return <-failed
}

func (k *fakeKuiper) rule(w http.ResponseWriter, _ *http.Request) {
	if k.mode == "refuses" {
		http.Error(w, "Parse SQL: found OVER", http.StatusBadRequest)
	}
}

func (k *fakeKuiper) status(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	stream, id, _ := strings.Cut(r.PathValue("id"), "_")
	s, status := k.sets[stream], map[string]any{"status": "running", "source_x_0_connection_status": 1}
	for i := range s.rules {
		if s.rules[i].id == id {
			status["op_3_filter_0_records_in_total"] = s.came
			status["sink_nop_0_0_records_in_total"] = s.fired[i]
		}
	}
	switch {
	case k.mode == "tells nothing" && s.came > 0:
		delete(status, "sink_nop_0_0_records_in_total")
	case k.mode == "stops" && s.came > 0:
		status["status"] = "stopped by error"
	}
	_ = json.NewEncoder(w).Encode(status)
}

func (k *fakeKuiper) push(w http.ResponseWriter, r *http.Request) {
	var e struct{ Type, Visitor, URL string }
	text, err := io.ReadAll(r.Body)
	if err = errors.Join(err, json.Unmarshal(text, &e)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.sets[strings.TrimPrefix(r.URL.Path, "/")]
	k.posts++
	tried := s.came >= fakeEvents // the answers have been compared
	switch {
	case k.mode == "dies" && tried:
		os.Exit(1)
	case k.mode == "loses" && tried && k.posts%3 == 0:
		s.came++
	case k.mode == "one fewer" && !s.missed && e.Type == "page_view" && strings.Contains(e.URL, "/pricing/"):
		s.missed = true
		s.came++
	default:
		s.came++
		s.sent(visitSent(e.Type, e.Visitor, e.URL))
		if k.mode == "makes up" && tried {
			s.fired[0]++
		}
	}
	_, _ = w.Write([]byte("ok"))
}

// fakeEvents are sent to each set before any speed is looked at.
const fakeEvents = 1500

// visitSent is the visit that an event tells of.
func visitSent(kindText, visitor, url string) visit {
	v := visit{path: sixPaths}
	for v.kind < kinds && kindName[v.kind] != kindText {
		v.kind++
	}
	if _, page, ok := strings.Cut(url, "/pricing/"); ok {
		page, _, _ = strings.Cut(page, "?")
		v.path, _ = strconv.Atoi(page)
	}
	if raw, err := strconv.ParseUint(visitor[:8]+visitor[9:13], 16, 63); err == nil {
		v.visitor = int(raw)
	}
	return v
}

// TestKuiperIsCompared: its speed is shown where its rules fire as ours do, with what it loses, and else it is left out with the reason.
func TestKuiperIsCompared(t *testing.T) {
	for mode, leftOut := range map[string]string{
		"right":         "",
		"loses":         "",
		"one fewer":     "its firings are not those that are due",
		"makes up":      "were due",
		"refuses":       "answered 400",
		"tells nothing": "counters of 0 sinks",
		"stops":         "stopped by error",
		"dies":          "post to",
		"ends":          "no such file: etc",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := runKuiper(t, mode)
			ours, theirs := 0, 0
			most := 0.0
			for _, row := range r.Tables[0].Rows {
				if strings.HasSuffix(row.Name, kuiperName) {
					theirs++
					most = max(most, row.Cells[4].Max)
				} else if ours++; row.Cells[4].Max != 0 {
					t.Errorf("%s loses %v", row.Name, row.Cells[4])
				}
			}
			pairs := len(sharedSets())
			if ours != pairs {
				t.Errorf("%d rows of ours, want %d", ours, pairs)
			}
			switch {
			case leftOut == "":
				if theirs != pairs || len(r.LeftOut) > 0 {
					t.Errorf("%d rows, left out: %v", theirs, r.LeftOut)
				}
				if loses := mode == "loses"; loses != (most > 0.1) {
					t.Errorf("it loses %v", most)
				}
			case theirs == pairs || !strings.Contains(strings.Join(r.LeftOut, "\n"), leftOut):
				t.Errorf("%d rows, left out: %v, want %q", theirs, r.LeftOut, leftOut)
			}
		})
	}
}

func runKuiper(t *testing.T, mode string) *Report {
	t.Helper()
	r, err := Run(context.Background(), Options{
		Level: "peers-http", Events: fakeEvents, Rounds: 1, Dir: t.TempDir(), slotTime: 20 * time.Millisecond, fewConns: 4,
		kuiper: func() *exec.Cmd {
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), peerMode+"="+kuiperMode+mode)
			return c
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestBuiltKuiper: where this machine has built it, it gives our firings.
func TestBuiltKuiper(t *testing.T) {
	if _, err := os.Stat("peers/ekuiper/target/kuiperd"); err != nil {
		t.Skip("it is not built: make peers")
	}
	dir := t.TempDir()
	r, err := Run(context.Background(), Options{Level: "peers-http", Events: 2000, Rounds: 1, Dir: dir, Peers: "peers", fewConns: 16})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.LeftOut) > 0 {
		t.Error(r.LeftOut)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestWhatIsDue: a rule about pages fires at each of its views, one that counts at the visitor's so-many-th page view and no other.
func TestWhatIsDue(t *testing.T) {
	set := ruleSet{rules: []sharedRule{{id: "any", any: true}, {id: "one", page: 1}, {id: "third", views: 3}}}
	d := set.counting()
	for range 5 {
		d.sent(visit{kind: pageView, visitor: 7, path: 1})
		d.sent(visit{kind: pageView, visitor: 8, path: 0})
		d.sent(visit{kind: formView, visitor: 9, path: 1})
	}
	d.sent(visit{kind: pageView, visitor: 9, path: sixPricing})
	if got := fmt.Sprint(d.fired); got != "[10 5 2]" {
		t.Errorf("fired %s, want [10 5 2]", got)
	}
	if n := set.uncounted(d.fired); n != 15 {
		t.Errorf("%d firings of rules that do not count, want 15", n)
	}
	if err := d.compare([]int{10, 5, 1}); err == nil || !strings.Contains(err.Error(), "third fires 1 times, want 2") {
		t.Errorf("one firing fewer: %v", err)
	}
}
