package rules

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nudge"
)

var update = flag.Bool("update", false, "write docs/errors.md instead of comparing it")

func everyCode(f func(theme int, c Code)) {
	for i, t := range Codes() {
		for _, c := range t.Codes {
			f(i+1, c)
		}
	}
}

// Every message has a row in the table, every row a message, and a code never two.
func TestEveryMessageHasACode(t *testing.T) {
	used := messageFormats(t)
	seen, numbers := map[string]bool{}, map[string]bool{}
	everyCode(func(theme int, c Code) {
		severity := used[c.format]
		if severity == "" {
			t.Errorf("%s: nothing reports %q", c.Code, c.format)
		} else if c.Code[:1] != severity {
			t.Errorf("%s: %q is reported as %s", c.Code, c.format, severity)
		}
		if seen[c.format] || numbers[c.Code[1:]] {
			t.Errorf("%s: the code or its message stands in the table twice", c.Code)
		}
		seen[c.format], numbers[c.Code[1:]] = true, true
		if len(c.Code) != 4 || c.Code[1:2] != strconv.Itoa(theme) || c.Title == "" || c.Explain == "" {
			t.Errorf("%s is not whole, or stands in the wrong theme", c.Code)
		}
	})
	for format := range used {
		if !seen[format] {
			t.Errorf("no code has the message %q", format)
		}
	}
}

// messageFormats reads the formats of errorf, warnf and problemf out of the package's source, with the letter of their severity.
func messageFormats(t *testing.T) map[string]string {
	t.Helper()
	calls := map[string]struct {
		argument int
		severity string
	}{"errorf": {2, "E"}, "warnf": {2, "W"}, "problemf": {0, "E"}}
	formats := map[string]string{}
	fset := token.NewFileSet()
	for _, f := range parsePackage(t, fset) {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			c, ok := calls[name]
			if !ok {
				return true
			}
			literal, ok := call.Args[c.argument].(*ast.BasicLit)
			if !ok {
				t.Errorf("%s: a message's format is written where it is reported", fset.Position(call.Pos()))
				return true
			}
			format, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			if format != "%v" { // a problem, which has its own
				formats[format] = c.severity
			}
			return true
		})
	}
	return formats
}

func parsePackage(t *testing.T, fset *token.FileSet) []*ast.File {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// Each wrong example gets its code and no other, and the mended one neither that code nor any error.
func TestExamplesOfCodes(t *testing.T) {
	unseen := 0
	everyCode(func(_ int, c Code) {
		if c.Wrong == "" {
			unseen++
			return
		}
		wrong := exampleSources(c.Wrong)
		if full, abbreviated := longExamples[c.Code]; abbreviated != strings.Contains(c.Wrong, "…") {
			t.Errorf("%s: an example that is shown with … stands in longExamples in full, and no other does", c.Code)
		} else if abbreviated {
			wrong = full()
		}
		ds := compileExample(wrong)
		if len(ds) == 0 || slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Code != c.Code }) {
			t.Errorf("%s: the wrong example gives\n%s", c.Code, ds.Text())
		}
		if ds := compileExample(exampleSources(c.Mended)); ds.HasErrors() || slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Code == c.Code }) {
			t.Errorf("%s: the mended example gives\n%s", c.Code, ds.Text())
		}
	})
	if unseen > 2 {
		t.Errorf("%d codes have no example", unseen)
	}
}

func compileExample(sources []Source) Diagnostics {
	_, ds := Compile(sources, Options{Names: nudge.NewNames(), LogRetention: 35 * dayMillis})
	return ds
}

// exampleSources makes files of an example: entries by themselves are those of a rule that is right otherwise.
func exampleSources(text string) []Source {
	for _, needed := range [...]struct{ entry, whole string }{
		{"when:", "{ per: visitor, then: alert(\"hello\"), %s\n}"}, {"then:", "{ per: visitor, when: on(click), %s\n}"},
	} {
		if strings.HasPrefix(text, needed.entry) {
			if needed.entry == "when:" && strings.Contains(text, "\nthen:") {
				needed.whole = "{ per: visitor, %s\n}"
			}
			text = fmt.Sprintf(needed.whole, text)
			break
		}
	}
	return scriptSources(text)
}

// followers are n rules, each of which follows all before it: of one event the last one fires 2ⁿ⁻² times.
func followers(n int) (sources []Source) {
	test, before := "click", []string{}
	for i := range n {
		id := fmt.Sprintf("r%d", i)
		sources = append(sources, Source{File: id + ".expr", Text: fmt.Sprintf("{per: visitor, when: on(%s), then: alert(%q)}", test, id)})
		before = append(before, strconv.Quote(id))
		test = "fired and rule in [" + strings.Join(before, ", ") + "]"
	}
	return sources
}

