package ingest

import (
	"math"
	"strconv"
	"strings"
	"time"

	"nudge"
)

// Numbers from MinSeconds up to, but without, MaxSeconds are refused as a time: they are a sender's seconds since 1970, from 2001 on. Taken as milliseconds
// they would lie in the years 1970 to 1973, and their events would count nowhere, without a word.
const (
	MinSeconds = 1e9
	MaxSeconds = 1e11
)

// instant reads a time: a number of milliseconds since the epoch (a fraction is cut off) or text as RFC 3339 has it.
func instant(v nudge.Value, at where) (nudge.Millis, *Error) {
	switch v.Kind {
	case nudge.Number:
		if v.Num >= MinSeconds && v.Num < MaxSeconds {
			return 0, refuse(CodeBadValue, at, "is %s, which looks like seconds: write milliseconds since 1970, as in %s",
				strconv.FormatFloat(v.Num, 'f', -1, 64), strconv.FormatFloat(math.Floor(v.Num*1000), 'f', -1, 64))
		}
		if v.Num >= 0 && v.Num < MaxTs+1 {
			return nudge.Millis(math.Floor(v.Num)), nil
		}
		return 0, refuse(CodeBadValue, at, "is %s: milliseconds since 1970 lie between 0 and %d", strconv.FormatFloat(v.Num, 'g', -1, 64), int64(MaxTs))
	case nudge.Text:
		if ms, ok := parseRFC3339(v.Text); ok {
			return ms, nil
		}
		return 0, refuse(CodeBadValue, at, "is %q: write milliseconds since 1970 as a number, or RFC 3339 as in 2025-11-24T16:00:20.000Z", clip(v.Text, 40))
	}
	return 0, refuse(CodeWrongType, at, "must be milliseconds since 1970 or RFC 3339 text, not %s", kindName(v.Kind))
}

// parseRFC3339 reads a time from 1970 to 9999.
func parseRFC3339(s string) (nudge.Millis, bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[13] != ':' || strings.IndexByte(s, ',') >= 0 {
		return 0, false // time.Parse lets one-digit hours and comma fractions pass
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, false
	}
	ms := t.UnixMilli()
	return nudge.Millis(ms), ms >= 0 && ms <= MaxTs
}

func kindName(k nudge.ValueKind) string {
	switch k {
	case nudge.Null:
		return "null"
	case nudge.Text:
		return "text"
	case nudge.Number:
		return "a number"
	case nudge.Bool:
		return "a bool"
	case nudge.JSON:
		return "an array"
	}
	return "an object"
}
