package ingest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"nudge"
)

// fakeEraser remembers whom it was asked to erase. Erasure 7 is complete.
type fakeEraser struct {
	mu    sync.Mutex
	asked []string
	err   error
	block bool // WaitErasure waits for ctx

	entered chan struct{} // gets something when it begins to; may be nil
}

func (f *fakeEraser) Erase(_ context.Context, kind, id string) (nudge.Receipt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.HasSuffix(id, "panics") {
		panic("BUG: planted")
	}
	f.asked = append(f.asked, kind+" "+id)
	return nudge.Receipt{ID: 7, Kind: kind, Digest: "00"}, f.err
}

func (f *fakeEraser) WaitErasure(ctx context.Context, id nudge.Offset) (nudge.Receipt, bool, error) {
	if f.block {
		if f.entered != nil {
			f.entered <- struct{}{}
		}
		<-ctx.Done()
		return nudge.Receipt{ID: id}, true, f.err
	}
	return nudge.Receipt{ID: id, Complete: true}, id == 7, f.err
}

func newEraseRig(t *testing.T, change func(*ServerOptions)) (*rig, *fakeEraser) {
	f := &fakeEraser{}
	return newRig(t, func(o *ServerOptions) {
		o.Eraser, o.WriteKeys, o.AdminKeys = f, []string{"w"}, []string{"a1", "a2"}
		if change != nil {
			change(o)
		}
	}), f
}

func TestDeleteKey(t *testing.T) {
	r, f := newEraseRig(t, nil)
	key := []string{"X-Admin-Key", "a2"}
	a := r.do("DELETE", "/v1/keys/user/u7", "", key...)
	if a.status != 202 || !strings.HasPrefix(a.body, `{"id":7,"kind":"user","digest":"00","at":0,"state":{"visitors":0,`) || a.header.Get("Location") != "/v1/erasures/7" ||
		a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %s %v", a.status, a.body, a.header)
	}
	if a := r.do("DELETE", "/v1/keys/visitor/a%2Fb%20c%3F/d?wait=1s", "", key...); a.status != 200 || !strings.Contains(a.body, `"complete":true`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	r.do("DELETE", "/v1/keys/company/acme.example", "", key...)
	longest := strings.Repeat("x", MaxKeyBytes)
	r.do("DELETE", "/v1/keys/user/"+longest, "", "Authorization", "Bearer a1")
	for _, way := range []string{"..%2F..", "a%2F..%2F..%2F..%2Fevents", ".."} { // an id that looks like a way to another path
		if a := r.do("DELETE", "/v1/keys/user/"+way, "", key...); a.status != 202 {
			t.Errorf("%s: %d %s", way, a.status, a.body)
		}
	}
	if got, want := strings.Join(f.asked, "\n"), "user u7\nvisitor a/b c?/d\ncompany acme.example\nuser "+longest+"\nuser ../..\nuser a/../../../events\nuser .."; got != want {
		t.Errorf("asked\n%s\nwant\n%s", got, want)
	}
	for _, c := range []struct {
		path, code, field string
		status            int
	}{
		{"/v1/keys/person/acme", CodeBadValue, "kind", 400},
		{"/v1/keys/", CodeBadValue, "kind", 400},
		{"/v1/keys/user", CodeMissing, "id", 400},
		{"/v1/keys/user/", CodeMissing, "id", 400},
		{"/v1/keys/user/" + longest + "x", CodeTooLong, "id", 400},
		{"/v1/keys/user/u?wait=61s", CodeBadValue, "wait", 400},
		{"/v1/keys/user/u?wait=25", CodeBadValue, "wait", 400},
	} {
		r.do("DELETE", c.path, "", key...).wantError(t, c.status, c.code, c.field)
	}
	r.raw("DELETE /v1/keys/user/%zz HTTP/1.1\r\nHost: x\r\nX-Admin-Key: a1\r\n\r\n").wantError(t, 400, CodeBadValue, "id")
	r.do("GET", "/v1/keys/user/u", "", key...).wantError(t, 405, CodeMethod, "")
	r.do("OPTIONS", "/v1/keys/user/u", "").wantError(t, 405, CodeMethod, "")
	if len(f.asked) != 7 {
		t.Errorf("a request that was refused erased somebody: %q", f.asked)
	}
}

