package examples

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"nudge/internal/fixture"
	"nudge/rules"
)

var (
	entryLine = regexp.MustCompile(`^  ([a-z]+):`)
	duration  = regexp.MustCompile(`"(?:[0-9]+(?:ms|[wdhms]))+"`)
	threshold = regexp.MustCompile(`(?:[<>=]=?|!=) ([0-9]+)\b`)
)

// edges is where a rule has a number that decides when it fires: those of its lets, when, unless and cooldown. Half-lives are left out, as
// a millisecond more of them is less than a score is rounded to, and so are pools, which several rules share.
func edges(text string) (at [][2]int) {
	offset, decides := 0, true
	for line := range strings.Lines(text) {
		if m := entryLine.FindStringSubmatch(line); m != nil {
			decides = m[1] == "when" || m[1] == "unless" || m[1] == "cooldown"
		}
		if decides && !strings.HasPrefix(line, "//") {
			for _, m := range duration.FindAllStringIndex(line, -1) {
				if !strings.HasSuffix(line[:m[0]], "half_life(") {
					at = append(at, [2]int{offset + m[0], offset + m[1]})
				}
			}
			for _, m := range threshold.FindAllStringSubmatchIndex(line, -1) {
				at = append(at, [2]int{offset + m[2], offset + m[3]})
			}
		}
		offset += len(line)
	}
	return at
}

// moved is a number or duration a little more or less.
func moved(t *testing.T, text string, by int64) string {
	t.Helper()
	if !strings.HasPrefix(text, `"`) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return strconv.FormatInt(n+by, 10)
	}
	d, _, err := rules.ParseDuration(strings.Trim(text, `"`))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`"%dms"`, int64(d)+by)
}

// TestCookbookEdges moves each number of each rule by one, and each duration by a millisecond, up and down: its tests notice.
func TestCookbookEdges(t *testing.T) {
	texts, err := fixture.ReadFolder(cookbook)
	if err != nil {
		t.Fatal(err)
	}
	ofRule := map[string]fixture.Text{}
	for _, text := range texts {
		ofRule[strings.TrimSuffix(text.File, fixture.Suffix)] = text
	}
	sources, found := readCookbook(t), 0
	for i, s := range sources {
		text, ok := ofRule[strings.TrimSuffix(s.File, ".expr")]
		if !ok {
			continue // the catalog
		}
		for _, at := range edges(s.Text) {
			for _, by := range []int64{1, -1} {
				found++
				was := s.Text[at[0]:at[1]]
				now := moved(t, was, by)
				sources[i].Text = s.Text[:at[0]] + now + s.Text[at[1]:]
				if runCookbook(t, sources, []fixture.Text{text}).OK {
					t.Errorf("%s:%d: the tests do not notice %s for %s", s.File, 1+strings.Count(s.Text[:at[0]], "\n"), now, was)
				}
			}
		}
		sources[i] = s
	}
	if found < 250 {
		t.Errorf("only %d edges were tried", found)
	}
}
