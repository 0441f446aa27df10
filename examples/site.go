package examples

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed site rules/*.expr
var files embed.FS

// Site holds the pages, index.html at its root.
var Site = sub("site")

// Rules holds the rule files at its root.
var Rules = sub("rules")

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil {
		panic("BUG: " + err.Error()) // the folder is embedded above
	}
	return f
}

var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// File returns the file behind a path below the site's root: "" is index.html, "pricing" is pricing.html. Links between pages are
// relative, so that the root may be any path that ends in a slash; ok is false where there is no such file.
func File(p string) (body []byte, contentType string, ok bool) {
	name := strings.TrimPrefix(p, "/")
	if name == "" {
		name = "index"
	}
	if path.Ext(name) == "" {
		name += ".html"
	}
	contentType, ok = contentTypes[path.Ext(name)]
	if !ok {
		return nil, "", false
	}
	body, err := fs.ReadFile(Site, name) // refuses names that leave the folder
	if err != nil {
		return nil, "", false
	}
	return body, contentType, true
}
