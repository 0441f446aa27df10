package engine

import (
	"context"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// Anybody may send any number of names. Events with names that the process has no room for are taken, a rule deployed later finds what they hold, in
// the log and in requests that were on their way, and so do processes that meet other names first.
func TestNamesFromOutside(t *testing.T) {
	const (
		warmPaid = `{per: visitor, when: sum(event("paid"), amount, "1h") >= 30, then: alert("paid", {last: last(event("paid"), note)})}`
		warmType = `{per: visitor, when: count(type contains "wish", "1h") >= 2, then: alert("wish", {})}`
	)
	bubble(t, func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		crashed := func() vfs.FS { return fs.CrashClone(vfs.CrashCloneCfg{}) }
		some := func(n int) lifeOptions {
			return lifeOptions{fs: fs, segmentBytes: 8 << 10, names: nudge.NewNamesWith(int(nudge.FirstFreeName) + n)}
		}
		paid := func(visitor string, amount int) string {
			return event("paid", visitor, fmt.Sprintf(`,"amount":%d,"note":"n%d"`, amount, amount))
		}
		junk := func(l *life, kind string) {
			for i := range 300 {
				l.send(event(fmt.Sprint(kind, i), "x", fmt.Sprintf(`,"%s%d.field":%d`, kind, i, i)))
			}
		}

		l := begin(t, some(100))
		l.deploy("one", warmOne)
		junk(l, "junk")
		l.send(paid("v", 10), event("wish_list", "w", ""))
		onItsWay := l.records(paid("v", 15), event("wished", "w", ""))
		l.deploy("one", warmOne, "paid", warmPaid, "type", warmType)
		l.warm()
		got, err := l.node.Submit(context.Background(), onItsWay, 2, true)
		if brief(got) != "type:w" || err != nil {
			t.Errorf("fired %q, %v", brief(got), err)
		}
		if got := brief(l.send(paid("v", 5))); got != "paid:v" {
			t.Errorf("fired %q", got)
		}
		fired := l.told()
		same(t, "the log read back", fired, l.reference())
		lost := crashed()
		l.end()

		for _, room := range []int{1 << 20, 30, 0} { // the whole log behind no checkpoint, with the deployments in it
			o := some(room)
			o.fs = lost
			if room > 0 {
				o.fs = vfs.NewMem()
				if _, err := vfs.Clone(lost, o.fs, "", ""); err != nil {
					t.Fatal(err)
				}
			}
			r := begin(t, o)
			same(t, fmt.Sprintf("a restart with room for %d", room), r.told(), fired)
			r.end()
		}

		l = begin(t, some(40))
		junk(l, "other")
		l.deploy("one", warmOne, "paid", warmPaid, "type", warmType, "first", `{per: visitor, when: count(event("junk299") and field("junk299.field") == 299, "1h") >= 1 and count(event("other299") and field("other299.field") == 299, "1h") >= 1 and on(event("junk3")), then: alert("x", {})}`)
		l.warm()
		if got := brief(l.send(event("junk3", "x", ""))); got != "first:x" {
			t.Errorf("fired %q", got)
		}
		if r := l.erase("visitor", "w"); r.Log.Records != 2 {
			t.Errorf("%+v", r)
		}
		l.end()
		l = begin(t, some(0))
		defer l.end()
		if got := brief(l.send(paid("v", 29), paid("u", 29), paid("u", 1), event("junk3", "x", ""))); got != "paid:u first:x" {
			t.Errorf("fired %q", got)
		}
	})
}
