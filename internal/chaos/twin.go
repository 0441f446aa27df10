//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
)

// rulesOfTwin have every kind of operator, so that every kind of stored state shows in what fires. None is due by time alone: when they are asked
// must not matter.
var rulesOfTwin = map[string]string{
	"each":     `{per: visitor, when: on(event("buy")), then: alert("each", {n: n, views: count(event("view"), "ever"), spent: sum(event("buy"), n, "ever"), last: last(event("view"), path)})}`,
	"pages":    `{per: user, when: distinct(event("view"), path, "30d") >= 4, then: alert("pages", {seen: values(event("view"), path, "30d")}), cooldown: "1d"}`,
	"again":    `{per: user, when: count(event("view"), "30d") >= 3 and on(event("view")), then: alert("again", {}), limit: cap("all", 5, "7d")}`,
	"path":     `{per: visitor, when: sequence(event("view"), event("buy"), event("view"), "30d"), then: alert("path", {})}`,
	"people":   `{per: company, when: distinct(event("view"), user, "30d") >= 2, then: alert("people", {who: values(event("view"), user, "30d")})}`,
	"warm":     `{per: company, when: score({(event("view")): 1, (event("buy")): 5}, half_life("7d")) >= 20, then: alert("warm", {})}`,
	"followed": `{per: visitor, when: count(fired and rule == "each", "30d") >= 2, then: alert("followed", {})}`,
}

const (
	twinEvents  = 1500 // before the end of the first process
	twinMore    = 200  // of the second process, which is killed: they stand in the log only
	twinFurther = 80   // asked for, of them some that were sent before
)

// twin is a data folder and what it answers.
type twin struct {
	set   settings
	files map[string]file
	want  answer
}

// file is the contents of a file, but for the zeros at its end.
type file struct {
	bytes []byte
	size  int64
}

// answer is what a folder says: the feed as it is, and what is fired by further events, without what the clock decides.
type answer struct {
	feed    string
	further string
}

// newTwin makes the folder: a checkpoint, and a log that goes on behind it.
func newTwin(ctx context.Context, o *options, dir string) (*twin, error) {
	t := &twin{set: settings{bin: o.bin, rules: filepath.Join(dir, "rules"), data: filepath.Join(dir, "made"), shards: 2, started: &o.started}}
	if err := os.MkdirAll(t.set.rules, 0o755); err != nil {
		return nil, err
	}
	for id, text := range rulesOfTwin {
		if err := os.WriteFile(filepath.Join(t.set.rules, id+".expr"), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	from := 0
	for i, events := range []int{twinEvents, twinMore} {
		p, err := t.set.mustStart(ctx)
		if err != nil {
			return nil, err
		}
		for n := from; n < from+events; n += 10 {
			if err := post(ctx, p.url, twinBody(n, min(10, from+events-n))); err != nil {
				return nil, err
			}
		}
		from += events
		if i == 0 {
			err = p.stop()
		} else {
			err = p.end(syscall.SIGKILL)
		}
		if err != nil {
			return nil, err
		}
	}
	var err error
	if t.files, err = readFolder(t.set.data); err != nil {
		return nil, err
	}
	p, err := t.set.mustStart(ctx)
	if err != nil {
		return nil, err
	}
	if t.want, err = ask(ctx, p); err == nil {
		err = p.end(syscall.SIGKILL)
	}
	return t, err
}

// twinBody is a request of events that follow from their numbers.
func twinBody(from, events int) []byte {
	var b bytes.Buffer
	for n := from; n < from+events; n++ {
		rng := rand.New(rand.NewPCG(uint64(n), 9))
		visitor := rng.IntN(60)
		fmt.Fprintf(&b, `{"id":"e%d","type":%q,"visitor":"v%d","n":%d,"path":"/p%d"`, n, []string{"view", "view", "view", "buy"}[rng.IntN(4)], visitor, rng.IntN(100), rng.IntN(12))
		if visitor%3 > 0 && rng.IntN(3) > 0 {
			fmt.Fprintf(&b, `,"user":"u%d","company":"c%d.example"`, visitor/2, visitor%7)
		}
		b.WriteString("}\n")
	}
	return b.Bytes()
}

// post sends events and wants them taken; their decisions have been made when it returns.
func post(ctx context.Context, base string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/events?decide=1", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("post events: %s: %s", resp.Status, text)
	}
	return err
}

// ask reads the feed, sends further events, and reads what they fired.
func ask(ctx context.Context, p *server) (a answer, err error) {
	var feed, further bytes.Buffer
	after, err := readAlerts(ctx, p.url, "", func(raw json.RawMessage) error { feed.Write(raw); return nil })
	if err != nil {
		return a, err
	}
	for n := twinEvents + twinMore - twinFurther/4; n < twinEvents+twinMore+twinFurther; n += 5 {
		if err := post(ctx, p.url, twinBody(n, 5)); err != nil {
			return a, err
		}
	}
	_, err = readAlerts(ctx, p.url, after, func(raw json.RawMessage) error {
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			return err
		}
		delete(m, "id")
		delete(m, "at")
		text, err := json.Marshal(m)
		further.Write(text)
		return err
	})
	return answer{feed.String(), further.String()}, err
}

// readAlerts reads the feed from a cursor to its end.
func readAlerts(ctx context.Context, base, after string, take func(json.RawMessage) error) (string, error) {
	for {
		part, next, err := page(ctx, base, after)
		if err != nil || len(part) == 0 {
			return after, err
		}
		for _, raw := range part {
			if err := take(raw); err != nil {
				return after, err
			}
		}
		after = next
	}
}

// readFolder reads a stopped server's files.
func readFolder(dir string) (map[string]file, error) {
	files := map[string]file{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		files[name] = file{bytes.Clone(bytes.TrimRight(b, "\x00")), int64(len(b))}
		return err
	})
	return files, err
}

// write makes a folder of the twin's files, one of them changed: change may return nil, then it is missing.
func (t *twin) write(dir, changed string, change func(file) *file) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for name, f := range t.files {
		if name == changed {
			c := change(f)
			if c == nil {
				continue
			}
			f = *c
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.bytes, 0o644); err != nil {
			return err
		}
		if err := os.Truncate(path, f.size); err != nil {
			return err
		}
	}
	return nil
}
