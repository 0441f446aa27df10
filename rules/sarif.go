package rules

import (
	"net/url"
	"path"
	"strings"
)

// The parts of SARIF 2.1.0, the static analysis results interchange format, that a list of remarks needs. Their names are the format's.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool     `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name  string      `json:"name"`
	Rules []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID      string     `json:"id"`
	Short   sarifText  `json:"shortDescription"`
	Help    sarifText  `json:"help"`
	HelpURI string     `json:"helpUri,omitempty"`
	Default sarifLevel `json:"defaultConfiguration"`
}

type sarifLevel struct {
	Level Severity `json:"level"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     Severity        `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifLocation struct {
	Physical sarifPlace `json:"physicalLocation"`
}

type sarifPlace struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   sarifRegion   `json:"region"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn"`
	EndColumn   int `json:"endColumn"`
}

// SARIF renders them for tools that collect the findings of many checkers. dir is the rules folder as seen from the repository's root. page is
// the absolute address at which the page of codes can be read, "" if there is none: the format has no room for a relative one.
func (ds Diagnostics) SARIF(dir, page string) []byte {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "nudge", Rules: []sarifRule{}}
	index := map[string]int{}
	for _, t := range Codes() {
		for _, c := range t.Codes {
			if ds.have(c.Code) {
				index[c.Code] = len(run.Tool.Driver.Rules)
				run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, c.sarif(page))
			}
		}
	}
	for _, d := range ds {
		run.Results = append(run.Results, d.sarif(dir, index[d.Code]))
	}
	return marshal(sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	})
}

func (ds Diagnostics) have(code string) bool {
	for i := range ds {
		if ds[i].Code == code {
			return true
		}
	}
	return false
}

func (c *Code) sarif(page string) sarifRule {
	help := c.Explain
	if c.Wrong != "" {
		help += "\n\nWrong:\n" + c.Wrong + "\n\nBetter:\n" + c.Mended
	}
	r := sarifRule{ID: c.Code, Short: sarifText{c.Title}, Help: sarifText{help}, Default: sarifLevel{SeverityError}}
	if c.Code[0] == 'W' {
		r.Default.Level = SeverityWarning
	}
	if page != "" {
		r.HelpURI = page + "#" + strings.ToLower(c.Code)
	}
	return r
}

func (d *Diagnostic) sarif(dir string, rule int) sarifResult {
	text := d.Message
	if d.Suggestion != "" {
		text += "\nfix: " + d.Suggestion
	}
	uri := url.URL{Path: path.Join(dir, d.File)}
	col := max(d.Col, 1)
	return sarifResult{
		RuleID: d.Code, RuleIndex: rule, Level: d.Severity, Message: sarifText{text},
		Locations: []sarifLocation{{sarifPlace{
			Artifact: sarifArtifact{uri.String()},
			Region:   sarifRegion{max(d.Line, 1), col, max(d.EndCol, col+1)},
		}}},
	}
}
