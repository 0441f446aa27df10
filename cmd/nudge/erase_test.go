package main

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nudge"
)

// The command against a server: a person with texts that stand nowhere else is gone from the feed and from the data folder's files.
func TestErase(t *testing.T) {
	rules, data := t.TempDir(), t.TempDir()
	rule := `{per: company, when: on(page_view), then: alert("seen", {who: values(page_view, user, "7d"), note: note})}`
	if err := os.WriteFile(filepath.Join(rules, "seen.expr"), []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "--rules", rules, "--data", data, "--write-key", "w", "--feed-key", "f", "--admin-key", "a-1")
	const secret = "9c1f27e0b4"
	body := `{"type":"page_view","visitor":"v/` + secret + `","user":"` + secret + `","company":"acme","note":"` + secret + `"}`
	s.do("POST", "/v1/events?key=w&decide=1", body, 200)
	s.do("POST", "/v1/events?key=w&decide=1", `{"type":"page_view","visitor":"w","user":"bob","company":"acme"}`, 200)
	if got := s.do("GET", "/v1/alerts?key=f", "", 200); strings.Count(got, secret) < 2 {
		t.Fatalf("alerts before: %s", got)
	}
	run := func(args ...string) (int, string, string) {
		var out, errs strings.Builder
		code := execute(context.Background(), append([]string{"erase", "--url", s.url}, args...), strings.NewReader(""), &out, &errs)
		return code, out.String(), errs.String()
	}
	if code, _, errs := run("--user", secret); code != exitUsage || !strings.Contains(errs, "this needs an admin key") {
		t.Errorf("without a key: %d %s", code, errs)
	}
	if code, _, errs := run("--visitor", "v/"+secret, "--admin-key", "a-1"); code != exitDone {
		t.Fatalf("erase a visitor: %d %s", code, errs)
	}
	code, out, errs := run("--user", secret, "--admin-key", "a-1")
	var r nudge.Receipt
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitDone || !r.Complete || r.State.Users != 1 || strings.Contains(out, secret) {
		t.Fatalf("erase a user: %d %s %s %v", code, out, errs, err)
	}
	if got := s.do("GET", "/v1/alerts?key=f", "", 200); strings.Contains(got, secret) || strings.Count(got, `"key":"acme"`) != 1 {
		t.Errorf("alerts after: %s", got)
	}
	if got := s.do("GET", "/metrics", "", 200); !strings.Contains(got, "nudge_engine_erasures_total 2\n") || !strings.Contains(got, "nudge_engine_erasures_open 0\n") {
		t.Error("the metrics do not count the erasures")
	}
	s.end()
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), secret) {
			t.Errorf("%s still holds the person", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.errs.String(), secret) {
		t.Error("the server's log names the person")
	}
}

// eraseRig erases on a server that answers with each of the answers in turn.
func eraseRig(t *testing.T, kind, id string, answers ...http.HandlerFunc) (out string, asked []string, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.RequestURI+" "+r.Header.Get("X-Admin-Key"))
		if len(answers) == 0 {
			t.Error("one request more than expected")
			return
		}
		next := answers[0]
		answers = answers[1:]
		next(w, r)
	}))
	defer server.Close()
	e := &eraser{url: server.URL, key: "k1", sleep: func(context.Context, time.Duration) error { return nil }}
	var b, errs strings.Builder
	err = e.erase(context.Background(), kind, id, &b, &errs)
	return b.String(), asked, err
}

func TestEraseWaits(t *testing.T) {
	out, asked, err := eraseRig(t, "user", "a/b?c d",
		reply(429, `{"error":{"code":"busy","message":"later"}}`), reply(503, `{"error":{"code":"stopped","message":"later"}}`),
		reply(202, `{"id":7,"kind":"user","complete":false}`), reply(200, `{"id":7,"complete":false}`),
		reply(503, `{"error":{"code":"stopped","message":"later"}}`), reply(200, `{"id":7,"complete":true,"log":{"records":3}}`))
	if err != nil || !strings.Contains(out, `"records": 3`) {
		t.Fatalf("%v: %s", err, out)
	}
	del, get := "DELETE /v1/keys/user/a%2Fb%3Fc%20d?wait=25s k1", "GET /v1/erasures/7?wait=25s k1"
	if got, want := strings.Join(asked, "\n"), strings.Join([]string{del, del, del, get, get, get}, "\n"); got != want {
		t.Errorf("asked\n%s\nwant\n%s", got, want)
	}
}

func TestEraseFails(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
		code   int
	}{
		{"no key", reply(401, `{"error":{"code":"unauthorized","message":"this needs an admin key"}}`), "this needs an admin key (--admin-key)", exitUsage},
		{"nobody may", reply(403, `{"error":{"code":"forbidden","message":"this server has no admin key"}}`), "has no admin key", exitUsage},
		{"too long", reply(400, `{"error":{"code":"too_long","message":"id has 300 bytes, the limit is 256"}}`), "id has 300 bytes", exitUsage},
		{"another program", reply(404, "not found"), "is it another program?", exitRun},
		{"server's fault", reply(500, `{"error":{"message":"the log says why"}}`), "the log says why", exitRun},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := eraseRig(t, "visitor", "v", c.answer)
			if err == nil || !strings.Contains(err.Error(), c.want) || exitCode(err) != c.code {
				t.Errorf("%v (code %d), want %q and %d", err, exitCode(err), c.want, c.code)
			}
		})
	}
}

// A server that is away is asked again, and the error does not say who was to be erased.
func TestEraseOfAServerThatIsAway(t *testing.T) {
	slept := 0
	e := &eraser{url: "http://127.0.0.1:1", sleep: func(context.Context, time.Duration) error { slept++; return nil }}
	var out, errs strings.Builder
	err := e.erase(context.Background(), "user", "somebody", &out, &errs)
	if err == nil || !strings.Contains(err.Error(), "Is the server running?") || strings.Contains(err.Error(), "somebody") || slept != eraseTries {
		t.Errorf("slept %d times: %v", slept, err)
	}
}
