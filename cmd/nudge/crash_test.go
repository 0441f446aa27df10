package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The crash test's load: what is sent at once, by how many clients, and after how many answered events about the process is killed.
const (
	crashClients   = 4
	crashCompanies = 20
	crashEvents    = 20              // at most, in one request
	crashStep      = 2000            // answered events between two kills, about
	crashTime      = 5 * time.Minute // for all of it; some seconds where the machine has little else to do
)

// buildBinary builds the command as a user does.
func buildBinary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the binary and runs it as a process")
	}
	bin := filepath.Join(t.TempDir(), "nudge")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// process is a running `nudge serve` of the real binary.
type process struct {
	*testing.T
	cmd  *exec.Cmd
	url  string
	errs lockedBuffer
}

// startProcess starts the binary and waits until it is ready. ok is false if it ended instead.
func startProcess(t *testing.T, bin string, flags ...string) (p *process, ok bool) {
	t.Helper()
	p = &process{T: t, cmd: exec.Command(bin, append([]string{"serve"}, flags...)...)}
	p.cmd.Dir = filepath.Dir(bin) // no nudge.yaml lies there
	p.cmd.Stderr = &p.errs
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.end(syscall.SIGKILL)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = p.cmd.Wait()
		return p, false
	}
	p.url, ok = strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		t.Fatalf("the first line is %q", line)
	}
	return p, true
}

// mustStart wants the process to become ready.
func mustStart(t *testing.T, bin string, flags ...string) *process {
	t.Helper()
	p, ok := startProcess(t, bin, flags...)
	if !ok {
		t.Fatalf("serve ended with code %d: %s", p.code(), p.errs.String())
	}
	return p
}

// end sends the process a signal and waits for its end.
func (p *process) end(s os.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.Fatal(err)
	}
	_ = p.cmd.Wait() // the exit code is in ProcessState
}

func (p *process) code() int { return p.cmd.ProcessState.ExitCode() }

