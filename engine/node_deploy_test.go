package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
	"nudge/rules"
)

// Old rules do not fire after a deployment's offset, new ones not before it, whatever gathers in the batches around it.
func TestDeployIsOneInstant(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{shards: 4})
		defer l.end()
		const old, now = `{per: visitor, when: on(page_view), then: alert("old", {})}`, `{per: visitor, when: on(page_view), then: alert("new", {})}`
		l.deploy("old", old)
		release := l.hold("sync")
		var waiting []chan answer
		send := func(n int) {
			for range n {
				waiting = append(waiting, l.later(true, l.records(event("page_view", fmt.Sprint("v", len(waiting)), "")), 1))
				synctest.Wait()
			}
		}
		send(5)
		deployed := make(chan error, 1)
		go func() {
			_, err := l.node.Deploy(context.Background(), ruleFiles("new", now))
			deployed <- err
		}()
		synctest.Wait()
		send(4)
		release()
		synctest.Wait()
		if err := <-deployed; err != nil {
			t.Fatal(err)
		}
		deploys := l.kinds(nudge.RecordDeploy)
		if len(deploys) != 2 {
			t.Fatalf("%d deployments in the log, want 2", len(deploys))
		}
		for i, c := range waiting {
			want := fmt.Sprint("old:v", i)
			if i >= 5 {
				want = fmt.Sprint("new:v", i)
			}
			a := <-c
			if a.err != nil || brief(a.firings) != want {
				t.Errorf("request %d: %v, fired %q, want %q", i, a.err, brief(a.firings), want)
			} else if before := a.firings[0].Cursor.Offset < deploys[1].off; before != (i < 5) {
				t.Errorf("request %d stands before the deployment: %v", i, before)
			}
		}
		for _, e := range l.entries() {
			if e.First <= deploys[1].off && e.First+nudge.Offset(e.Count) > deploys[1].off && e.Count != 1 {
				t.Errorf("the deployment shares an entry with %d others", e.Count-1)
			}
		}
		same(t, "the log read back", l.told(), l.reference())
	})
}

// An operator that both deployments have keeps its state, a new one reads the log back, one that was gone in between too; cooldown,
// title and action may change. The same after a restart and after a crash, where a folder does not count: the rules come from the
// log.
func TestDeployKeepsState(t *testing.T) {
	const (
		third   = `{per: visitor, when: count(page_view, "1h") >= 3, then: alert("third", {})}`
		edited  = `{per: visitor, when: count(page_view, "1h") >= 3, then: alert("edited", {n: n}), title: "another", cooldown: "1s"}`
		wait    = `{per: visitor, when: dwell(form_view, "20s", until(page_leave)), then: popup("help", {})}`
		other   = `{per: visitor, when: count(form_view, "1h") >= 3, then: alert("other", {})}`
		nothing = `{per: visitor, when: on(event("never")), then: alert("nothing", {})}`
	)
	page, form, pageOfX := event("page_view", "v", `,"n":7`), event("form_view", "v", ""), event("page_view", "x", "")
	for _, between := range []string{"goes on", "stops", "crashes"} {
		t.Run(between, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				fs := vfs.NewCrashableMem()
				l := begin(t, lifeOptions{fs: fs})
				pause := func() {
					crashed := fs.CrashClone(vfs.CrashCloneCfg{})
					switch between {
					case "crashes":
						fs = crashed
						fallthrough
					case "stops":
						l.end()
						l = begin(t, lifeOptions{fs: fs, shards: 3})
					}
				}
				want := func(fired []nudge.Firing, want string) {
					t.Helper()
					if brief(fired) != want {
						t.Fatalf("fired %q, want %q", brief(fired), want)
					}
				}
				l.deploy("a", third, "w", wait)
				want(l.send(page, page, form, form), "")
				pause()
				l.deploy("a", edited, "b", other, "w", wait)
				pause()
				l.warm()
				want(l.send(form), "b:v") // the other rule knows the two forms from the log
				fired := l.send(page)
				want(fired, "a:v")
				if a := fired[0].Actions[0]; a.Name != "edited" || string(a.Data) != `{"n":7}` {
					t.Errorf("the action is %q %s", a.Name, a.Data)
				}
				pause()
				l.deploy("n", nothing, "w", wait)
				want(l.send(pageOfX, pageOfX), "")
				pause()
				l.deploy("a", third, "b", other, "w", wait)
				pause()
				l.warm()
				want(l.send(page, form), "") // true all along
				want(l.send(pageOfX), "a:x")
				time.Sleep(time.Minute)
				if got := brief(l.walk(nudge.Cursor{}, 3)); got != "b:v a:v a:x w:v" {
					t.Errorf("fired %q", got)
				}
				same(t, "the log read back", l.walk(nudge.Cursor{}, 3), l.reference())
				l.end()
			})
		})
	}
}

