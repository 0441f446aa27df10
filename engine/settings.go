package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"nudge"
	"nudge/rules"
)

// Settings are what answers depend on beside the rules. A deployment carries them, so that reading the log back gives the same
// answers even after somebody has started the node with others (I2).
type Settings struct {
	Lateness    nudge.Millis `json:"lateness_ms"`
	DedupEvents int          `json:"dedup_events"`
	TimeZone    string       `json:"time_zone"`
}

// Defaults of Options.
const (
	DefaultLateness    = nudge.Millis(60 * 60 * 1000) // one hour
	DefaultDedupEvents = 8 << 20
)

// settings are the options' with their defaults.
func (o *Options) settings() Settings {
	s := Settings{Lateness: o.Lateness, DedupEvents: o.DedupEvents, TimeZone: "UTC"}
	if s.Lateness == 0 {
		s.Lateness = DefaultLateness
	}
	if s.DedupEvents == 0 {
		s.DedupEvents = DefaultDedupEvents
	}
	if o.Location != nil {
		s.TimeZone = o.Location.String()
	}
	return s
}

// use makes settings the running ones. What the de-duplication window so far has forgotten stays forgotten: on any number of shards, and after any
// restart.
func (e *Engine) use(s Settings) {
	if w := uint64(e.settings.DedupEvents); e.ordinal >= w {
		e.forgotten = max(e.forgotten, e.ordinal-w+1)
	}
	for _, sh := range e.shards {
		sh.dedup.expire(e.ordinal, e.clock)
	}
	if s.Lateness > e.settings.Lateness && e.ordinal > 0 {
		e.lateBefore = max(e.lateBefore, expiredAt(e.clock, e.settings.Lateness))
	}
	e.adopt(s)
}

// adopt takes the settings over as they are.
func (e *Engine) adopt(s Settings) {
	e.settings = s
	for _, sh := range e.shards {
		sh.dedup.setWindow(uint64(s.DedupEvents))
	}
}

// lateFrom is the instant before which events are history now.
func (e *Engine) lateFrom() nudge.Millis {
	return max(expiredAt(e.clock, e.settings.Lateness), e.lateBefore)
}

// isLate says whether an event is history.
func (e *Engine) isLate(row *rules.Row) bool {
	return row.At-row.Ts > e.settings.Lateness || row.Ts < e.lateBefore
}

// deployment makes the record of rules and settings.
func deployment(sources []rules.Source, s Settings) []byte {
	var b nudge.RecordBuilder
	b.Begin(nudge.RecordDeploy, nudge.NameNone)
	b.Text(nudge.NameRule, rules.EncodeSources(sources))
	b.Text(nudge.NameSettings, string(mustJSON(s)))
	b.End(0)
	return b.Buf
}

// readSettings reads the settings of a deployment.
func readSettings(text string) (s Settings, err error) {
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("settings of a deployment: %w", err)
	}
	return s, nil
}

// compile compiles the rules of a deployment under its settings; previous is the plan that runs, nil if there is none.
func (s *Settings) compile(text string, names *nudge.Names, previous *rules.Plan) (*rules.Plan, error) {
	sources, err := rules.DecodeSources(strings.Clone(text)) // the plan outlives the record's buffer
	if err != nil {
		return nil, fmt.Errorf("rules of a deployment: %w", err)
	}
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time zone of a deployment: %w", err)
	}
	plan, diags := rules.Compile(sources, rules.Options{Names: names, Location: zone, Deployed: true, Previous: previous})
	if plan == nil {
		return nil, fmt.Errorf("rules of a deployment do not compile with this version: %w", diags.Err())
	}
	return plan, nil
}
