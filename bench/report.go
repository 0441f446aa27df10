package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Report is what one run of a level found.
type Report struct {
	Workload string
	Level    string
	Events   int // size of a round
	Rounds   int
	Memory   int64 // the memory budget that was asked for; 0: none was
	Machine  Machine
	Method   []string // what was measured and how, a sentence each
	LeftOut  []string // what was to be measured and was not, and why
	Tables   []Table
	Chart    Chart

	EventsPerSecond float64            // the level's headline, 0 where it has none
	RatioToHand     float64            // time of the core ÷ time of the hand-written program, 0 where there is none
	Floors          map[string]float64 // other ratios to floors, by name
}

// Table is one thing measured in several ways: a row for each, a column for each figure.
type Table struct {
	Title   string
	Columns []string
	Rows    []Row
}

// Row is one measured thing. A cell without a Spread is empty.
type Row struct {
	Name  string
	Cells []*Spread
}

// row adds a row.
func (t *Table) row(name string, cells ...Spread) {
	r := Row{Name: name}
	for i := range cells {
		r.Cells = append(r.Cells, &cells[i])
	}
	t.Rows = append(t.Rows, r)
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "nudge bench %s --level %s: %d rounds of %d; median (least – most)\n", r.Workload, r.Level, r.Rounds, r.Events)
	fmt.Fprintf(&b, "on %s\n\n", r.Machine.String())
	for _, m := range r.Method {
		fmt.Fprintf(&b, "* %s\n", m)
	}
	for _, m := range r.LeftOut {
		fmt.Fprintf(&b, "* left out: %s\n", m)
	}
	for i := range r.Tables {
		b.WriteByte('\n')
		r.Tables[i].write(&b)
	}
	if r.EventsPerSecond > 0 || r.RatioToHand > 0 {
		b.WriteByte('\n')
	}
	if r.EventsPerSecond > 0 {
		fmt.Fprintf(&b, "events_per_second %.0f\n", r.EventsPerSecond)
	}
	if r.RatioToHand > 0 {
		fmt.Fprintf(&b, "ratio_to_hand     %.2f   (its time ÷ the hand-written program's)\n", r.RatioToHand)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// write writes the table with its columns aligned: names to the left, figures to the right.
func (t *Table) write(b *strings.Builder) {
	lines := [][]string{append([]string{t.Title}, t.Columns...)}
	for _, r := range t.Rows {
		line := []string{r.Name}
		for _, c := range r.Cells {
			text := ""
			if c != nil {
				text = c.String()
			}
			line = append(line, text)
		}
		lines = append(lines, line)
	}
	widths := make([]int, len(t.Columns)+1)
	for _, line := range lines {
		for i, text := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	for n, line := range lines {
		for i, text := range line {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if i == 0 {
				b.WriteString(text + pad)
			} else {
				b.WriteString("  " + pad + text)
			}
		}
		b.WriteByte('\n')
		if n == 0 {
			total := -2
			for _, w := range widths {
				total += w + 2
			}
			b.WriteString(strings.Repeat("─", total) + "\n")
		}
	}
}

// WriteJSON writes the report as one object on one line.
func (r *Report) WriteJSON(w io.Writer) error {
	out := map[string]any{
		"workload": r.Workload, "level": r.Level, "events": r.Events, "rounds": r.Rounds, "machine": r.Machine, "method": r.Method,
	}
	if r.EventsPerSecond > 0 {
		out["events_per_second"] = r.EventsPerSecond
	}
	if r.RatioToHand > 0 {
		out["ratio_to_hand"] = r.RatioToHand
	}
	if len(r.LeftOut) > 0 {
		out["left_out"] = r.LeftOut
	}
	for name, ratio := range r.Floors {
		out[name] = ratio
	}
	tables := map[string]any{}
	for _, t := range r.Tables {
		tables[t.Title] = t.json()
	}
	out["tables"] = tables
	b, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("write the report as JSON: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// json is the table as an object: row → column → figure.
func (t *Table) json() map[string]map[string]*Spread {
	rows := map[string]map[string]*Spread{}
	for _, r := range t.Rows {
		cells := map[string]*Spread{}
		for i, c := range r.Cells {
			if c != nil {
				cells[t.Columns[i]] = c
			}
		}
		rows[r.Name] = cells
	}
	return rows
}

// plural is "1 event", "2 events".
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
