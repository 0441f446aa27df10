package rules

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"nudge"
)

// MaxDuration bounds every window and cooldown; "ever" is what lies beyond.
const MaxDuration nudge.Millis = 3660 * 24 * 3600 * 1000

var durationUnits = []struct {
	name string
	ms   nudge.Millis
}{
	{"w", 7 * 24 * 3600 * 1000}, {"d", 24 * 3600 * 1000}, {"h", 3600 * 1000}, {"m", 60 * 1000}, {"s", 1000}, {"ms", 1},
}

// parseDuration reads "30d", "1h30m", "600001ms": whole numbers with units, the larger units first. The fix, if there is one, is
// what the author may have meant.
func parseDuration(s string) (d nudge.Millis, fix string, err error) {
	rest, last := s, -1
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		letters := strings.IndexAny(rest[digits:], "0123456789")
		if letters < 0 {
			letters = len(rest) - digits
		}
		n, numErr := strconv.ParseInt(rest[:digits], 10, 64)
		u := unitIndex(rest[digits : digits+letters])
		if numErr != nil || u < 0 || u <= last {
			return 0, durationFix(s), problemf("%s is not a duration", quote(s))
		}
		ms := durationUnits[u].ms
		if n > int64(MaxDuration/ms) {
			return 0, `the longest is "3660d"; "ever" has no end, where it is allowed`, problemf("the duration %s is too long", quote(s))
		}
		d += nudge.Millis(n) * ms
		last, rest = u, rest[digits+letters:]
	}
	switch {
	case s == "":
		return 0, durationFix(s), problemf("an empty text is not a duration")
	case d > MaxDuration:
		return 0, `the longest is "3660d"; "ever" has no end, where it is allowed`, problemf("the duration %s is too long", quote(s))
	case d == 0:
		return 0, `the shortest is "1ms"`, problemf("the duration %s is no time at all", quote(s))
	}
	return d, "", nil
}

func unitIndex(name string) int {
	for i, u := range durationUnits {
		if u.name == name {
			return i
		}
	}
	return -1
}

// durationWords are the units as people write them, the longer spellings first.
var durationWords = strings.NewReplacer(
	"milliseconds", "ms", "millis", "ms", "seconds", "s", "second", "s", "secs", "s", "sec", "s", "minutes", "m", "minute", "m", "mins", "m", "min", "m",
	"hours", "h", "hour", "h", "hrs", "h", "hr", "h", "days", "d", "day", "d", "weeks", "w", "week", "w", " ", "", ", ", "",
)

var (
	monthsOrYears    = regexp.MustCompile(`month|year|[0-9] *(mo|y|yrs?)$`)
	decimalDuration  = regexp.MustCompile(`^([0-9]{1,9}[.,][0-9]{1,3})(ms|[wdhms])$`)
	numberWithNoUnit = regexp.MustCompile(`^[1-9][0-9]{0,3}$`)
	wordsForEver     = map[string]bool{"ever": true, "forever": true, "always": true, "alltime": true, "all": true}
)

func durationFix(s string) string {
	const units = `a number with a unit of w d h m s ms, as in "30d", "1h30m", "500ms"`
	lower := strings.ToLower(s)
	short := durationWords.Replace(lower)
	switch {
	case monthsOrYears.MatchString(lower):
		return `months and years differ in length: write days, as in "30d" or "365d"`
	case wordsForEver[short]:
		return `"ever", where a window may have no end; else ` + units
	case numberWithNoUnit.MatchString(s):
		return strconv.Quote(s+"d") + ", or with another unit of w h m s ms"
	}
	if m := decimalDuration.FindStringSubmatch(short); m != nil {
		return wholeUnits(m[1], m[2])
	}
	for _, guess := range []string{short, largerFirst(short)} {
		if guess == s || guess == "" {
			continue
		}
		if _, _, err := parseDuration(guess); err == nil {
			return strconv.Quote(guess)
		}
	}
	return units
}

// wholeUnits writes 1.5 of a unit in whole ones: 1h30m.
func wholeUnits(number, unit string) string {
	n, err := strconv.ParseFloat(strings.Replace(number, ",", ".", 1), 64)
	if d := n * float64(durationUnits[unitIndex(unit)].ms); err == nil && d >= 1 && d <= float64(MaxDuration) {
		return strconv.Quote(durationText(nudge.Millis(math.Round(d)))) + ": durations are of whole numbers"
	}
	return "durations are of whole numbers"
}

var (
	durationPart  = regexp.MustCompile(`[0-9]+[a-z]+`)
	durationParts = regexp.MustCompile(`^-?([0-9]+[a-z]+)+$`)
)

// largerFirst puts the parts of a duration into the order in which they are written; "" where there is more than parts.
func largerFirst(s string) string {
	if !durationParts.MatchString(s) {
		return ""
	}
	parts := durationPart.FindAllString(s, -1)
	unit := func(part string) int { return unitIndex(strings.TrimLeft(part, "0123456789")) }
	slices.SortStableFunc(parts, func(a, b string) int { return unit(a) - unit(b) })
	return strings.Join(parts, "")
}

// durationText is a duration in its largest units, as in 1h30m.
func durationText(d nudge.Millis) string {
	if d == Ever {
		return "ever"
	}
	var b strings.Builder
	for _, u := range durationUnits {
		if u.name == "w" {
			continue // "30d" reads better than "4w2d"
		}
		if n := d / u.ms; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10))
			b.WriteString(u.name)
			d -= n * u.ms
		}
	}
	return b.String()
}
