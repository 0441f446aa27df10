package rules

import "fmt"

// Compile checks and compiles a set of rule files. It reports every problem of every file; if any of them is an error the plan is nil.
// No files at all are a plan without rules.
func Compile(sources []Source, opts Options) (*Plan, Diagnostics) {
	sources = sortedSources(sources)
	if len(sources) > MaxFiles {
		r := newReporter(sources[MaxFiles])
		r.errorf(noPos, "", "a rules folder has at most %d files", MaxFiles)
		return nil, r.diags
	}
	files := openFiles(sources, opts)
	words := newVocabulary()
	for _, f := range files {
		if f.file == catalogFile {
			words.readCatalog(f)
		}
	}
	var rules []*rule
	for _, f := range files {
		if f.file != catalogFile && f.diags == nil {
			rules = append(rules, checkRule(f, words))
		}
	}
	checkFollowing(rules)
	checkPools(rules)
	warnUnbounded(rules, opts.maxKept())
	warnMemory(rules, opts)
	warnTwins(rules, opts)

	var diags Diagnostics
	for _, f := range files {
		diags = append(diags, f.diags...)
	}
	sortDiagnostics(diags)
	if diags.HasErrors() {
		return nil, diags
	}
	plan, err := newPlan(sources, rules, opts)
	if err != nil {
		first := newReporter(sources[0])
		first.errorf(noPos, "", "the rules cannot be compiled: %v", err)
		return nil, append(diags, first.diags...)
	}
	return plan, diags
}

// openFiles makes a reporter for each file and refuses what is not text, or is there twice.
func openFiles(sources []Source, opts Options) []*reporter {
	var files []*reporter
	for i, s := range sources {
		r := newReporter(s)
		r.deployed = opts.Deployed
		switch err := checkSource(s); {
		case err != nil:
			r.errorf(noPos, "", "%v", err)
		case i > 0 && sources[i-1].File == s.File:
			r.errorf(noPos, "", "there are two files of this name")
		}
		files = append(files, r)
	}
	return files
}

func (o Options) maxKept() int {
	if o.MaxKept <= 0 {
		return DefaultMaxKept
	}
	return o.MaxKept
}

// warnUnbounded says which uses keep as many entries as may be, because the number itself is used.
func warnUnbounded(rules []*rule, maxKept int) {
	for _, r := range rules {
		r.eachAsk(func(a *ask) {
			if !a.unbounded() {
				return
			}
			r.warnf(a.at, "compare it with a constant, if that is what you need", "the very number of `%s` is used: up to %d entries are kept per key (%s)%s",
				a.name, maxKept, sizeText(a.bytes(maxKept)), a.beyond(maxKept))
		})
	}
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
