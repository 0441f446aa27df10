package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Overlooked says of files that look like rules, or tests of them, why nobody reads them: an ending that an editor has put behind the name or
// written in capitals, and folders inside the folder. It is what ReadFolder passes over without a word, for those who wonder.
func Overlooked(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // ReadFolder has said so
	}
	var out []string
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case e.IsDir():
			if holdsRules(filepath.Join(dir, name)) {
				out = append(out, fmt.Sprintf("the folder %s is not read: rules and tests stand in %s itself, or give that folder", name, dir))
			}
		default:
			if plain := plainEnding(name); plain != name {
				out = append(out, fmt.Sprintf("%s is not read: call it %s", filepath.Join(dir, name), plain))
			}
		}
	}
	return out
}

// plainEnding is the name of a rule or test without .txt behind it, and in small letters.
func plainEnding(name string) string {
	base := name
	if ext := filepath.Ext(base); strings.EqualFold(ext, ".txt") {
		base = strings.TrimSuffix(base, ext)
	}
	ext := filepath.Ext(base)
	if plain := strings.ToLower(ext); base != name || plain != ext {
		if plain == fileSuffix || plain == ".test" {
			return strings.ToLower(base)
		}
	}
	return name
}

func holdsRules(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() && filepath.Ext(e.Name()) == fileSuffix })
}
