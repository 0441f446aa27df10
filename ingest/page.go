package ingest

import (
	"net/url"
	"strings"

	"nudge"
)

// utmNames are the query parameters that page context takes from the URL.
var utmNames = [...]struct {
	param string
	id    nudge.NameID
}{
	{"utm_source", nudge.NameUTMSource},
	{"utm_medium", nudge.NameUTMMedium},
	{"utm_campaign", nudge.NameUTMCampaign},
	{"utm_term", nudge.NameUTMTerm},
	{"utm_content", nudge.NameUTMContent},
}

// derivePage fills in path, host and utm_* from url where the sender gave none.
func (c *Codec) derivePage() {
	d := &c.draft
	if !d.has(nudge.NameURL) {
		return
	}
	host, path, query := splitURL(d.texts[nudge.NameURL])
	if path != "" && !d.has(nudge.NamePath) {
		d.put(nudge.NamePath, rankContext, path)
	}
	if host != "" && !d.has(nudge.NameHost) {
		d.put(nudge.NameHost, rankContext, c.lower(host))
	}
	for query != "" {
		var param string
		param, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(param, "=")
		if value == "" || !strings.HasPrefix(name, "utm_") {
			continue
		}
		for _, u := range utmNames {
			if name == u.param && !d.has(u.id) {
				d.put(u.id, rankContext, unescape(value))
			}
		}
	}
}

// splitURL takes a URL apart as a browser's location shows it: host with its port, path still escaped. It takes what it can and never
// fails: an address that means nothing has no parts.
func splitURL(u string) (host, path, query string) {
	u, _, _ = strings.Cut(u, "#")
	u, query, _ = strings.Cut(u, "?")
	switch i := strings.Index(u, "://"); {
	case u == "":
		return "", "", query
	case i > 0 && strings.IndexByte(u[:i], '/') < 0:
		u = u[i+3:]
	case strings.HasPrefix(u, "//"):
		u = u[2:]
	case strings.HasPrefix(u, "/"):
		return "", u, query
	default:
		return "", "", "" // mailto:x, about:blank, a bare word
	}
	slash := strings.IndexByte(u, '/')
	if slash < 0 {
		slash = len(u)
	}
	host, path = u[:slash], u[slash:]
	host = host[strings.LastIndexByte(host, '@')+1:]
	if path == "" {
		path = "/"
	}
	return host, path, query
}

// unescape undoes a query's escapes; what is escaped wrongly stays as it is.
func unescape(s string) string {
	if t, err := url.QueryUnescape(s); err == nil {
		return strings.ToValidUTF8(t, "\uFFFD")
	}
	return s
}
