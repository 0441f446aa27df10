package rules

// warnApart warns of an and whose pulses never come at one instant: an instant is one event, or what time alone brings, and never both.
func (c *conditions) warnApart(k *cond) {
	if c.deployed {
		return
	}
	var before []*ask
	for _, part := range k.args {
		pulses := pulsesOf(part, nil)
		for _, b := range pulses {
			for _, a := range before {
				if why := apart(a, b); why != "" {
					c.warnf(b.at, "happened(…) for what was before, or `or` between them", "this can never be true: `%s` and `%s` are never at one instant: %s",
						a.name, b.name, why)
					return
				}
			}
		}
		before = append(before, pulses...)
	}
}

// pulsesOf lists the pulses without which k is never true.
func pulsesOf(k *cond, pulses []*ask) []*ask {
	switch {
	case k.kind == condAsk && k.ask.pulse:
		return append(pulses, k.ask)
	case k.kind == condAnd:
		for _, a := range k.args {
			pulses = pulsesOf(a, pulses)
		}
	}
	return pulses
}

// apart says why two pulses never come at one instant, "" where they may.
func apart(a, b *ask) string {
	x, y := a.brings(), b.brings()
	switch {
	case x == nil && y == nil:
		return ""
	case x == nil || y == nil:
		return "the one comes with an event, the other by time alone"
	}
	return contradiction(join(termAnd, x, y))
}

// brings is the test of the event that a pulse comes with; nil: it comes by time alone.
func (a *ask) brings() *term {
	switch a.kind {
	case OpAbsent, OpDwell:
		return nil
	case OpSequence:
		return a.steps[len(a.steps)-1].test
	}
	return a.test
}
