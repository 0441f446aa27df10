package deliver

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nudge"
)

func TestAlertFormIsTheDocumentedOne(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		f := alertFiring(7, "Acme <is> hot")
		f.Cursor.N = 2
		f.Actions[0].Data = nil
		r.publish(f)
		item := `{"id":"f7","cursor":"7-2","rule":"hot","key":"acme.example","at":1007,"text":"Acme \u003cis\u003e hot","data":{}}`
		if _, body := r.get("/v1/alerts"); body != `{"alerts":[`+item+`],"next":"7-2"}`+"\n" {
			t.Errorf("body %s", body)
		}
		s := r.stream("/v1/alerts/stream")
		defer s.close()
		if e := s.next(); e != (sseEvent{"alert", "7-2", item}) {
			t.Errorf("event %+v", e)
		}
	})
}

// mixed is a feed with firings that have one alert, several, and none to deliver, and the ids of its alerts.
func mixed(n int) (list []nudge.Firing, ids []string) {
	for i := range n {
		o := nudge.Offset(i + 1)
		f := alertFiring(o, "a")
		switch i % 6 {
		case 1:
			f = popupFiring("v1", o, 0, "p")
		case 2:
			f = alertFiring(o, "a", "b", "c")
			ids = append(ids, f.ID, f.ID+".1", f.ID+".2")
		case 3:
			f.Shadow = true
		case 4:
			f.Suppressed = nudge.SuppressedUnless
		default:
			ids = append(ids, f.ID)
		}
		list = append(list, f)
	}
	return list, ids
}

func TestAlertWalk(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		list, want := mixed(3000)
		list = append(list, popupFiring("v1", 4000, 0, "p"))
		r.feed.add(list...)
		for _, c := range []struct{ limit, most int }{{1, 0}, {7, 0}, {100, 10}, {1000, 0}} {
			r.feed.most = c.most
			var got []string
			next := ""
			for {
				var ids []string
				ids, next = r.alerts(fmt.Sprintf("limit=%d&after=%s", c.limit, next))
				if len(ids) == 0 {
					break
				}
				if len(ids) > c.limit+2 {
					t.Fatalf("a page of %d with limit %d: more than the rest of a firing of three", len(ids), c.limit)
				}
				got = append(got, ids...)
			}
			wantIDs(t, got, want...)
			if next != "4000-0" {
				t.Errorf("next at the end is %s", next)
			}
			ids, again := r.alerts("after=" + next)
			if wantIDs(t, ids); again != next {
				t.Errorf("next moved from %s to %s", next, again)
			}
		}
		ids, _ := r.alerts("")
		if len(ids) < DefaultLimit || len(ids) > DefaultLimit+2 {
			t.Errorf("%d alerts without a limit", len(ids))
		}
	})
}

func TestAlertsBehindManyOtherFiringsAreFound(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		for i := range nudge.Offset(maxScan + 10) {
			r.feed.add(popupFiring("v1", i+1, 0, "p"))
		}
		r.feed.add(alertFiring(maxScan+11, "a"))
		ids, _ := r.alerts("")
		wantIDs(t, ids, fmt.Sprintf("f%d", maxScan+11))
	})
}

func TestAlertPollWaits(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		r.publish(alertFiring(1, "a"), popupFiring("v1", 2, 0, "p"))
		start := time.Now()
		time.AfterFunc(time.Second, func() { r.publish(popupFiring("v1", 3, 0, "p")) })
		ids, next := r.alerts("after=1-0&wait=25s")
		wantIDs(t, ids)
		if d := time.Since(start); d != 25*time.Second || next != "2-0" && next != "3-0" {
			t.Errorf("empty after %v with next %s", d, next)
		}
		start = time.Now()
		time.AfterFunc(time.Second, func() { r.publish(alertFiring(4, "a", "b")) })
		ids, next = r.alerts("after=" + next + "&wait=25s")
		wantIDs(t, ids, "f4", "f4.1")
		if d := time.Since(start); d != time.Second || next != "4-0" {
			t.Errorf("found after %v with next %s", d, next)
		}
	})
}

func TestAlertStreamResumes(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		list, want := mixed(600)
		r.feed.add(list...)

		var got []string
		lastID := ""
		for len(got) < len(want) {
			s := r.stream("/v1/alerts/stream?after=0-0", "Last-Event-ID: "+lastID)
			for range 37 { // then the connection is lost, often between two alerts of a firing
				e := s.next()
				if got = append(got, e.itemID(t)); e.id != "" {
					lastID = e.id
				}
				if len(got) == len(want) {
					break
				}
			}
			s.close()
			for got[len(got)-1] != want[lastOf(want, lastID)] {
				got = got[:len(got)-1] // a consumer that keeps the alerts of a firing once it has seen its id
			}
		}
		wantIDs(t, got, want...)
	})
}

// lastOf is the index of the last alert of the firing with a cursor "OFFSET-0".
func lastOf(ids []string, cursor string) int {
	firing := "f" + strings.TrimSuffix(cursor, "-0")
	last := -1
	for i, id := range ids {
		if id == firing || strings.HasPrefix(id, firing+".") {
			last = i
		}
	}
	return last
}

