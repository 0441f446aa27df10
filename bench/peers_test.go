package bench

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nudge"
)

// peerMode is the variable that makes the test binary a peer, of that kind.
const peerMode = "NUDGE_BENCH_TEST_PEER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(peerMode); mode != "" {
		be := bePeer
		if strings.HasPrefix(mode, kuiperMode) {
			be = beKuiper
		}
		if err := be(mode, os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// bePeer is the hand-written program behind the peers' protocol, from the events' file on, with a fault.
func bePeer(mode, events string) error {
	s, err := readEvents(events)
	if err != nil {
		return err
	}
	if mode == "reads half" {
		s.events = s.events[:len(s.events)/2]
	}
	fmt.Println("ready", len(s.events))
	in := bufio.NewScanner(os.Stdin)
	for pass := 0; in.Scan(); pass++ {
		h := newHand(s)
		for i := range s.events {
			h.apply(&s.events[i])
		}
		fired := h.fired()
		if strings.HasPrefix(mode, "two rules") {
			fired = slices.DeleteFunc(fired, func(f handFiring) bool { return f.rule != handR1 && f.rule != handR4 })
		}
		switch {
		case mode == "two rules, one fewer":
			fired = fired[1:]
		case mode == "one fewer":
			fired = fired[1:]
		case mode == "one later":
			fired[0].at++
		case mode == "one twice":
			fired = append(fired, fired[0])
		case mode == "fewer later" && pass > 0:
			fired = fired[1:]
		case mode == "dies" && pass > 0:
			return fmt.Errorf("java.lang.OutOfMemoryError: no more")
		case mode == "babbles":
			fmt.Println("applied quickly")
		case mode == "in no time":
			fmt.Println("applied 0 1 2 3")
		}
		if _, file, ok := strings.Cut(in.Text(), " "); ok {
			if err := writeFirings(file, fired); err != nil {
				return err
			}
		}
		fmt.Println("applied", 1_000_000, 2_000_000, len(fired), 3_000_000)
	}
	return nil
}

// readEvents reads what writeEvents wrote.
func readEvents(file string) (*stream, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &stream{buf: text, load: six}
	at := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		ms, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return nil, err
		}
		e := event{at: nudge.Millis(ms), kind: kind(slices.Index(kindName[:], fields[1]))}
		from := at + len(fields[0]) + len(fields[1]) + 2
		for i, into := range []*span{&e.visitor, &e.user, &e.company, &e.path, &e.form} {
			*into = span{uint32(from), uint32(len(fields[2+i]))}
			from += len(fields[2+i]) + 1
		}
		s.events = append(s.events, e)
		at += len(line)
	}
	return s, nil
}

func writeFirings(file string, fired []handFiring) error {
	var b strings.Builder
	for _, f := range fired {
		fmt.Fprintf(&b, "%s\t%s\t%d\n", six.ids()[f.rule], f.key, f.at)
	}
	return os.WriteFile(file, []byte(b.String()), 0o600)
}

// fakePeer is the test binary as a peer.
func fakePeer(mode string, differs map[string]string) *peer {
	return &peer{name: mode, differs: differs, command: func(events string) *exec.Cmd {
		c := exec.Command(os.Args[0], events)
		c.Env = append(os.Environ(), peerMode+"="+mode)
		return c
	}}
}

// TestPeersAreCompared: a peer's speed is shown where its firings are ours, and else it is left out with the reason, in any round.
func TestPeersAreCompared(t *testing.T) {
	for _, tt := range []struct {
		mode    string
		leftOut string // "": its speed is shown
	}{
		{"right", ""},
		{"one fewer", "1 missing, 0 too many"},
		{"one later", "1 missing, 1 too many"},
		{"one twice", "0 missing, 1 too many"},
		{"fewer later", "in the first pass"},
		{"dies", "java.lang.OutOfMemoryError: no more"},
		{"babbles", `it answered "applied quickly"`},
		{"in no time", "0 ns"},
		{"reads half", "10000 events, there are 20000"},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			r := runPeer(t, fakePeer(tt.mode, nil))
			shown := hasRow(r, "speed", tt.mode)
			if tt.leftOut == "" {
				if !shown || len(r.LeftOut) > 0 {
					t.Errorf("shown: %t, left out: %v", shown, r.LeftOut)
				}
				return
			}
			if shown || len(r.LeftOut) != 1 || !strings.Contains(r.LeftOut[0], tt.leftOut) {
				t.Errorf("shown: %t, left out: %v, want %q", shown, r.LeftOut, tt.leftOut)
			}
		})
	}
}

