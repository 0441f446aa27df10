package deliver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"nudge"
)

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestKeys(t *testing.T) {
	inBubble(t, Options{WriteKeys: []string{"w1", "w2"}, FeedKeys: []string{"f1"}}, func(t *testing.T, r *rig) {
		r.publish(alertFiring(1, "a"), popupFiring("v1", 2, millis(), "a"))
		for _, c := range []struct {
			path, header string
			status       int
		}{
			{"/v1/popups?visitor=v1", "", 401},
			{"/v1/popups?visitor=v1&key=w1", "", 200},
			{"/v1/popups?visitor=v1&key=w2", "", 200},
			{"/v1/popups?visitor=v1&key=w", "", 401},
			{"/v1/popups?visitor=v1&key=w11", "", 401},
			{"/v1/popups?visitor=v1&key=f1", "", 401},
			{"/v1/popups?visitor=v1&key=", "", 401},
			{"/v1/popups?visitor=v1", "X-Write-Key: w1", 200},
			{"/v1/popups?visitor=v1", "X-Feed-Key: w1", 401},
			{"/v1/popups?visitor=v1&key=w1", "X-Write-Key: bad", 401}, // the header comes first
			{"/v1/popups?visitor=v1", basic("w2", ""), 200},
			{"/v1/popups?visitor=v1", basic("bad", "w2"), 401},
			{"/v1/popups?visitor=v1", "Authorization: Basic ???", 401},
			{"/v1/popups?visitor=v1", "Authorization: Digest w1", 401},
			{"/v1/alerts", "", 401},
			{"/v1/alerts?key=f1", "", 200},
			{"/v1/alerts?key=w1", "", 401},
			{"/v1/alerts", "X-Feed-Key: f1", 200},
			{"/v1/alerts", "Authorization: Bearer f1", 200},
			{"/v1/alerts", "Authorization: bearer  f1", 200},
			{"/v1/alerts", basic("f1", "x"), 200},
			{"/v1/alerts", "Authorization: Bearer f2", 401},
		} {
			var headers []string
			if c.header != "" {
				headers = append(headers, c.header)
			}
			status, body := r.get(c.path, headers...)
			if status != c.status || status == 401 && !strings.Contains(body, `"code":"unauthorized"`) {
				t.Errorf("%s %q: %d %s", c.path, c.header, status, body)
			}
		}
		for _, path := range []string{"/v1/popups/stream?visitor=v1", "/v1/alerts/stream"} {
			if status, _ := r.get(path); status != 401 {
				t.Errorf("%s: %d", path, status)
			}
		}
		r.stream("/v1/popups/stream?visitor=v1&key=w1").close()
		r.stream("/v1/alerts/stream?key=f1").close()
	})
}

