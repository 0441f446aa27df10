package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nudge"
	"nudge/state"
)

// feedLines are the firings of a folder's checkpoint, which is the end of its log where a server was stopped on it.
func feedLines(t *testing.T, data string) []string {
	t.Helper()
	out, _ := nudgeRun(t, "", exitDone, "inspect", "feed", "--data", data)
	return strings.Split(strings.TrimSpace(out), "\n")
}

// While events are taken, backups are made of the running server. A server that is started on one answers, up to its end, as the original did, and goes on.
func TestBackupUnderLoad(t *testing.T) {
	dir := t.TempDir()
	data, rules := filepath.Join(dir, "data"), inspectRules(t)
	s := startServer(t, "--rules", rules, "--data", data)
	var load sync.WaitGroup
	var stop atomic.Bool
	var taken [2]atomic.Int64
	for c := range taken {
		load.Go(func() {
			for i := 0; !stop.Load(); i++ {
				s.do("POST", "/v1/events", fmt.Sprintf(`{"type":"seen","id":"%d-%d","visitor":"v%d","company":"c%d.example","n":%d}`, c, i, i%50, i%20, i), 200)
				taken[c].Add(1)
			}
		})
	}
	const copies = 3
	var least [copies]int64
	for i := range copies {
		for taken[0].Load()+taken[1].Load() < int64(200*(i+1)) {
			s.do("GET", "/healthz", "", 200)
		}
		least[i] = taken[0].Load() + taken[1].Load()
		out, _ := nudgeRun(t, "", exitDone, "backup", filepath.Join(dir, fmt.Sprint("copy", i)), "--data", data)
		wantAll(t, "the backup", out, "backed up the log's offsets 1–", fmt.Sprint("copy", i))
	}
	stop.Store(true)
	load.Wait()
	s.end()
	if _, err := os.Stat(filepath.Join(data, controlName)); !os.IsNotExist(err) {
		t.Errorf("the control file stays behind: %v", err)
	}
	original := feedLines(t, data)
	for i := range copies {
		copied := filepath.Join(dir, fmt.Sprint("copy", i))
		b := startServer(t, "--rules", rules, "--data", copied) // nothing but what the backup holds is applied
		b.end()
		lines := feedLines(t, copied)
		if int64(len(lines)) < least[i] || len(lines) > len(original) || strings.Join(lines, "\n") != strings.Join(original[:len(lines)], "\n") {
			t.Fatalf("backup %d: %d firings, the original has %d, %d events were answered before", i, len(lines), len(original), least[i])
		}
		b = startServer(t, "--rules", rules, "--data", copied)
		b.do("POST", "/v1/events", `{"type":"seen","visitor":"v1","n":1}`, 200)
		b.end()
		if more := feedLines(t, copied); len(more) != len(lines)+1 {
			t.Errorf("backup %d goes on with %d firings behind %d", i, len(more), len(lines))
		}
	}
	if again := feedLines(t, data); strings.Join(again, "\n") != strings.Join(original, "\n") {
		t.Error("the backups' servers have changed the original")
	}
}

func TestBackupOfAStoppedFolder(t *testing.T) {
	data, rules := inspected(t)
	to := filepath.Join(t.TempDir(), "copy")
	out, _ := nudgeRun(t, "", exitDone, "backup", to, "--data", data)
	wantAll(t, "the backup", out, "offsets 1–7")
	summary, _ := nudgeRun(t, "", exitDone, "inspect", "--data", to) // it has no lock yet
	original, _ := nudgeRun(t, "", exitDone, "inspect", "--data", data)
	if summary != original {
		t.Errorf("the backup:\n%s\nthe original:\n%s", summary, original)
	}
	s := startServer(t, "--rules", rules, "--data", to)
	s.end()
	_, stderr := nudgeRun(t, "", exitUsage, "backup", to, "--data", data)
	wantAll(t, "the same folder", stderr, "is there already")
}

