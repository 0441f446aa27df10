//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// damageWorkers are as many damaged folders as are tried at once.
const damageWorkers = 2

// damage is one way in which a folder is damaged.
type damage struct {
	what   string
	name   string // of the file
	change func(file) *file
}

// outcomes count what became of damaged folders.
type outcomes struct {
	mu              sync.Mutex
	served, refused int
	byFile          map[string]int // refusals, by the kind of file that was damaged
	wrong           []error
}

// flipped flips one bit after the other, each in a fresh copy of the folder.
func flipped(ctx context.Context, o *options, dir string) (*result, error) {
	t, err := newTwin(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(o.seed, 3))
	var all []damage
	for range o.flips {
		all = append(all, t.flip(rng))
	}
	return t.try(ctx, dir, all)
}

// cut truncates every file in several ways and lets it be missing, one at a time.
func cut(ctx context.Context, o *options, dir string) (*result, error) {
	t, err := newTwin(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	var all []damage
	for _, name := range t.names() {
		all = append(all, damage{name + " is missing", name, func(file) *file { return nil }})
		size := len(t.files[name].bytes)
		for _, to := range []int{0, 1, size / 2, size - 1} {
			if to >= 0 && to < size {
				all = append(all, damage{fmt.Sprintf("%s ends at byte %d", name, to), name, func(f file) *file {
					return &file{f.bytes[:to], int64(to)}
				}})
			}
		}
	}
	return t.try(ctx, dir, all)
}

func (t *twin) names() (names []string) {
	for name := range t.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// flip chooses a file, a few bytes of the zeros behind it counted in, and a bit of it. The log's segments and the store's files come as often as each other.
func (t *twin) flip(rng *rand.Rand) damage {
	var names []string
	for _, name := range t.names() {
		if f := t.files[name]; len(f.bytes) > 0 && strings.HasPrefix(name, "log/") == (rng.IntN(2) == 0) {
			names = append(names, name)
		}
	}
	if names == nil {
		return t.flip(rng)
	}
	name := names[rng.IntN(len(names))]
	f := t.files[name]
	at := rng.Int64N(min(int64(len(f.bytes)+len(f.bytes)/20), f.size))
	bit := rng.IntN(8)
	return damage{fmt.Sprintf("bit %d of byte %d of %s is flipped", bit, at, name), name, func(f file) *file {
		b := make([]byte, max(int64(len(f.bytes)), at+1))
		copy(b, f.bytes)
		b[at] ^= 1 << bit
		return &file{b, f.size}
	}}
}

// try starts a server on each of the damaged folders.
func (t *twin) try(ctx context.Context, dir string, all []damage) (*result, error) {
	out := outcomes{byFile: map[string]int{}}
	var wg sync.WaitGroup
	work := make(chan damage)
	for w := range damageWorkers {
		wg.Go(func() {
			for d := range work {
				refused, err := t.tryOne(ctx, filepath.Join(dir, fmt.Sprint("worker", w)), d)
				out.add(d, refused, err)
			}
		})
	}
	for _, d := range all {
		if ctx.Err() != nil {
			break
		}
		work <- d
	}
	close(work)
	wg.Wait()
	if err := errors.Join(ctx.Err(), errors.Join(out.wrong...)); err != nil {
		return nil, fmt.Errorf("%d of %d: %w", len(out.wrong), len(all), err)
	}
	return &result{more: fmt.Sprintf("%d tried, %d started and gave the right answers, %d refused to start (%s), 0 gave a wrong answer",
		len(all), out.served, out.refused, out.refusals())}, nil
}

func (t *twin) tryOne(ctx context.Context, dir string, d damage) (refused bool, err error) {
	if err := t.write(dir, d.name, d.change); err != nil {
		return false, err
	}
	set := t.set
	set.data = dir
	p, err := set.start(ctx)
	if err != nil {
		return false, err
	}
	if p.url == "" {
		return true, wantRefusal(p, dir, d)
	}
	got, err := ask(ctx, p)
	if err != nil {
		return false, fmt.Errorf("%w; the server says: %s", err, excerpt(p.said.String()))
	}
	if err := p.end(syscall.SIGKILL); err != nil {
		return false, err
	}
	switch {
	case got.feed != t.want.feed:
		return false, fmt.Errorf("WRONG ANSWER: the feed has %d bytes, or others, want %d", len(got.feed), len(t.want.feed))
	case got.further != t.want.further:
		return false, fmt.Errorf("WRONG ANSWER: further events fired %s, want %s", got.further, t.want.further)
	}
	return false, nil
}

var hasPlaces = regexp.MustCompile(`\.seg$|\.sst$|^MANIFEST-\d+$`)

var place = regexp.MustCompile(`offset \d+|byte \d+|block \d+|\d+ \(disk\)`)

// wantRefusal wants a start that is refused to name the file, in those that have places the place, and what to do.
func wantRefusal(p *server, dir string, d damage) error {
	words := []string{}
	missing := d.change(file{bytes: make([]byte, 1<<20), size: 1 << 20}) == nil
	if !missing {
		words = append(words, filepath.Base(d.name))
	}
	if err := refused(p, dir, words...); err != nil {
		return err
	}
	said := p.said.String()
	switch {
	case !contains(said, "copy") && !contains(said, "move the folder"):
		return fmt.Errorf("a refused start does not say what to do: %s", excerpt(said))
	case !missing && hasPlaces.MatchString(filepath.Base(d.name)) && !place.MatchString(said):
		return fmt.Errorf("a refused start does not say where: %s", excerpt(said))
	}
	return nil
}

func (out *outcomes) add(d damage, refused bool, err error) {
	out.mu.Lock()
	defer out.mu.Unlock()
	switch {
	case err != nil:
		out.wrong = append(out.wrong, fmt.Errorf("%s: %w", d.what, err))
	case refused:
		out.refused++
		out.byFile[kindOf(d.name)]++
	default:
		out.served++
	}
}

// kindOf is a file's name without its number.
func kindOf(name string) string {
	return regexp.MustCompile(`\d+`).ReplaceAllString(filepath.Base(name), "N")
}

func (out *outcomes) refusals() string {
	var b bytes.Buffer
	var kinds []string
	for kind := range out.byFile {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for i, kind := range kinds {
		fmt.Fprintf(&b, "%s%s: %d", []string{"", ", "}[min(i, 1)], kind, out.byFile[kind])
	}
	return b.String()
}
