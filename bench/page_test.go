package bench

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "put the reports of docs/benchmarks into docs/BENCHMARKS.md")

// TestPage: docs/BENCHMARKS.md holds the reports of docs/benchmarks, each between <!-- LEVEL --> and <!-- end -->, as they were written.
// go test ./bench -run TestPage -update puts new ones in.
func TestPage(t *testing.T) {
	const page = "../docs/BENCHMARKS.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	reports, err := filepath.Glob("../docs/benchmarks/*.md")
	if err != nil || len(reports) == 0 {
		t.Fatalf("no reports: %v", err)
	}
	rest := string(text)
	for _, file := range reports {
		name := strings.TrimSuffix(filepath.Base(file), ".md")
		report := strings.ReplaceAll(readText(t, filepath.Dir(file), name+".md"), "]("+name+".svg)", "](benchmarks/"+name+".svg)")
		begin := "<!-- " + name + " -->\n"
		before, after, ok := strings.Cut(rest, begin)
		old, after, ends := strings.Cut(after, "<!-- end -->")
		switch {
		case !ok || !ends:
			t.Errorf("the page has no place for %s", file)
		case old != report && !*update:
			t.Errorf("the page does not hold %s: go test ./bench -run TestPage -update", file)
		default:
			rest = before + begin + report + "<!-- end -->" + after
		}
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(page, []byte(rest), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReportFiles: what a report is written as.
func TestReportFiles(t *testing.T) {
	r := &Report{Workload: "six", Level: "core", Events: 100, Rounds: 3, Method: []string{"by hand"}, LeftOut: []string{"a peer: no java"}, Chart: Chart{"events/s"}}
	speed := Table{Title: "speed", Columns: []string{"p50", "events/s"}}
	speed.row("core, <1> shard", once(Micros, 7), spread(PerSecond, []float64{1e6, 2e6, 4e6}))
	speed.row("slow", once(Micros, 9), once(PerSecond, 1e6))
	speed.row("unknown", once(Micros, 9))
	r.Tables = []Table{speed}
	dir := filepath.Join(t.TempDir(), "reports")
	if err := r.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	page := readText(t, dir, "core.md")
	for _, want := range []string{
		"| speed | p50 | events/s |\n|---|--:|--:|\n| core, <1> shard | 7 µs | 2.00 (1.00 – 4.00) M |\n", "| unknown | 9 µs |  |\n",
		"(core.svg)", "* by hand\n", "* left out: a peer: no java\n", "--events 100 --rounds 3",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page:\n%s", want, page)
		}
	}
	chart := readText(t, dir, "core.svg")
	for _, want := range []string{`class="n" x="330" y="34" width="200.0"`, `width="100.0"`, "core, &lt;1&gt; shard", `x1="430.0" x2="730.0"`} {
		if !strings.Contains(chart, want) {
			t.Errorf("%q is not in the chart:\n%s", want, chart)
		}
	}
	for d := xml.NewDecoder(strings.NewReader(chart)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(chart, "unknown") {
		t.Error("a row without the figure has a bar")
	}
	if !strings.HasPrefix(readText(t, dir, "core.json"), `{"`) {
		t.Error("no JSON")
	}
}

// TestReportFilesOfWorkloads: reports of two workloads, budgets or numbers of cores at one level do not overwrite each other.
func TestReportFilesOfWorkloads(t *testing.T) {
	dir := t.TempDir()
	if err := (&Report{Workload: "mission", Level: "core"}).WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	readText(t, dir, "core-mission.md")
	if err := (&Report{Workload: DefaultWorkload, Level: "core", Machine: Machine{Procs: 1}}).WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	readText(t, dir, "core-one-core.md")
	if err := (&Report{Workload: coldName, Level: "memory", Events: 500, Rounds: 1, Memory: 1 << 30}).WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	if page := readText(t, dir, "memory-1024MiB.md"); !strings.Contains(page, "--events 500 --memory 1024MiB --rounds 1") {
		t.Errorf("the page does not say with which budget:\n%s", page)
	}
}

// TestReportWithoutChart: no column, no chart.
func TestReportWithoutChart(t *testing.T) {
	dir := t.TempDir()
	r := &Report{Workload: DefaultWorkload, Level: "timers", Tables: []Table{{Title: "t", Columns: []string{"c"}}}}
	if err := r.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "timers.svg")); !os.IsNotExist(err) {
		t.Errorf("a chart of nothing: %v", err)
	}
}

func readText(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
