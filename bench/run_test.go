package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestLevels runs every level, small, to its end: it reports what INTERFACES promises and leaves neither files nor goroutines behind.
func TestLevels(t *testing.T) {
	for _, l := range Levels() {
		t.Run(l.Name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			dir := t.TempDir()
			r, err := Run(context.Background(), Options{
				Level: l.Name, Events: 500, Rounds: 1, Dir: dir, slotTime: 20 * time.Millisecond, fewPending: 10, fewConns: 4,
			})
			if err != nil {
				t.Fatal(err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
			// The HTTP library's own cleaners end some seconds after what they clean.
			goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
				goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
				goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*TCPDialer).tcpAddrsClean"),
				goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
			checkJSON(t, r)
			var text strings.Builder
			if err := r.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{r.Machine.CPU, r.Machine.Go, "rounds", "median"} {
				if !strings.Contains(text.String(), want) {
					t.Errorf("%q is not in the text:\n%s", want, text.String())
				}
			}
		})
	}
}

// The whole engine takes the events of b2b, most of whose visitors are known, as it takes those of six.
func TestEngineOfB2B(t *testing.T) {
	r, err := Run(context.Background(), Options{Level: "engine", Workload: b2b.name, Events: 500, Rounds: 1, Dir: t.TempDir(), slotTime: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if r.Workload != b2b.name || r.EventsPerSecond <= 0 {
		t.Errorf("%s: %v events/s", r.Workload, r.EventsPerSecond)
	}
}

func checkJSON(t *testing.T, r *Report) {
	t.Helper()
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Level           string          `json:"level"`
		EventsPerSecond float64         `json:"events_per_second"`
		RatioToHand     float64         `json:"ratio_to_hand"`
		Tables          map[string]any  `json:"tables"`
		Machine         json.RawMessage `json:"machine"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 1 {
		t.Error("more than one line")
	}
	if got.Level != r.Level || len(got.Tables) == 0 {
		t.Errorf("level %q, %d tables", got.Level, len(got.Tables))
	}
	if rated := r.Level != "timers" && r.Level != "sse"; rated && got.EventsPerSecond <= 0 {
		t.Errorf("events_per_second is %v", got.EventsPerSecond)
	}
	if r.Level == "core" && got.RatioToHand <= 0 {
		t.Errorf("ratio_to_hand is %v", got.RatioToHand)
	}
}

func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		o    Options
		want []string
	}{
		"right":          {Options{Level: "core"}, nil},
		"at the edges":   {Options{Level: "http", Events: MinEvents, Rounds: MaxRounds, Workload: DefaultWorkload}, nil},
		"b2b, all of it": {Options{Level: "engine", Workload: "b2b"}, nil},
		"b2b over HTTP":  {Options{Level: "http", Workload: "b2b"}, []string{"b2b is for the level core only"}},
		"most events":    {Options{Level: "http", Events: MaxEvents}, nil},
		"no level":       {Options{}, []string{`there is no level ""; there are: core, engine, http, decide, timers, sse, replay, restart, overload, memory, warm, peers`}},
		"everything":     {Options{Workload: "five", Level: "fan", Events: MinEvents - 1, Rounds: MaxRounds + 1}, []string{`no workload "five"`, `no level "fan"`, "99 events: give 100 to", "101 rounds"}},
		"globo":          {Options{Level: "replay", Workload: "globo", Clicks: "clicks.csv"}, nil},
		"no clicks":      {Options{Level: "replay", Workload: "globo"}, []string{"give their file as --clicks"}},
		"cut clicks":     {Options{Level: "replay", Workload: "globo", Clicks: "clicks.csv", Events: 1000}, []string{"leave --events out"}},
		"globo alone":    {Options{Level: "core", Workload: "globo", Clicks: "clicks.csv"}, []string{"for the level replay only"}},
		"clicks alone":   {Options{Level: "replay", Clicks: "clicks.csv"}, []string{"the workload globo, which is not"}},
		"six else":       {Options{Level: "replay", Workload: "b2b"}, []string{"for the level core only"}},
		"cold":           {Options{Level: "memory", Workload: "cold", Memory: 1 << 30}, nil},
		"cold alone":     {Options{Level: "core", Workload: "cold"}, []string{"cold is for the level memory only"}},
		"six and cold":   {Options{Level: "memory", Workload: "six"}, []string{"six is for the level core only"}},
		"budget alone":   {Options{Level: "http", Memory: 1 << 30}, []string{"for the level memory only"}},
		"too many":       {Options{Level: "http", Events: MaxEvents + 1}, []string{"20000001 events"}},
		"rounds below 0": {Options{Level: "http", Rounds: -1}, []string{"-1 rounds"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.o.Validate()
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %v, want %q", err, w)
				}
			}
		})
	}
}
