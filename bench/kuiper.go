package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const kuiperName = "eKuiper 2.4"

// How long eKuiper may take.
const (
	kuiperPatience = 30 * time.Second // to start, and for its rules to run
	kuiperAnswer   = 10 * time.Second // to answer about its rules
	kuiperEvery    = 20 * time.Millisecond
)

// kuiper is a running eKuiper: a process that is told over HTTP what its streams and rules are.
type kuiper struct {
	command *exec.Cmd
	errors  *tail
	cancel  context.CancelFunc
	ended   chan error
	client  http.Client
	rest    string // where it is told
	push    string // where its streams come in
	ids     [][]string
}

// startKuiper starts eKuiper with a stream for each set and the set's rules over that. The error says why this machine cannot run it, and what
// would help; what is returned is to be closed all the same.
func startKuiper(ctx context.Context, o *Options, dir string, sets []ruleSet) (*kuiper, error) {
	k := &kuiper{client: http.Client{Transport: &http.Transport{}, Timeout: kuiperAnswer}}
	command, err := o.kuiperCommand(dir)
	if err != nil {
		return k, err
	}
	if err := k.start(ctx, command); err != nil {
		return k, err
	}
	ctx, cancel := context.WithTimeout(ctx, kuiperPatience)
	defer cancel()
	if err := k.until(ctx, func() error { return k.ask(http.MethodGet, "/", nil, nil) }); err != nil {
		return k, err
	}
	for i := range sets {
		if err := k.define(ctx, i, &sets[i]); err != nil {
			return k, err
		}
	}
	return k, nil
}

// kuiperCommand is the program that `make peers` has built, with a copy of its settings in dir, where it keeps its files.
func (o *Options) kuiperCommand(dir string) (*exec.Cmd, error) {
	if o.kuiper != nil {
		return o.kuiper(), nil
	}
	built := filepath.Join(o.Peers, "ekuiper", "target")
	if why, err := os.ReadFile(filepath.Join(built, "left-out")); err == nil {
		return nil, fmt.Errorf("make peers could not build it: %s", strings.TrimSpace(string(why)))
	}
	program, err := filepath.Abs(filepath.Join(built, "kuiperd"))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("it is not built: make peers (looked in %s)", built)
	}
	for _, folder := range []string{"data", "log", "plugins"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "etc"), os.DirFS(filepath.Join(built, "etc"))); err != nil {
		return nil, err
	}
	command := exec.Command(program)
	command.Env = append(os.Environ(), "KuiperBaseKey="+dir)
	return command, nil
}

// start starts the process on free ports of this machine.
func (k *kuiper) start(ctx context.Context, command *exec.Cmd) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	const host = "127.0.0.1"
	k.rest, k.push = "http://"+net.JoinHostPort(host, ports[0]), net.JoinHostPort(host, ports[1])
	ctx, k.cancel = context.WithCancel(ctx)
	k.command, k.errors = exec.CommandContext(ctx, command.Path, command.Args[1:]...), &tail{}
	k.command.Env = append(command.Env,
		"KUIPER__BASIC__RESTIP="+host, "KUIPER__BASIC__RESTPORT="+ports[0],
		"KUIPER__SOURCE__HTTPSERVERIP="+host, "KUIPER__SOURCE__HTTPSERVERPORT="+ports[1],
		"KUIPER__BASIC__IP="+host, "KUIPER__BASIC__PORT="+ports[2], // its command line's
		"KUIPER__BASIC__PPROF=false", "KUIPER__BASIC__LOGLEVEL=fatal", // it writes a line for each event that it drops
	)
	k.command.Stderr = k.errors
	k.command.Cancel = func() error { return k.command.Process.Signal(os.Interrupt) }
	k.command.WaitDelay = peerGrace
	if err := k.command.Start(); err != nil {
		k.cancel()
		return err
	}
	k.ended = make(chan error, 1)
	go func() { k.ended <- k.command.Wait() }()
	return nil
}