// crashRules are a rule that fires once per event and one that fires once per company.
func crashRules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for id, text := range map[string]string{
		"each":   `{per: visitor, when: on(event("seen")), then: alert("seen", {n: n})}`,
		"people": `{per: company, when: distinct(event("seen"), visitor, "30d") >= 3, then: alert("people", {who: values(event("seen"), visitor, "30d")})}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, id+".expr"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestProcess runs the real binary as a process.
func TestProcess(t *testing.T) {
	bin := buildBinary(t)
	t.Run("survives kills", func(t *testing.T) { survivesKills(t, bin) })
	t.Run("survives kills between brokers", func(t *testing.T) { survivesKillsBetweenBrokers(t, bin) })
	t.Run("refuses a damaged log", func(t *testing.T) { refusesDamage(t, bin) })
	t.Run("stops in order", func(t *testing.T) { stopsInOrder(t, bin) })
	t.Run("ends with a second signal", func(t *testing.T) { secondSignal(t, bin) })
	t.Run("says what is in use", func(t *testing.T) { saysWhatIsInUse(t, bin) })
}

// survivesKills loads the real server, kills it three times with SIGKILL and stops it once with SIGTERM, each time on the same folder, and wants
// every answered event to have fired exactly once, in one walk of the feed that goes on through all of it.
func survivesKills(t *testing.T, bin string) {
	rules, data := crashRules(t), filepath.Join(t.TempDir(), "data")
	ctx, cancel := context.WithTimeout(t.Context(), crashTime)
	defer cancel()
	l := newLoad(t, ctx)
	start := func(shards string) *process {
		p := mustStart(t, bin, "--data", data, "--rules", rules, "--listen", "127.0.0.1:0", "--shards", shards)
		l.move(p.url)
		return p
	}
	p := start("2")
	var clients sync.WaitGroup
	for i := range crashClients {
		clients.Go(func() { l.client(i) })
	}
	var drained atomic.Bool
	walked := make(chan []alert, 1)
	go func() { walked <- l.walk(nil, "", &drained) }()

	for i, sig := range []os.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL} {
		l.wait(crashStep/2 + rand.IntN(crashStep))
		p.end(sig)
		if sig == syscall.SIGTERM && p.code() != exitDone {
			t.Errorf("after SIGTERM serve ends with code %d: %s", p.code(), p.errs.String())
		}
		p = start([]string{"1", "5", "3", "2"}[i])
	}
	l.wait(crashStep / 2)
	l.stop.Store(true)
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	for open := true; open; {
		select {
		case <-l.answered:
		case <-done:
			open = false
		}
	}
	// A request with decide is answered behind everything before it.
	if !l.post([]byte(`{"type":"last","visitor":"v"}`), 1, true) {
		t.Fatal("the last event is not taken")
	}
	drained.Store(true)
	through := <-walked
	again := l.walk(nil, "", &drained)
	p.end(syscall.SIGTERM)
	if ctx.Err() != nil {
		t.Fatal("not done in time")
	}
	if fmt.Sprint(through) != fmt.Sprint(again) {
		t.Errorf("one walk through all processes saw %d alerts, one at the end %d, or others", len(through), len(again))
	}
	l.check(again)
	t.Logf("accepted: %d events; sent once more: %d; requests without an answer: %d; fired: %d alerts", len(l.acked), l.again, l.failed, len(again))
	crashMetrics(t, bin, data, rules, p)
}

// check wants each answered event and each company once, in order.
func (l *load) check(alerts []alert) {
	l.Helper()
	ids, events, companies := map[string]int{}, map[string]int{}, map[string]int{}
	var offset, n int
	for i, a := range alerts {
		var o, m int
		if _, err := fmt.Sscanf(a.Cursor, "%d-%d", &o, &m); err != nil {
			l.Fatalf("cursor %q: %v", a.Cursor, err)
		}
		if i > 0 && (o < offset || o == offset && m <= n) {
			l.Fatalf("cursor %s follows %d-%d", a.Cursor, offset, n)
		}
		offset, n = o, m
		ids[a.ID]++
		switch a.Rule {
		case "each":
			client, _, _ := strings.Cut(strings.TrimPrefix(a.Key, "v"), "-")
			events[fmt.Sprintf("c%s-%d", client, a.Data.N)]++
		case "people":
			companies[a.Key]++
		}
	}
	for id, times := range ids {
		if times != 1 {
			l.Errorf("the id %s stands %d times", id, times)
		}
	}
	for id := range l.acked {
		if events[id] != 1 {
			l.Errorf("the answered event %s fired %d times", id, events[id])
		}
	}
	for id := range events {
		if !l.acked[id] {
			l.Errorf("the event %s fired and was not answered, though it was sent until it was", id)
		}
	}
	for i := range crashCompanies {
		if key := fmt.Sprintf("company-%d.example", i); companies[key] != 1 {
			l.Errorf("the rule of %s fired %d times", key, companies[key])
		}
	}
}

// crashMetrics starts once more, on what a stopped process left, and says what the server counts. A checkpoint holds everything, but where the process says
// that it left the last one out: it does that on a machine that is too busy to write one in the time.
func crashMetrics(t *testing.T, bin, data, rules string, stopped *process) {
	t.Helper()
	leftOut := strings.Contains(stopped.errs.String(), "the last checkpoint takes too long and is left out")
	p := mustStart(t, bin, "--data", data, "--rules", rules, "--listen", "127.0.0.1:0")
	resp, err := http.Get(p.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) (v float64) {
		line := regexp.MustCompile(`(?m)^` + name + ` .*$`).FindString(string(text))
		if _, err := fmt.Sscanf(line, name+" %g", &v); err != nil {
			t.Errorf("metric %s: %q", name, line)
		}
		return v
	}
	next, from := value("nudge_engine_log_next_offset"), value("nudge_engine_checkpoint_next_offset")
	if next != from && !leftOut {
		t.Errorf("after SIGTERM the checkpoint ends at %v, the log at %v", from, next)
	}
	t.Logf("applied: %v records, all that the log holds", next-1)
	p.end(syscall.SIGTERM)
}

// refusesDamage: one flipped bit in the middle of the log keeps the server from starting; it names file and offset and changes nothing.
func refusesDamage(t *testing.T, bin string) {
	rules, data := crashRules(t), filepath.Join(t.TempDir(), "data")
	flags := []string{"--data", data, "--rules", rules, "--listen", "127.0.0.1:0"}
	p := mustStart(t, bin, flags...)
	l := newLoad(t, t.Context())
	l.move(p.url)
	for i := range 50 {
		if !l.post(fmt.Appendf(nil, `{"type":"seen","id":"e%d","visitor":"v%d","n":%d}`, i, i, i), 1, false) {
			t.Fatalf("event %d is not taken", i)
		}
	}
	p.end(syscall.SIGKILL)

	segments, err := filepath.Glob(filepath.Join(data, "log", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var file string
	var bytesOf []byte
	for _, s := range segments {
		b, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		if used := bytes.TrimRight(b, "\x00"); len(used) > len(bytesOf) {
			file, bytesOf = s, used
		}
	}
	middle := int64(len(bytesOf) / 2)
	flip := func() {
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		bytesOf[middle] ^= 1 << 3
		if _, err := f.WriteAt(bytesOf[middle:middle+1], middle); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	flip()
	for range 2 { // the first try must not have mended anything
		p, ok := startProcess(t, bin, flags...)
		if ok {
			t.Fatal("serve starts on a damaged log")
		}
		if p.code() != exitRun {
			t.Errorf("exit code %d, want %d", p.code(), exitRun)
		}
		said := p.errs.String()
		if !strings.Contains(said, file) || !regexp.MustCompile(`offset \d+`).MatchString(said) || strings.Contains(said, "goroutine") {
			t.Errorf("the error names not file and offset: %s", said)
		}
		if t.Failed() {
			break
		}
		t.Log(strings.TrimSpace(said))
	}
	if b, err := os.ReadFile(file); err != nil || !bytes.Equal(bytes.TrimRight(b, "\x00"), bytesOf) {
		t.Errorf("the damaged file was changed (%v)", err)
	}
	flip()
	p = mustStart(t, bin, flags...)
	l.move(p.url)
	var drained atomic.Bool
	drained.Store(true)
	if got := l.walk(nil, "", &drained); len(got) != 50 {
		t.Errorf("mended, the log has %d alerts, want 50", len(got))
	}
	p.end(syscall.SIGTERM)
}

// saysWhatIsInUse: a folder or a port that another process uses gives an error that says so, and exit code 3; the other one goes on.
func saysWhatIsInUse(t *testing.T, bin string) {
	rules, data := crashRules(t), filepath.Join(t.TempDir(), "data")
	p := mustStart(t, bin, "--data", data, "--rules", rules, "--listen", "127.0.0.1:0")
	addr := strings.TrimPrefix(p.url, "http://")
	for _, tt := range []struct {
		name  string
		flags []string
		want  []string
	}{
		{"folder", []string{"--data", data, "--listen", "127.0.0.1:0"}, []string{data, "in use by another nudge process"}},
		{"port", []string{"--data", t.TempDir(), "--listen", addr}, []string{addr, "another program uses this port"}},
		{"both", []string{"--data", data, "--listen", addr}, []string{data, "in use by another nudge process"}},
	} {
		other, ok := startProcess(t, bin, append(tt.flags, "--rules", rules)...)
		if ok {
			t.Fatalf("%s: a second server starts", tt.name)
		}
		if other.code() != exitRun {
			t.Errorf("%s: exit code %d, want %d", tt.name, other.code(), exitRun)
		}
		for _, want := range tt.want {
			if !strings.Contains(other.errs.String(), want) {
				t.Errorf("%s: the error does not say %q: %s", tt.name, want, other.errs.String())
			}
		}
	}
	l := newLoad(t, t.Context())
	l.move(p.url)
	if !l.post([]byte(`{"type":"seen","visitor":"v","n":1}`), 1, true) {
		t.Error("the first server does not go on")
	}
	p.end(syscall.SIGTERM)
	if p.code() != exitDone {
		t.Errorf("exit code %d: %s", p.code(), p.errs.String())
	}
}
