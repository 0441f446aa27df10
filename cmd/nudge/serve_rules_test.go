package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nudge"
	"nudge/rules"
)

// watchRig is a watcher of a folder, with an engine that remembers what it was given.
type watchRig struct {
	*testing.T
	ruleWatcher
	dir     string
	said    strings.Builder
	live    string // what runs
	deploys int
	refuses error
	clock   time.Time
}

const goodRule = `{per: visitor, when: on(page_view), then: popup("hi", {})}`

func newWatchRig(t *testing.T) *watchRig {
	r := &watchRig{T: t, dir: t.TempDir(), clock: time.Unix(1764000000, 0)}
	c := serveConfig{rules: r.dir}
	r.save("a", goodRule)
	source, err := c.ruleSource()
	if err != nil {
		t.Fatal(err)
	}
	r.ruleWatcher = ruleWatcher{source: source, deploy: r.take, logger: slog.New(slog.NewTextHandler(&r.said, nil)), stderr: io.Discard}
	return r
}

func (r *watchRig) take(_ context.Context, sources []rules.Source) (rules.Diagnostics, error) {
	if r.refuses != nil {
		return nil, r.refuses
	}
	plan, remarks := rules.Compile(sources, rules.Options{Names: nudge.NewNames()})
	r.deploys++
	if plan != nil {
		r.live = rules.EncodeSources(sources)
	}
	return remarks, nil
}

// save writes a rule file; each has a later time than the one before.
func (r *watchRig) save(id, text string) {
	path := filepath.Join(r.dir, id+".expr")
	r.clock = r.clock.Add(time.Second)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, r.clock, r.clock)); err != nil {
		r.Fatal(err)
	}
}

func (r *watchRig) ticks(n, wantDeploys int) {
	r.Helper()
	before := r.deploys
	for range n {
		r.tick(context.Background())
	}
	if got := r.deploys - before; got != wantDeploys {
		r.Fatalf("%d deployments in %d looks, want %d", got, n, wantDeploys)
	}
}

func (r *watchRig) begin() {
	r.Helper()
	if err := r.first(context.Background(), nil, false); err != nil {
		r.Fatal(err)
	}
	r.ticks(3, 0)
}

func TestWatchDeploysWhatIsSaved(t *testing.T) {
	r := newWatchRig(t)
	r.begin()
	r.save("b", goodRule)
	r.ticks(1, 0) // it may still be being written
	r.ticks(1, 1)
	if !strings.Contains(r.live, "b.expr") {
		t.Errorf("live: %s", r.live)
	}
	r.ticks(3, 0)
	if err := os.Remove(filepath.Join(r.dir, "b.expr")); err != nil {
		t.Fatal(err)
	}
	r.ticks(3, 1)
	if strings.Contains(r.live, "b.expr") {
		t.Errorf("live: %s", r.live)
	}
}

// What looks like a rule and is not read is told at the start and at each reload, and not at each look.
func TestWatchNamesWhatItDoesNotRead(t *testing.T) {
	r := newWatchRig(t)
	if err := os.WriteFile(filepath.Join(r.dir, "b.expr.txt"), []byte(goodRule), 0o600); err != nil {
		t.Fatal(err)
	}
	told := func(want int) {
		t.Helper()
		if got := strings.Count(r.said.String(), "b.expr.txt is not read: call it b.expr"); got != want {
			t.Fatalf("told %d times, want %d: %s", got, want, r.said.String())
		}
	}
	r.begin()
	told(1)
	r.save("a", goodRule+"\n")
	r.ticks(4, 1)
	told(2)
	r.save("a", "{per: visitor")
	r.ticks(4, 1)
	told(3)
}

func TestWatchKeepsTheLastGoodVersion(t *testing.T) {
	r := newWatchRig(t)
	r.begin()
	before := r.live
	r.save("a", "{per: visitor")
	r.ticks(4, 1)
	if r.live != before {
		t.Error("a broken file replaced the rules")
	}
	if !strings.Contains(r.said.String(), "the rules have errors; those that run go on") {
		t.Errorf("said: %s", r.said.String())
	}
	r.save("a", goodRule+"\n")
	r.ticks(4, 1)
	if r.live == before {
		t.Error("the repaired file is not live")
	}
}

func TestWatchTriesAgainWhereTheEngineRefuses(t *testing.T) {
	r := newWatchRig(t)
	r.begin()
	r.save("b", goodRule)
	for _, r.refuses = range []error{nudge.ErrBusy, nudge.ErrFull} {
		r.said.Reset()
		r.ticks(5, 0)
		if n := strings.Count(r.said.String(), "trying again"); n != 1 {
			t.Errorf("%v was said %d times: %s", r.refuses, n, r.said.String())
		}
	}
	r.refuses = nil
	r.ticks(1, 1)
}

