package engine

import (
	"slices"

	"nudge"
)

// history is what a text was over time: each value with the offset of the record that set it. It answers what was true just
// before any record of the running batch, so that a timer that runs between two of its records sees what was known then, wherever
// the batch ends (I2).
type history struct {
	from []nudge.Offset
	text []string
	more bool          // it had values that are not kept any more
	hash nudge.KeyHash // of the newest value as a key; 0: nobody has asked for it
}

// keepBindings is how many values are kept for reading old events back; the ones set within a batch are kept until the next.
const keepBindings = 4

// set notes a new value, set by the record at off. first is the batch's first offset: nobody asks about anything before it.
func (h *history) set(off, first nudge.Offset, text string) {
	for len(h.from) > keepBindings-1 && h.from[1] < first {
		h.from = append(h.from[:0], h.from[1:]...)
		h.text = append(h.text[:0], h.text[1:]...)
		h.more = true
	}
	h.from = append(h.from, off)
	h.text = append(h.text, text)
	h.hash = 0
}

// before is the value that stood before the record at off, "" if there was none.
func (h *history) before(off nudge.Offset) string {
	for i := len(h.from) - 1; i >= 0; i-- {
		if h.from[i] < off {
			return h.text[i]
		}
	}
	return ""
}

// newest are the values that are kept in any case, whatever the batch, the oldest first.
func (h *history) newest() []string { return h.text[max(len(h.text)-keepBindings, 0):] }

// isWhole says whether the newest values are all that there ever were.
func (h *history) isWhole() bool { return !h.more && len(h.text) <= keepBindings }

// hasAny says whether one of the texts is among the newest values.
func (h *history) hasAny(texts []string) bool {
	return slices.ContainsFunc(h.newest(), func(text string) bool { return slices.Contains(texts, text) })
}

// forget leaves of the newest values those that are none of the texts.
func (h *history) forget(texts []string) {
	first := max(len(h.text)-keepBindings, 0)
	kept := history{more: !h.isWhole()}
	for i := first; i < len(h.text); i++ {
		if !slices.Contains(texts, h.text[i]) {
			kept.from, kept.text = append(kept.from, h.from[i]), append(kept.text, h.text[i])
		}
	}
	*h = kept
}

// last is the newest value.
func (h *history) last() string {
	if len(h.text) == 0 {
		return ""
	}
	return h.text[len(h.text)-1]
}

// key is the newest value's hash as a key of a scope, always of the same one. While identity is settled only the history's owner asks.
func (h *history) key(scope string) nudge.KeyHash {
	if h.hash == 0 {
		h.hash = nudge.HashKey(scope, h.last())
	}
	return h.hash
}

// near meets the memory of the newest value (ahead.go).
func (h *history) near() int {
	last := h.last()
	if last == "" {
		return 0
	}
	return int(last[0])
}
