package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// languagePage is the reference of the rule language. Its blocks of code are of four kinds: expr, rules; test, the tests of the rules in
// the block of rules before it; console, what a command prints about both; and others.
const languagePage = "../../docs/LANGUAGE.md"

var blockPattern = regexp.MustCompile("(?ms)^```(expr|test|console)\n(.*?)^```$")

// languageEdits are what the tutorial says to change in its rule before each of its commands: what stands there, and what instead.
var languageEdits = [][2]string{{"page_view", "page_veiw"}, {"", ""}, {"", ""}, {">= 3", "> 3"}}

// TestLanguagePage runs every test of the page, and compares every output on it with what the command prints. -update rewrites those.
func TestLanguagePage(t *testing.T) {
	file, err := filepath.Abs(languagePage) // the commands run in other folders
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	files := map[string]string{}
	tests, consoles := 0, 0
	rewritten := blockPattern.ReplaceAllStringFunc(page, func(block string) string {
		m := blockPattern.FindStringSubmatch(block)
		switch kind, text := m[1], m[2]; kind {
		case "expr":
			files = splitFiles(text, "rule.expr")
		case "test":
			tests++
			for name, text := range splitFiles(text, "rule.test") {
				files[name] = text
			}
			if out := runTestCommand(t, "test", files, [2]string{}); !strings.Contains(out, ", 0 failed") || strings.Contains(out, "not run") {
				t.Errorf("%s\n%s", text, out)
			}
		case "console":
			command, was, _ := strings.Cut(text, "\n")
			if consoles++; consoles > len(languageEdits) {
				t.Fatalf("%s: it is not known what to change before it", command)
			}
			got := runTestCommand(t, strings.Fields(command)[2], files, languageEdits[consoles-1])
			if was != got && !*update {
				t.Errorf("%s\nprints\n%s\nand not (go test ./cmd/nudge -update rewrites it)\n%s", command, got, was)
			}
			return "```console\n" + command + "\n" + got + "```"
		}
		return block
	})
	if tests < 20 || consoles != len(languageEdits) {
		t.Errorf("only %d tests and %d outputs were found", tests, consoles)
	}
	if *update && rewritten != page {
		if err := os.WriteFile(file, []byte(rewritten), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// splitFiles splits a block at lines of the form "-- NAME --". One without any is the file of that name.
func splitFiles(text, name string) map[string]string {
	files := map[string]string{}
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(line, "-- "); ok {
			name = strings.TrimSuffix(n, " --\n")
			continue
		}
		files[name] += line
	}
	return files
}

// runTestCommand is what `nudge check rules` or `nudge test rules` prints about files in a folder of that name.
func runTestCommand(t *testing.T, command string, files map[string]string, edit [2]string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("rules", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if edit[0] != "" && filepath.Ext(name) == ".expr" {
			if !strings.Contains(text, edit[0]) {
				t.Fatalf("%s has no %s", name, edit[0])
			}
			text = strings.Replace(text, edit[0], edit[1], 1)
		}
		if err := os.WriteFile(filepath.Join("rules", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	switch command {
	case "check":
		c := &checkConfig{dir: "rules", format: "text", logKeep: defaultLogKeep}
		_ = c.check(&out) // that it found something stands in its output
	case "test":
		f := &testFlags{engineFlags: engineFlags{shards: 1, lateness: defaultLateness, dedupEvents: defaultDedupEvents, timezone: "UTC"}, format: "text"}
		_ = runTests("rules", f, &out, io.Discard)
	default:
		t.Fatalf("nudge %s is not known here", command)
	}
	return out.String()
}