func TestBackupProblems(t *testing.T) {
	data, rules := inspected(t)
	_, stderr := nudgeRun(t, "", exitRun, "backup", filepath.Join(t.TempDir(), "copy"), "--data", filepath.Join(data, "none"))
	wantAll(t, "no folder", stderr, "is not a data folder")
	d, err := state.Open(data, state.Options{Names: nudge.NewNames()})
	if err != nil {
		t.Fatal(err)
	}
	_, stderr = nudgeRun(t, "", exitRun, "backup", filepath.Join(t.TempDir(), "copy"), "--data", data)
	wantAll(t, "another process", stderr, "in use by a process that cannot be asked")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	// The control file of a server that was killed is not taken for the next one's.
	stale := filepath.Join(data, controlName)
	if err := os.WriteFile(stale, []byte(`{"url":"http://127.0.0.1:1","token":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "--rules", rules, "--data", data)
	defer s.end()
	there := t.TempDir()
	_, stderr = nudgeRun(t, "", exitUsage, "backup", there, "--data", data)
	wantAll(t, "a folder that is there", stderr, there, "is there already")
	s.do("GET", backupPath, "", http.StatusMethodNotAllowed)
	wantAll(t, "without the token", s.do("POST", backupPath, `{"to":"/tmp/x"}`, http.StatusUnauthorized), "nudge backup")
	info, err := os.Stat(stale)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v: the control file's rights are %v", err, info.Mode())
	}
	text, err := os.ReadFile(stale)
	if err != nil {
		t.Fatal(err)
	}
	var c control
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"to":"relative"}`, `{}`, `x`} {
		req, err := http.NewRequest("POST", c.URL+backupPath, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.Token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", body, resp.Status)
		}
	}
}

// A backup that is being made when the server is stopped ends with it, and leaves nothing.
func TestBackupEndsWithTheServer(t *testing.T) {
	d := smallLog(t, t.TempDir())
	defer d.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := newBackups(ctx, d, nil)
	to := filepath.Join(t.TempDir(), "copy")
	req, err := http.NewRequest("POST", backupPath, strings.NewReader(fmt.Sprintf(`{"to":%q}`, to)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusConflict} {
		answer := &answerRecorder{header: http.Header{}}
		b.ServeHTTP(answer, req)
		if answer.status != want {
			t.Errorf("status %d, want %d", answer.status, want)
		}
		if req.Body, err = req.GetBody(); err != nil {
			t.Fatal(err)
		}
		b.making.TryLock() // the second one comes while another is made
	}
	b.making.Unlock()
	b.stop()
	if left, err := filepath.Glob(to + "*"); err != nil || left != nil {
		t.Errorf("%v: %v is left", err, left)
	}
}

// A server that ends by itself, and not by a signal, ends the backup too, and begins no other.
func TestBackupEndsWithAServerThatFails(t *testing.T) {
	d := smallLog(t, t.TempDir())
	defer d.Close()
	b := newBackups(t.Context(), d, nil)
	b.making.Lock()
	go func() { // one that is being made
		<-b.ctx.Done()
		b.making.Unlock()
	}()
	stopped := make(chan struct{})
	go func() {
		b.stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(10 * time.Second):
		t.Fatal("stop waits for the end of a backup that goes on")
	}
	req, err := http.NewRequest("POST", backupPath, strings.NewReader(`{"to":"/copy"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	answer := &answerRecorder{header: http.Header{}}
	if b.ServeHTTP(answer, req); answer.status != http.StatusConflict {
		t.Errorf("status %d, want %d", answer.status, http.StatusConflict)
	}
}

// answerRecorder keeps the status of an answer.
type answerRecorder struct {
	header http.Header
	status int
}

func (a *answerRecorder) Header() http.Header         { return a.header }
func (a *answerRecorder) Write(p []byte) (int, error) { return len(p), nil }
func (a *answerRecorder) WriteHeader(status int)      { a.status = status }
