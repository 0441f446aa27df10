package oracle

import (
	"fmt"
	"slices"
	"strings"
)

// Shrink leaves out rules and lines for as long as fails stays true, and returns what is left: the case that a person reads.
func Shrink(rules []Rule, lines []string, fails func([]Rule, []string) bool) ([]Rule, []string) {
	for size := len(lines) / 2; size > 0; size /= 2 {
		rules = without(rules, 1, func(r []Rule) bool { return fails(r, lines) })
		lines = without(lines, size, func(l []string) bool { return fails(rules, l) })
	}
	rules = without(rules, 1, func(r []Rule) bool { return fails(r, lines) })
	return rules, without(lines, 1, func(l []string) bool { return fails(rules, l) })
}

// without drops every run of size elements that fails can do without, from the last to the first.
func without[T any](from []T, size int, fails func([]T) bool) []T {
	for i := len(from) - size; i >= 0; i -= size {
		if fewer := slices.Delete(slices.Clone(from), i, i+size); fails(fewer) {
			from = fewer
		}
	}
	return from
}

// Format prints a case: each rule's file, then the lines with their numbers.
func Format(rules []Rule, lines []string) string {
	var b strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&b, "%s.expr\t%s\n", r.ID, r.Text)
	}
	for i, line := range lines {
		fmt.Fprintf(&b, "%d\t%s\n", i+1, line)
	}
	return b.String()
}
