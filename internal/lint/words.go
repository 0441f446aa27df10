package lint

import (
	"regexp"
	"strings"
)

// bannedWords are what the tree must not hold. Their texts are put together here, so that this file does not break its own rule.
var bannedWords = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`(^|[\s"'` + "`" + `=(:])/(wor` + `k|roo` + `t|hom` + `e)/[a-z]`), "a path of one machine"},
	{regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`), "do it or leave it"},
	{
		regexp.MustCompile(`\b(proxy|sum)\.gol` + `ang\.org|registry\.np` + `mjs\.org|registry\.ya` + `rnpkg\.com|\bpyp` + `i\.org|files\.pyth` + `onhosted\.org|\bcra` + `tes\.io`),
		"the host of a package registry: which one serves a machine is the machine's affair",
	},
	{regexp.MustCompile(`(?i)\bissue #?\d+\b|walking skel` + `eton|hand-?over no` + `te`), "how the project is made belongs elsewhere"},
}

// wordsRule looks for banned words in every text file.
func wordsRule(t *tree) (found []finding) {
	for _, f := range t.files {
		for i, line := range strings.Split(f.text, "\n") {
			for _, w := range bannedWords {
				if hit := w.pattern.FindString(line); hit != "" {
					found = append(found, finding{f.path, i + 1, strings.TrimSpace(hit) + ": " + w.why})
				}
			}
		}
	}
	return found
}
