package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// WriteFiles writes the report into a folder, which it makes: LEVEL.json for programs, LEVEL.md for a page, and LEVEL.svg where the level
// has a chart; of another workload than the level's own LEVEL-WORKLOAD.json and so on, with a memory budget LEVEL-1024MiB.json, and on one core
// LEVEL-one-core.json.
func (r *Report) WriteFiles(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder for reports: %w", err)
	}
	write := func(end string, by func(io.Writer) error) error {
		var b bytes.Buffer
		if err := by(&b); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, r.fileName()+end), b.Bytes(), 0o644)
	}
	err := errors.Join(write(".json", r.WriteJSON), write(".md", r.WriteMarkdown))
	if bars := r.bars(); len(bars) > 0 {
		err = errors.Join(err, write(".svg", func(w io.Writer) error { return writeChart(w, r.Chart.Column, bars) }))
	}
	return err
}

func (r *Report) fileName() string {
	name := r.Level
	if r.Workload != workloadOf(r.Level) {
		name += "-" + r.Workload
	}
	if r.Memory > 0 {
		name += "-" + r.memory()
	}
	if r.Machine.Procs == 1 {
		name += "-one-core"
	}
	return name
}

// memory is the budget as --memory takes it.
func (r *Report) memory() string {
	if r.Memory%(1<<20) == 0 {
		return fmt.Sprintf("%dMiB", r.Memory>>20)
	}
	return strconv.FormatInt(r.Memory, 10)
}

// WriteMarkdown writes the report for a page.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	size := fmt.Sprintf("--events %d", r.Events)
	if r.Workload == globoName {
		size = "--clicks FILE" // all of it
	}
	if r.Memory > 0 {
		size += " --memory " + r.memory()
	}
	fmt.Fprintf(&b, "`nudge bench %s --level %s %s --rounds %d`, on %s. Median (least – most) of the rounds.\n\n", r.Workload, r.Level, size, r.Rounds, r.Machine.String())
	if len(r.bars()) > 0 {
		fmt.Fprintf(&b, "![%s, as below](%s.svg)\n\n", r.Chart.Column, r.fileName())
	}
	for i := range r.Tables {
		r.Tables[i].markdown(&b)
		b.WriteByte('\n')
	}
	for _, m := range r.Method {
		fmt.Fprintf(&b, "* %s\n", m)
	}
	for _, m := range r.LeftOut {
		fmt.Fprintf(&b, "* left out: %s\n", m)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdown writes the table, figures to the right.
func (t *Table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "| %s |", t.Title)
	for _, c := range t.Columns {
		fmt.Fprintf(b, " %s |", c)
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(t.Columns)) + "\n")
	for _, r := range t.Rows {
		fmt.Fprintf(b, "| %s |", r.Name)
		for i := range t.Columns {
			text := ""
			if i < len(r.Cells) && r.Cells[i] != nil {
				text = r.Cells[i].String()
			}
			fmt.Fprintf(b, " %s |", text)
		}
		b.WriteByte('\n')
	}
}

// Chart says which column of the report's first table its chart shows.
type Chart struct {
	Column string // "": there is no chart
}

// bar is a row of a chart.
type bar struct {
	name  string
	value Spread
}

// bars are the chart's rows.
func (r *Report) bars() (all []bar) {
	if r.Chart.Column == "" || len(r.Tables) == 0 {
		return nil
	}
	t := r.Tables[0]
	for _, row := range t.Rows {
		for i, c := range row.Cells {
			if t.Columns[i] == r.Chart.Column && c != nil {
				all = append(all, bar{row.Name, *c})
			}
		}
	}
	return all
}
