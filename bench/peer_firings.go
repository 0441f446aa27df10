package bench

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"nudge"
)

// firingSet is firings without their order. One may be in it several times.
type firingSet struct {
	all   map[peerFiring]int
	count map[string]int // of each rule
}

type peerFiring struct {
	rule, key string
	at        nudge.Millis
}

func newFiringSet() *firingSet {
	return &firingSet{all: map[peerFiring]int{}, count: map[string]int{}}
}

func (s *firingSet) add(rule, key string, at nudge.Millis) {
	s.all[peerFiring{rule, key, at}]++
	s.count[rule]++
}

// difference is how the firings of one rule differ from what is wanted.
type difference struct {
	missing, extra int
	example        string // one of them: the first by instant
}

func (d difference) same() bool { return d.missing == 0 && d.extra == 0 }

func (d difference) String() string {
	return fmt.Sprintf("%d missing, %d too many (%s)", d.missing, d.extra, d.example)
}

// compare says how what a rule fired in got differs from s.
func (s *firingSet) compare(got *firingSet, rule string) (d difference) {
	var first nudge.Millis
	note := func(f peerFiring, what string) {
		if text := fmt.Sprintf("%s at %d %s", f.key, f.at, what); d.example == "" || f.at < first || f.at == first && text < d.example {
			first, d.example = f.at, text
		}
	}
	for f, n := range s.all {
		if lacks := n - got.all[f]; f.rule == rule && lacks > 0 {
			d.missing += lacks
			note(f, "is missing")
		}
	}
	for f, n := range got.all {
		if over := n - s.all[f]; f.rule == rule && over > 0 {
			d.extra += over
			note(f, "is too many")
		}
	}
	return d
}

// readFirings reads what a peer wrote: a line a firing, rule, key and instant separated by tabs.
func readFirings(file string) (s *firingSet, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	s = newFiringSet()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 3 {
			return nil, fmt.Errorf("its firings, line %d: %d fields, want rule, key and instant", n, len(fields))
		}
		at, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("its firings, line %d: %w", n, err)
		}
		s.add(fields[0], fields[1], nudge.Millis(at))
	}
	return s, lines.Err()
}

// writeEvents writes the stream for peers: a line an event, its instant, type, visitor, user, company, path and form separated by tabs.
func (s *stream) writeEvents(file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	var line []byte
	for i := range s.events {
		e := &s.events[i]
		line = strconv.AppendInt(line[:0], int64(e.at), 10)
		line = append(append(line, '\t'), kindName[e.kind]...)
		for _, text := range []span{e.visitor, e.user, e.company, e.path, e.form} {
			line = append(append(line, '\t'), s.buf[text.at:text.at+text.len]...)
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return w.Flush()
}
