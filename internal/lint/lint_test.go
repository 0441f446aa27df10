package lint

import (
	"go/token"
	"strings"
	"testing"
)

var allRules = []struct {
	name string
	rule func(*tree) []finding
}{
	{"imports", importRule},
	{"purity", purityRule},
	{"map order", mapOrderRule},
	{"init", initRule},
	{"sleep", sleepRule},
	{"globals", globalsRule},
	{"size", sizeRule},
	{"words", wordsRule},
	{"formats", formatRule},
	{"commands", commandsRule},
	{"makefile", makefileRule},
}

func TestTree(t *testing.T) {
	tree, err := readTree("../..")
	if err != nil {
		t.Fatal(err)
	}
	if tree.find("go.mod") == nil || tree.find("internal/lint/lint_test.go") == nil {
		t.Fatal("the repository was not found where this test looks for it")
	}
	for _, r := range allRules {
		t.Run(r.name, func(t *testing.T) {
			for _, f := range r.rule(tree) {
				t.Error(f)
			}
		})
	}
}

// TestRulesCatch plants what each rule forbids, and beside it what the rule must let pass.
func TestRulesCatch(t *testing.T) {
	long := strings.Repeat("\n", maxFunctionLines)
	for _, tt := range []struct {
		name  string
		rule  func(*tree) []finding
		files map[string]string
		want  []string // parts of the findings, in order; none: everything passes
	}{
		{"engine imports a third-party module", importRule, map[string]string{
			"engine/a.go": `package engine; import _ "github.com/cockroachdb/pebble/v2"`,
		}, []string{"engine/a.go:1: github.com/cockroachdb/pebble/v2 stays behind state"}},
		{"engine imports upwards", importRule, map[string]string{
			"engine/a.go": `package engine; import _ "nudge/ingest"`,
		}, []string{"engine/ may not import nudge/ingest"}},
		{"engine imports its own", importRule, map[string]string{
			"engine/a.go": `package engine; import (_ "nudge"; _ "nudge/rules"; _ "sort")`,
		}, nil},
		{"only cmd imports cmd", importRule, map[string]string{
			"bench/a.go": `package bench; import _ "nudge/cmd/nudge"`,
		}, []string{"may not import nudge/cmd/nudge"}},
		{"a module that no table names", importRule, map[string]string{
			"rules/a.go": `package rules; import _ "example.org/left/pad"`,
		}, []string{"which folder does it stay behind"}},
		{"bench measures modules bare, but only listed ones", importRule, map[string]string{
			"bench/a.go": `package bench; import (_ "github.com/valyala/fasthttp"; _ "nudge/ingest")`,
			"bench/b.go": `package bench; import _ "example.org/left/pad"`,
		}, []string{"bench/b.go"}},
		{"a folder that no table names", importRule, map[string]string{
			"util/a.go": `package util; import _ "nudge"`,
		}, []string{"not in the table of import directions"}},
		{"NATS is one folder, and its server is for tests", importRule, map[string]string{
			"ingest/nats/a.go":      `package nats; import (_ "github.com/nats-io/nats.go/jetstream"; _ "nudge/ingest")`,
			"ingest/nats/a_test.go": `package nats; import (_ "github.com/nats-io/nats-server/v2/server"; _ "nudge/engine")`,
			"ingest/nats/b.go":      `package nats; import (_ "github.com/nats-io/nats-server/v2/server"; _ "nudge/engine")`,
			"ingest/a.go":           `package ingest; import (_ "github.com/nats-io/nats.go"; _ "nudge/ingest/nats")`,
			"cmd/nudge/a.go":        `package main; import (_ "github.com/nats-io/nats.go"; _ "nudge/ingest/nats")`,
			"cmd/nudge/a_test.go":   `package main; import _ "github.com/nats-io/nats.go"`,
		}, []string{"cmd/nudge/a.go", "ingest/a.go:1: github.com", "ingest/ may not import nudge/ingest/nats", "ingest/nats/b.go:1: github.com", "ingest/nats/ may not import"}},
		{"msgpack is one file", importRule, map[string]string{
			"ingest/msgpack.go": `package ingest; import _ "github.com/vmihailenco/msgpack/v5"`,
			"ingest/other.go":   `package ingest; import _ "github.com/vmihailenco/msgpack/v5"`,
		}, []string{"ingest/other.go"}},
		{"test modules are for tests", importRule, map[string]string{
			"rules/a.go":      `package rules; import _ "github.com/google/go-cmp/cmp"`,
			"rules/a_test.go": `package rules; import _ "github.com/google/go-cmp/cmp"`,
		}, []string{"rules/a.go:1: github.com/google/go-cmp/cmp is for tests"}},
		{"clock", purityRule, map[string]string{
			"engine/a.go":      `package engine; import "time"; var x = func() { time.Now() }`,
			"engine/a_test.go": `package engine; import "time"; var y = func() { time.Now() }`,
			"ingest/a.go":      `package ingest; import "time"; var x = func() { time.Now() }`,
			"rules/a.go":       `package rules; import "time"; const d = time.Second; var x = time.Since`,
		}, []string{"engine/a.go:1: time.Now", "rules/a.go:1: time.Since"}},
		{"chance", purityRule, map[string]string{
			"engine/a.go": `package engine; import _ "math/rand/v2"`,
			"rules/a.go":  `package rules; import _ "hash/maphash"`,
		}, []string{"math/rand/v2", "hash/maphash"}},
		{"goroutines", purityRule, map[string]string{
			"engine/a.go":      `package engine; func f() { go f() }`,
			"engine/engine.go": `package engine; func g() { go g() }`,
		}, []string{"engine/a.go:1: a goroutine"}},
		{"loops over maps", mapOrderRule, map[string]string{
			"key.go":      "package nudge; type Set map[string]bool",
			"engine/a.go": "package engine\nimport (\n\"maps\"\n\"nudge\"\n)\ntype t struct{ m map[int]int; s []int }\nfunc f(x *t, set nudge.Set) {\nfor range x.s {}\nfor range x.m {}\nfor range set {}\nfor range maps.Keys(x.m) {}\n}",
			"engine/b.go": "package engine\n//nudge:unordered sums commute\nfunc g(x *t) { for range x.m {} }\nfunc copy(x, y *t) { for k := range x.m { y.m[k] = x.m[k] } }\n//nudge:unordered\nfunc h() {}",
		}, []string{"engine/a.go:9:", "engine/a.go:10:", "engine/a.go:11:", "engine/b.go:6: //nudge:unordered wants a reason"}},
		{"init", initRule, map[string]string{
			"state/a.go": `package state; func init() {}; type t int; func (t) init() {}`,
		}, []string{"state/a.go:1"}},
		{"sleep", sleepRule, map[string]string{
			"deliver/a_test.go": `package deliver; import "time"; var x = func() { time.Sleep(1) }`,
			"deliver/b_test.go": `package deliver; import ("time"; "testing/synctest"); var x = func() { time.Sleep(1) }; var _ = synctest.Test`,
			"deliver/a.go":      `package deliver; import "time"; var x = func() { time.Sleep(1) }`,
		}, []string{"deliver/a_test.go:1"}},
		{"globals", globalsRule, map[string]string{
			"ingest/a.go": "package ingest\nvar n int\nvar table = map[string]int{}\nvar fixed = []int{1}\nfunc f() {\nn++\ntable[\"a\"] = 1\ndelete(table, \"a\")\nn := fixed[0]\nn = 2\n_ = n\n}",
			"engine/a.go": "package engine\nimport \"sync\"\nvar mu sync.Mutex\nvar errX = error(nil)",
		}, []string{"engine/a.go:3: mu has no value", "ingest/a.go:6: n is", "ingest/a.go:7: table is", "ingest/a.go:8: table is"}},
		{"sizes", sizeRule, map[string]string{
			"state/a.go":      "package state\nfunc f() {" + long + "}",
			"state/b.go":      "package state\nfunc f() {" + long[1:] + "}",
			"state/b_test.go": "package state\nfunc f() {" + long + "}",
			"state/c.go":      "package state" + strings.Repeat("\n", maxFileLines+1),
			"state/d.go":      "package state" + strings.Repeat("\n", maxFileLines),
		}, []string{"state/a.go:2: f has 101 lines", "state/c.go: more than 600"}},
		{"words", wordsRule, map[string]string{
			"a.md":        "see /wor" + "k/main or /home page\nTO" + "DO: all\nproxy.gol" + "ang.org\nour iss" + "ue 3",
			"b.md":        "https://x.example/work/here, a todo list, golang.org/x/net, homework/a",
			".ci/install": "npm --registry https://registry.np" + "mjs.org",
		}, []string{".ci/install:1", "a.md:1", "a.md:2", "a.md:3", "a.md:4"}},
		{"formats", formatRule, map[string]string{
			"docs/format/a.md": "Layout", "docs/format/b.md": "# Record, version 1",
		}, []string{"docs/format/a.md"}},
		{"commands", commandsRule, map[string]string{
			"README.md": "    make run\n    make tests", ".ci/run": "# make test\ngo test ./...",
		}, []string{"README.md: does not name `make test`", ".ci/run: does not name `make test`"}},
		{"makefile", makefileRule, map[string]string{
			"Makefile": "# go run\nrun:\nbuild:\n# c\ntest:\n# c\nrace:\n# c\ncheck:\n# c\nbench:\n# c\ne2e:\n# c\nfuzz:\n# c\nsim:\n# c\nchaos:",
		}, []string{"Makefile:3: the target build", "no target fmt"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := tt.rule(plant(t, tt.files))
			for i, f := range found {
				if i >= len(tt.want) || !strings.Contains(f.String(), tt.want[i]) {
					t.Errorf("finding %d: %v, want %q", i, f, tt.want)
				}
			}
			if len(found) < len(tt.want) {
				t.Errorf("only %v, want %q", found, tt.want)
			}
		})
	}
}

// plant makes a tree of the given files, in order of their paths.
func plant(t *testing.T, files map[string]string) *tree {
	t.Helper()
	planted := &tree{fset: token.NewFileSet()}
	for _, rel := range sorted(files) {
		if err := planted.add(rel, files[rel]); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range planted.files {
		if dir := f.dir(); len(planted.dirs) == 0 || planted.dirs[len(planted.dirs)-1] != dir {
			planted.dirs = append(planted.dirs, dir)
		}
	}
	return planted
}

func sorted(files map[string]string) []string { return strings.Split(sortedKeys(files), ", ") }
