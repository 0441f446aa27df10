//go:build linux

package main

import "strings"

const excerptBytes = 1500

// excerpt is the part of what a server said that tells most: from a panic on, else the end.
func excerpt(said string) string {
	for _, begin := range []string{"panic: ", "fatal error: ", "SIGQUIT: "} {
		if i := strings.Index(said, begin); i >= 0 {
			return strings.TrimSpace(said[i:min(len(said), i+excerptBytes)])
		}
	}
	return strings.TrimSpace(said[max(0, len(said)-excerptBytes):])
}

func contains(said, word string) bool { return strings.Contains(said, word) }
