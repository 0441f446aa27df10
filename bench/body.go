package bench

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// bodies makes requests as a site sends them: each event about 230 bytes of JSON with a message id and a visitor id that are UUIDs. They are written once and
// sent again and again, with new message ids: a generator that works hard would be measured instead of what it loads. For the same reason they lie in
// one text: a garbage collector that has to look at each of a hundred thousand bodies takes the time from the server in the same process. They serve
// one goroutine.
type bodies struct {
	site *site
	id   uint64 // of the last event, unlike those of other bodies
	most int    // events that are written before they come again
	text []byte // of all bodies
	ids  []int  // where its message ids begin
	pool []body
	next int
	sent func(visit) // told of the last event of each body; nil: nobody is
}

// body is one request.
type body struct {
	begin, end      int // of its text
	firstID, lastID int // of its message ids, the last one not among them
	last            visit
}

const (
	bodiesIDs    = 1 << 40 // how many ids each bodies has to itself
	bodiesEvents = 2000    // of most, unless they are many
	bodiesMany   = 64      // bodies that have so many
)

func newBodies(worker int) *bodies {
	return &bodies{site: newSite(uint64(worker), six), id: uint64(worker) * bodiesIDs, most: bodiesEvents}
}

// oneOf says that they are one of n that are used side by side: all of them together are to stay small.
func (b *bodies) oneOf(n int) *bodies {
	b.most = max(bodiesEvents*bodiesMany/max(n, bodiesMany), 1)
	return b
}

// events returns a function that makes bodies of n events: one object, or an array. Each is valid until the next call.
func (b *bodies) events(n int) func() []byte {
	for range max(b.most/n, 1) {
		b.begin()
		if n == 1 {
			b.event(b.site.next())
		} else {
			for i := range n {
				b.text = append(b.text, "[,"[min(i, 1)])
				b.event(b.site.next())
			}
			b.text = append(b.text, ']')
		}
		b.end()
	}
	return b.fresh
}

// pricing returns a function that makes bodies of one view of a page whose popup is to come in the answer.
func (b *bodies) pricing() func() []byte {
	for range b.most {
		v := b.site.next()
		v.kind, v.path = pageView, 0
		b.begin()
		b.event(v)
		b.end()
	}
	return b.fresh
}

// begin begins the next body, end ends it.
func (b *bodies) begin() { b.pool = append(b.pool, body{begin: len(b.text), firstID: len(b.ids)}) }

func (b *bodies) end() {
	made := &b.pool[len(b.pool)-1]
	made.end, made.lastID = len(b.text), len(b.ids)
}

// fresh is the next body, with new message ids.
func (b *bodies) fresh() []byte {
	next := &b.pool[b.next]
	b.next = (b.next + 1) % len(b.pool)
	for _, at := range b.ids[next.firstID:next.lastID] {
		b.id++
		appendUUID(b.text[at:at], b.id)
	}
	if b.sent != nil {
		b.sent(next.last)
	}
	return b.text[next.begin:next.end]
}

// event appends an event to the body that was begun, its message id to be filled in.
func (b *bodies) event(v visit) {
	b.pool[len(b.pool)-1].last = v
	dst := append(b.text, `{"id":"`...)
	b.ids = append(b.ids, len(dst))
	dst = appendUUID(dst, 0)
	dst = append(dst, `","type":"`...)
	dst = append(dst, kindName[v.kind]...)
	dst = append(dst, `","visitor":"`...)
	dst = appendUUID(dst, uint64(v.visitor))
	if v.user {
		dst = strconv.AppendInt(append(dst, `","user":"user-`...), int64(v.visitor), 10)
		dst = append(strconv.AppendInt(append(dst, `","company":"company-`...), int64(v.company), 10), ".example"...)
	}
	dst = append(dst, `","url":"https://www.acme.example`...)
	dst = appendPath(dst, v.path)
	dst = append(dst, `?utm_source=newsletter","title":"Acme, the planning tool"`...)
	switch v.kind {
	case formView, formSubmit:
		dst = append(append(append(dst, `,"props":{"form":"`...), formOf(v.demo)...), `"}`...)
	case reportCreated:
		dst = append(dst, `,"props":{"plan":"pro","rows":120}`...)
	}
	b.text = append(dst, '}')
}

// appendUUID writes a number as a UUID that looks random: no two numbers give the same.
func appendUUID(dst []byte, n uint64) []byte {
	var raw [16]byte
	hi := mix(n)
	binary.BigEndian.PutUint64(raw[:], hi)
	binary.BigEndian.PutUint64(raw[8:], mix(hi))
	dst = append(hex.AppendEncode(dst, raw[:4]), '-')
	dst = append(hex.AppendEncode(dst, raw[4:6]), '-')
	dst = append(hex.AppendEncode(dst, raw[6:8]), '-')
	dst = append(hex.AppendEncode(dst, raw[8:10]), '-')
	return hex.AppendEncode(dst, raw[10:])
}
