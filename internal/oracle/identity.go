package oracle

import (
	"slices"
	"strings"
)

// identity remembers who visitors and users are, in stamp order (section 1).
type identity struct {
	userOf        map[string]string   // by visitor: the last known user
	companyOfUser map[string]string   // the last known company
	companyOf     map[string]string   // by visitor: from events without a user
	usersOf       map[string][]string // by visitor: the users that it was, one after the other
	visitorsOf    map[string][]string // by user: its visitors, one after the other
	mails         map[string][]string // by user: its newest different mail addresses, but its own key
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
	id.note(l.visitor, user, mail)
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

// note remembers for erasures who was who.
func (id *identity) note(visitor, user, mail string) {
	if user == "" {
		return
	}
	follow := func(of map[string][]string, key, next string) {
		if list := of[key]; key != "" && next != "" && (len(list) == 0 || list[len(list)-1] != next) {
			of[key] = append(list, next)
		}
	}
	follow(id.usersOf, visitor, user)
	follow(id.visitorsOf, user, visitor)
	if mail != "" && mail != user {
		others := slices.DeleteFunc(slices.Clone(id.mails[user]), func(m string) bool { return m == mail })
		id.mails[user] = newest(append(others, mail))
	}
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
