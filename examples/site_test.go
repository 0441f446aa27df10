package examples

import (
	"io/fs"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestFile(t *testing.T) {
	for path, want := range map[string]string{
		"": "text/html; charset=utf-8", "/": "text/html; charset=utf-8", "pricing": "text/html; charset=utf-8",
		"/book": "text/html; charset=utf-8", "feed.html": "text/html; charset=utf-8", "style.css": "text/css; charset=utf-8",
		"nothing": "", "../rules/went-quiet.expr": "", "../site.go": "", "rules": "", "a/../pricing": "", "style.css/": "", ".": "", "//": "",
	} {
		body, typ, ok := File(path)
		if typ != want || ok != (want != "") || ok != (len(body) > 0) {
			t.Errorf("File(%q) = %d bytes, %q, %v; want %q", path, len(body), typ, ok, want)
		}
	}
}

var link = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)

// Pages link to each other by relative links that File knows, and load nothing from elsewhere.
func TestPagesAreWhole(t *testing.T) {
	pages, err := fs.Glob(Site, "*.html")
	if err != nil || len(pages) < 5 {
		t.Fatalf("pages %v, %v", pages, err)
	}
	for _, name := range pages {
		body, err := fs.ReadFile(Site, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(body), -1) {
			u, err := url.Parse(m[1])
			if err != nil || u.Host != "" || u.Scheme == "http" || u.Scheme == "https" {
				t.Errorf("%s: %s leads away", name, m[0])
				continue
			}
			if u.Path == "" || u.Path == "/nudge.js" || u.Scheme != "" {
				continue
			}
			if _, _, ok := File(strings.TrimPrefix(u.Path, "./")); !ok || strings.HasPrefix(u.Path, "/") {
				t.Errorf("%s: %s leads nowhere", name, m[0])
			}
		}
	}
}