// longExamples are the wrong examples that the page shows cut short.
var longExamples = func() map[string]func() []Source {
	rule := func(test string) []Source { return exampleSources("when: on(" + test + ")") }
	return map[string]func() []Source{
		"E103": func() []Source { return rule("click /*" + strings.Repeat("x", MaxFileBytes) + "*/") },
		"E104": func() []Source {
			return exampleSources("\uFEFF{ per: visitor, when: on(click), then: popup(\"hello\") }")
		},
		"E630": func() []Source {
			asks := make([]string, MaxOperators+1)
			for i := range asks {
				asks[i] = fmt.Sprintf(`count(click, "%dm") > 1`, i+1)
			}
			return exampleSources("when: " + strings.Join(asks, " or "))
		},
		"E105": func() []Source { return rule("form == \"caf\xe9\"") },
		"E144": func() []Source { return []Source{{File: "example.expr", Text: "\xff\xfe{\x00}\x00"}} },
		"E106": func() []Source { return rule("form == \"a\x00\"") },
		"E108": func() []Source {
			files := make([]Source, MaxFiles+1)
			for i := range files {
				files[i] = Source{File: fmt.Sprintf("r%d.expr", i), Text: fmt.Sprintf("{per: visitor, when: on(click), then: alert(\"%d\")}", i)}
			}
			return files
		},
		"E706": func() []Source { return followers(19) },
		"E115": func() []Source {
			return rule(strings.Repeat("(", MaxNesting) + "click" + strings.Repeat(")", MaxNesting))
		},
		"E116": func() []Source { return rule(strings.Repeat("not ", MaxNesting+1) + "click") },
		"E117": func() []Source { return rule(strings.Repeat("n == 1 or ", MaxNodes/4) + "click") },
		"E202": func() []Source {
			var b strings.Builder
			for i := range MaxLets + 1 {
				fmt.Fprintf(&b, "let a%d = click;\n", i)
			}
			return scriptSources(b.String() + "{per: visitor, when: on(click), then: popup(\"hello\")}")
		},
		"E227": func() []Source {
			var b strings.Builder
			b.WriteString("let a0 = click;\n")
			for i := range 20 {
				fmt.Fprintf(&b, "let a%d = (a%d and form == \"%d\") or a%d;\n", i+1, i, i, i)
			}
			return scriptSources(b.String() + "{per: visitor, when: on(a20), then: popup(\"hello\")}")
		},
		"E226": func() []Source { return rule(`event("` + strings.Repeat("x", nudge.MaxNameBytes+1) + `")`) },
		"E322": func() []Source { return rule(`path matches "` + strings.Repeat("x", MaxPatternBytes+1) + `"`) },
		"E518": func() []Source {
			return exampleSources("when: sequence(" + strings.Repeat("page_view, ", MaxSteps+1) + `"30m")`)
		},
		"E614": func() []Source {
			return exampleSources("then: [" + strings.Repeat(`alert("x"), `, MaxActions) + `alert("x")]`)
		},
	}
}()

const pageOfCodes = "../" + CodesPage

// docs/errors.md is what the table says.
func TestPageOfCodesIsFresh(t *testing.T) {
	want := codesPage()
	if *update {
		if err := os.WriteFile(pageOfCodes, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if readDoc(t, pageOfCodes) != want {
		t.Fatal("docs/errors.md is not what the table of codes says: run `go generate ./rules`")
	}
}

// codesPage writes the page about all codes.
func codesPage() string {
	var b strings.Builder
	b.WriteString("# What goes wrong, and what to write\n\n" +
		"`nudge check` says with a code and a place what is wrong in a rule. Here each code is explained. **E** is an error: nothing of the folder is deployed. **W** is a warning: it runs, but look at it. " +
		"Codes keep their meaning from version to version.\n\n" +
		"Examples that are only an entry are of a rule that is right otherwise; `-- NAME --` begins a file. `…` in a message stands for a part of your rule. " +
		"This page is made of the table in `rules/codes*.go` by `go generate ./rules`, and a test compiles every example.\n")
	for i, theme := range Codes() {
		fmt.Fprintf(&b, "\n## %dxx: %s\n", i+1, theme.Title)
		for _, c := range theme.Codes {
			fmt.Fprintf(&b, "\n### %s\n\n**%s.** *%s*\n\n%s\n", c.Code, strings.ToUpper(c.Title[:1])+c.Title[1:], shownFormat(c.format), c.Explain)
			if c.Wrong != "" {
				fmt.Fprintf(&b, "\n```\n%s\n```\n\nbetter:\n\n```\n%s\n```\n", c.Wrong, c.Mended)
			}
		}
	}
	return b.String()
}

// shownFormat is a message's format as a reader sees it.
func shownFormat(format string) string {
	return strings.NewReplacer("%s", "…", "%v", "…", "%d", "…", "%q", "…").Replace(format)
}
