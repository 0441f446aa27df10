package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestLogVoid(t *testing.T) {
	data, rules := inspected(t)
	before := folderOf(t, data)
	if paths := holding(t, filepath.Join(data, "log"), "birch"); len(paths) != 1 {
		t.Fatalf("the record stands in %q", paths)
	}
	out, stderr := nudgeRun(t, "", exitUsage, "log", "void", "3", "--data", data)
	wantAll(t, "the record", out, `"offset":3,`, `"visitor":"v1"`)
	wantAll(t, "without --yes", stderr, "add --yes", "the checkpoint at offset 7 holds what this record did")
	if !mapsEqual(before, folderOf(t, data)) {
		t.Fatal("the folder was changed without --yes")
	}
	out, stderr = nudgeRun(t, "", exitDone, "log", "void", "3", "--data", data, "--yes")
	wantAll(t, "the record", out, `"offset":3,`)
	wantAll(t, "with --yes", stderr, "the record at offset 3 is a void now")
	_, stderr = nudgeRun(t, "", exitFound, "log", "void", "3", "--data", data, "--yes")
	wantAll(t, "again", stderr, "is a void already")
	summary, _ := nudgeRun(t, "", exitDone, "inspect", "--data", data)
	wantAll(t, "the summary", summary, "The record at offset 3 was made a void by hand on 20", "0000000001-1.seg")
	records, _ := nudgeRun(t, "", exitDone, "inspect", "log", "--data", data)
	if strings.Contains(records, `"id":"birch"`) || !strings.Contains(records, `{"offset":3,`) || !strings.Contains(records, `"kind":"void"`) || strings.Count(records, "\n") != 7 {
		t.Errorf("the records: %s", records)
	}
	if paths := holding(t, filepath.Join(data, "log"), "birch"); len(paths) > 0 {
		t.Errorf("%q still hold the record", paths)
	}
	_, stderr = nudgeRun(t, "", exitUsage, "log", "void", "1", "--data", data)
	wantAll(t, "a deployment", stderr, "deploys rules")

	s := startServer(t, "--rules", rules, "--data", data)
	s.do("POST", "/v1/events", `{"type":"seen","visitor":"v8","n":8}`, 200)
	if got := s.do("GET", "/metrics", "", 200); !strings.Contains(got, "nudge_state_log_voids 1\n") {
		t.Error("no metric of it")
	}
	_, stderr = nudgeRun(t, "", exitRun, "log", "void", "2", "--data", data, "--yes")
	wantAll(t, "beside a server", stderr, "in use by another nudge process")
	if strings.Contains(stderr, "backup") { // a void in a copy helps nobody
		t.Errorf("beside a server: %s", stderr)
	}
	s.end()
}

// holding are the files of a folder that hold a text.
func holding(t *testing.T, dir, text string) (paths []string) {
	t.Helper()
	for path, b := range folderOf(t, dir) {
		if strings.Contains(b, text) {
			paths = append(paths, path)
		}
	}
	return paths
}

func TestLogVoidProblems(t *testing.T) {
	data, _ := inspected(t)
	for _, tt := range []struct {
		line []string
		code int
		want string
	}{
		{[]string{"log", "void", "--data", data}, exitUsage, "one offset"},
		{[]string{"log", "void", "0", "--data", data}, exitUsage, `"0" is not an offset`},
		{[]string{"log", "void", "x", "--data", data}, exitUsage, `"x" is not an offset`},
		{[]string{"log", "void", "8", "--data", data, "--yes"}, exitUsage, "it holds the offsets 1 to 7"},
		{[]string{"log", "void", "1", "--data", filepath.Join(data, "none")}, exitRun, "is not a data folder"},
		{[]string{"log", "viod"}, exitUsage, "the sub-command void"},
	} {
		_, stderr := nudgeRun(t, "", tt.code, tt.line...)
		wantAll(t, strings.Join(tt.line, " "), stderr, tt.want)
	}
}
