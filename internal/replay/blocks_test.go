package replay

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// describe cuts text into blocks and lists their lines, or rows of CSV, with their numbers, and what was refused.
func describe(t *testing.T, text string, csv bool, wrap func(io.Reader) io.Reader) []string {
	t.Helper()
	r := &blockReader{in: &input{name: "f", Reader: wrap(strings.NewReader(text))}, quotes: csv, line: 11, before: 10}
	var out []string
	b := newBlock()
	for {
		ok, err := r.next(b)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return append(out, fmt.Sprintf("end %d", r.line))
		}
		if b.problem != nil {
			out = append(out, fmt.Sprintf("%d refused: %v", b.firstLine, b.problem))
			continue
		}
		line := b.firstLine
		for text := b.text; len(text) > 0; {
			end := bytes.IndexByte(text, '\n') + 1
			if csv {
				end = rowEnd(text, true)
			} else if end == 0 {
				end = len(text)
			}
			one := trimLineEnd(text[:end])
			if len(one) > maxLineBytes { // the decoder refuses what one read brought whole
				out = append(out, fmt.Sprintf("%d refused: %v", line, errLineTooLong))
			} else {
				out = append(out, fmt.Sprintf("%d %.40q", line, one))
			}
			line += lineCount(text[:end])
			text = text[end:]
		}
	}
}

func TestBlocks(t *testing.T) {
	long := strings.Repeat("x", maxLineBytes)
	for _, tt := range []struct {
		name, text string
		csv        bool
		want       []string
	}{
		{"nothing", "", false, []string{"end 11"}},
		{"lines", "a\nb\r\n\nc", false, []string{`11 "a"`, `12 "b"`, `13 ""`, `14 "c"`, "end 15"}},
		{"a quote means nothing in JSON lines", "a\"\nb", false, []string{`11 "a\""`, `12 "b"`, "end 13"}},
		{"the longest line", long + "\r\nb\n", false, []string{fmt.Sprintf("11 %.40q", long), `12 "b"`, "end 13"}},
		{"the longest row", long + "\r\nb\n", true, []string{fmt.Sprintf("11 %.40q", long), `12 "b"`, "end 13"}},
		{"too long a row", "a\n" + long + "yy\r\nb\n", true, []string{
			`11 "a"`, "12 refused: the line is longer than 1048576 bytes", `13 "b"`, "end 14",
		}},
		{"too long and the last", long + "yyy", true, []string{"11 refused: the line is longer than 1048576 bytes", "end 12"}},
		{"row over two lines", "a,\"b\nc\"\nd", true, []string{`11 "a,\"b\nc\""`, `13 "d"`, "end 14"}},
		{"doubled quotes", "\"b\"\"\nc\"\nd\n", true, []string{`11 "\"b\"\"\nc\""`, `13 "d"`, "end 14"}},
		{"a quote inside a value opens nothing", "5\" x\nd\n", true, []string{`11 "5\" x"`, `12 "d"`, "end 13"}},
		{"a quote that is never closed", "a\n\"b\nc\nd", true, []string{
			`11 "a"`, "12 refused: a quoted value is not closed: double the quotes that belong to the text", `13 "c"`, `14 "d"`, "end 15",
		}},
		{"the same in the last line", "a\n\"b", true, []string{
			`11 "a"`, "12 refused: a quoted value is not closed: double the quotes that belong to the text", "end 13",
		}},
		{"a quote closed only beyond the limit", "\"a\n" + long[1:] + "\"\nb\n", true, []string{
			"11 refused: a quoted value is not closed: double the quotes that belong to the text", fmt.Sprintf("12 %.40q", long), `13 "b"`, "end 14",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reads := []func(io.Reader) io.Reader{
				func(r io.Reader) io.Reader { return r },
				func(r io.Reader) io.Reader { return &chunks{r, 100_000} },
				func(r io.Reader) io.Reader { return &chunks{r, blockBytes - 1} },
			}
			if len(tt.text) < maxLineBytes { // they read little at a time
				reads = append(reads, iotest.OneByteReader, iotest.DataErrReader)
			}
			for _, wrap := range reads {
				if diff := cmp.Diff(tt.want, describe(t, tt.text, tt.csv, wrap)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// TestManyBlocks checks that no line is lost, doubled or misnumbered where blocks meet.
func TestManyBlocks(t *testing.T) {
	var text strings.Builder
	var want []string
	line := 11
	for i := 0; text.Len() < 3*blockBytes; i++ {
		row := fmt.Sprintf(`%d,"%s"`, i, strings.Repeat("y\n", i%3))
		text.WriteString(row + "\n")
		want = append(want, fmt.Sprintf("%d %.40q", line, row))
		line += 1 + i%3
	}
	want = append(want, fmt.Sprintf("end %d", line))
	for _, size := range []int{7, 4096, blockBytes, 1 << 20} {
		got := describe(t, text.String(), true, func(r io.Reader) io.Reader { return &chunks{r, size} })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("reads of %d bytes: %s", size, diff)
		}
	}
}

// chunks gives at most n bytes at a time.
type chunks struct {
	r io.Reader
	n int
}

func (c *chunks) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), c.n)]) }
