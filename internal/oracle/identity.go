package oracle

import "strings"

// identity remembers who visitors and users are, in stamp order (section 1).
type identity struct {
	userOf        map[string]string // by visitor: the last known user
	companyOfUser map[string]string // the last known company
	companyOf     map[string]string // by visitor: from events without a user
	mailDomain    func(email string) string
}

// freeMail domains give no company.
var freeMail = map[string]bool{"gmail.com": true, "qq.com": true, "163.com": true}

// domainAfterAt is what Options.MailDomain is when nobody says better.
func domainAfterAt(email string) string {
	_, domain, _ := strings.Cut(email, "@")
	if freeMail[domain] {
		return ""
	}
	return domain
}

// resolve finds an event's user and company, and remembers them.
func (id *identity) resolve(l *line) (user, company string) {
	mail := strings.ToLower(l.email)
	switch {
	case l.user != "":
		user = l.user
	case l.visitor != "" && id.userOf[l.visitor] != "":
		user = id.userOf[l.visitor]
	default:
		user = mail
	}
	if user != "" && l.visitor != "" {
		id.userOf[l.visitor] = user
	}
	company = l.company
	if company == "" && mail != "" {
		company = id.mailDomain(mail)
	}
	switch {
	case company == "":
		return user, id.companyKnown(l.visitor, user)
	case user != "":
		id.companyOfUser[user] = company
	case l.visitor != "":
		id.companyOf[l.visitor] = company
	}
	return user, company
}

// companyKnown: "the last known of its user, else of its visitor from events without a user".
func (id *identity) companyKnown(visitor, user string) string {
	if c := id.companyOfUser[user]; c != "" {
		return c
	}
	return id.companyOf[visitor]
}

// known is who a key is at an instant that no event brought: the user and the company that a fired event born of time carries.
func (id *identity) known(k *key) (user, company string) {
	switch k.per {
	case "visitor":
		user = id.userOf[k.text]
		return user, id.companyKnown(k.text, user)
	case "user":
		return k.text, id.companyOfUser[k.text]
	case "company":
		return "", k.text
	}
	return "", ""
}
