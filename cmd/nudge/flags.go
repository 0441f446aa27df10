package main

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"nudge"
)

// engineFlags are the settings of the engine that serve and replay share.
type engineFlags struct {
	shards      int
	lateness    nudge.Millis
	dedupEvents int
	timezone    string
}

const (
	defaultLateness    = nudge.Millis(time.Hour / time.Millisecond)
	defaultDedupEvents = 8 << 20

	// maxShards bounds --shards: the key groups are dealt out among the shards, and fewer than one each is none.
	maxShards = nudge.Groups
)

func (f *engineFlags) register(fs *pflag.FlagSet) {
	f.lateness = defaultLateness
	fs.IntVar(&f.shards, "shards", runtime.GOMAXPROCS(0), "goroutines that share the keys; the answers do not depend on it")
	fs.Var((*durationFlag)(&f.lateness), "lateness", "events later than this are history: they count, and start or fire nothing")
	fs.IntVar(&f.dedupEvents, "dedup-events", defaultDedupEvents, "the ids of the newest N events are remembered, for 24 hours at most and in up to 30 bytes each; an event whose id is seen again is dropped")
	fs.StringVar(&f.timezone, "timezone", "UTC", "time zone of the calendar days that days() counts")
}

// problems lists what is wrong with the values.
func (f *engineFlags) problems() (all []error) {
	if f.shards < 1 || f.shards > maxShards {
		all = append(all, fmt.Errorf("--shards is %d; give 1 to %d", f.shards, maxShards))
	}
	if f.lateness < 1 {
		all = append(all, errors.New("--lateness is 0s; the shortest is 1ms"))
	}
	if f.dedupEvents < 1 {
		all = append(all, fmt.Errorf("--dedup-events is %d; give 1 or more", f.dedupEvents))
	}
	if _, err := f.location(); err != nil {
		all = append(all, err)
	}
	return all
}

func (f *engineFlags) location() (*time.Location, error) {
	if f.timezone == "Local" {
		return nil, errors.New("--timezone Local differs from machine to machine; give a name such as Europe/Madrid")
	}
	loc, err := time.LoadLocation(f.timezone)
	if err != nil {
		return nil, fmt.Errorf("--timezone %q is not known here; give a name such as UTC or Europe/Madrid", f.timezone)
	}
	return loc, nil
}

const (
	flagLogKeep = "log-keep"

	// defaultLogKeep is how long the log is kept where nobody says otherwise.
	defaultLogKeep = nudge.Millis(35 * 24 * time.Hour / time.Millisecond)
)

// registerLogKeep registers the flag of the commands that only compare rules with it.
func registerLogKeep(fs *pflag.FlagSet, keep *nudge.Millis) {
	*keep = defaultLogKeep
	fs.Var((*durationFlag)(keep), flagLogKeep, "how long the server keeps its log: a rule that needs more of the past is warned of")
}

// durationFlag is a length of time as rules write it: 500ms, 20s, 1h30m, 30d, 2w.
type durationFlag nudge.Millis

func (d *durationFlag) Type() string { return "duration" }

func (d *durationFlag) Set(s string) error {
	ms, err := parseDuration(s)
	*d = durationFlag(ms)
	return err
}

func (d durationFlag) String() string {
	ms := nudge.Millis(d)
	for _, u := range durationUnits {
		if ms != 0 && ms%u.ms == 0 {
			return strconv.FormatInt(int64(ms/u.ms), 10) + u.name
		}
	}
	return "0s"
}

// durationUnits, largest first; a duration names each at most once and in this order.
var durationUnits = [...]struct {
	name string
	ms   nudge.Millis
}{{"w", 7 * 24 * 3600_000}, {"d", 24 * 3600_000}, {"h", 3600_000}, {"m", 60_000}, {"s", 1000}, {"ms", 1}}

func parseDuration(s string) (nudge.Millis, error) {
	errForm := fmt.Errorf("%q is not a duration; write it as 500ms, 20s, 1h30m, 30d or 2w", s)
	var total nudge.Millis
	next := 0
	for rest := s; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return 0, errForm
		}
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "wdhms"))
		u := next
		for u < len(durationUnits) && durationUnits[u].name != rest[:letters] {
			u++
		}
		if u == len(durationUnits) {
			return 0, errForm
		}
		ms := durationUnits[u].ms
		if n > int64((math.MaxInt64-total)/ms) {
			return 0, fmt.Errorf("%q is longer than time can be counted", s)
		}
		total += nudge.Millis(n) * ms
		next, rest = u+1, rest[letters:]
	}
	if s == "" {
		return 0, errForm
	}
	return total, nil
}

// sizeFlag is a number of bytes: 512MiB, 64GiB.
type sizeFlag int64

var sizeUnits = [...]struct {
	name  string
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

func (f *sizeFlag) Type() string { return "size" }

func (f sizeFlag) String() string {
	for _, u := range sizeUnits {
		if n := int64(f); n%u.bytes == 0 && (n > 0 || u.name == "") {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return ""
}

func (f *sizeFlag) Set(s string) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		if n, err := strconv.ParseUint(digits, 10, 63); err == nil && int64(n) <= math.MaxInt64/u.bytes {
			*f = sizeFlag(int64(n) * u.bytes)
			return nil
		}
		break
	}
	return fmt.Errorf("%q is not a size; write it as 512MiB or 64GiB", s)
}

// instantFlag is an instant: RFC 3339, a date (its first moment in UTC) or milliseconds since 1970.
type instantFlag struct {
	at  nudge.Millis
	set bool
}

func (f *instantFlag) Type() string { return "time" }

func (f *instantFlag) String() string {
	if !f.set {
		return ""
	}
	return time.UnixMilli(int64(f.at)).UTC().Format(time.RFC3339Nano)
}

func (f *instantFlag) Set(s string) error {
	f.set = true
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		f.at = nudge.Millis(ms)
		return nil
	}
	for _, layout := range [...]string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			f.at = nudge.Millis(t.UnixMilli())
			return nil
		}
	}
	return fmt.Errorf("%q is not a time; write it as 2025-11-24T16:00:00Z, 2025-11-24 or in milliseconds since 1970", s)
}