// TestPeersWithSomeRules: a peer that has two of the rules is compared with those two, and shown beside a core that has no others.
func TestPeersWithSomeRules(t *testing.T) {
	const table = "speed, r1 and r4 alone"
	for mode, leftOut := range map[string]string{
		"two rules":            "",
		"two rules, one fewer": "1 missing, 0 too many",
		"right":                "r2: 0 missing", // it fires what it is said not to have
	} {
		t.Run(mode, func(t *testing.T) {
			p := fakePeer(mode, nil)
			p.only = []string{"r1", "r4"}
			r := runPeer(t, p)
			if hasRow(r, "speed", mode) {
				t.Error("it is shown among those that have all rules")
			}
			if leftOut == "" && (!hasRow(r, table, mode) || !hasRow(r, table, "core, 1 shard") || !hasRow(r, "firings", mode)) {
				t.Errorf("it is not shown; left out: %v", r.LeftOut)
			}
			if leftOut != "" && (hasRow(r, table, mode) || !strings.Contains(strings.Join(r.LeftOut, "\n"), leftOut)) {
				t.Errorf("left out: %v, want %q", r.LeftOut, leftOut)
			}
			for _, table := range r.Tables {
				for _, row := range table.Rows {
					if table.Title == "firings" && row.Name == mode && (row.Cells[0] == nil || row.Cells[1] != nil) {
						t.Error("its firings are not those of r1 and r4 alone")
					}
				}
			}
		})
	}
}

// TestPeersDifferencesAreTold: where a peer cannot write a rule exactly, that is said beside its speed.
func TestPeersDifferencesAreTold(t *testing.T) {
	all := map[string]string{}
	for _, id := range six.ids() {
		all[id] = "it rounds"
	}
	r := runPeer(t, fakePeer("one fewer", all))
	if !hasRow(r, "speed", "one fewer") || !strings.Contains(strings.Join(r.Method, "\n"), "1 missing, 0 too many") {
		t.Errorf("left out: %v, said: %v", r.LeftOut, r.Method)
	}
}

func runPeer(t *testing.T, p *peer) *Report {
	t.Helper()
	r, err := Run(context.Background(), Options{Level: "peers", Events: 20_000, Rounds: 1, Dir: t.TempDir(), peers: []*peer{p}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func hasRow(r *Report, table, name string) bool {
	for _, t := range r.Tables {
		if t.Title == table {
			return slices.ContainsFunc(t.Rows, func(r Row) bool { return r.Name == name })
		}
	}
	return false
}

// TestPeersThatAreMissing: each is left out with a reason, and ours is measured all the same.
func TestPeersThatAreMissing(t *testing.T) {
	folder := t.TempDir()
	r, err := Run(context.Background(), Options{Level: "peers", Events: MinEvents, Rounds: 1, Dir: t.TempDir(), Peers: folder})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.LeftOut) != len(allPeers) || !hasRow(r, "speed", "core, 1 shard") {
		t.Errorf("left out: %v", r.LeftOut)
	}
	for _, why := range r.LeftOut {
		if !strings.Contains(why, "no java") && !strings.Contains(why, "make peers") {
			t.Errorf("%q does not say what would help", why)
		}
	}
}

// TestBuiltPeers: those that this machine has built give our firings.
func TestBuiltPeers(t *testing.T) {
	var built []*peer
	for _, p := range allPeers {
		if _, err := os.Stat(filepath.Join("peers", p.folder, "target", "lib")); err == nil {
			built = append(built, p)
		}
	}
	if len(built) == 0 {
		t.Skip("none is built: make peers")
	}
	r, err := Run(context.Background(), Options{Level: "peers", Events: 10_000, Rounds: 1, Dir: t.TempDir(), Peers: "peers", peers: built})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.LeftOut) > 0 {
		t.Error(r.LeftOut)
	}
}
