package rules

import "nudge"

// What other readers of texts around rules share, so that a duration or a name means the same everywhere.

// CatalogFile is the name of the file that lists the events and the types of their fields.
const CatalogFile = catalogFile

// ParseDuration reads a length of time as rules write it: "30d", "1h30m", "500ms". The fix, if there is one, is what the author may have meant.
func ParseDuration(s string) (d nudge.Millis, fix string, err error) { return parseDuration(s) }

// DurationText is a length of time in its largest units up to days, as in 1h30m.
func DurationText(d nudge.Millis) string { return durationText(d) }

// Closest is the candidate most like a name, "" if none is near.
func Closest(name string, candidates []string) string { return closest(name, candidates) }
