package engine

import (
	"cmp"
	"slices"
	"strings"

	"nudge"
)

// Identity is settled for a whole batch before the levels run, in two passes in stamp order: at the record's primary key
// (de-duplication, visitor → user), then at the user (→ company). So a visitor's rule can read the company that only the user's
// other devices have told, and a timer between two records asks the histories. The alternative, resolving on the way up the
// levels, cannot give a visitor's rule the user's company.

// visitorIdentity is what is remembered of a visitor.
type visitorIdentity struct {
	user    history // last known user
	company history // explicit company of its events that had no user
	dirty   bool
}

// userIdentity is what is remembered of a user.
type userIdentity struct {
	company history  // its own, or that of its work mail address
	visitor history  // newest visitor, for popups born of time
	mails   []string // the newest different mail addresses of its events but its own key, the newest last: they are erased with it
	dirty   bool
}

// isEmpty says whether nothing is known of the user: it is there in memory only, so that its next event finds it.
func (u *userIdentity) isEmpty() bool {
	return u.company.last() == "" && u.visitor.last() == "" && len(u.mails) == 0
}

// keepMails is how many mail addresses of a user are kept.
const keepMails = 4

// about says whom a record is about. It is filled by the identity stage and only read afterwards.
type about struct {
	visitor, user, company string
	mail                   string
	fallback               string // the visitor's remembered company
	primary                nudge.KeyHash
	userHash               nudge.KeyHash
	companyHash            nudge.KeyHash // 0: not worked out
	fields                 int32         // where the record's fields begin that say nothing of who it is about
	identifies             bool          // the visitor has its first user by this record
	ownVisitor, ownUser    bool          // that text outlives the batch
}

// identifyVisitors is the first pass: the records of this shard's primary keys, block by block.
func (s *shard) identifyVisitors(b *Batch, list []int32) {
	s.readWhoIsWho(b, list)
	for i := range s.ofUsers {
		s.ofUsers[i] = s.ofUsers[i][:0]
	}
	for len(list) > 0 {
		block := list[:min(len(list), lookAhead)]
		list = list[len(block):]
		asked := s.readBlock(b, block)
		s.added = false
		for len(asked) > 0 && !s.added {
			j := asked[0]
			asked = asked[1:]
			s.identifyRecord(b, block[j], &s.named[j])
			for j++; s.added && int(j) < len(block); j++ { // any record behind it may be that visitor's, too
				s.identifyRecord(b, block[j], &s.named[j])
			}
		}
	}
	s.at = 0
}

// named is what a record says of who it is about, and what is found of it ahead.
type named struct {
	nudge.Who
	print uint64           // of the id, if there is one
	maybe bool             // somebody may be known of the visitor
	known *visitorIdentity // nil: nobody, or nobody so far
}

// readBlock reads a block of records, and gives the places of those whose ids or people are to be looked for; of the others all is said. The
// memory that this takes is met for all of them together (ahead.go).
func (s *shard) readBlock(b *Batch, block []int32) (asked []uint8) {
	asks := 0
	for j, i := range block {
		r, a, n := &b.records[i], &b.abouts[i], &s.named[j]
		s.at = r.off
		*a = about{primary: r.rec.Hash(), fields: int32(r.rec.Who(&n.Who))}
		n.maybe, n.known = n.Visitor != "" && s.known.mayHave(a.primary), nil
		if !n.maybe && len(n.ID)+len(n.User)+len(n.Email)+len(n.Company)+len(n.MailDomain) == 0 {
			a.visitor = n.Visitor
			continue
		}
		if n.ID != "" {
			n.print = nudge.HashID(a.primary, n.ID)
			s.ahead.sum += s.dedup.near(n.print, asks)
		}
		s.asked[asks%lookAhead] = uint8(j)
		asks++
	}
	asked = s.asked[:asks]
	for _, j := range asked {
		if s.named[j].maybe {
			s.ahead.sum += s.visitors.near(b.abouts[block[j]].primary)
		}
	}
	for _, j := range asked {
		if n := &s.named[j]; n.maybe {
			n.known = s.visitors.get(b.abouts[block[j]].primary, n.Visitor)
		}
	}
	for _, j := range asked {
		if v := s.named[j].known; v != nil {
			s.ahead.sum += v.user.near()
		}
	}
	return asked
}