func TestGetErasure(t *testing.T) {
	r, f := newEraseRig(t, nil)
	key := []string{"X-Admin-Key", "a1"}
	if a := r.do("GET", "/v1/erasures/7?wait=60s", "", key...); a.status != 200 || !strings.Contains(a.body, `"complete":true`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	r.do("GET", "/v1/erasures/8", "", key...).wantError(t, 404, CodeNotFound, "id")
	r.do("GET", "/v1/erasures/u7", "", key...).wantError(t, 400, CodeBadValue, "id")
	r.do("GET", "/v1/erasures/7?wait=-1s", "", key...).wantError(t, 400, CodeBadValue, "wait")
	f.block = true
	if a := r.do("GET", "/v1/erasures/7", "", key...); a.status != 200 || !strings.Contains(a.body, `"complete":false`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestWhoMayErase(t *testing.T) {
	r, f := newEraseRig(t, nil)
	for _, header := range [][]string{nil, {"X-Admin-Key", "w"}, {"X-Write-Key", "a1"}, {"Authorization", "Bearer w"}} {
		r.do("DELETE", "/v1/keys/user/u?key=a1", "", header...).wantError(t, 401, CodeUnauthorized, "key")
		r.do("GET", "/v1/erasures/7?key=a1", "", header...).wantError(t, 401, CodeUnauthorized, "key")
	}
	closed, g := newEraseRig(t, func(o *ServerOptions) { o.AdminKeys = nil })
	closed.do("DELETE", "/v1/keys/user/u", "", "X-Admin-Key", "a1").wantError(t, 403, CodeForbidden, "")
	open, h := newEraseRig(t, func(o *ServerOptions) { o.AdminKeys, o.WriteKeys, o.OpenAdmin = nil, nil, true })
	if a := open.do("DELETE", "/v1/keys/user/u", ""); a.status != 202 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if len(f.asked)+len(g.asked) != 0 || len(h.asked) != 1 {
		t.Errorf("asked %q %q %q", f.asked, g.asked, h.asked)
	}
	without, _ := newEraseRig(t, func(o *ServerOptions) { o.Eraser = nil })
	without.do("DELETE", "/v1/keys/user/u", "", "X-Admin-Key", "a1").wantError(t, 404, CodeNotFound, "")
}

func TestEraseErrors(t *testing.T) {
	r, f := newEraseRig(t, nil)
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{{nudge.ErrBusy, 429, CodeBusy}, {nudge.ErrFull, 503, CodeFull}, {nudge.ErrStopped, 503, CodeStopped}, {context.Canceled, 500, CodeInternal}} {
		f.err = c.err
		for _, ask := range []string{"DELETE /v1/keys/user/u", "GET /v1/erasures/7"} {
			method, path, _ := strings.Cut(ask, " ")
			a := r.do(method, path, "", "X-Admin-Key", "a1")
			a.wantError(t, c.status, c.code, "")
			if again := a.header.Get("Retry-After") != ""; again != (c.status != 500) {
				t.Errorf("%v: Retry-After %q", c.err, a.header.Get("Retry-After"))
			}
		}
	}
}

// A request that waits does not hold up the server's end.
func TestCloseEndsWaits(t *testing.T) {
	r, f := newEraseRig(t, nil)
	f.block, f.entered = true, make(chan struct{})
	done := make(chan reply)
	go func() { done <- r.do("GET", "/v1/erasures/7?wait=60s", "", "X-Admin-Key", "a1") }()
	<-f.entered
	if err := r.srv.Close(); err != nil {
		t.Error(err)
	}
	if a := <-done; a.status != 200 || !strings.Contains(a.body, `"complete":false`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The server's log does not say who was to be erased.
func TestErasureIsNotLogged(t *testing.T) {
	r, f := newEraseRig(t, nil)
	f.err = context.Canceled
	r.do("DELETE", "/v1/keys/user/somebody", "", "X-Admin-Key", "a1").wantError(t, 500, CodeInternal, "")
	r.do("DELETE", "/v1/keys/user/panics", "", "X-Admin-Key", "a1").wantError(t, 500, CodeInternal, "")
	r.do("DELETE", "/v1/keys/user/..%2F..%2Fbut-panics", "", "X-Admin-Key", "a1").wantError(t, 500, CodeInternal, "")
	if logs := r.logs.String(); strings.Contains(logs, "somebody") || strings.Contains(logs, "user/panics") || strings.Contains(logs, "but-panics") || strings.Count(logs, "level=ERROR") != 3 {
		t.Errorf("logged: %s", logs)
	}
}
