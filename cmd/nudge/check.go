package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"nudge"
	"nudge/rules"
)

// defaultRules is the folder of the rules.
const defaultRules = "rules"

// checkConfig is how check was called.
type checkConfig struct {
	dir     string
	format  string
	catalog string
	docs    string
	logKeep nudge.Millis
}

func newCheck() *cobra.Command {
	c := &checkConfig{dir: defaultRules}
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Find the errors of rule files and say what each rule costs",
		Long: `Check reads all rule files of a folder (default: rules), prints every error with its place and a fix, and for each
rule its operators and the most bytes that it keeps per key. It exits with 1 where there are errors; warnings keep nothing from running.
Each remark has a code, which docs/errors.md explains. In every format files are named with the folder as it was given, so that an editor or
a build opens them from where check ran. With --catalog json it checks nothing and prints the words that may stand in these
rules, for editors.`,
		Example: "  nudge check examples/rules\n  nudge check --format github rules\n  nudge check --format sarif rules > nudge.sarif",
		Args:    args(cobra.MaximumNArgs(1), "one folder"),
		RunE: func(cmd *cobra.Command, dirs []string) error {
			if len(dirs) == 1 {
				c.dir = dirs[0]
			}
			if c.catalog != "" {
				return c.words(cmd.OutOrStdout())
			}
			tellOverlooked(c.dir, cmd.ErrOrStderr())
			return c.check(cmd.OutOrStdout())
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&c.format, "format", "text", "text, json, github (annotations of a GitHub workflow) or sarif (SARIF 2.1.0)")
	fs.StringVar(&c.catalog, "catalog", "", "json: print the words of the language and of this folder instead, for editors")
	fs.StringVar(&c.docs, "docs", "", "where docs/errors.md can be read, as https://…/errors.md: the helpUri of --format sarif")
	registerLogKeep(fs, &c.logKeep)
	return cmd
}

// words prints what an editor needs to complete and explain.
func (c *checkConfig) words(out io.Writer) error {
	if c.catalog != "json" {
		return usagef("--catalog %q: give json", c.catalog)
	}
	sources, err := readRules(c.dir)
	if err != nil {
		return err
	}
	_, err = out.Write(rules.Complete(sources).JSON())
	return err
}

func (c *checkConfig) check(out io.Writer) error {
	print, ok := map[string]func(*report, io.Writer) error{
		"text": (*report).text, "json": (*report).json, "github": (*report).github, "sarif": (*report).sarif,
	}[c.format]
	if !ok {
		return usagef("--format %q: give text, json, github or sarif", c.format)
	}
	if u, err := url.Parse(c.docs); c.docs != "" && (err != nil || !u.IsAbs()) {
		return usagef("--docs %q is not an absolute address, as in https://example.com/errors.md", c.docs)
	}
	sources, err := readRules(c.dir)
	if err != nil {
		return err
	}
	plan, remarks := rules.Compile(sources, rules.Options{Names: nudge.NewNames(), LogRetention: c.logKeep, Parts: true})
	r := &report{dir: c.dir, docs: c.docs, OK: !remarks.HasErrors(), Remarks: remarks}
	if r.OK {
		r.Rules = costs(plan)
	}
	if err := print(r, out); err != nil {
		return err
	}
	if !r.OK {
		return &reported{exitFound}
	}
	return nil
}

// report is what check found. Its JSON form is the output of --format json.
type report struct {
	dir     string
	docs    string
	OK      bool              `json:"ok"`
	Remarks rules.Diagnostics `json:"diagnostics"`
	Rules   []ruleCost        `json:"rules"` // none where there are errors
}

type ruleCost struct {
	Rule      string         `json:"rule"`
	Per       string         `json:"per"`
	Mode      string         `json:"mode"`
	Bytes     int            `json:"bytes_per_key"`
	Shared    int            `json:"shared_bytes_per_key"` // of these, what other rules use too
	Operators []operatorCost `json:"operators"`
}

type operatorCost struct {
	Text    string   `json:"text"`           // what identifies it
	Written []string `json:"written"`        // the rule's calls of it; they differ in white space, or in their windows
	Keep    int      `json:"keep,omitempty"` // entries of its ring
}

// costs lists the rules with their operators, in the order of the plan.
func costs(p *rules.Plan) []ruleCost {
	modes := map[rules.Mode]string{rules.ModeLive: "live", rules.ModeShadow: "shadow", rules.ModePaused: "paused"}
	out := make([]ruleCost, 0, len(p.Rules))
	for i, c := range p.Cost() {
		r := &p.Rules[i]
		rc := ruleCost{Rule: c.Rule, Per: p.Scopes[r.Scope].Per, Mode: modes[r.Mode], Bytes: c.Bytes, Shared: c.Shared, Operators: []operatorCost{}}
		at := make(map[int]int) // operator → place
		for _, a := range r.Asks {
			i, known := at[a.Op]
			if !known {
				i = len(rc.Operators)
				at[a.Op] = i
				rc.Operators = append(rc.Operators, operatorCost{Text: p.Ops[a.Op].Text, Keep: p.Ops[a.Op].Keep})
			}
			if op := &rc.Operators[i]; !slices.Contains(op.Written, a.Text) {
				op.Written = append(op.Written, a.Text)
			}
		}
		out = append(out, rc)
	}
	return out
}

func (r *report) text(out io.Writer) error {
	errors := 0
	for _, d := range r.Remarks {
		if d.Severity == rules.SeverityError {
			errors++
		}
	}
	fmt.Fprint(out, inFolder(r.dir, r.Remarks).Text())
	if len(r.Remarks) > 0 {
		fmt.Fprintln(out)
	}
	if !r.OK {
		_, err := fmt.Fprintf(out, "%s\n", plural(int64(errors), "error"))
		return err
	}
	if len(r.Rules) == 0 {
		_, err := fmt.Fprintf(out, "no rules in %s: a rule is a file of its own, NAME.expr\n", r.dir)
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tPER\tMODE\tBYTES/KEY\tSHARED\tOPERATORS")
	for _, c := range r.Rules {
		var ops []string
		for _, op := range c.Operators {
			text := strings.Join(op.Written, ", ")
			if op.Keep > 0 {
				text += fmt.Sprintf(" [%d]", op.Keep)
			}
			ops = append(ops, text)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", c.Rule, c.Per, c.Mode, c.Bytes, c.Shared, strings.Join(ops, " · "))
	}
	fmt.Fprintf(w, "\n%s, no errors. [n]: entries kept; SHARED: bytes that other rules use too.\n", plural(int64(len(r.Rules)), "rule"))
	return w.Flush()
}

func (r *report) json(out io.Writer) error {
	r.Remarks = inFolder(r.dir, r.Remarks) // an empty list where there are none, not null
	if r.Rules == nil {
		r.Rules = []ruleCost{}
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

func (r *report) github(out io.Writer) error {
	_, err := io.WriteString(out, r.Remarks.GitHub(filepath.ToSlash(r.dir)))
	return err
}

func (r *report) sarif(out io.Writer) error {
	_, err := out.Write(r.Remarks.SARIF(filepath.ToSlash(r.dir), r.docs))
	return err
}
