package bench

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Options of Run. The zero value of each but Level is its default.
type Options struct {
	Workload string // default "six"
	Level    string // what is measured; one of Levels
	Events   int    // size of a round, see Levels; default: the level's own
	Rounds   int    // recorded rounds; default DefaultRounds
	Dir      string // data folders are made in here; default: the system's folder for temporary files
	Peers    string // folder of the other engines; default DefaultPeers
	Clicks   string // file of the workload globo
	Memory   int64  // bytes that the level memory gives the records and what finds them; default: room for one record in ten

	Progress func(done string) // told what has been measured, as it goes; nil: nobody is

	// Tests make these smaller.
	slotTime   time.Duration    // 0: the constant of that name
	fewPending int              // 0: timerPending
	peers      []*peer          // nil: allPeers
	kuiper     func() *exec.Cmd // nil: the one that make peers has built
	fewConns   int              // of the level peers-http; 0: peersHTTPConns
}

// Workloads lists them for messages.
const Workloads = "six, b2b (six with 60 % known users; of the level engine too), late (six with a fifth of the events late), keys-N (six with N visitors, 1000 to 10000000), mission, mission-N (mission with N visitors), sign-in (mission whose users are unknown at first), rules-N (N rules, 10 to 19999, of which an event meets eight), dense-N (N rules, 1600 to 20000, of which an event meets one in 200), globo (real clicks, for the level replay), cold (keys that were not met lately, for the level memory)"

// Limits and defaults of Options.
const (
	DefaultWorkload = "six"
	DefaultRounds   = 5
	MaxRounds       = 100
	MinEvents       = 100
	MaxEvents       = 20_000_000 // a stream is held in memory, 150 bytes an event
)

// LevelOf is the level that a workload is for where none is asked for: the only one, or the first.
func LevelOf(workload string) string {
	switch workload {
	case globoName:
		return "replay"
	case coldName:
		return "memory"
	}
	return "core"
}

// workloadOf is the workload of a level where none is asked for.
func workloadOf(level string) string {
	if level == LevelOf(coldName) {
		return coldName
	}
	return DefaultWorkload
}

// Level is something that can be measured.
type Level struct {
	Name   string
	Does   string
	Events int    // default of Options.Events
	Counts string // what Options.Events is
	run    func(context.Context, *Options, *Report) error
}

// Levels lists them in the order in which a reader meets them.
func Levels() []Level {
	return []Level{
		{"core", "operators and rules in memory beside a hand-written program", 1_000_000, "events in the stream", runCore},
		{"engine", "the whole engine with its log on disk, without HTTP", 1_000_000, "most events of one slot", runEngine},
		{"http", "the server over loopback with a data folder, beside a bare echo", 1_000_000, "most events of one slot", runHTTP},
		{"decide", "round trip of ?decide=1 with a popup in the answer", 20_000, "most requests of one slot", runDecide},
		{"timers", "how late a dwell fires after its deadline", 5_000, "deadlines in a round", runTimers},
		{"sse", "popups and alerts to many open streams", 2_000, "times that a stream is told in a round", runSSE},
		{"replay", "clicks from a CSV file and from the log, through one rule", 1_000_000, "clicks; of the workload globo all of its file", runReplay},
		{"restart", "recovery from the log and from a checkpoint", 500_000, "events in the log", runRestart},
		{"overload", "twice as much as the server can take, open loop", 200_000, "most events of one slot", runOverload},
		{"memory", "a memory budget for a tenth of the records, beside none", 400_000, "visitors; a round has half as many events in each of three slots, 2,000,000 at most", runMemory},
		{"warm", "a new 30-day rule reads the log back beside traffic", 1_000_000, "events in the log", runWarm},
		{"peers", "other engines with the same rules and events, those that `make peers` has built", 1_000_000, "events in the stream", runPeers},
		{"peers-http", "another server with the same rules and requests, if `make peers` has built it", 1_000_000, "most requests of one slot", runPeersHTTP},
	}
}