func TestBadRequests(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		for _, c := range []struct {
			path, header, field, message string
		}{
			{"/v1/popups", "", "visitor", "?visitor="},
			{"/v1/popups/stream?visitor=", "", "visitor", "?visitor="},
			{"/v1/popups?visitor=" + strings.Repeat("v", MaxVisitorBytes+1), "", "visitor", "at most 256 bytes, as in events; given are 257"},
			{"/v1/popups?visitor=v&wait=25", "", "wait", `with its unit, as in wait=25s; given is "25"`},
			{"/v1/popups?visitor=v&wait=60001ms", "", "wait", "from 0s to 60s"},
			{"/v1/popups?visitor=v&wait=-1s", "", "wait", "from 0s to 60s"},
			{"/v1/alerts?wait=1d", "", "wait", "from 0s to 60s"},
			{"/v1/alerts?limit=0", "", "limit", "from 1 to 1000"},
			{"/v1/alerts?limit=1001", "", "limit", "from 1 to 1000"},
			{"/v1/alerts?limit=ten", "", "limit", `given is "ten"`},
			{"/v1/alerts?after=12", "", "after", `OFFSET-N as in 1204-0; given is "12"`},
			{"/v1/alerts?after=" + strings.Repeat("9", 1000), "", "after", strings.Repeat("9", maxQuoted) + `"…`},
			{"/v1/popups?visitor=v&after=1-4294967296", "", "after", "OFFSET-N"},
			{"/v1/popups?visitor=v&after=latest", "", "after", "OFFSET-N"},
			{"/v1/popups/stream?visitor=v", "Last-Event-ID: x", "Last-Event-ID", "OFFSET-N"},
			{"/v1/alerts/stream?after=1-0", "Last-Event-ID: latest", "Last-Event-ID", "OFFSET-N"},
		} {
			var headers []string
			if c.header != "" {
				headers = append(headers, c.header)
			}
			status, body := r.get(c.path, headers...)
			var answer struct {
				Error struct{ Code, Message, Field string }
			}
			if err := json.Unmarshal([]byte(body), &answer); err != nil {
				t.Fatalf("%s: %v in %s", c.path, err, body)
			}
			if e := answer.Error; status != 400 || e.Field != c.field || e.Code == "" || !strings.Contains(e.Message, c.message) {
				t.Errorf("%s %q: %d %s", c.path, c.header, status, body)
			}
		}
		for _, path := range []string{"/v1/popups?visitor=" + strings.Repeat("v", MaxVisitorBytes), "/v1/popups?visitor=v&wait=60s", "/v1/alerts?limit=1000&wait=0s", "/v1/alerts?limit=1"} {
			if status, body := r.get(path); status != 200 {
				t.Errorf("%s, at the limit: %d %s", path, status, body)
			}
		}
	})
}

func TestMethodsAndOrigins(t *testing.T) {
	inBubble(t, Options{WriteKeys: []string{"w"}, FeedKeys: []string{"f"}}, func(t *testing.T, r *rig) {
		for path := range r.hub.Routes() {
			for _, method := range []string{"POST", "PUT", "DELETE"} {
				resp := r.do(method, path)
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, OPTIONS" || !strings.Contains(string(body), `"code":"method_not_allowed"`) {
					t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, body)
				}
			}
			resp := r.do("OPTIONS", path, "Origin: https://shop.example", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-write-key")
			resp.Body.Close()
			if h := resp.Header; resp.StatusCode != 204 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Headers") != "x-write-key" ||
				h.Get("Access-Control-Allow-Methods") != "GET, OPTIONS" || h.Get("Access-Control-Max-Age") == "" {
				t.Errorf("OPTIONS %s: %d %v", path, resp.StatusCode, h)
			}
			resp = r.do("GET", path) // a page must be able to read what it did wrong
			resp.Body.Close()
			if resp.StatusCode != 401 || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("GET %s: %d %v", path, resp.StatusCode, resp.Header)
			}
		}
	})
}

func TestAlertsWithoutKeyStayOnTheirOrigin(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		for path, want := range map[string]string{"/v1/alerts": "", "/v1/popups?visitor=v": "*"} {
			resp := r.do("GET", path, "Origin: https://elsewhere.example")
			resp.Body.Close()
			if got := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != 200 || got != want {
				t.Errorf("GET %s: %d, Access-Control-Allow-Origin %q, want %q", path, resp.StatusCode, got, want)
			}
		}
	})
}

func TestCursorOfAnotherFeed(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		for _, path := range []string{"/v1/alerts?after=99999-0", "/v1/alerts/stream?after=99999-0"} {
			resp := r.do("GET", path)
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 400 || !strings.Contains(string(body), `"code":"unknown_cursor"`) {
				t.Errorf("GET %s: %d %s", path, resp.StatusCode, body)
			}
		}
	})
}

