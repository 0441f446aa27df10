package ingest

import (
	_ "embed" // the list of free-mail providers
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

//go:embed freemail.txt
var freeMailText string

// mailDomains tells an employer's mail domain from a provider's. It is read only.
type mailDomains struct {
	free     map[string]bool // registrable domains
	freeName map[string]bool // "yahoo" of yahoo.*: free under every public suffix
}

func newMailDomains() *mailDomains {
	m := &mailDomains{free: map[string]bool{}, freeName: map[string]bool{}}
	for line := range strings.Lines(freeMailText) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if name, ok := strings.CutSuffix(line, ".*"); ok {
			m.freeName[name] = true
		} else {
			m.free[line] = true
		}
	}
	return m
}

// mailDomain is what stands behind the last @ of an address, "" if nothing stands before it.
func mailDomain(email string) string {
	i := strings.LastIndexByte(email, '@')
	if i <= 0 {
		return ""
	}
	return email[i+1:]
}

// employer is the registrable domain of a mail domain, "" if there is none or it is a mail provider's. A domain in other letters than ASCII
// comes out in its ASCII form (xn--…), so that both spellings are one company.
func (m *mailDomains) employer(domain string) string {
	domain = strings.TrimSuffix(domain, ".")
	if !isHostname(domain) {
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil || !isHostname(ascii) {
			return ""
		}
		domain = ascii
	}
	if strings.IndexByte(domain, '.') < 0 {
		return ""
	}
	if c := domain[len(domain)-1]; c >= '0' && c <= '9' {
		if _, err := netip.ParseAddr(domain); err == nil {
			return ""
		}
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return "" // a public suffix itself
	}
	name, _, _ := strings.Cut(domain, ".")
	if m.free[domain] || m.freeName[name] {
		return ""
	}
	return domain
}

// isHostname says whether s is made of lower-case ASCII labels.
func isHostname(s string) bool {
	last := byte('.')
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_':
		case c == '-':
			if last == '.' {
				return false
			}
		case c == '.':
			if last == '.' || last == '-' {
				return false
			}
		default:
			return false
		}
		last = c
	}
	return last != '.' && last != '-'
}

// sharedMailDomains is the one table of the process.
var sharedMailDomains = sync.OnceValue(newMailDomains)

// maxCachedDomains bounds the mail domains that one codec keeps at hand; beyond it starts anew.
const maxCachedDomains = 4096

// mailCache is one codec's memory of the domains it has met: the public suffix list takes its time and allocates.
type mailCache struct {
	table     *mailDomains
	employers map[string]string
}

// workDomain is the employer's domain of a lower-case mail address, "" if there is none.
func (m *mailCache) workDomain(email string) string {
	domain := mailDomain(email)
	if domain == "" {
		return ""
	}
	employer, ok := m.employers[domain]
	if ok {
		return employer
	}
	if len(m.employers) >= maxCachedDomains {
		clear(m.employers)
	}
	domain = strings.Clone(domain) // the address lies in a buffer that is used again
	employer = m.table.employer(domain)
	m.employers[domain] = employer
	return employer
}