func TestWatchOutlivesItsFolder(t *testing.T) {
	r := newWatchRig(t)
	r.begin()
	before := r.live
	for times := range 2 { // each is said once
		if err := os.Rename(r.dir, r.dir+"-away"); err != nil {
			t.Fatal(err)
		}
		r.ticks(3, 0)
		if n := strings.Count(r.said.String(), "those that run go on"); n != times+1 {
			t.Errorf("said %d times: %s", n, r.said.String())
		}
		if err := os.Rename(r.dir+"-away", r.dir); err != nil {
			t.Fatal(err)
		}
		r.ticks(3, 0)
	}
	r.save("b", goodRule)
	r.ticks(3, 1)
	if r.live == before {
		t.Error("the watcher did not come back with its folder")
	}
}

// What is changed behind a link is deployed, too, as in a mounted ConfigMap: the links of its files go through that of a folder, which is exchanged.
func TestWatchFollowsLinks(t *testing.T) {
	r := newWatchRig(t)
	behind := t.TempDir()
	for _, version := range []string{"1", "2"} {
		path := filepath.Join(behind, version, "b.expr")
		r.clock = r.clock.Add(time.Second)
		if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(goodRule+"// version "+version), 0o600), os.Chtimes(path, r.clock, r.clock)); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(r.dir, "..data")
	link := func(version string) {
		if err := errors.Join(os.Symlink(filepath.Join(behind, version), data+"_tmp"), os.Rename(data+"_tmp", data)); err != nil {
			t.Fatal(err)
		}
	}
	link("1")
	if err := os.Symlink(filepath.Join("..data", "b.expr"), filepath.Join(r.dir, "b.expr")); err != nil {
		t.Fatal(err)
	}
	r.begin()
	if !strings.Contains(r.live, "version 1") {
		t.Fatalf("what runs is %s", r.live)
	}
	link("2")
	r.ticks(3, 1)
	if !strings.Contains(r.live, "version 2") {
		t.Errorf("what runs is %s", r.live)
	}
}

// A file that cannot be read is deployed once it can, though it is not saved again.
func TestWatchReadsAgain(t *testing.T) {
	r := newWatchRig(t)
	r.begin()
	read, unreadable := r.source.read, errors.New("permission denied")
	r.source.read = func() ([]rules.Source, error) { return nil, unreadable }
	r.save("b", goodRule)
	r.ticks(5, 0)
	if n := strings.Count(r.said.String(), "permission denied"); n != 1 {
		t.Errorf("said %d times: %s", n, r.said.String())
	}
	r.source.read = read
	r.ticks(1, 1)
	if !strings.Contains(r.live, "b.expr") {
		t.Errorf("what runs is %s", r.live)
	}
}

func TestFirstDeployment(t *testing.T) {
	r := newWatchRig(t)
	r.begin()
	if r.deploys != 1 {
		t.Fatalf("%d deployments", r.deploys)
	}
	plan, _ := rules.Compile([]rules.Source{{File: "a.expr", Text: goodRule}}, rules.Options{Names: nudge.NewNames()})
	if err := r.first(context.Background(), plan, false); err != nil || r.deploys != 1 {
		t.Errorf("what runs already was deployed again: %d, %v", r.deploys, err)
	}
	r.save("a", "{per: visitor")
	if err := r.first(context.Background(), plan, false); err != nil {
		t.Errorf("a server that has a good version must go on with it: %v", err)
	}
	r.said.Reset()
	if err := r.first(context.Background(), nil, false); exitCode(err) != exitFound || !strings.Contains(r.said.String(), "the server does not start") {
		t.Errorf("a server without rules must not start with broken ones, and say so: %v, %s", err, r.said.String())
	}
}

func TestExampleRulesCompile(t *testing.T) {
	sources, err := exampleRules()
	if err != nil {
		t.Fatal(err)
	}
	plan, remarks := rules.Compile(sources, rules.Options{Names: nudge.NewNames()})
	if plan == nil || len(plan.Rules) < 6 {
		t.Fatalf("%s", remarks.Text())
	}
}

func TestLookingCostsLittle(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0: watchEvery, watchEvery / watchShare: watchEvery, 20 * time.Millisecond: time.Second,
	} {
		if got := nextLook(took); got != want {
			t.Errorf("after %v the next look comes in %v, want %v", took, got, want)
		}
	}
}
