package deliver

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nudge"
)

// inBubble runs a test in virtual time.
func inBubble(t *testing.T, o Options, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, o)
		defer func() {
			r.close()
			time.Sleep(time.Minute) // of the bubble: fasthttp's pool of workers looks only now and then whether it was stopped
		}()
		test(t, r)
	})
}

func wantIDs(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestPopupFormIsTheDocumentedOne(t *testing.T) {
	inBubble(t, Options{PopupTTL: time.Minute}, func(t *testing.T, r *rig) {
		at := millis()
		f := popupFiring("v1", 7, at, "demo-help")
		f.Actions[0].Data = []byte("{\"headline\":\n\"Stuck?\"}")
		r.publish(f)
		item := fmt.Sprintf(`{"id":"f7","rule":"demo-help","template":"demo-help","data":{"headline": "Stuck?"},"expires_at":%d}`, at+60_000)
		if _, body := r.get("/v1/popups?visitor=v1"); body != `{"popups":[`+item+`],"next":"7-0"}`+"\n" {
			t.Errorf("body %s", body)
		}
		s := r.stream("/v1/popups/stream?visitor=v1")
		defer s.close()
		if e := s.next(); e != (sseEvent{"popup", "7-0", item}) {
			t.Errorf("event %+v", e)
		}
		for name, want := range map[string]string{"Content-Type": "text/event-stream", "X-Accel-Buffering": "no", "Access-Control-Allow-Origin": "*"} {
			if got := s.resp.Header.Get(name); got != want {
				t.Errorf("header %s: %q, want %q", name, got, want)
			}
		}
	})
}

func TestPopupIsStreamedWithoutWaiting(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		s := r.stream("/v1/popups/stream?visitor=v1")
		defer s.close()
		synctest.Wait() // the stream waits
		start := time.Now()
		for i := range nudge.Offset(100) {
			r.publish(popupFiring("v1", i+1, millis(), "a"), popupFiring("v2", i+1, millis(), "b"))
			if got := s.next().itemID(t); got != fmt.Sprintf("f%d", i+1) {
				t.Fatalf("got %s at %d", got, i+1)
			}
			r.hub.Receipt(fmt.Sprintf("f%d", i+1))
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("the popups came %v late", d)
		}
	})
}

func TestPopupIsPendingUntilItsReceipt(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		r.publish(popupFiring("v1", 1, millis(), "a"), popupFiring("v1", 2, millis(), "b"), popupFiring("v2", 3, millis(), "c"))
		for range 2 {
			ids, _ := r.popups("visitor=v1")
			wantIDs(t, ids, "f1", "f2")
		}
		r.hub.Receipt("f1")
		ids, _ := r.popups("visitor=v1")
		wantIDs(t, ids, "f2")
		r.hub.Receipt("f2")
		ids, _ = r.popups("visitor=v1")
		wantIDs(t, ids)
		ids, _ = r.popups("visitor=v2")
		wantIDs(t, ids, "f3")
		if n := r.metric("popups_pending"); n != 1 {
			t.Errorf("pending %v, want 1", n)
		}
	})
}

func TestPopupExpiresOnTheMillisecond(t *testing.T) {
	inBubble(t, Options{PopupTTL: time.Minute}, func(t *testing.T, r *rig) {
		r.publish(popupFiring("v1", 1, millis(), "a"), popupFiring("v1", 2, millis()+1, "b"))
		time.Sleep(time.Minute - time.Millisecond)
		ids, _ := r.popups("visitor=v1")
		wantIDs(t, ids, "f1", "f2")
		time.Sleep(time.Millisecond)
		ids, _ = r.popups("visitor=v1")
		wantIDs(t, ids, "f2")
		if n := r.metric("popups_pending"); n != 1 {
			t.Errorf("pending %v, want 1", n)
		}
		r.publish(popupFiring("v1", 3, millis()-60_000, "late"), popupFiring("v1", 4, millis()-59_999, "just in time"))
		ids, _ = r.popups("visitor=v1")
		wantIDs(t, ids, "f2", "f4")
		if n := r.metric("popups_dropped_total", "reason=expired"); n != 2 {
			t.Errorf("expired %v, want 2", n)
		}
		time.Sleep(time.Minute)
		r.metric("popups_pending")
		if n := len(r.hub.pending.byVisitor); n != 0 || r.hub.pending.oldest != nil || r.hub.pending.newest != nil {
			t.Errorf("%d inboxes are left", n)
		}
	})
}

