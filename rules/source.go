package rules

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
)

// Limits of a rules folder.
const (
	MaxFileBytes = 64 << 10 // of one file
	MaxFiles     = 20_000   // in one folder
)

const (
	fileSuffix  = ".expr"
	catalogFile = "catalog.expr"
)

var ruleIDPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// ReadFolder reads the rule files of a folder, sorted by name. Files that do not end in .expr, hidden files and folders inside it are not
// looked at. The error lists every file that cannot be read.
func ReadFolder(dir string) ([]Source, error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("rules folder %q does not exist: create it, or name another one with --rules", dir)
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("%q is a file: give the folder that holds the rules", dir)
	case err != nil:
		return nil, fmt.Errorf("read rules folder %q: %w", dir, err)
	}
	var sources []Source
	var problems []error
	for _, e := range entries {
		name := e.Name()
		if filepath.Ext(name) != fileSuffix || strings.HasPrefix(name, ".") || e.IsDir() {
			continue
		}
		text, err := readFile(filepath.Join(dir, name)) // what is in it Compile looks at, so that one bad file does not hide the others' mistakes
		if err != nil {
			var p *fs.PathError // it names the file a second time
			if errors.As(err, &p) {
				err = p.Err
			}
			problems = append(problems, fmt.Errorf("%s: %w", filepath.Join(dir, name), err))
			continue
		}
		sources = append(sources, Source{File: name, Text: text})
	}
	if len(sources) > MaxFiles {
		problems = append(problems, fmt.Errorf("rules folder %q has %d files, the limit is %d", dir, len(sources), MaxFiles))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	sort.Slice(sources, func(i, j int) bool { return sources[i].File < sources[j].File })
	return sources, nil
}

// readFile reads at most one byte more than a file may have, so that a huge file costs nothing.
func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	return string(b), err
}

// checkSource refuses what must not reach the parser.
func checkSource(s Source) error {
	id, isExpr := strings.CutSuffix(s.File, fileSuffix)
	switch {
	case !isExpr || !ruleIDPattern.MatchString(id):
		return problemf("the file name %q gives no rule id: use 1 to 64 of a-z, 0-9, - and _, starting with a letter or digit, then %s",
			s.File, fileSuffix)
	case len(s.Text) > MaxFileBytes:
		return problemf("the file is larger than %d KiB: one file holds one rule", MaxFileBytes>>10)
	case strings.HasPrefix(s.Text, "\uFEFF"):
		return problemf("the file starts with a byte-order mark: save it as UTF-8 without BOM")
	case isUTF16(s.Text):
		return problemf("the file is UTF-16: save it as UTF-8")
	case !utf8.ValidString(s.Text):
		return problemf("the text is not UTF-8 in line %d (byte %d of the file): save the file as UTF-8", lineAt(s.Text, invalidAt(s.Text)), invalidAt(s.Text))
	case strings.IndexByte(s.Text, 0) >= 0:
		zero := strings.IndexByte(s.Text, 0)
		return problemf("there is a zero byte in line %d (byte %d of the file): this is not a text file", lineAt(s.Text, zero), zero)
	}
	return nil
}

// isUTF16 says whether s begins as texts in UTF-16 do: with their byte-order mark, or with two plain letters of two bytes each.
func isUTF16(s string) bool {
	if strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff") {
		return true
	}
	return len(s) >= 4 && (s[0] == 0) == (s[2] == 0) && (s[1] == 0) == (s[3] == 0) && (s[0] == 0) != (s[1] == 0)
}

// lineAt is the line of the byte at i, from 1.
func lineAt(s string, i int) int { return 1 + strings.Count(s[:i], "\n") }

func invalidAt(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return len(s)
}

// The text form of a rules folder, version 1, as a deploy record holds it:
//
//	nudge-rules 1\n
//	then for each file, sorted by name:
//	file NAME LENGTH\n
//	LENGTH bytes of text\n
//
// Lengths are decimal counts of bytes, so no text needs escaping; equal folders give equal bytes.
const sourcesHeader = "nudge-rules 1\n"

// EncodeSources is the text form of a rules folder.
func EncodeSources(sources []Source) string {
	sources = sortedSources(sources)
	size := len(sourcesHeader)
	for _, s := range sources {
		size += len(s.Text) + len(s.File) + 16
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(sourcesHeader)
	for _, s := range sources {
		b.WriteString("file ")
		b.WriteString(s.File)
		b.WriteByte(' ')
		b.WriteString(strconv.Itoa(len(s.Text)))
		b.WriteByte('\n')
		b.WriteString(s.Text)
		b.WriteByte('\n')
	}
	return b.String()
}

// DecodeSources reads the text form of a rules folder.
func DecodeSources(text string) ([]Source, error) {
	rest, ok := strings.CutPrefix(text, sourcesHeader)
	if !ok {
		return nil, fmt.Errorf("rules text does not start with %q", strings.TrimSpace(sourcesHeader))
	}
	var sources []Source
	for rest != "" {
		line, body, ok := strings.Cut(rest, "\n")
		f := strings.Split(line, " ")
		if !ok || len(f) != 3 || f[0] != "file" {
			return nil, fmt.Errorf("rules text, file %d: the line %.80q is not of the form: file NAME LENGTH", len(sources)+1, line)
		}
		n, err := strconv.ParseUint(f[2], 10, 31)
		if err != nil || strconv.FormatUint(n, 10) != f[2] || n >= uint64(len(body)) || body[n] != '\n' {
			return nil, fmt.Errorf("rules text, file %q: length %q does not fit", f[1], f[2])
		}
		s := Source{File: f[1], Text: body[:n]}
		if err := checkSource(s); err != nil {
			return nil, fmt.Errorf("rules text, file %q: %w", f[1], err)
		}
		if len(sources) > 0 && sources[len(sources)-1].File >= s.File {
			return nil, fmt.Errorf("rules text, file %q: files are not in order of their names", f[1])
		}
		sources, rest = append(sources, s), body[n+1:]
	}
	return sources, nil
}

func sortedSources(sources []Source) []Source {
	out := slices.Clone(sources)
	byFile := func(a, b Source) int { return strings.Compare(a.File, b.File) }
	if !slices.IsSortedFunc(out, byFile) {
		slices.SortStableFunc(out, byFile)
	}
	return out
}
