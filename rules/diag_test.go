package rules

import (
	"strings"
	"testing"

	"nudge"
)

func TestDiagnosticsAsError(t *testing.T) {
	warning := Diagnostic{File: "a.expr", Line: 1, Col: 2, EndCol: 3, Severity: SeverityWarning, Code: "W1", Message: "hm"}
	bad := Diagnostic{File: "b.expr", Line: 1, Col: 2, EndCol: 4, Severity: SeverityError, Code: "E2", Message: "no", Suggestion: "yes", Source: "abc"}
	if ds := (Diagnostics{warning}); ds.HasErrors() || ds.Err() != nil {
		t.Error(ds.Err())
	}
	ds := Diagnostics{warning, bad}
	if want := "b.expr:1:2: E2: no\n    abc\n     ^~\n    fix: yes"; !ds.HasErrors() || ds.Err().Error() != want {
		t.Errorf("%q", ds.Err().Error())
	}
	if want := "::warning file=a.expr,line=1,col=2,endColumn=3,title=W1::hm\n::error file=b.expr,line=1,col=2,endColumn=4,title=E2::no%0Afix: yes\n"; ds.GitHub(".") != want {
		t.Errorf("%q", ds.GitHub("."))
	}
}

// A workflow command cannot be broken out of by what a file is called or holds.
func TestGitHubEscapes(t *testing.T) {
	ds := Diagnostics{{File: "a,b:c%.expr", Code: "E3", Severity: SeverityError, Message: "100%\n::error::x"}}
	if want := "::error file=d/a%2Cb%3Ac%25.expr,line=1,col=1,endColumn=2,title=E3::100%25%0A::error::x\n"; ds.GitHub("d") != want {
		t.Errorf("%q", ds.GitHub("d"))
	}
}

// However many warnings a file has, an error behind them keeps it from being deployed; and however many errors, the list stays short.
func TestRemarksAreBounded(t *testing.T) {
	warnings := strings.Repeat(`count(click, "1d") >= 0 and `+"\n", MaxRemarks+5)
	plan, ds := Compile([]Source{{"rule.expr", `{per: visitor, when: ` + warnings + ` on(clock), then: popup("x")}`}}, Options{Names: nudge.NewNames()})
	if plan != nil || !ds.HasErrors() || len(ds) != MaxRemarks+1 {
		t.Errorf("%d remarks", len(ds))
	}
	bad := strings.Repeat(`count(clock, "1d") > 1 and `+"\n", MaxRemarks+5)
	if _, ds := Compile([]Source{{"rule.expr", `{per: visitor, when: ` + bad + ` on(click), then: popup("x")}`}}, Options{Names: nudge.NewNames()}); len(ds) != MaxRemarks {
		t.Errorf("%d remarks", len(ds))
	}
}

// A line that does not fit a screen is not shown; its place still is.
func TestLongLinesAreNotShown(t *testing.T) {
	text := `{per: visitor, when: on(clock), title: "` + strings.Repeat("x", maxSourceChars) + `", then: popup("x")}`
	_, ds := Compile([]Source{{"rule.expr", text}}, Options{Names: nudge.NewNames()})
	if len(ds) != 1 || ds[0].Source != "" || ds[0].Col != 25 || strings.Contains(ds.Text(), "xxx") {
		t.Errorf("%+v", ds)
	}
}
