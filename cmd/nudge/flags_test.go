package main

import (
	"testing"

	"nudge"
)

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]nudge.Millis{
		"0s": 0, "500ms": 500, "20s": 20_000, "1h30m": 5_400_000, "30d": 30 * 86_400_000, "2w": 14 * 86_400_000, "1w2d3h4m5s6ms": 788_645_006,
		"": -1, "20": -1, "s": -1, "1.5h": -1, "-1s": -1, "1m1h": -1, "1h1h": -1, "1y": -1, "99999999999999999w": -1, "1 h": -1,
	} {
		got, err := parseDuration(s)
		if (err != nil) != (want == -1) || err == nil && got != want {
			t.Errorf("%q: %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"0s", "500ms", "20s", "90m", "30d", "2w"} {
		var d durationFlag
		if err := d.Set(s); err != nil || d.String() != s {
			t.Errorf("%q reads back as %q (%v)", s, d.String(), err)
		}
	}
}

func TestSizeFlag(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1500": 1500, "3KiB": 3 << 10, "512MiB": 512 << 20, "64GiB": 64 << 30, "2TiB": 2 << 40,
		"": -1, "1GB": -1, "GiB": -1, "-1": -1, "1.5GiB": -1, "99999999TiB": -1, "9223372036854775808": -1,
	} {
		var f sizeFlag
		err := f.Set(s)
		if (err != nil) != (want == -1) || err == nil && (int64(f) != want || f.String() != s) {
			t.Errorf("%q: %d, %v; want %d; reads back as %q", s, f, err, want, f.String())
		}
	}
}

func TestInstantFlag(t *testing.T) {
	for s, want := range map[string]nudge.Millis{
		"1764000000000": 1764000000000, "2025-11-24T16:00:00Z": 1764000000000, "2025-11-24T17:00:00.250+01:00": 1764000000250,
		"2025-11-24": 1763942400000, "soon": -1, "": -1, "24.11.2025": -1,
	} {
		var f instantFlag
		err := f.Set(s)
		if (err != nil) != (want == -1) || err == nil && f.at != want {
			t.Errorf("%q: %d, %v; want %d", s, f.at, err, want)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"listen", "log-max", "lateness", "shards"}
	for written, want := range map[string]string{
		"listn": "listen", "lsiten": "listen", "log_max": "log-max", "shard": "shards", "colour": "", "": "", "xyz": "",
	} {
		if got := nearest(written, words); got != want {
			t.Errorf("%q: %q, want %q", written, got, want)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 2988181: "2,988,181", -1000: "-1,000", -100: "-100"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
