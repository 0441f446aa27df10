package sdk

import (
	"bytes"
	"compress/gzip"
	"flag"
	"os"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

var update = flag.Bool("update", false, "write nudge.js instead of comparing it")

// maxGzipped bounds what a visitor's browser has to fetch, in bytes.
const maxGzipped = 5 << 10

func bundle(t *testing.T) []byte {
	t.Helper()
	r := api.Build(api.BuildOptions{
		EntryPoints:       []string{"src/index.ts"},
		Outfile:           "nudge.js",
		Bundle:            true,
		Format:            api.FormatIIFE,
		Target:            api.ES2020,
		Charset:           api.CharsetUTF8,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
	})
	for _, m := range r.Errors {
		t.Error(api.FormatMessages([]api.Message{m}, api.FormatMessagesOptions{Kind: api.ErrorMessage})[0])
	}
	for _, m := range r.Warnings {
		t.Error(api.FormatMessages([]api.Message{m}, api.FormatMessagesOptions{Kind: api.WarningMessage})[0])
	}
	if t.Failed() {
		t.FailNow()
	}
	return r.OutputFiles[0].Contents
}

func TestBundleIsFresh(t *testing.T) {
	want := bundle(t)
	if *update {
		if err := os.WriteFile("nudge.js", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(JS, want) {
		t.Fatal("nudge.js is not what src makes: run `go generate ./ingest/sdk`")
	}
}

func TestBundleIsSmall(t *testing.T) {
	var zipped bytes.Buffer
	w, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	w.Write(JS)
	w.Close()
	t.Logf("nudge.js: %d bytes, %d gzipped", len(JS), zipped.Len())
	if zipped.Len() > maxGzipped {
		t.Fatalf("nudge.js has %d bytes gzipped, more than %d", zipped.Len(), maxGzipped)
	}
}

// The page is the site's, not ours: none of what could run text as a script may be in the bundle.
func TestBundleRunsNoText(t *testing.T) {
	for _, banned := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("} {
		if bytes.Contains(JS, []byte(banned)) {
			t.Errorf("nudge.js uses %s", banned)
		}
	}
}