// Rules that do not compile leave everything as it was: the running plan, the log, the state.
func TestDeployThatDoesNotCompile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		l.deploy("a", `{per: visitor, when: count(page_view, "1h") >= 2, then: alert("a", {})}`)
		l.send(event("page_view", "v", ""))
		plan, next := l.node.Plan(), l.dir.Log.Next()
		diags, err := l.node.Deploy(context.Background(), ruleFiles("a", `{per: visitor, when: cuont(page_view, "1h") >= 2, then: alert("a", {})}`))
		if err != nil || !diags.HasErrors() || !strings.Contains(diags.Err().Error(), "a.expr:1:") {
			t.Fatalf("%v, %v", err, diags.Err())
		}
		if l.node.Plan() != plan || l.dir.Log.Next() != next {
			t.Error("a broken deployment changed the plan or the log")
		}
		if got := brief(l.send(event("page_view", "v", ""))); got != "a:v" {
			t.Errorf("fired %q", got)
		}
	})
}

// The plan of a node that starts is the one deployed last, from the checkpoint or from the log behind it, and it is whole: names
// that lay in a reader's buffer would not outlive the next entry.
func TestPlanSurvives(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprintf("crash=%v", crash), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				fs := vfs.NewCrashableMem()
				l := begin(t, lifeOptions{fs: fs, segmentBytes: 1 << 10})
				if got := len(l.node.Plan().Rules); got != 0 {
					t.Fatalf("a new node runs %d rules", got)
				}
				l.deploy("first", `{per: visitor, when: on(page_view), then: alert("a", {})}`)
				l.deploy(
					"second-rule", `{per: visitor, when: on(page_view and title == "go"), then: alert("wanted text", {page: title})}`,
					"third-rule", `{per: lower(form), when: on(form_view), then: alert("b", {f: form})}`)
				for i := range 50 { // overwrites whatever buffers there are
					l.send(event("click", "v", fmt.Sprintf(`,"title":%q`, strings.Repeat(string(rune('A'+i%26)), 300))))
				}
				crashed := fs.CrashClone(vfs.CrashCloneCfg{})
				l.end()
				if crash {
					fs = crashed
				}
				l = begin(t, lifeOptions{fs: fs, segmentBytes: 1 << 10})
				defer l.end()
				var ids []string
				for _, r := range l.node.Plan().Rules {
					ids = append(ids, r.ID)
				}
				if got := strings.Join(ids, " "); got != "second-rule third-rule" {
					t.Fatalf("the plan has the rules %q", got)
				}
				fired := l.send(event("page_view", "v", `,"title":"go"`), event("form_view", "v", `,"form":"DEMO"`))
				if brief(fired) != "second-rule:v third-rule:demo" {
					t.Fatalf("fired %q", brief(fired))
				}
				if a := fired[0].Actions[0]; a.Name != "wanted text" || string(a.Data) != `{"page":"go"}` || fired[1].Per != "lower(form)" {
					t.Errorf("%s", text(fired))
				}
			})
		})
	}
}

// Ten thousand ordinary rules are one deployment, and the limit is a limit: one byte more is refused, and the old rules run on.
func TestDeploymentLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{shards: 2})
		defer l.end()
		const rule = `{per: visitor, when: count(page_view and path == "/page-%d", "30d") >= 5, then: alert("reads page %d often", {path: path}), cooldown: "7d"}`
		var sources []rules.Source
		for i := range 10_000 {
			sources = append(sources, rules.Source{File: fmt.Sprintf("rule-%05d.expr", i), Text: fmt.Sprintf(rule, i, i)})
		}
		deploy := func() string {
			diags, err := l.node.Deploy(context.Background(), sources)
			if err == nil {
				err = diags.Err()
			}
			return fmt.Sprint(err)
		}
		length := func() int { return len(deployment(sources, l.node.options.Engine.settings())) }
		each := (nudge.MaxRecordBytes - 20_000 - length()) / len(sources)
		for i := range sources { // a remark behind each rule
			sources[i].Text += " //" + strings.Repeat("-", each-3)
		}
		sources[9998].Text += strings.Repeat("-", 10_000)
		sources[9998].Text += strings.Repeat("-", nudge.MaxRecordBytes-length())
		if got := deploy(); got != "<nil>" {
			t.Errorf("%d bytes: %s", length(), got)
		}
		running := l.node.Plan()
		sources[9999].Text += "/"
		if got := deploy(); !strings.Contains(got, "a deployment holds at most 8388608") || l.node.Plan() != running {
			t.Errorf("one byte more: %s", got)
		}
	})
}
