package engine

import (
	"slices"

	"nudge"
)

// history is what a text was over time: each value with the offset of the record that set it. It answers what was true just
// before any record of the running batch, so that a timer that runs between two of its records sees what was known then, wherever
// the batch ends (I2).
type history struct {
	newest binding
	hash   nudge.KeyHash // of the newest value as a key; 0: nobody has asked for it
	older  *older        // nil: it had no other value, as most texts have none
}

// older are the values before the newest.
type older struct {
	kept []binding // the oldest first
	more bool      // there were others before these
}

// binding is a value, which is never empty, and the offset of the record that set it. The zero one is none.
type binding struct {
	from nudge.Offset
	text string
}

// keepBindings is how many values are kept for reading old events back; the ones set within a batch are kept until the next.
const keepBindings = 4

// set notes a new value, set by the record at off. first is the batch's first offset: nobody asks about anything before it.
func (h *history) set(off, first nudge.Offset, text string) {
	h.add(binding{off, text})
	for o := h.older; o != nil && len(o.kept) > keepBindings-1 && o.kept[1].from < first; {
		o.kept, o.more = slices.Delete(o.kept, 0, 1), true
	}
}

// add adds a value behind the newest.
func (h *history) add(b binding) {
	if h.newest.text != "" {
		if h.older == nil {
			h.older = &older{}
		}
		h.older.kept = append(h.older.kept, h.newest)
	}
	h.newest, h.hash = b, 0
}

// others are the values before the newest, the oldest first.
func (h *history) others() []binding {
	if h.older == nil {
		return nil
	}
	return h.older.kept
}

// before is the value that stood before the record at off, "" if there was none.
func (h *history) before(off nudge.Offset) string {
	if h.newest.from < off {
		return h.newest.text
	}
	for _, b := range slices.Backward(h.others()) {
		if b.from < off {
			return b.text
		}
	}
	return ""
}

// kept goes over the values that are kept in any case, whatever the batch, the oldest first.
func (h *history) kept(yield func(binding) bool) {
	others := h.others()
	for _, b := range others[max(len(others)-(keepBindings-1), 0):] {
		if !yield(b) {
			return
		}
	}
	if h.newest.text != "" {
		yield(h.newest)
	}
}

// isWhole says whether the values that are kept are all that there ever were.
func (h *history) isWhole() bool {
	return h.older == nil || !h.older.more && len(h.older.kept) < keepBindings
}

// hasAny says whether one of the texts is among the values that are kept.
func (h *history) hasAny(texts []string) bool {
	for b := range h.kept {
		if slices.Contains(texts, b.text) {
			return true
		}
	}
	return false
}

// forget leaves of the values that are kept those that are none of the texts.
func (h *history) forget(texts []string) {
	left := history{}
	if !h.isWhole() {
		left.older = &older{more: true}
	}
	for b := range h.kept {
		if !slices.Contains(texts, b.text) {
			left.add(b)
		}
	}
	*h = left
}

// last is the newest value, "" if there is none.
func (h *history) last() string { return h.newest.text }

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
