package lint

import (
	"slices"
	"strconv"
	"strings"
)

// module is the path of ours.
const module = "nudge"

// everything, in directions, is any of our folders but cmd.
const everything = "*"

// directions says which of our folders a folder may import: the table of docs/ARCHITECTURE.md. "" is the root package.
var directions = map[string][]string{
	"":                  {},
	"rules":             {""},
	"engine":            {"", "rules"},
	"state":             {""},
	"ingest":            {"", "ingest/sdk", "internal/throttle"},
	"ingest/nats":       {"", "ingest", "internal/throttle"},
	"ingest/sdk":        {""},
	"deliver":           {"", "internal/throttle"},
	"examples":          {"", "rules"},
	"bench":             {everything},
	"cmd/nudge":         {everything},
	"internal/beside":   {},
	"internal/chaos":    {},
	"internal/fixture":  {"", "rules", "engine", "ingest"},
	"internal/lint":     {},
	"internal/oracle":   {"", "rules"},
	"internal/replay":   {"", "rules", "engine", "ingest"},
	"internal/sim":      {"", "rules", "engine", "state", "ingest", "deliver", "internal/oracle"},
	"internal/throttle": {},
}

// testDirections is what a folder's tests may import besides.
var testDirections = map[string][]string{
	"engine":          {"state", "ingest", "internal/oracle"},
	"examples":        {"engine", "ingest", "internal/fixture"},
	"internal/oracle": {"engine", "ingest"},
	"ingest":          {"examples"},
	"ingest/nats":     {"engine", "rules", "state"},
	"state":           {"rules"},
}

// modules says behind which folders, or files, each third-party module stays. What is not listed may not be imported.
var modules = map[string][]string{
	"github.com/cespare/xxhash/v2":            {"", "state", "engine"},
	"github.com/expr-lang/expr":               {"rules", "internal/oracle"},
	"github.com/cockroachdb/pebble/v2":        {"state", "internal/sim"},
	"github.com/valyala/fasthttp":             {"ingest", "deliver", "internal/sim", "cmd/nudge/serve_routes.go", "cmd/nudge/serve_routes_test.go"},
	"github.com/valyala/fastjson":             {"ingest/native_test.go"},
	"github.com/vmihailenco/msgpack/v5":       {"ingest/msgpack.go", "ingest/msgpack_test.go"},
	"github.com/nats-io/nats.go":              {"ingest/nats"},
	"github.com/klauspost/compress":           {"state", "ingest", "internal/replay", "cmd/nudge/script_test.go"},
	"github.com/evanw/esbuild":                {"ingest/sdk"},
	"github.com/prometheus/client_golang":     {"state", "ingest", "deliver", "cmd/nudge"},
	"golang.org/x/net":                        {"ingest"},
	"github.com/HdrHistogram/hdrhistogram-go": {"bench"},
	"github.com/spf13/cobra":                  {"cmd/nudge"},
	"github.com/spf13/pflag":                  {"cmd/nudge"},
	"go.yaml.in/yaml/v3":                      {"cmd/nudge"},
	"golang.org/x/term":                       {"cmd/nudge"},
	"golang.org/x/sys":                        {"state", "engine"},
}

// measuring is where every listed module may be imported: what is measured is measured beside the bare module.
var measuring = []string{"bench"}

// testModules may be imported by every test and by nothing else.
var testModules = []string{
	"github.com/google/go-cmp", "github.com/cockroachdb/datadriven", "pgregory.net/rapid", "go.uber.org/goleak",
	"github.com/rogpeppe/go-internal", "github.com/cockroachdb/pebble/v2", "github.com/nats-io/nats.go", "github.com/nats-io/nats-server/v2",
}

// importRule checks every import of the tree against the tables above.
func importRule(t *tree) (found []finding) {
	for _, f := range t.goFiles(func(f *file) bool { return f.dir() != "internal/tools" }) {
		for _, spec := range f.ast.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue // the compiler says so
			}
			if problem := importProblem(f, name); problem != "" {
				found = append(found, t.at(f, spec.Pos(), "%s", problem))
			}
		}
	}
	return found
}

func importProblem(f *file, name string) string {
	first, _, _ := strings.Cut(name, "/")
	switch {
	case first == module:
		return ownImportProblem(f, strings.TrimPrefix(strings.TrimPrefix(name, module), "/"))
	case strings.Contains(first, "."):
		return moduleProblem(f, name)
	}
	return "" // standard library
}

func ownImportProblem(f *file, dir string) string {
	from := f.dir()
	if dir == from {
		return "" // a test in a package of its own
	}
	allowed, known := directions[from]
	if !known {
		return "the folder " + from + " is not in the table of import directions (internal/lint/imports.go, docs/ARCHITECTURE.md)"
	}
	if f.isTest() {
		allowed = slices.Concat(allowed, testDirections[from])
	}
	if slices.Contains(allowed, dir) || slices.Contains(allowed, everything) && !strings.HasPrefix(dir, "cmd") {
		return ""
	}
	return from + "/ may not import " + module + "/" + dir
}

func moduleProblem(f *file, name string) string {
	for mod, places := range modules {
		if inModule(name, mod) {
			if under(f.dir(), measuring) || under(f.dir(), places) || slices.Contains(places, f.path) || f.isTest() && slices.Contains(testModules, mod) {
				return ""
			}
			return mod + " stays behind " + strings.Join(places, ", ")
		}
	}
	if slices.ContainsFunc(testModules, func(mod string) bool { return inModule(name, mod) }) {
		if f.isTest() {
			return ""
		}
		return name + " is for tests"
	}
	return name + " is not in the table of modules (internal/lint/imports.go): which folder does it stay behind?"
}

func inModule(name, mod string) bool { return name == mod || strings.HasPrefix(name, mod+"/") }