// An alert that comes when a consumer has just looked in vain, and does not wait yet, wakes it all the same.
func TestNothingFallsBetweenLookingAndWaiting(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		start := time.Now()
		r.feed.then = func() {
			r.feed.then = func() { r.publish(alertFiring(1, "a")) } // the poll's first look after the answer's own
		}
		ids, _ := r.alerts("wait=25s")
		wantIDs(t, ids, "f1")
		r.feed.then = func() { r.publish(alertFiring(2, "a")) }
		s := r.stream("/v1/alerts/stream?after=1-0")
		defer s.close()
		if got := s.next().itemID(t); got != "f2" {
			t.Errorf("got %s", got)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("took %v", d)
		}
	})
}

func TestAlertStreamFromLatest(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		r.publish(alertFiring(1, "a"), alertFiring(2, "a"))
		s := r.stream("/v1/alerts/stream?after=latest")
		defer s.close()
		r.publish(alertFiring(3, "a"))
		if got := s.next().itemID(t); got != "f3" {
			t.Errorf("first %s, want f3", got)
		}
		back := r.stream("/v1/alerts/stream?after=latest", "Last-Event-ID: 1-0")
		defer back.close()
		if got := back.next().itemID(t); got != "f2" {
			t.Errorf("first %s after coming back, want f2", got)
		}
		if ids, next := r.alerts("after=latest"); len(ids) != 0 || next != "3-0" {
			t.Errorf("%q, next %s", ids, next)
		}
	})
}

// A firing that reaches the feed unannounced is found at the next heartbeat.
func TestAlertStreamLooksAtEachHeartbeat(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		s := r.stream("/v1/alerts/stream")
		defer s.close()
		synctest.Wait()
		start := time.Now()
		r.feed.add(alertFiring(1, "a"))
		s.next()
		if d := time.Since(start); d != Heartbeat {
			t.Errorf("found after %v", d)
		}
	})
}

func TestEveryWalkSeesEachAlertOnceWhileOthersArePublished(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		list, want := mixed(2000)

		var consumers sync.WaitGroup
		start := time.Now()
		for i := range 4 {
			consumers.Go(func() { // pages, with and without waiting
				next := ""
				var got []string
				for len(got) < len(want) {
					ids, n := r.alerts(fmt.Sprintf("limit=%d&wait=%ds&after=%s", 1+i*17, 10*(i%2), next))
					got, next = append(got, ids...), n
				}
				if !slices.Equal(got, want) {
					t.Errorf("consumer %d: got %q, want %q", i, got, want)
				}
			})
			consumers.Go(func() { // streams, from the start and coming back
				s := r.stream("/v1/alerts/stream")
				defer func() { s.close() }()
				var got []string
				for len(got) < len(want) {
					e := s.next()
					got = append(got, e.itemID(t))
					if i > 1 && e.id != "" && len(got)%100 < i {
						s.close()
						s = r.stream("/v1/alerts/stream", "Last-Event-ID: "+e.id)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("consumer %d: got %q, want %q", i, got, want)
				}
			})
		}
		random := rand.New(rand.NewPCG(1, 2))
		for rest := list; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(30))
			r.publish(rest[:n]...)
			rest = rest[n:]
		}
		consumers.Wait()
		if d := time.Since(start); d != 0 {
			t.Errorf("somebody was not woken for %v", d)
		}
	})
}

func TestFeedThatCannotBeRead(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		s := r.stream("/v1/alerts/stream")
		defer s.close()
		synctest.Wait()
		r.feed.add(alertFiring(1, "a"))
		r.feed.mu.Lock()
		r.feed.err = errors.New("disk on fire")
		r.feed.mu.Unlock()
		if status, body := r.get("/v1/alerts?wait=10s"); status != http.StatusInternalServerError || !strings.Contains(body, `"code":"internal"`) || strings.Contains(body, "fire") {
			t.Errorf("%d %s", status, body)
		}
		r.hub.Publish([]nudge.Firing{alertFiring(1, "a")})
		if b := s.block(); b != "" {
			t.Errorf("the stream goes on with %q", b)
		}
		r.feed.mu.Lock()
		r.feed.err = fmt.Errorf("read: %w", nudge.ErrStopped)
		r.feed.mu.Unlock()
		if status, body := r.get("/v1/alerts"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"code":"stopped"`) {
			t.Errorf("%d %s", status, body)
		}
	})
}

func TestFeedThatGoesBackIsNotWalkedForEver(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		r.feed.add(alertFiring(2, "a"), alertFiring(1, "a"))
		if status, _ := r.get("/v1/alerts"); status != http.StatusInternalServerError {
			t.Errorf("status %d", status)
		}
	})
}

func TestAnswersAreJSON(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		f := alertFiring(1, "text \"quoted\"\n</script>", "\xff\u2028")
		f.Key, f.Rule = "a\"b", "r\\"
		p := popupFiring("v\"1", 2, millis(), "t\n\"")
		r.publish(f, p)
		for _, path := range []string{"/v1/alerts", "/v1/popups?visitor=v%221", "/v1/popups?visitor=", "/v1/alerts?after=%22%0a"} {
			_, body := r.get(path)
			if !json.Valid([]byte(body)) {
				t.Errorf("%s: %s", path, body)
			}
		}
		s := r.stream("/v1/alerts/stream")
		defer s.close()
		for range 2 {
			if e := s.next(); !json.Valid([]byte(e.data)) {
				t.Errorf("data %q", e.data)
			}
		}
	})
}
