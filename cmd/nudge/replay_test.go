package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testData names the folder of the real data, which is not a part of the repository.
const testData = "NUDGE_TEST_DATA"

// TestReplayClicks replays three million real clicks. The numbers of keys were computed with other tools.
func TestReplayClicks(t *testing.T) {
	dir := os.Getenv(testData)
	if dir == "" {
		t.Skip(testData + " is not set: give the folder that holds globo_clicks.csv.gz")
	}
	rules := t.TempDir()
	for name, text := range map[string]string{
		"clicks.expr":   `{per: visitor, when: count(click, "600001ms") >= 5, then: alert("5 clicks", {})}`,
		"articles.expr": `{per: visitor, when: distinct(click, article, "600001ms") >= 5, then: alert("5 articles", {})}`,
	} {
		// click is no event of the browser SDK: without a catalog it is written as a text.
		text = strings.ReplaceAll(text, "(click,", `(event("click"),`)
		if err := os.WriteFile(filepath.Join(rules, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var first []byte
	for _, shards := range []string{"2", "8"} {
		var out, errs bytes.Buffer
		code := execute(context.Background(), []string{
			"replay", "--rules", rules, "--shards", shards, "--map", "visitor=user_id", "--map", "ts=click_timestamp", "--map", "article=click_article_id",
			"--set", "type=click", filepath.Join(dir, "globo_clicks.csv.gz"),
		}, strings.NewReader(""), &out, &errs)
		t.Logf("%s shards: %s", shards, errs.String())
		if code != exitDone {
			t.Fatalf("exit code %d", code)
		}
		if first == nil {
			first = out.Bytes()
		} else if !bytes.Equal(first, out.Bytes()) {
			t.Error("another number of shards prints other bytes")
		}
	}
	keys := keysByRule(t, bytes.NewReader(first))
	if got := len(keys["clicks"]); got != 29_461 {
		t.Errorf("5 clicks: %d keys, want 29461", got)
	}
	if got := len(keys["articles"]); got != 29_441 {
		t.Errorf("5 articles: %d keys, want 29441", got)
	}
}

// TestReplayInterrupted ends a replay whose input never ends.
func TestReplayInterrupted(t *testing.T) {
	rules := t.TempDir()
	if err := os.WriteFile(filepath.Join(rules, "a.expr"), []byte(`{per: visitor, when: on(page_view), then: alert("a", {})}`), 0o600); err != nil {
		t.Fatal(err)
	}
	endless, w := io.Pipe()
	defer w.Close()
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		io.WriteString(w, `{"type":"page_view","visitor":"v1","ts":1}`+"\n") // returns when the replay has taken it
		stop()
	}()
	var errs bytes.Buffer
	code := execute(ctx, []string{"replay", "--rules", rules}, endless, io.Discard, &errs)
	if code != exitRun || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

func keysByRule(t *testing.T, firings io.Reader) map[string]map[string]bool {
	t.Helper()
	keys := make(map[string]map[string]bool)
	lines := bufio.NewScanner(firings)
	for lines.Scan() {
		var f struct{ Rule, Key string }
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		if keys[f.Rule] == nil {
			keys[f.Rule] = make(map[string]bool)
		}
		keys[f.Rule][f.Key] = true
	}
	return keys
}