// identifyRecord says whom a record is about.
func (s *shard) identifyRecord(b *Batch, i int32, n *named) {
	r, a := &b.records[i], &b.abouts[i]
	s.at = r.off
	if n.ID != "" && s.dedup.seen(a.primary, n.print, r.ordinal, r.at) {
		r.duplicate = true
		s.stats.duplicates++
		return
	}
	a.visitor, a.user, a.company, a.mail = n.Visitor, n.User, n.Company, n.Email
	if a.company == "" {
		a.company = n.MailDomain
	}
	if a.visitor != "" {
		s.identifyVisitor(b, r.off, a, n)
	} else {
		a.user = cmp.Or(a.user, n.Email)
	}
	if a.user != "" {
		if a.userHash == 0 {
			a.userHash = nudge.HashKey("user", a.user)
		}
		of := &s.ofUsers[a.userHash.Shard(len(s.ofUsers))]
		*of = append(*of, i)
	}
}

// companyKey is the hash of the record's company.
func (a *about) companyKey() nudge.KeyHash {
	if a.companyHash != 0 {
		return a.companyHash
	}
	return nudge.HashKey("company", a.company)
}

// identifyVisitor resolves visitor → user, and the company of a visitor whom nobody knows.
func (s *shard) identifyVisitor(b *Batch, off nudge.Offset, a *about, n *named) {
	v := n.known
	if v == nil && s.added && s.known.mayHave(a.primary) { // an earlier record of the block may have made it known
		v = s.visitors.get(a.primary, a.visitor)
	}
	if v == nil {
		if a.user == "" && n.Email == "" && a.company == "" {
			return // nothing to remember
		}
		v = &visitorIdentity{}
		s.addVisitor(a.primary, a.keepVisitor(), v)
	}
	known := v.user.last()
	switch {
	case a.user != "":
	case known != "":
		a.user, a.ownUser = known, true
	default:
		a.user = n.Email
	}
	a.identifies = a.user != "" && known == ""
	if a.user != "" && a.user != known {
		v.user.set(off, b.first(), a.keepUser())
		s.markVisitor(a, v)
	}
	if a.user != "" {
		a.userHash, a.fallback = v.user.key("user"), v.company.last()
		return
	}
	if a.company == "" {
		a.company = v.company.last()
	} else if a.company != v.company.last() {
		v.company.set(off, b.first(), strings.Clone(a.company))
		s.markVisitor(a, v)
	}
}

// addVisitor adds a visitor that is not remembered so far.
func (s *shard) addVisitor(hash nudge.KeyHash, visitor string, v *visitorIdentity) {
	s.visitors.put(hash, visitor, v)
	s.known.add(hash, s.visitors.part(hash))
	s.added = true
}

// identifyUsers is the second pass: the records of this shard's users, block by block.
func (s *shard) identifyUsers(b *Batch) {
	s.list = s.engine.recordsOfUsers(s.id, s.list[:0])
	s.readUsers(b, s.list)
	for left := s.list; len(left) > 0; {
		block := left[:min(len(left), lookAhead)]
		left = left[len(block):]
		s.identifyUserBlock(b, block)
	}
}

// recordsOfUsers appends the records of one shard's users, which all shards have found, in stamp order.
func (e *Engine) recordsOfUsers(id nudge.ShardID, dst []int32) []int32 {
	for _, s := range e.shards {
		dst = append(dst, s.ofUsers[id]...)
	}
	if len(e.shards) > 1 {
		slices.Sort(dst)
	}
	return dst
}

// anyUser says whether a record of the batch is about a user.
func (e *Engine) anyUser() bool {
	for _, s := range e.shards {
		if slices.ContainsFunc(s.ofUsers, func(list []int32) bool { return len(list) > 0 }) {
			return true
		}
	}
	return false
}

