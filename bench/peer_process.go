package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// peerPatience is how long a peer may take for one answer.
const peerPatience = 10 * time.Minute

// peerComplaint is how much of what a peer writes to standard error is kept for the message when it fails: the end.
const peerComplaint = 2000

// peerProcess is a running peer.
type peerProcess struct {
	events  string // its file
	count   int    // that it has read
	command *exec.Cmd
	stdin   io.WriteCloser
	lines   *bufio.Reader
	errors  *tail
	cancel  context.CancelFunc
	closed  bool
}

// newPeerProcess starts a peer and waits until it has read the events. The error says why this machine cannot run it, and what would help.
func newPeerProcess(ctx context.Context, p *peer, folder, events string) (*peerProcess, error) {
	if p.command != nil {
		return launch(ctx, p.command(events), events)
	}
	built := filepath.Join(folder, p.folder, "target")
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, errors.New("there is no java on this machine")
	}
	if why, err := os.ReadFile(filepath.Join(built, "left-out")); err == nil {
		return nil, fmt.Errorf("make peers could not build it: %s", strings.TrimSpace(string(why)))
	}
	if _, err := os.Stat(filepath.Join(built, "lib")); err != nil {
		return nil, fmt.Errorf("it is not built: make peers (looked in %s)", built)
	}
	args := append(javaOptions(built, filepath.Dir(events)), p.program...)
	return launch(ctx, exec.Command(java, append(args, events)...), events)
}

// javaOptions are those of every peer: room on the heap, so that what is collected is garbage and not want of space, the folder for
// files, which the bench removes, and what Flink asks for on this Java.
func javaOptions(built, temporary string) []string {
	return []string{
		"-Xms2g", "-Xmx8g", "-XX:+UseParallelGC", "-Djava.io.tmpdir=" + temporary,
		"--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED",
		"-cp", filepath.Join(built, "classes") + string(filepath.ListSeparator) + filepath.Join(built, "lib", "*"),
	}
}

// launch starts a process that talks as peers/README.md says.
func launch(ctx context.Context, command *exec.Cmd, events string) (*peerProcess, error) {
	p := &peerProcess{events: events, command: command, errors: &tail{}}
	ctx, p.cancel = context.WithCancel(ctx)
	context.AfterFunc(ctx, func() {
		if command.Process != nil {
			_ = command.Process.Kill() // it may have ended
		}
	})
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.stdin, err = command.StdinPipe(); err != nil {
		return nil, err
	}
	command.Stderr = p.errors
	if err := command.Start(); err != nil {
		p.cancel()
		return nil, err
	}
	p.lines = bufio.NewReader(stdout)
	if err := p.answer("ready %d", &p.count); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// passed is what one pass over the events took.
type passed struct {
	seconds, cpu float64
	firings      int
	heap         float64 // -1: cannot be told
}

// apply asks for a pass over all events; firings names the file for what fires, "" none.
func (p *peerProcess) apply(firings string) (passed, error) {
	if _, err := fmt.Fprintln(p.stdin, strings.TrimSpace("apply "+firings)); err != nil {
		return passed{}, p.failed(err)
	}
	var nanos, cpu int64
	var out passed
	if err := p.answer("applied %d %d %d %g", &nanos, &cpu, &out.firings, &out.heap); err != nil {
		return passed{}, err
	}
	if nanos <= 0 {
		return passed{}, fmt.Errorf("it says that a pass took %d ns", nanos)
	}
	out.seconds, out.cpu = float64(nanos)/1e9, float64(cpu)/1e9
	p.rest()
	return out, nil
}

// How long a peer is given to come to rest after a pass: it tears down a job, collects and compiles, and would take that time from whoever comes next.
const (
	restMost  = 3 * time.Second
	restPause = 50 * time.Millisecond
	restTicks = 1 // of processor time in a pause, of 10 ms each
)

// rest waits until the process uses next to no processor time. Where the system does not tell, it does not wait.
func (p *peerProcess) rest() {
	for begun, before := time.Now(), p.ticks(); time.Since(begun) < restMost; {
		time.Sleep(restPause)
		now := p.ticks()
		if now-before <= restTicks {
			return
		}
		before = now
	}
}

// ticks is the processor time that the process has used, from /proc: user and system time are the 14th and 15th field, the 12th and 13th behind its name.
func (p *peerProcess) ticks() (sum int) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, field := range fields[min(11, len(fields)):min(13, len(fields))] {
		n, _ := strconv.Atoi(field)
		sum += n
	}
	return sum
}

// answer reads the next line, for as long as peerPatience allows.
func (p *peerProcess) answer(format string, into ...any) error {
	timer := time.AfterFunc(peerPatience, p.cancel)
	defer timer.Stop()
	line, err := p.lines.ReadString('\n')
	if err != nil {
		return p.failed(err)
	}
	if _, err := fmt.Sscanf(line, format+"\n", into...); err != nil {
		return fmt.Errorf("it answered %q, want %q", strings.TrimSpace(line), format)
	}
	return nil
}

// failed says what the process said last.
func (p *peerProcess) failed(err error) error {
	err = errors.Join(err, p.close())
	if said := p.errors.String(); said != "" {
		return fmt.Errorf("it ended: %s", said)
	}
	return fmt.Errorf("it ended: %w", err)
}

// close ends the process: at the end of its input it has nothing left to do.
func (p *peerProcess) close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	p.stdin.Close()
	timer := time.AfterFunc(peerGrace, p.cancel)
	err := p.command.Wait()
	timer.Stop()
	p.cancel()
	if err != nil {
		return fmt.Errorf("a peer ended with an error: %w", err)
	}
	return nil
}

// peerGrace is how long a peer may take to end.
const peerGrace = 10 * time.Second

// tail keeps the end of what is written. One goroutine writes, and it is read once that has ended.
type tail struct{ kept []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - peerComplaint; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(b), nil
}

// String is its first line that says something, where it is an exception's, and else all of it.
func (t *tail) String() string {
	text := strings.TrimSpace(string(t.kept))
	for line := range strings.Lines(text) {
		if strings.Contains(line, "Exception") || strings.Contains(line, "Error") {
			return strings.TrimSpace(line)
		}
	}
	return text
}