// TestPopupCursorOfAnotherFeed: a browser that comes back to a server with another data folder is offered what is pending there.
func TestPopupCursorOfAnotherFeed(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		r.publish(popupFiring("v1", 7, millis(), "a"))
		s := r.stream("/v1/popups/stream?visitor=v1", "Last-Event-ID: 99999-0")
		if got := s.next().itemID(t); got != "f7" {
			t.Errorf("the stream begins with %s", got)
		}
		s.close()
		ids, next := r.popups("visitor=v1&after=99999-0")
		wantIDs(t, ids, "f7")
		ids, same := r.popups("visitor=v1&after=" + next)
		wantIDs(t, ids)
		if next != "7-0" || same != next {
			t.Errorf("next is %s, then %s, want 7-0", next, same)
		}
		if _, next = r.popups("visitor=nobody&after=7-1"); next != "0-0" {
			t.Errorf("next of an empty answer to a cursor of another feed is %s, want 0-0", next)
		}
	})
}

func TestOptionsSayEveryProblem(t *testing.T) {
	_, err := New(Options{WriteKeys: []string{"a", ""}, PopupTTL: -1, MaxPopups: -1})
	for _, want := range []string{"Feed is required", "WriteKeys[1] is empty", "PopupTTL is negative", "MaxPopups is negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if _, err := New(Options{Feed: &memFeed{}, PopupTTL: time.Microsecond}); err == nil {
		t.Error("a life below a millisecond is taken")
	}
}

// Whatever a client gives as a cursor is answered, and a cursor that is taken is a fixed point of being given back.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "0-0", "12-3", "12", "-", "1-", "-1", "1-2-3", "+1-0", "18446744073709551615-4294967295", "18446744073709551616-0", "1-0\n", "latest", "é", "1-0\x00"} {
		f.Add(seed)
	}
	feed := &memFeed{}
	feed.add(alertFiring(3, "a"), alertFiring(5, "b"))
	hub, err := New(Options{Feed: feed, Now: func() nudge.Millis { return 0 }})
	if err != nil {
		f.Fatal(err)
	}
	get := func(t *testing.T, after string) (int, string) {
		var ctx fasthttp.RequestCtx
		ctx.Request.SetRequestURI("/v1/alerts?after=" + url.QueryEscape(after))
		hub.Routes()["/v1/alerts"](&ctx)
		var body struct {
			Next   string
			Alerts []struct{ Cursor string }
			Error  struct{ Field string }
		}
		if err := json.Unmarshal(ctx.Response.Body(), &body); err != nil {
			t.Fatalf("%v in %s", err, ctx.Response.Body())
		}
		if status := ctx.Response.StatusCode(); status != 200 && (status != 400 || body.Error.Field != "after") {
			t.Fatalf("%d %s", status, ctx.Response.Body())
		}
		return len(body.Alerts), body.Next
	}
	f.Fuzz(func(t *testing.T, after string) {
		n, next := get(t, after)
		if next == "" {
			return
		}
		var c nudge.Cursor
		if after != latest {
			if c, err = nudge.ParseCursor(after); err != nil {
				t.Fatalf("%q is taken: %v", after, err)
			}
			want := 0
			for _, o := range []nudge.Offset{3, 5} {
				if c.Less(nudge.Cursor{Offset: o}) {
					want++
				}
			}
			if n != want || want == 0 && next != c.String() {
				t.Fatalf("after %q: %d alerts, next %s", after, n, next)
			}
		}
		if n, again := get(t, next); n != 0 || again != next {
			t.Fatalf("after next %s: %d alerts, next %s", next, n, again)
		}
	})
}

func ExampleHub_Routes() {
	hub, err := New(Options{Feed: &memFeed{}, Now: func() nudge.Millis { return 0 }})
	if err != nil {
		panic(err)
	}
	var ctx fasthttp.RequestCtx
	ctx.Request.SetRequestURI("/v1/popups")
	hub.Routes()["/v1/popups"](&ctx)
	fmt.Printf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	// Output: 400 {"error":{"code":"missing","message":"whose popups? Give the visitor's id, as in ?visitor=v1","field":"visitor"}}
}