// identifyUserBlock meets the memory of what is known of a block's users together (ahead.go).
func (s *shard) identifyUserBlock(b *Batch, block []int32) {
	var known [lookAhead]*userIdentity
	for _, i := range block {
		s.ahead.sum += s.users.near(b.abouts[i].userHash)
	}
	for j, i := range block {
		a := &b.abouts[i]
		known[j] = s.users.get(a.userHash, a.user)
	}
	for j := range block {
		if u := known[j]; u != nil {
			s.ahead.sum += u.company.near() + u.visitor.near()
		}
	}
	for j, i := range block {
		s.identifyUser(b, i, known[j])
	}
}

// identifyUser notes what a record says of its user, who is u if known before its block, and gives the record the user's company.
func (s *shard) identifyUser(b *Batch, i int32, u *userIdentity) {
	a := &b.abouts[i]
	if u == nil { // an earlier record of the block may have made it known
		u = s.users.get(a.userHash, a.user)
	}
	if u == nil {
		u = &userIdentity{}
		s.users.put(a.userHash, a.keepUser(), u)
	}
	off, changed := b.records[i].off, false
	switch {
	case a.company != "" && a.company != u.company.last():
		u.company.set(off, b.first(), strings.Clone(a.company))
		changed = true
	case a.company == "" && u.company.last() != "":
		a.company = u.company.last()
	case a.company == "":
		a.company = a.fallback
	}
	if a.company != "" && a.company == u.company.last() {
		a.companyHash = u.company.key("company")
	}
	if a.visitor != "" && a.visitor != u.visitor.last() {
		u.visitor.set(off, b.first(), a.keepVisitor())
		changed = true
	}
	if a.mail != "" && a.mail != a.user && u.noteMail(a.mail) {
		changed = true
	}
	if changed && !u.dirty {
		s.markUser(keyText{a.userHash, a.keepUser()}, u)
	}
}

// noteMail makes a mail address the user's newest, and says whether that changed anything.
func (u *userIdentity) noteMail(mail string) bool {
	n := len(u.mails)
	if n > 0 && u.mails[n-1] == mail {
		return false
	}
	if i := slices.Index(u.mails, mail); i >= 0 {
		u.mails = slices.Delete(u.mails, i, i+1)
	} else if n == keepMails {
		u.mails = slices.Delete(u.mails, 0, 1)
	}
	u.mails = append(u.mails, strings.Clone(mail))
	return true
}

// keepVisitor is the visitor's text, made its own if need be, so that it outlives the batch. All that remembers it shares it.
func (a *about) keepVisitor() string {
	if !a.ownVisitor {
		a.visitor, a.ownVisitor = strings.Clone(a.visitor), true
	}
	return a.visitor
}

// keepUser is keepVisitor for the user's text.
func (a *about) keepUser() string {
	if !a.ownUser {
		a.user, a.ownUser = strings.Clone(a.user), true
	}
	return a.user
}

func (s *shard) markVisitor(a *about, v *visitorIdentity) {
	if !v.dirty {
		v.dirty = true
		s.dirtyVisitors = append(s.dirtyVisitors, keyText{a.primary, a.keepVisitor()})
	}
}

// markUser notes that something else is known of a user. The key outlives the batch.
func (s *shard) markUser(key keyText, u *userIdentity) {
	if !u.dirty {
		u.dirty = true
		s.dirtyUsers = append(s.dirtyUsers, key)
	}
}

// knownThen is whom a key's timer is about: what was known of it just before the record at off. It may look into other
// shards, because during the levels nobody writes identities.
func (e *Engine) knownThen(kind nudge.Kind, key string, off nudge.Offset) (visitor, user, company string) {
	switch kind {
	case nudge.KindVisitor:
		v := e.shards[nudge.HashKey("visitor", key).Shard(len(e.shards))].visitorOf(key)
		if v == nil {
			return key, "", ""
		}
		user = v.user.before(off)
		if user != "" {
			company = e.userThen(user).company.before(off)
		}
		if company == "" {
			company = v.company.before(off)
		}
		return key, user, company
	case nudge.KindUser:
		u := e.userThen(key)
		return u.visitor.before(off), key, u.company.before(off)
	case nudge.KindCompany:
		return "", "", key
	}
	return "", "", ""
}

func (e *Engine) userThen(user string) *userIdentity {
	if u := e.shards[nudge.HashKey("user", user).Shard(len(e.shards))].userOf(user); u != nil {
		return u
	}
	return &userIdentity{}
}