func TestExpiredPopupsGoWhileOthersCome(t *testing.T) {
	inBubble(t, Options{PopupTTL: time.Minute}, func(t *testing.T, r *rig) {
		for i := range nudge.Offset(100) {
			r.publish(popupFiring(fmt.Sprintf("v%d", i), i+1, millis(), "a"))
		}
		time.Sleep(time.Minute)
		for i := range nudge.Offset(100 / expirePerFiring) {
			r.publish(popupFiring("w", i+101, millis(), "a"))
		}
		if n := len(r.hub.pending.byVisitor); n != 1 {
			t.Errorf("%d inboxes, want 1", n)
		}
	})
}

func TestLongPoll(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		start := time.Now()
		ids, next := r.popups("visitor=v1&wait=25s")
		wantIDs(t, ids)
		if d := time.Since(start); d != 25*time.Second || next != "0-0" {
			t.Errorf("empty after %v with next %s", d, next)
		}

		start = time.Now()
		time.AfterFunc(3*time.Second, func() { r.publish(popupFiring("v2", 1, millis(), "a")) })
		time.AfterFunc(5*time.Second, func() { r.publish(popupFiring("v1", 2, millis(), "a")) })
		ids, next = r.popups("visitor=v1&wait=25s")
		wantIDs(t, ids, "f2")
		if d := time.Since(start); d != 5*time.Second || next != "2-0" {
			t.Errorf("found after %v with next %s", d, next)
		}

		start = time.Now()
		ids, _ = r.popups("visitor=v1&wait=25s")
		wantIDs(t, ids, "f2")
		if d := time.Since(start); d != 0 {
			t.Errorf("what is pending came after %v", d)
		}

		time.AfterFunc(time.Second, func() { r.publish(popupFiring("v1", 3, millis(), "a")) })
		ids, next = r.popups("visitor=v1&wait=60s&after=" + next)
		wantIDs(t, ids, "f3")
		ids, next = r.popups("visitor=v1&after=" + next)
		wantIDs(t, ids)
		if next != "3-0" {
			t.Errorf("next %s of an empty answer", next)
		}
		if n := r.metric("streams_open", "kind=popup_poll"); n != 0 {
			t.Errorf("%v polls left", n)
		}
	})
}

func TestPopupsOfOneFiringStayTogether(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		s := r.stream("/v1/popups/stream?visitor=v1")
		defer s.close()
		f := popupFiring("v1", 1, millis(), "a", "b", "c")
		f.Actions = slices.Insert(f.Actions, 1, nudge.Action{Kind: nudge.ActionAlert, Name: "not a popup"})
		r.publish(f, popupFiring("v1", 2, millis(), "d"))
		var got []string
		for range 4 {
			e := s.next()
			got = append(got, e.itemID(t)+" "+e.id)
		}
		wantIDs(t, got, "f1 ", "f1.1 ", "f1.2 1-0", "f2 2-0")
	})
}

func TestPopupStreamResumes(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		for i := range nudge.Offset(4) {
			r.publish(popupFiring("v1", i+1, millis(), "a"))
		}
		for _, c := range []struct{ query, header, first string }{
			{"", "", "f1"},
			{"&after=2-0", "", "f3"},
			{"&after=1-7", "", "f2"},
			{"&after=1-0", "Last-Event-ID: 3-0", "f4"},
		} {
			var headers []string
			if c.header != "" {
				headers = append(headers, c.header)
			}
			s := r.stream("/v1/popups/stream?visitor=v1"+c.query, headers...)
			if got := s.next().itemID(t); got != c.first {
				t.Errorf("%q %q: first %s, want %s", c.query, c.header, got, c.first)
			}
			s.close()
		}
	})
}

func TestOnlyDeliveredPopupsArePublishedAndOnce(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		shadow := popupFiring("v1", 1, millis(), "a")
		shadow.Shadow = true
		suppressed := popupFiring("v1", 2, millis(), "a")
		suppressed.Suppressed = nudge.SuppressedCooldown
		nobody := popupFiring("", 3, millis(), "a")
		r.publish(shadow, suppressed, nobody, popupFiring("v1", 4, millis(), "a"))
		r.hub.Receipt("f4")
		r.hub.Publish([]nudge.Firing{popupFiring("v1", 4, millis(), "a")}) // comes out again
		ids, _ := r.popups("visitor=v1")
		wantIDs(t, ids)
		if n := r.metric("popups_dropped_total", "reason=nobody"); n != 1 {
			t.Errorf("for nobody: %v, want 1", n)
		}
	})
}

