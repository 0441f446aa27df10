package replay

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// CSV as RFC 4180 has it: a comma between values, a quoted value may hold commas, line ends and doubled quotes. Lines may end in LF or
// CR LF. Splitting by hand is several times as fast as encoding/csv, which allocates per row.

var (
	errOpenQuote = errors.New("a quoted value is not closed: double the quotes that belong to the text")
	errBareQuote = errors.New("a quote stands inside a value: put the whole value in quotes and double the inner ones")
)

// Mapping says which column feeds which field of an event: --map and --set.
type Mapping struct {
	fields  []string // of --map
	columns []string // of --map
	setF    []string
	setV    []string
}

func (m *Mapping) given() bool { return len(m.fields)+len(m.setF) > 0 }

// ParseMapping reads the values of --map and --set.
func ParseMapping(maps, sets []string) (Mapping, error) {
	var m Mapping
	for _, s := range maps {
		field, column, ok := strings.Cut(s, "=")
		if !ok || field == "" || column == "" {
			return m, misusef("--map %s: write it as FIELD=COLUMN, as in --map visitor=user_id", s)
		}
		m.fields, m.columns = append(m.fields, field), append(m.columns, column)
	}
	for _, s := range sets {
		field, value, ok := strings.Cut(s, "=")
		if !ok || field == "" {
			return m, misusef("--set %s: write it as FIELD=VALUE, as in --set type=click", s)
		}
		m.setF, m.setV = append(m.setF, field), append(m.setV, value)
	}
	seen := make(map[string]bool)
	for _, f := range slices.Concat(m.fields, m.setF) {
		if seen[f] {
			return m, misusef("the field %q is given by --map or --set twice", f)
		}
		seen[f] = true
	}
	return m, nil
}

// csvHeader is a mapping resolved against the header line of one file.
type csvHeader struct {
	columns int      // in each row
	from    []int    // column of each mapped field
	names   []string // fields of an event: the mapped ones, then those that are set
	set     []string // values of the latter
}

// resolve finds the mapped columns in a file's header line.
func (m *Mapping) resolve(file, header string) (*csvHeader, error) {
	var row csvRow
	if err := row.split(header); err != nil {
		return nil, refusedf("%s:1: %w", file, err)
	}
	h := &csvHeader{columns: len(row.values), names: slices.Concat(m.fields, m.setF), set: m.setV}
	for i, c := range m.columns {
		at := slices.Index(row.values, c)
		if at < 0 {
			return nil, &Misuse{&NoColumn{File: file, Field: m.fields[i], Column: c, Columns: row.values}}
		}
		h.from = append(h.from, at)
	}
	return h, nil
}

// pick appends the fields and values that a row gives to an event. An empty value is none.
func (h *csvHeader) pick(row *csvRow, names, values []string) ([]string, []string, error) {
	if len(row.values) != h.columns {
		return names, values, fmt.Errorf("the row has %d values, the header %d", len(row.values), h.columns)
	}
	for i, c := range h.from {
		if v := row.values[c]; v != "" {
			names, values = append(names, h.names[i]), append(values, v)
		}
	}
	return append(names, h.names[len(h.from):]...), append(values, h.set...), nil
}

// csvRow holds the values of one row. They are parts of the text that was split, or copies where quotes had to go.
type csvRow struct{ values []string }

// split cuts one row, without its line end, into values. Values are short: looking at each byte is faster than searching for commas.
func (r *csvRow) split(text string) error {
	r.values = r.values[:0]
	start := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case ',':
			r.values = append(r.values, text[start:i])
			start = i + 1
		case '"':
			if i > start {
				return errBareQuote
			}
			value, rest, err := quoted(text[i:])
			if err != nil {
				return err
			}
			r.values = append(r.values, value)
			if rest == "" {
				return nil
			}
			start = len(text) - len(rest) + len(",")
			i = start - 1
		}
	}
	r.values = append(r.values, text[start:])
	return nil
}

// quoted reads the quoted value that text begins with. rest is empty or begins with the comma behind it.
func quoted(text string) (value, rest string, err error) {
	body := text[1:]
	var b strings.Builder
	for {
		end := strings.IndexByte(body, '"')
		if end < 0 {
			return "", "", errOpenQuote
		}
		b.WriteString(body[:end])
		body = body[end+1:]
		switch {
		case body == "" || body[0] == ',':
			return b.String(), body, nil
		case body[0] == '"':
			b.WriteByte('"')
			body = body[1:]
		default:
			return "", "", errBareQuote
		}
	}
}

// rowEnd is the length of the first row of text with its line end, -1 if its end is not in text. At the end of a file (eof)
// the text's end ends the row, unless a quote is open.
func rowEnd(text []byte, eof bool) int {
	inQuotes, valueStart := false, true
	for i, c := range text {
		switch {
		case c == '"' && (inQuotes || valueStart):
			inQuotes = !inQuotes // a doubled quote closes and opens again
			valueStart = !inQuotes
			continue
		case c == '\n' && !inQuotes:
			return i + 1
		}
		valueStart = c == ',' && !inQuotes
	}
	if eof && !inQuotes {
		return len(text)
	}
	return -1
}

// wholeRows is the length of the rows that text begins with, up to the first one whose end is not there or that is too long.
func wholeRows(text []byte, eof bool) (n int) {
	for n < len(text) {
		end := rowEnd(text[n:], eof)
		if end < 0 || end > maxLineBytes+len("\r\n") {
			return n
		}
		n += end
	}
	return n
}
