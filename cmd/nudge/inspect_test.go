package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"nudge"
	"nudge/ingest"
	"nudge/state"
)

// inspectRules fire once per event, and wait.
func inspectRules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for id, text := range map[string]string{
		"each":  `{per: visitor, when: on(event("seen")), then: alert("seen", {n: n})}`,
		"stuck": `{per: visitor, when: dwell(form_view, "1h", until(page_leave)), then: alert("stuck", {})}`,
		"many":  `{per: company, when: distinct(event("seen"), visitor, "30d") >= 3, then: alert("many", {})}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, id+".expr"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// inspected is a data folder that a server has left, and its rules.
func inspected(t *testing.T) (data, rules string) {
	t.Helper()
	data, rules = filepath.Join(t.TempDir(), "data"), inspectRules(t)
	s := startServer(t, "--rules", rules, "--data", data)
	for i, id := range []string{"amber", "birch", "cedar", "dogwood"} { // nothing that checksums, numbers in hexadecimal digits or chance could look like
		s.do("POST", "/v1/events", fmt.Sprintf(`{"id":%q,"type":"seen","visitor":"v%d","company":"acme.example","url":"https://acme.example/a?utm_source=mail","props":{"n":%d,"deep":{"er":[1,2]}}}`, id, i, i), 200)
	}
	s.do("POST", "/v1/events", `{"type":"form_view","visitor":"v1","email":"ana@acme.example"}`, 200)
	s.do("POST", "/v1/events", `{"type":"other","visitor":"v9","ts":1764000000123}`, 200)
	s.do("GET", "/v1/alerts", "", 200)
	s.end()
	return data, rules
}

// nudgeRun runs a command line.
func nudgeRun(t *testing.T, stdin string, want int, line ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := execute(context.Background(), line, strings.NewReader(stdin), &out, &errs); code != want {
		t.Fatalf("%v: exit code %d, want %d: %s", line, code, want, errs.String())
	}
	return out.String(), errs.String()
}

func wantAll(t *testing.T, what, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%s does not say %q:\n%s", what, w, got)
		}
	}
}

func TestInspect(t *testing.T) {
	data, rules := inspected(t)
	before := folderOf(t, data)
	summary, _ := nudgeRun(t, "", exitDone, "inspect", "--data", data)
	wantAll(t, "the summary", summary, "Log  offsets 1–7", "0000000001.seg (active)", "Checkpoint  offsets up to 7", "a start reads 0 records behind it",
		"3 rules, deployed at offset 1", "visitor", "company", "The next timer is due at ", "Feed  5 firings, 5 of them delivered; cursors 2-0 to 5-0")
	records, _ := nudgeRun(t, "", exitDone, "inspect", "log", "--data", data)
	lines := strings.Split(strings.TrimSpace(records), "\n")
	if len(lines) != 7 {
		t.Fatalf("%d records: %s", len(lines), records)
	}
	wantAll(t, "the deployment", lines[0], `{"offset":1,`, `"kind":"deploy"`, `"rule":"nudge-rules 1\n`)
	wantAll(t, "an event", lines[1], `"kind":"event"`, `"type":"seen"`, `"id":"amber"`, `"visitor":"v0"`, `"path":"/a"`, `"utm_source":"mail"`, `"props":{"n":0,"deep.er":[1,2]}`)
	wantAll(t, "another", lines[5], `"offset":6`, `"email":"ana@acme.example"`)
	wantAll(t, "a late one", lines[6], `"offset":7`, `"ts":1764000000123,"at":1`)
	if part, _ := nudgeRun(t, "", exitDone, "inspect", "log", "--data", data, "--from", "3", "--limit", "2"); part != strings.Join(lines[2:4], "\n")+"\n" {
		t.Errorf("from 3, two: %s", part)
	}
	replayed(t, rules, lines, data)

	key, _ := nudgeRun(t, "", exitDone, "inspect", "key", "visitor/v1", "--data", data)
	wantAll(t, "the key", key, `"what": "dwell"`, `"state": "open"`, `"due": "`, `"to": "ana@acme.example"`)
	company, _ := nudgeRun(t, "", exitDone, "inspect", "key", "company/acme.example", "--data", data)
	wantAll(t, "the company", company, `"value": "v3"`)
	feed, _ := nudgeRun(t, "", exitDone, "inspect", "feed", "--data", data)
	if strings.Count(feed, "\n") != 5 || !strings.HasPrefix(feed, `{"cursor":"2-0","rule":"each","key":"v0",`) {
		t.Errorf("the feed: %s", feed)
	}
	if rest, _ := nudgeRun(t, "", exitDone, "inspect", "feed", "--data", data, "--after", "3-0", "--limit", "1"); !strings.HasPrefix(rest, `{"cursor":"4-0"`) || strings.Count(rest, "\n") != 1 {
		t.Errorf("after 3-0, one: %s", rest)
	}
	if after := folderOf(t, data); !mapsEqual(before, after) {
		t.Error("looking at the folder has changed it")
	}
}

// replayed checks that the printed events, replayed, fire what the feed says.
func replayed(t *testing.T, rules string, lines []string, data string) {
	t.Helper()
	var events strings.Builder
	for _, line := range lines {
		var rec struct{ Event json.RawMessage }
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if rec.Event != nil {
			fmt.Fprintf(&events, "%s\n", rec.Event)
		}
	}
	again, _ := nudgeRun(t, events.String(), exitDone, "replay", "--rules", rules)
	feed, _ := nudgeRun(t, "", exitDone, "inspect", "feed", "--data", data)
	type firing struct{ Rule, Key, Time string }
	read := func(text string) (all []firing) {
		for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
			var f firing
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			all = append(all, f)
		}
		return all
	}
	if a, b := fmt.Sprint(read(again)), fmt.Sprint(read(feed)); a != b {
		t.Errorf("replayed: %s\nthe feed: %s", a, b)
	}
}