func TestPublishKeepsNothingOfTheCallersMemory(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		list := []nudge.Firing{popupFiring("v1", 1, millis(), "a")}
		r.hub.Publish(list)
		copy(list[0].Actions[0].Data, `{"b":2}`)
		list[0].Actions[0].Name = "z"
		if _, body := r.get("/v1/popups?visitor=v1"); !strings.Contains(body, `"template":"a","data":{"a":1}`) {
			t.Errorf("body %s", body)
		}
	})
}

func TestPendingLimits(t *testing.T) {
	inBubble(t, Options{MaxPopups: 20}, func(t *testing.T, r *rig) {
		for i := range nudge.Offset(DefaultMaxPopupsPerVisitor) {
			r.publish(popupFiring("v1", i+1, millis(), "a"))
		}
		ids, _ := r.popups("visitor=v1")
		if len(ids) != 16 || ids[0] != "f1" {
			t.Fatalf("at the limit: %q", ids)
		}
		r.publish(popupFiring("v1", 17, millis(), "a"))
		ids, _ = r.popups("visitor=v1")
		if len(ids) != 16 || ids[0] != "f2" || ids[15] != "f17" {
			t.Fatalf("beyond the limit: %q", ids)
		}
		for i := range nudge.Offset(4) {
			r.publish(popupFiring(fmt.Sprintf("w%d", i), i+18, millis(), "a"))
		}
		if n := r.metric("popups_pending"); n != 20 {
			t.Fatalf("pending %v, want 20", n)
		}
		r.publish(popupFiring("x", 22, millis(), "a"))
		ids, _ = r.popups("visitor=v1")
		if len(ids) != 15 || ids[0] != "f3" {
			t.Fatalf("beyond the limit of all: %q", ids)
		}
		if n := r.metric("popups_dropped_total", "reason=crowded_out"); n != 2 {
			t.Errorf("crowded out %v, want 2", n)
		}
	})
}

func TestStreamLimits(t *testing.T) {
	inBubble(t, Options{MaxStreams: 10}, func(t *testing.T, r *rig) {
		var open []*sse
		for range DefaultMaxStreamsPerVisitor {
			open = append(open, r.stream("/v1/popups/stream?visitor=v1"))
		}
		for _, path := range []string{"/v1/popups/stream?visitor=v1", "/v1/popups?visitor=v1&wait=1s"} {
			resp := r.do("GET", path)
			if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "5" {
				t.Errorf("%s: %d, Retry-After %q", path, resp.StatusCode, resp.Header.Get("Retry-After"))
			}
			resp.Body.Close()
		}
		open = append(open, r.stream("/v1/popups/stream?visitor=v2"), r.stream("/v1/alerts/stream"))
		for _, path := range []string{"/v1/popups/stream?visitor=v3", "/v1/alerts/stream", "/v1/alerts?wait=1s"} {
			if status, body := r.get(path); status != 429 || !strings.Contains(body, `"code":"too_many_streams"`) {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		if status, _ := r.get("/v1/popups?visitor=v1"); status != 200 { // who does not wait takes no room
			t.Errorf("a plain request is refused: %d", status)
		}
		r.publish(popupFiring("v1", 1, millis(), "a"))
		ids, _ := r.popups("visitor=v1&wait=1s") // nor who need not wait
		wantIDs(t, ids, "f1")
		if n := r.metric("streams_refused_total"); n != 5 {
			t.Errorf("refused %v, want 5", n)
		}
		for _, s := range open {
			s.close()
		}
		time.Sleep(2 * Heartbeat) // one heartbeat to be answered by a closed connection
		synctest.Wait()
		if n := r.metric("streams_open", "kind=popup_stream"); n != 0 || len(r.hub.inside) != 0 || len(r.hub.streams) != 0 {
			t.Errorf("%v streams left, %d guests, %d to be cut", n, len(r.hub.inside), len(r.hub.streams))
		}
		r.stream("/v1/popups/stream?visitor=v1").close()
	})
}
