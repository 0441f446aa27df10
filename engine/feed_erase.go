package engine

import (
	"nudge"
)

// An erased firing leaves its cursor: in memory a firing without a rule, in the store a row without a value. So the newest cursor stays the
// newest, and whoever reads on from one finds it known. Nobody is shown them.

func isErased(f *nudge.Firing) bool { return f.Rule == "" }

// eraseFiring takes a person that was erased at an offset out of a firing: all of it, or what names the person.
func eraseFiring(f *nudge.Firing, off nudge.Offset, p *person) (removed, redacted bool) {
	switch {
	case isErased(f) || f.Cursor.Offset > off:
	case p.fired(f):
		*f, removed = nudge.Firing{Cursor: f.Cursor}, true
	default:
		redacted = p.redact(f)
	}
	return removed, redacted
}

// erase takes a person out of the tail, and veils what the store still has of it. It says how many firings are removed, and how many redacted.
func (f *feed) erase(off nudge.Offset, p *person) (removed, redacted int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.veils = f.veils.with(off, p)
	f.tail.edit(func(x *nudge.Firing) {
		gone, named := eraseFiring(x, off, p)
		switch {
		case gone:
			removed++
		case named:
			redacted++
		}
	})
	return removed, redacted
}

// veil hides a person from those who read stored firings, until they are purged and unveil is called.
func (f *feed) veil(off nudge.Offset, p *person) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.veils = f.veils.with(off, p)
}

func (f *feed) unveil(off nudge.Offset) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.veils = f.veils.without(off)
}
