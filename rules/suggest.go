package rules

import (
	"slices"
	"strings"
)

// closest is the candidate most like name: same but for case, or few typing errors away. "" if none is near. Equal distances are
// decided by the order of the candidates.
func closest(name string, candidates []string) string {
	best, bestDistance := "", 1+max(1, len(name)/3)
	for _, c := range candidates {
		if d := distance(name, c); d < bestDistance && d < len(c) {
			best, bestDistance = c, d
		}
	}
	return best
}

// slipOf says whether name is known with one slip of the pen. Of two short words that differ in one letter, as cost and host do, each is a word.
func slipOf(name, known string) bool {
	if len(known) <= 3 || distance(name, known) > 1 {
		return false
	}
	return len(known) > 4 || len(name) != len(known) || sameLetters(name, known)
}

// sameLetters says whether a and b are made of the same letters, in whatever order and case.
func sameLetters(a, b string) bool {
	letters := func(s string) string {
		l := []byte(strings.ToLower(s))
		slices.Sort(l)
		return string(l)
	}
	return letters(a) == letters(b)
}

// maxSuggestLen bounds the names that are compared: the distance takes time proportional to the product of both lengths.
const maxSuggestLen = 64

// distance is how many letters have to be put in, left out, replaced or swapped with their neighbour; upper and lower case are equal.
func distance(a, b string) int {
	if len(a) > maxSuggestLen || len(b) > maxSuggestLen {
		return maxSuggestLen
	}
	var rows [3][maxSuggestLen + 1]int
	older, prev, cur := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		prev[j] = j
	}
	for i := range len(a) {
		cur[0] = i + 1
		for j := range len(b) {
			cost := 1
			if fold(a[i]) == fold(b[j]) {
				cost = 0
			}
			d := min(prev[j]+cost, prev[j+1]+1, cur[j]+1)
			if i > 0 && j > 0 && fold(a[i]) == fold(b[j-1]) && fold(a[i-1]) == fold(b[j]) {
				d = min(d, older[j-1]+1)
			}
			cur[j+1] = d
		}
		older, prev, cur = prev, cur, older
	}
	return prev[len(b)]
}

// fold makes letters of both cases, and the ways to write a gap, equal.
func fold(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '-' || c == ' ':
		return '_'
	}
	return c
}
