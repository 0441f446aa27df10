package lint

import (
	"regexp"
	"strings"
)

// The README's two commands, and what stands behind them.
const (
	startCommand = "make run"
	testCommand  = "make test"
)

// makeTargets are the targets that the Makefile offers; each has its raw command in a comment above it.
var makeTargets = []string{"run", "build", "test", "race", "check", "bench", "e2e", "fuzz", "sim", "chaos", "fmt"}

var formatVersion = regexp.MustCompile(`(?i)\bversion\b\D{0,40}\d`)

// formatRule wants each page about a stored format to name the version that it describes.
func formatRule(t *tree) (found []finding) {
	for _, f := range t.files {
		if strings.HasPrefix(f.path, "docs/format/") && strings.HasSuffix(f.path, ".md") && !formatVersion.MatchString(f.text) {
			found = append(found, finding{f.path, 0, "names no version of the format, as in: version 1"})
		}
	}
	return found
}

// commandsRule wants the README to name both commands and .ci/run to run the test command that the README names.
func commandsRule(t *tree) (found []finding) {
	for _, want := range []struct{ path, text, why string }{
		{"README.md", startCommand, "the command that starts the demo"},
		{"README.md", testCommand, "the command that runs the tests"},
		{".ci/run", testCommand, "the README's test command"},
	} {
		f := t.find(want.path)
		if f == nil {
			found = append(found, finding{want.path, 0, "is missing"})
		} else if !hasCommand(f.text, want.text) {
			found = append(found, finding{want.path, 0, "does not name `" + want.text + "`, " + want.why})
		}
	}
	return found
}

// hasCommand says whether a line that is no comment runs the command.
func hasCommand(text, command string) bool {
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "#") && regexp.MustCompile(regexp.QuoteMeta(command)+`(\W|$)`).MatchString(line) {
			return true
		}
	}
	return false
}

// makefileRule wants every target to be there, with a comment above it that gives the raw command.
func makefileRule(t *tree) (found []finding) {
	f := t.find("Makefile")
	if f == nil {
		return []finding{{"Makefile", 0, "is missing"}}
	}
	lines := strings.Split(f.text, "\n")
	for _, target := range makeTargets {
		at := -1
		for i, line := range lines {
			if strings.HasPrefix(line, target+":") {
				at = i
			}
		}
		switch {
		case at < 0:
			found = append(found, finding{f.path, 0, "has no target " + target})
		case at == 0 || !strings.HasPrefix(lines[at-1], "# "):
			found = append(found, finding{f.path, at + 1, "the target " + target + " has no comment above it that gives the raw command"})
		}
	}
	return found
}
