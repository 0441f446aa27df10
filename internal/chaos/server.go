//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startTime is how long a server may take from its start to its first answer, on a machine that others keep busy too.
const startTime = 3 * time.Minute

// settings are how a server is started.
type settings struct {
	bin, rules, data string
	shards           int
	ulimit           string   // for the shell's ulimit, as "-n 64"; "": none
	env              []string // besides the own one
	flags            []string // of the command
	started          *processes
}

// processes are those that were started and may still run.
type processes struct {
	mu  sync.Mutex
	all []*server
}

func (ps *processes) add(p *server) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.all = append(ps.all, p)
}

// wait returns when all have ended. They end with the context of their start.
func (ps *processes) wait() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.all {
		<-p.done
	}
	ps.all = nil
}

// server is a process of the binary.
type server struct {
	cmd  *exec.Cmd
	url  string // "" where it ended before it was ready
	said *words // on standard error
	done chan struct{}
	code int // its exit code, once done is closed; -1: a signal ended it
}

// words keep the last bytes that are written to them.
type words struct {
	mu sync.Mutex
	b  []byte
}

const wordsBytes = 512 << 10

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b = append(w.b, p...)
	if len(w.b) > 2*wordsBytes {
		w.b = append(w.b[:0], w.b[len(w.b)-wordsBytes:]...)
	}
	return len(p), nil
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.b)
}

// start starts a server and waits until it is ready or has ended.
func (s settings) start(ctx context.Context) (*server, error) {
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data", s.data, "--rules", s.rules, "--shards", strconv.Itoa(max(s.shards, 1))}
	args = append(args, s.flags...)
	p := &server{cmd: exec.CommandContext(ctx, s.bin, args...), said: &words{}, done: make(chan struct{})}
	if s.ulimit != "" {
		shell := append([]string{"-c", "ulimit " + s.ulimit + ` && exec "$0" "$@"`, s.bin}, args...)
		p.cmd = exec.CommandContext(ctx, "sh", shell...)
	}
	p.cmd.Env = append(p.cmd.Environ(), s.env...)
	p.cmd.Stderr = p.said
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.bin, err)
	}
	s.started.add(p)
	first := make(chan string, 1)
	go func() {
		r := bufio.NewReader(out)
		line, _ := r.ReadString('\n')
		first <- line
		io.Copy(io.Discard, r) // nothing else is printed; whatever ends it, the process has ended
		p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.done)
	}()
	select {
	case line := <-first:
		if url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on "); ok {
			p.url = url
			return p, nil
		}
		<-p.done
		return p, nil
	case <-time.After(startTime):
		return p, errors.Join(fmt.Errorf("no sign of life after %v", startTime), p.end(syscall.SIGKILL))
	}
}

// mustStart wants the server to become ready.
func (s settings) mustStart(ctx context.Context) (*server, error) {
	p, err := s.start(ctx)
	if err == nil && p.url == "" {
		err = fmt.Errorf("serve ended with code %d: %s", p.code, p.said)
	}
	return p, err
}

// end sends a signal and waits for the process to end.
func (p *server) end(sig syscall.Signal) error {
	if err := p.signal(sig); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(startTime):
		p.cmd.Process.Signal(syscall.SIGQUIT) // it says what it is doing
		<-p.done
		return fmt.Errorf("the process went on for %v after %v: %s", startTime, sig, p.said)
	}
}

// stop ends the server as an operator does, and wants a clean end.
func (p *server) stop() error {
	err := p.end(syscall.SIGTERM)
	if err == nil && p.code != 0 {
		err = fmt.Errorf("after SIGTERM serve ends with code %d: %s", p.code, p.said)
	}
	return err
}

func (p *server) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !p.ended() {
		return fmt.Errorf("send %v: %w", sig, err)
	}
	return nil
}

func (p *server) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// client talks to servers that may not answer for a while.
var client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// get reads a page of the server.
func get(ctx context.Context, url string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// metric reads one of the server's numbers; it has no labels.
func (p *server) metric(ctx context.Context, name string) (float64, error) {
	status, body, err := get(ctx, p.url+"/metrics")
	if err != nil || status != http.StatusOK {
		return 0, fmt.Errorf("read the metrics: status %d, %w", status, err)
	}
	for line := range strings.Lines(string(body)) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(v), 64)
		}
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}
