package replay

import (
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestCSVRow(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string
		err  error
	}{
		{``, []string{""}, nil},
		{`a,b`, []string{"a", "b"}, nil},
		{`a,,`, []string{"a", "", ""}, nil},
		{`"a,b",c`, []string{"a,b", "c"}, nil},
		{`"say ""hi""",""`, []string{`say "hi"`, ""}, nil},
		{"\"two\nlines\"", []string{"two\nlines"}, nil},
		{`"a",`, []string{"a", ""}, nil},
		{`"a`, nil, errOpenQuote},
		{`"a"b,c`, nil, errBareQuote},
		{`5" disk`, nil, errBareQuote},
	} {
		var r csvRow
		if err := r.split(tt.text); !errors.Is(err, tt.err) {
			t.Errorf("%q: %v, want %v", tt.text, err, tt.err)
		} else if err == nil && !slices.Equal(r.values, tt.want) {
			t.Errorf("%q: %q, want %q", tt.text, r.values, tt.want)
		}
	}
}

// FuzzCSV holds the splitter against encoding/csv: what one takes, the other takes, with the same values.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n", `"a,b",c`, `"a""b"`, "\"a\nb\",c\nd", `5"`, `"a"b`, "a\r\nb", `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "\r") {
			t.Skip("encoding/csv rewrites carriage returns inside values")
		}
		end := rowEnd([]byte(text), true)
		if end < 0 {
			var r csvRow
			if r.split(text) == nil {
				t.Fatalf("%q: the row has no end, but splits", text)
			}
			return
		}
		row := strings.TrimSuffix(text[:end], "\n")
		if row == "" {
			t.Skip("encoding/csv passes over blank lines")
		}
		var r csvRow
		err := r.split(row)
		std := csv.NewReader(strings.NewReader(row))
		std.FieldsPerRecord = -1
		want, stdErr := std.Read()
		if (err == nil) != (stdErr == nil) {
			t.Fatalf("%q: %v, encoding/csv says %v", row, err, stdErr)
		}
		if err == nil && !slices.Equal(r.values, want) {
			t.Fatalf("%q: %q, encoding/csv says %q", row, r.values, want)
		}
	})
}
