package rules

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Compile checks and compiles a set of rule files. It reports every problem of every file; if any of them is an error the plan is nil.
// No files at all are a plan without rules. With Options.Previous only the files that differ are looked at; the plan is the same in
// all but the places that Plan speaks of.
func Compile(sources []Source, opts Options) (*Plan, Diagnostics) {
	sources = sortedSources(sources)
	if len(sources) > MaxFiles {
		r := newReporter(sources[MaxFiles])
		r.errorf(noPos, "", "a rules folder has at most %d files", MaxFiles)
		return nil, r.diags
	}
	line := takeLine(sources, opts)
	defer line.mu.Unlock()
	return line.compile(sources)
}

// compile makes the next plan of the line, or the first of a new one.
func (p *planner) compile(sources []Source) (*Plan, Diagnostics) {
	files, gone := p.takeOver(sources)
	fresh := p.check(sources, files)
	diags := p.checkTogether(sources, files)
	if diags.HasErrors() {
		return nil, diags
	}
	next := p
	if p.isStale(len(files), fresh) {
		next = p.successor()
		files, gone = unplaced(files), nil
		next.check(sources, files)
	}
	plan, err := next.plan(sources, files, gone)
	if err != nil {
		first := newReporter(sources[0])
		first.errorf(noPos, "", "the rules cannot be compiled: %v", err)
		return nil, append(diags, first.diags...)
	}
	return plan, diags
}

// ruleFile is what is known of one file: its rule, checked, and its place in the plans of a line, nil if it has none yet. Of a rule that
// has its place the checked form is dropped, where nothing of it is special: it takes more memory than all else, and is needed
// again only when a line ends.
type ruleFile struct {
	rule    *rule
	place   *place
	special bool   // it has remarks, or something that is checked together with other files
	sense   string // what it says; "" if it may do the same as another
	whenAt  pos    // of its when
	heard   heard  // by whom
}

// takeOver finds the files that the newest plan has too, and what of that plan is gone.
func (p *planner) takeOver(sources []Source) (files []ruleFile, gone []*place) {
	files = make([]ruleFile, len(sources))
	i := 0
	drop := func() {
		if p.files[i].place != nil {
			gone = append(gone, p.files[i].place)
		}
		i++
	}
	for j := range sources {
		order := 1
		for i < len(p.files) {
			if order = strings.Compare(p.sources[i].File, sources[j].File); order >= 0 {
				break
			}
			drop()
		}
		switch {
		case i == len(p.files) || order > 0:
		case p.sources[i].Text == sources[j].Text:
			files[j] = p.files[i]
			i++
		default:
			drop()
		}
	}
	for i < len(p.files) {
		drop()
	}
	return files, gone
}

// check checks the files of which nothing is known, on all of the machine's cores at once: they do not see each other. It returns how
// many they were.
func (p *planner) check(sources []Source, files []ruleFile) int {
	var fresh []int
	for i := range files {
		if files[i].rule == nil && files[i].place == nil {
			fresh = append(fresh, i)
		}
	}
	const chunk = 64
	one := func(list []int) {
		for _, i := range list {
			twice := i > 0 && sources[i-1].File == sources[i].File
			files[i] = p.checkFile(sources[i], twice)
		}
	}
	if len(fresh) <= chunk {
		one(fresh)
		return len(fresh)
	}
	chunks := make(chan []int, len(fresh)/chunk+1)
	for list := range slices.Chunk(fresh, chunk) {
		chunks <- list
	}
	close(chunks)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for list := range chunks {
				one(list)
			}
		})
	}
	wg.Wait()
	return len(fresh)
}

// checkFile checks one file by itself.
func (p *planner) checkFile(s Source, twice bool) ruleFile {
	r := newReporter(s)
	r.deployed = p.opts.Deployed
	out := &rule{reporter: r, id: strings.TrimSuffix(s.File, fileSuffix)}
	switch err := checkSource(s); {
	case err != nil:
		r.errorf(noPos, "", "%v", err)
	case twice:
		r.errorf(noPos, "", "there are two files of this name")
	case s.File == catalogFile:
		r.diags = slices.Clone(p.words.remarks)
	default:
		out = checkRule(r, p.words)
		out.warnUnbounded(p.opts.MaxKept)
		if !r.deployed {
			out.warnMemory(p.opts.LogRetention)
		}
	}
	f := ruleFile{rule: out, special: r.diags != nil || out.follows != nil || out.spared != nil || out.limit != nil}
	if !r.diags.HasErrors() && s.File != catalogFile {
		f.heard = out.heard()
	}
	if !r.deployed && out.mode == ModeLive {
		f.sense, f.whenAt = out.sense, out.whenAt
	}
	return f
}

// checkTogether checks what several rules must agree on, and collects all remarks. Rules that are taken over stay as they are.
func (p *planner) checkTogether(sources []Source, files []ruleFile) (diags Diagnostics) {
	var special []*rule
	for i := range files {
		if files[i].special {
			special = append(special, files[i].rule.forRemarks())
		}
	}
	checkFollowing(special)
	warnUnheard(special, sources, files)
	checkPools(special)
	for _, r := range special {
		diags = append(diags, r.diags...)
	}
	diags = append(diags, twins(sources, files)...)
	sortDiagnostics(diags)
	return diags
}

// forRemarks is a copy of the rule that may be given more remarks.
func (r *rule) forRemarks() *rule {
	c, rep := *r, *r.reporter
	rep.diags = slices.Clip(rep.diags)
	c.reporter = &rep
	return &c
}

// warnUnbounded says which uses keep as many entries as may be, because the number itself is used.
func (r *rule) warnUnbounded(maxKept int) {
	r.eachAsk(func(a *ask) {
		if a.moot || !a.unbounded() {
			return
		}
		r.warnf(a.at, a.boundedFix(), "the very number of `%s` is used: up to %d entries are kept per key (%s)%s",
			a.name, maxKept, sizeText(a.bytes(maxKept)), a.beyond(maxKept))
	})
}

// boundedFix is how the same is asked with less to keep.
func (a *ask) boundedFix() string {
	switch {
	case a.kind == OpNumbers:
		return fmt.Sprintf("%s(…, \"ever\") needs one number; a shorter window has fewer events in it", a.name)
	case a.exact || a.kind != OpCount:
		return "compare it with a constant, if that is what you need"
	}
	return "leave it, if no key has so many; count(…, \"ever\") is one number"
}

// beyond says what becomes of a number when more entries are in its window than are kept.
func (a *ask) beyond(maxKept int) string {
	switch {
	case a.exact:
		return "; with more, comparisons of it are false"
	case a.isCount():
		return fmt.Sprintf("; with more, %d is shown", maxKept)
	}
	return "; with more, nothing is shown"
}

// eachAsk visits every operator's call of a rule.
func (r *rule) eachAsk(f func(*ask)) {
	for _, c := range [...]*cond{r.when, r.unless} {
		if c != nil {
			c.each(f)
		}
	}
	for _, a := range r.actions {
		a.text.each(f, func(*term) {})
		a.data.each(f, func(*term) {})
	}
}