// freePorts are ports that nobody listens on just now.
func freePorts(n int) (ports []string, err error) {
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer ln.Close() // all are open until all are found
		_, port, err := net.SplitHostPort(ln.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// until asks until there is no error any more, or the process has ended, or the time is over.
func (k *kuiper) until(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case end := <-k.ended:
			k.ended <- end
			return fmt.Errorf("it ended: %v: %s", end, k.errors)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(kuiperEvery):
		}
	}
}

// define makes a stream and the rules of a set over it, and waits until they run. Rules that share a stream have it decoded once. A rule alone has a
// stream of its own, and then nothing need be dropped between one of its steps and the next.
func (k *kuiper) define(ctx context.Context, i int, set *ruleSet) error {
	stream, alone := fmt.Sprintf("set%d", i), len(set.rules) == 1
	text := fmt.Sprintf(`CREATE STREAM %s () WITH (DATASOURCE="/%s", FORMAT="json", TYPE="httppush", SHARED="%t")`, stream, stream, !alone)
	if err := k.ask(http.MethodPost, "/streams", map[string]any{"sql": text}, nil); err != nil {
		return fmt.Errorf("a stream: %w", err)
	}
	k.ids = append(k.ids, nil)
	for _, r := range set.rules {
		id := stream + "_" + r.id
		rule := map[string]any{
			"id": id, "sql": r.sql(stream), "actions": []any{map[string]any{"nop": map[string]any{}}},
			"options": map[string]any{"disableBufferFullDiscard": alone},
		}
		if err := k.ask(http.MethodPost, "/rules", rule, nil); err != nil {
			return fmt.Errorf("rule %s: %w", id, err)
		}
		if err := k.until(ctx, func() error { return k.runs(id) }); err != nil {
			return fmt.Errorf("rule %s: %w", id, err)
		}
		k.ids[i] = append(k.ids[i], id)
	}
	return nil
}

// runs says why a rule takes no events yet.
func (k *kuiper) runs(id string) error {
	_, status, err := k.status(id)
	if err == nil && status != "running" {
		err = fmt.Errorf("it is %s", status)
	}
	return err
}

// target is eKuiper with a set.
func (k *kuiper) target(i int, set *ruleSet) *target {
	return &target{set: set, addr: k.push, path: fmt.Sprintf("/set%d", i), answer: "ok", look: func() (all seen, err error) {
		for _, id := range k.ids[i] {
			found, status, err := k.status(id)
			if err == nil && status != "running" {
				err = fmt.Errorf("rule %s is %s", id, status)
			}
			if err != nil {
				return seen{}, err
			}
			all.fired = append(all.fired, found.fired...)
			all.moved += found.moved
		}
		return all, nil
	}}
}

// status reads a rule's counters: what has come to each of its steps, and to its sink.
func (k *kuiper) status(id string) (found seen, status string, err error) {
	const came = "_records_in_total"
	var answer map[string]any
	if err := k.ask(http.MethodGet, "/rules/"+id+"/status", nil, &answer); err != nil {
		return seen{}, "", err
	}
	for name, value := range answer {
		n, ok := value.(float64)
		switch {
		case !ok:
		case strings.HasPrefix(name, "source_") && strings.HasSuffix(name, "_connection_status") && n != 1:
			return seen{}, "not connected with its stream", nil
		case strings.HasSuffix(name, came):
			found.moved += int(n)
			if strings.HasPrefix(name, "sink_") {
				found.fired = append(found.fired, int(n))
			}
		}
	}
	status, _ = answer["status"].(string)
	if status == "running" && len(found.fired) != 1 {
		return seen{}, "", fmt.Errorf("rule %s has counters of %d sinks, want 1", id, len(found.fired))
	}
	return found, status, nil
}

// ask tells or asks it something.
func (k *kuiper) ask(method, path string, body, answer any) error {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequest(method, k.rest+path, &text)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return err
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("%s %s is answered %d: %.300s", method, path, resp.StatusCode, said)
	case answer == nil:
		return nil
	}
	return json.Unmarshal(said, answer)
}

// close ends the process.
func (k *kuiper) close() error {
	k.client.CloseIdleConnections()
	if k.ended == nil {
		return nil
	}
	k.cancel()
	<-k.ended // it is told to end, so how it does says nothing
	return nil
}
