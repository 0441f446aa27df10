package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"nudge"
	"nudge/examples"
	"nudge/rules"
)

// ruleSource is where the rules come from.
type ruleSource struct {
	name string                         // for messages
	read func() ([]rules.Source, error) // all files
	mark func() (string, error)         // differs once a file has changed; nil: they never do
	rest func() []string                // says of files that look like rules why they are not read; nil: there are none
}

// ruleSource is the folder of --rules, or the example rules that are part of the binary.
func (c *serveConfig) ruleSource() (ruleSource, error) {
	if c.demo && !c.rulesGiven {
		return ruleSource{name: "the example rules", read: exampleRules}, nil
	}
	if _, err := readRules(c.rules); err != nil {
		return ruleSource{}, err
	}
	return ruleSource{
		name: c.rules,
		read: func() ([]rules.Source, error) { return readRules(c.rules) },
		mark: func() (string, error) { return folderMark(c.rules) },
		rest: func() []string { return rules.Overlooked(c.rules) },
	}, nil
}

func exampleRules() (sources []rules.Source, err error) {
	files, err := fs.ReadDir(examples.Rules, ".")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		text, err := fs.ReadFile(examples.Rules, f.Name())
		if err != nil {
			return nil, err
		}
		sources = append(sources, rules.Source{File: f.Name(), Text: string(text)})
	}
	return sources, nil
}

// folderMark is a text of the names, sizes and times of a folder's files. Of a link what it leads to counts: in a mounted ConfigMap all files are links, which
// stay as they are while what they lead to is exchanged.
func folderMark(dir string) (string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	for _, f := range files {
		if filepath.Ext(f.Name()) != ".expr" {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		b.WriteString(f.Name())
		for _, n := range [...]int64{info.Size(), info.ModTime().UnixNano()} {
			b.WriteByte('/')
			b.WriteString(strconv.FormatInt(n, 10))
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// watchEvery is how often the folder of the rules is looked at. A file is deployed once it has stayed the same from one look to
// the next, so that one that is just being written is not taken for a whole.
const watchEvery = 250 * time.Millisecond

// watchShare bounds what looking costs, as a part of one core: a look at a folder of ten thousand files takes some ten milliseconds, so the
// next one comes later.
const watchShare = 50

// nextLook is how long to wait after a look that took so long.
func nextLook(took time.Duration) time.Duration { return max(watchEvery, watchShare*took) }

// ruleWatcher makes what is saved in the rules folder live.
type ruleWatcher struct {
	source ruleSource
	deploy func(context.Context, []rules.Source) (rules.Diagnostics, error)
	logger *slog.Logger
	stderr io.Writer

	taken    string // mark of what was deployed or refused
	last     string // mark of the last look
	lookTook time.Duration
	said     string // the last problem that was reported; the same one is not reported again
}

// first deploys the rules at the start. Rules with errors keep a new server from starting; one that has a good version goes on with it.
// Settings that answers depend on travel with a deployment, so changed ones, and the first ones, need one too.
func (w *ruleWatcher) first(ctx context.Context, running *rules.Plan, settingsChanged bool) error {
	if err := w.look(); err != nil {
		return err
	}
	w.taken = w.last
	sources, err := w.source.read()
	if err != nil {
		return err
	}
	w.tellOverlooked()
	if running != nil && len(running.Sources) > 0 && !settingsChanged && rules.EncodeSources(running.Sources) == rules.EncodeSources(sources) {
		return nil
	}
	if len(sources) == 0 {
		w.logger.Warn("there are no rules yet: nothing can fire", "rules", w.source.name)
	}
	remarks, err := w.deploy(ctx, sources)
	if err != nil {
		return fmt.Errorf("deploy %s: %w", w.source.name, err)
	}
	fmt.Fprint(w.stderr, inFolder(w.source.name, remarks).Text())
	if !remarks.HasErrors() {
		return nil
	}
	if running == nil || len(running.Sources) == 0 {
		w.logger.Error("the rules have errors, and none ran before: the server does not start", "rules", w.source.name)
		return &reported{exitFound}
	}
	w.logger.Error("the rules have errors; the version that ran last goes on", "rules", w.source.name)
	return nil
}

// watch looks at the folder until ctx ends. It fails only where the engine does.
func (w *ruleWatcher) watch(ctx context.Context) error {
	if w.source.mark == nil {
		<-ctx.Done()
		return nil
	}
	timer := time.NewTimer(watchEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			w.tick(ctx)
			timer.Reset(nextLook(w.lookTook))
		}
	}
}

// tick is one look: it deploys what has changed and has stayed so since the last look.
func (w *ruleWatcher) tick(ctx context.Context) {
	before := w.last
	if err := w.look(); err != nil {
		w.report("the rules cannot be read; those that run go on", err)
		return
	}
	switch {
	case w.last == w.taken:
		w.said = "" // whatever it was is over
		return
	case w.last != before:
		return
	}
	began := time.Now()
	sources, err := w.source.read()
	if err != nil { // it is tried again: a file that may be read again is no newer for that
		w.lookTook += time.Since(began)
		w.report("the rules cannot be read; those that run go on", err)
		return
	}
	remarks, err := w.deploy(ctx, sources)
	if errors.Is(err, nudge.ErrBusy) || errors.Is(err, nudge.ErrFull) {
		w.report("the rules were not deployed; trying again", err)
		return
	}
	if err != nil {
		if w.taken = w.last; ctx.Err() == nil {
			w.report("the rules were not deployed; those that run go on", err)
		}
		return
	}
	w.taken, w.said = w.last, ""
	w.tellOverlooked()
	fmt.Fprint(w.stderr, inFolder(w.source.name, remarks).Text())
	if remarks.HasErrors() {
		w.logger.Error("the rules have errors; those that run go on", "rules", w.source.name)
		return
	}
	w.logger.Info("rules are deployed", "rules", w.source.name, "files", len(sources))
}

// tellOverlooked warns of files that look like rules and are not read: at the start, and whenever what is read has changed.
func (w *ruleWatcher) tellOverlooked() {
	if w.source.rest == nil {
		return
	}
	for _, remark := range w.source.rest() {
		w.logger.Warn("something in the rules folder is not read", "rules", w.source.name, "remark", remark)
	}
}

func (w *ruleWatcher) look() (err error) {
	if w.source.mark != nil {
		began := time.Now()
		w.last, err = w.source.mark()
		w.lookTook = time.Since(began)
	}
	return err
}

// report logs a problem once, however often it comes back.
func (w *ruleWatcher) report(message string, err error) {
	if w.said != err.Error() {
		w.said = err.Error()
		w.logger.Error(message, "error", err)
	}
}