// folderOf is the files below a folder, but for locks.
func folderOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "LOCK" {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func mapsEqual(a, b map[string]string) bool {
	same := len(a) == len(b)
	for k := range a {
		same = same && a[k] == b[k]
	}
	return same
}

func TestInspectProblems(t *testing.T) {
	data, _ := inspected(t)
	for _, tt := range []struct {
		line []string
		code int
		want []string
	}{
		{[]string{"inspect", "--data", filepath.Join(t.TempDir(), "none")}, exitRun, []string{"is not a data folder"}},
		{[]string{"inspect", "log", "--data", data, "--from", "9"}, exitUsage, []string{"--from is 9; the log holds the offsets 1 to 7"}},
		{[]string{"inspect", "log", "--data", data, "--limit", "-1"}, exitUsage, []string{"--limit is -1"}},
		{[]string{"inspect", "key", "visitor", "--data", data}, exitUsage, []string{"write it as visitor/v1", "company, user, visitor"}},
		{[]string{"inspect", "key", "plan/x", "--data", data}, exitUsage, []string{`"plan/x" is not a key`}},
		{[]string{"inspect", "key", "visitor/", "--data", data}, exitUsage, []string{`"visitor/" is not a key`}},
		{[]string{"inspect", "key", "visitor/nobody", "--data", data}, exitFound, []string{`knows nothing of the visitor "nobody"`}},
		{[]string{"inspect", "feed", "--data", data, "--after", "x"}, exitUsage, []string{"--after", "OFFSET-N"}},
		{[]string{"inspect", "lgo", "--data", data}, exitUsage, []string{"sub-commands log, key and feed"}},
	} {
		_, stderr := nudgeRun(t, "", tt.code, tt.line...)
		wantAll(t, strings.Join(tt.line, " "), stderr, tt.want...)
	}
	if out, _ := nudgeRun(t, "", exitDone, "inspect", "log", "--data", data, "--from", "8"); out != "" {
		t.Errorf("at the log's end: %s", out)
	}
	s := startServer(t, "--rules", inspectRules(t), "--data", data)
	_, stderr := nudgeRun(t, "", exitRun, "inspect", "--data", data)
	wantAll(t, "beside a server", stderr, "in use by another nudge process", "nudge backup")
	s.end()
}

// Damage is told with file and offset, after what could be read; the exit code says that something was found.
func TestInspectDamage(t *testing.T) {
	dir := t.TempDir()
	d := smallLog(t, dir)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "log", "0000000003.seg")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[120] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, stderr := nudgeRun(t, "", exitFound, "inspect", "--data", dir)
	wantAll(t, "the summary", out, "0000000001.seg", "The log is damaged: records behind offset ", "Checkpoint  none")
	wantAll(t, "the error", stderr, file, "is damaged at byte", "offset")
	out, stderr = nudgeRun(t, "", exitFound, "inspect", "log", "--data", dir)
	wantAll(t, "the records", out, `{"offset":1,`)
	wantAll(t, "the error", stderr, file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	_, stderr = nudgeRun(t, "", exitFound, "inspect", "--data", dir)
	wantAll(t, "the error", stderr, file, "the segment is missing")
}

// A damaged store is something found, too, whoever comes upon it.
func TestInspectDamagedStore(t *testing.T) {
	data, _ := inspected(t)
	tables, err := filepath.Glob(filepath.Join(data, "store", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal(err, tables)
	}
	for _, file := range tables {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/3] ^= 1
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{"inspect", "inspect feed", "inspect key visitor/v1"} {
		_, stderr := nudgeRun(t, "", exitFound, append(strings.Fields(command), "--data", data)...)
		wantAll(t, command, stderr, ".sst is damaged")
	}
}

// The place of an end on a broker is a record like another: it has a name, is counted, and is not made a void without a word.
func TestInspectPosition(t *testing.T) {
	dir := t.TempDir()
	d, err := state.Open(dir, state.Options{Names: nudge.NewNames()})
	if err != nil {
		t.Fatal(err)
	}
	var b nudge.RecordBuilder
	b.Position("nats/EVENTS/nudge", `{"seq":7}`)
	if err := errors.Join(d.Log.Append(nudge.Entry{First: 1, At: 1000, Count: 1, Records: b.Buf}), d.Close()); err != nil {
		t.Fatal(err)
	}
	records, _ := nudgeRun(t, "", exitDone, "inspect", "log", "--data", dir)
	wantAll(t, "the record", records, `"kind":"position"`, "nats/EVENTS/nudge")
	summary, _ := nudgeRun(t, "", exitDone, "inspect", "--data", dir)
	for line := range strings.Lines(summary) {
		if f := strings.Fields(line); strings.Contains(line, ".seg") && f[len(f)-2] != "1" { // OTHERS
			t.Errorf("it is not counted: %s", line)
		}
	}
	_, stderr := nudgeRun(t, "", exitUsage, "log", "void", "1", "--data", dir)
	wantAll(t, "log void", stderr, "says how far a stream was read")
}

// An event whose names are spelled out in its record is printed like any other.
func TestInspectSpelledOut(t *testing.T) {
	var printed []string
	for _, room := range []int{nudge.MaxMetNames, 0} {
		names := nudge.NewNamesWith(room)
		codec := ingest.NewCodec(ingest.CodecOptions{Names: names})
		var b nudge.RecordBuilder
		if _, _, err := codec.ReplayEvent([]byte(`{"type":"seen","visitor":"v","ts":7,"path":"/a","props":{"n":0,"rule":"r","deep":{"er":[1,2]},"none":null,"type":"t"}}`), &b); err != nil {
			t.Fatal(err)
		}
		printed = append(printed, string(appendRecordJSON(nil, names, 1, 2, b.Buf)))
	}
	var with, without any
	if err := errors.Join(json.Unmarshal([]byte(printed[0]), &with), json.Unmarshal([]byte(printed[1]), &without)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(with, without) || !strings.Contains(printed[0], `"deep.er":[1,2]`) {
		t.Errorf("with ids:\n%s\nspelled out:\n%s", printed[0], printed[1])
	}
}
