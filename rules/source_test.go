package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nudge"
)

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadFolder(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"b.expr": "2", "a.expr": "1", "catalog.expr": "{}", "a.test": "no", "README.md": "no", ".hidden.expr": "no",
		"a" + strings.Repeat("z", 63) + ".expr": "3", "edge.expr": strings.Repeat(" ", MaxFileBytes),
	})
	if err := os.Mkdir(filepath.Join(dir, "folder.expr"), 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range got {
		names = append(names, s.File)
	}
	want := []string{"a.expr", "a" + strings.Repeat("z", 63) + ".expr", "b.expr", "catalog.expr", "edge.expr"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Fatal(diff)
	}
	if got[0].Text != "1" {
		t.Fatalf("%q", got[0].Text)
	}
}

func TestReadFolderRefuses(t *testing.T) {
	if _, err := ReadFolder(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "does not exist: create it") {
		t.Error(err)
	}
	dir := writeFiles(t, map[string]string{"a.expr": "{}"})
	if _, err := ReadFolder(filepath.Join(dir, "a.expr")); err == nil || !strings.Contains(err.Error(), "is a file: give the folder") {
		t.Error(err)
	}
}

// TestEveryFileOfAFolderIsRemarkedOn: a file that cannot be a rule does not hide the mistakes of the others.
func TestEveryFileOfAFolderIsRemarkedOn(t *testing.T) {
	sources, err := ReadFolder(writeFiles(t, map[string]string{
		"Big.expr": "", "-a.expr": "", strings.Repeat("z", 65) + ".expr": "", "large.expr": strings.Repeat(" ", MaxFileBytes+1),
		"bom.expr": "\uFEFF{}", "latin.expr": "// caf\xe9", "zero.expr": "{}\x00",
		"typo.expr": `{per: visitor, whn: on(page_view), then: popup("x")}`, "fine.expr": `{per: visitor, when: on(page_view), then: popup("x")}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, ds := Compile(sources, Options{Names: nudge.NewNames()})
	for _, want := range []string{
		`the file name "Big.expr" gives no rule id`, `the file name "-a.expr" gives no rule id`, `zzz.expr" gives no rule id`,
		"large.expr: E103: the file is larger than 64 KiB", "bom.expr: E104: the file starts with a byte-order mark", "latin.expr: E105: the text is not UTF-8 in line 1 (byte 6 of the file)",
		"zero.expr: E106: there is a zero byte in line 1 (byte 2 of the file)", "typo.expr:1:",
	} {
		if !strings.Contains(ds.Text(), want) {
			t.Errorf("%q is missing in\n%s", want, ds.Text())
		}
	}
	if strings.Contains(ds.Text(), "fine.expr") {
		t.Error(ds.Text())
	}
}

// Compile refuses the same files, each with a remark of its own.
func TestCompileRefusesFiles(t *testing.T) {
	_, ds := Compile([]Source{
		{"bom.expr", "\uFEFF{}"}, {"large.expr", strings.Repeat(" ", MaxFileBytes+1)}, {"latin.expr", "// caf\xe9"}, {"twice.expr", "{}"}, {"twice.expr", "{}"},
	}, Options{Names: nudge.NewNames()})
	for _, want := range []string{"bom.expr: E104: the file starts", "large.expr: E103: the file is larger", "latin.expr: E105: the text is not UTF-8", "twice.expr: E107: there are two files"} {
		if !strings.Contains(ds.Text(), want) {
			t.Errorf("%q is missing in\n%s", want, ds.Text())
		}
	}
}

func TestSourcesRoundTrip(t *testing.T) {
	in := []Source{{"b.expr", "file a.expr 3\n"}, {"a.expr", ""}, {"c.expr", "// ü\r\n{}\n"}}
	text := EncodeSources(in)
	if want := "nudge-rules 1\nfile a.expr 0\n\nfile b.expr 14\nfile a.expr 3\n\nfile c.expr 10\n// ü\r\n{}\n\n"; text != want {
		t.Errorf("got  %q\nwant %q", text, want)
	}
	got, err := DecodeSources(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Source{in[1], in[0], in[2]}, got); diff != "" {
		t.Error(diff)
	}
	if in[0].File != "b.expr" {
		t.Error("EncodeSources sorts what it was given")
	}
	if got, err := DecodeSources(EncodeSources(nil)); err != nil || got != nil {
		t.Error(got, err)
	}
}

func TestDecodeSourcesRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                                              "does not start with",
		"nudge-rules 2\n":                                               "does not start with",
		"nudge-rules 1\nfile a.expr\n":                                  "is not of the form: file NAME LENGTH",
		"nudge-rules 1\nfile a.expr 5\n{}\n":                            `length "5" does not fit`,
		"nudge-rules 1\nfile a.expr 1\n{}\n":                            `length "1" does not fit`,
		"nudge-rules 1\nfile a.expr -1\n{}\n":                           `length "-1" does not fit`,
		"nudge-rules 1\nfile a.expr 02\n{}\n":                           `length "02" does not fit`,
		"nudge-rules 1\nfile ../a.expr 2\n{}\n":                         "gives no rule id",
		"nudge-rules 1\nfile b.expr 0\n\nfile a.expr 0\n\n":             "not in order",
		"nudge-rules 1\nfile a.expr 0\n\nfile a.expr 0\n\n":             "not in order",
		"nudge-rules 1\nfile a.expr 99999999999999999999 \nabc\n":       "is not of the form",
		"nudge-rules 1\nfile a.expr 99999999999999999999\nabc\n":        "does not fit",
		"nudge-rules 1\nfile a.expr 0\n\nfile b.expr 3\n\xff\xff\xff\n": "not UTF-8",
	} {
		if _, err := DecodeSources(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