// levelNames is the list for messages.
func levelNames() string {
	var names []string
	for _, l := range Levels() {
		names = append(names, l.Name)
	}
	return strings.Join(names, ", ")
}

// Validate returns every problem at once.
func (o *Options) Validate() error {
	var errs []error
	if err := o.validWorkload(); err != nil {
		errs = append(errs, err)
	}
	if !slices.ContainsFunc(Levels(), func(l Level) bool { return l.Name == o.Level }) {
		errs = append(errs, fmt.Errorf("there is no level %q; there are: %s", o.Level, levelNames()))
	}
	if o.Events != 0 && (o.Events < MinEvents || o.Events > MaxEvents) {
		errs = append(errs, fmt.Errorf("%d events: give %d to %d", o.Events, MinEvents, MaxEvents))
	}
	if o.Rounds < 0 || o.Rounds > MaxRounds {
		errs = append(errs, fmt.Errorf("%d rounds: give 1 to %d", o.Rounds, MaxRounds))
	}
	return errors.Join(errs...)
}

// validWorkload says what is wrong with the workload at this level.
func (o *Options) validWorkload() error {
	_, many := manyOf(o.Workload)
	switch {
	case o.Workload == globoName && o.Clicks == "":
		return fmt.Errorf("the workload %s is real clicks, which are not a part of Nudge: give their file as --clicks", globoName)
	case o.Workload == globoName && o.Events != 0:
		return fmt.Errorf("the workload %s is all of its file: leave --events out", globoName)
	case o.Memory != 0 && o.Level != LevelOf(coldName):
		return fmt.Errorf("a memory budget is for the level %s only", LevelOf(coldName))
	case o.Clicks != "" && o.Workload != globoName:
		return fmt.Errorf("--clicks is the file of the workload %s, which is not the one that is measured", globoName)
	case o.Workload == "" || o.Workload == workloadOf(o.Level) || o.Workload == b2b.name && o.Level == "engine":
		return nil
	case streamsOf(o.Workload) == nil && !many && LevelOf(o.Workload) == "core":
		return fmt.Errorf("there is no workload %q; there are: %s", o.Workload, Workloads)
	case LevelOf(o.Workload) != o.Level:
		return fmt.Errorf("the workload %s is for the level %s only", o.Workload, LevelOf(o.Workload))
	}
	return nil
}

// Run measures one level. It returns early, with ctx's error, when ctx ends.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(Levels(), func(l Level) bool { return l.Name == o.Level })
	level := Levels()[i]
	if o.Workload == "" {
		o.Workload = workloadOf(o.Level)
	}
	if o.Events == 0 {
		o.Events = level.Events
	}
	if o.Rounds == 0 {
		o.Rounds = DefaultRounds
	}
	if o.Peers == "" {
		o.Peers = DefaultPeers
	}
	if o.peers == nil {
		o.peers = allPeers
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	r := &Report{Workload: o.Workload, Level: o.Level, Events: o.Events, Rounds: o.Rounds, Memory: o.Memory, Machine: thisMachine()}
	if err := level.run(ctx, &o, r); err != nil {
		return nil, fmt.Errorf("bench %s: %w", o.Level, err)
	}
	return r, nil
}

// contender is one of the things that are measured side by side.
type contender struct {
	name string
	run  func(ctx context.Context) error // measures once and keeps what it found
}

// rounds runs every contender once to warm up and then o.Rounds times, each round beginning with another one. recorded says whether what
// is measured now counts.
func (o *Options) rounds(ctx context.Context, all []contender, recorded *bool) error {
	for round := range o.Rounds + 1 {
		*recorded = round > 0
		for i := range all {
			c := all[(i+round)%len(all)]
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := c.run(ctx); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		if *recorded {
			o.Progress(fmt.Sprintf("round %d of %d", round, o.Rounds))
		} else {
			o.Progress("warm-up")
		}
	}
	return nil
}
