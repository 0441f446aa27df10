package state

import (
	"encoding/binary"
	"fmt"
	"math"

	"nudge"
)

// Records of one type from one page differ in their values only. What they share is their shape: it is written down once per table, and a packed
// record names it by its number.

// Limits of a table of shapes. Senders choose names freely, so the shapes must be bounded; beyond, entries are written flat.
const (
	maxShapes      = 1 << 14
	maxShapeFields = 1 << 18 // of all shapes together
)

// How a shape stores what most records' headers leave out.
const (
	modeHashDerived = 1 << iota // the hash is that of the primary key
	modeHash                    // the hash is stored; neither: it is 0
	modeTs                      // ts is stored
	modesAll        = modeHashDerived | modeHash | modeTs
)

// shape is what records have in common: all bytes of the header but the length, hash and ts, and the names and kinds of the fields.
type shape struct {
	head    [12]byte // bytes 4–7 and 16–23 of the record
	mode    byte
	fields  []shapeField
	primary int    // index of the field that is the primary key, -1 if there is none
	scope   string // of the primary key

	header [recordHeaderBytes]byte // of the record: what head has of it
}

type shapeField struct {
	name   nudge.NameID // of the process
	kind   nudge.ValueKind
	column int     // of the table's columns
	header [5]byte // name and kind as the record has them
}

// column is the value that a field had last in the payload.
type column struct {
	payload     uint64 // in which it was set; an older one's is forgotten
	form        int    // formUUID and formHex lie in the ids, formPlain in the texts
	start, size int
}

// primaryScopes are the scopes of primary keys, the first that a record has counts.
var primaryScopes = [...]struct {
	name  nudge.NameID
	scope string
}{{nudge.NameVisitor, "visitor"}, {nudge.NameUser, "user"}, {nudge.NameEmail, "email"}, {nudge.NameCompany, "company"}}

// complete works out what follows from the header and the fields.
func (s *shape) complete() {
	copy(s.header[4:], s.head[:4])
	copy(s.header[16:], s.head[4:])
	for i := range s.fields {
		f := &s.fields[i]
		binary.LittleEndian.PutUint32(f.header[:], uint32(f.name))
		f.header[4] = byte(f.kind)
	}
	s.primary, s.scope = -1, ""
	for _, p := range primaryScopes {
		for i, f := range s.fields {
			if f.name == p.name && f.kind == nudge.Text {
				s.primary, s.scope = i, p.scope
				return
			}
		}
	}
}

// hash is the hash of the primary key, whose text is given.
func (s *shape) hash(text string) nudge.KeyHash { return nudge.HashKey(s.scope, text) }

// columns gives each name of a field a column.
type columns struct {
	of      map[nudge.NameID]int
	all     []column
	payload uint64
}

func (c *columns) reset() {
	clear(c.of)
	c.all = c.all[:0]
	c.payload++
}

func (c *columns) give(name nudge.NameID) int {
	i, ok := c.of[name]
	if !ok {
		if c.of == nil {
			c.of = map[nudge.NameID]int{}
		}
		i = len(c.all)
		c.of[name] = i
		c.all = append(c.all, column{})
	}
	return i
}

// shapeWriter is the table of shapes of one segment or block, as its writer knows it.
type shapeWriter struct {
	names  *nameWriter
	all    []shape
	keys   []string // by shape: what tells it from the others
	byKey  map[string]int
	likely []int // by the process id of a type: one more than the shape that its records had last
	fields int
	mark   int // all[mark:] are the payload's own definitions
	cols   columns
	key    []byte
}

// reset begins a segment or block. used are the shapes that it already defines.
func (t *shapeWriter) reset(used []shape) {
	t.all, t.keys, t.fields = t.all[:0], t.keys[:0], 0
	clear(t.byKey)
	clear(t.likely)
	t.cols.reset()
	for _, s := range used {
		t.give(s)
	}
	t.begin()
}

// begin begins a payload: what was used so far counts as defined.
func (t *shapeWriter) begin() {
	t.mark = len(t.all)
	t.cols.payload++
}

// undo takes the payload's own definitions back.
func (t *shapeWriter) undo() {
	for i := t.mark; i < len(t.all); i++ {
		delete(t.byKey, t.keys[i])
		t.fields -= len(t.all[i].fields)
	}
	t.all, t.keys = t.all[:t.mark], t.keys[:t.mark]
	clear(t.likely)
}

func (t *shapeWriter) fresh() bool { return len(t.all) > t.mark }

func (t *shapeWriter) give(s shape) int {
	for i := range s.fields {
		s.fields[i].column = t.cols.give(s.fields[i].name)
	}
	s.complete()
	key := string(s.appendKey(nil))
	if t.byKey == nil {
		t.byKey = map[string]int{}
	}
	t.byKey[key] = len(t.all)
	t.all, t.keys = append(t.all, s), append(t.keys, key)
	t.fields += len(s.fields)
	return len(t.all) - 1
}

func (s *shape) appendKey(dst []byte) []byte {
	dst = append(dst, s.head[:]...)
	for _, f := range s.fields {
		dst = append(binary.LittleEndian.AppendUint32(dst, uint32(f.name)), byte(f.kind))
	}
	return append(dst, s.mode)
}

// guess is the shape that the record's type had last.
func (t *shapeWriter) guess(rec nudge.Record) (int, bool) {
	typ := int(rec.Type())
	if typ >= len(t.likely) {
		t.likely = append(t.likely, make([]int, max(typ+1, t.names.names.Len())-len(t.likely))...)
	}
	n := t.likely[typ]
	return n - 1, n > 0
}

// find returns the record's shape, defining it if it is new. ok is false if there is no room for it.
func (t *shapeWriter) find(rec nudge.Record) (n int, ok bool) {
	if n, ok := t.guess(rec); ok && t.all[n].fits(rec) {
		return n, true
	}
	t.key = appendKeyOf(t.key[:0], rec)
	n, ok = t.byKey[string(t.key)]
	if !ok {
		s := shapeOf(rec)
		if len(t.all) >= maxShapes || t.fields+len(s.fields) > maxShapeFields {
			return 0, false
		}
		t.names.toSegment(rec.Type())
		for _, f := range s.fields {
			t.names.toSegment(f.name)
		}
		n = t.give(s)
	}
	t.likely[rec.Type()] = n + 1
	return n, true
}

// fits reports whether a well-formed record has the shape.
func (s *shape) fits(rec nudge.Record) bool {
	if [4]byte(rec[4:8]) != [4]byte(s.head[:4]) || [8]byte(rec[16:24]) != [8]byte(s.head[4:]) {
		return false
	}
	rest := rec[recordHeaderBytes:]
	var primary []byte
	for i := range s.fields {
		f := &s.fields[i]
		if nudge.NameID(binary.LittleEndian.Uint32(rest)) != f.name || nudge.ValueKind(rest[4]) != f.kind {
			return false
		}
		var value []byte
		if value, rest = splitValue(rest[4:]); i == s.primary {
			primary = value
		}
	}
	if s.primary < 0 {
		return s.mode == modeOf(rec, 0, false)
	}
	return s.mode == modeOf(rec, s.hash(viewOf(primary)), true)
}

// modeOf says how a shape stores the record's header; derived is the hash of its primary key, if it has one.
func modeOf(rec nudge.Record, derived nudge.KeyHash, has bool) (mode byte) {
	switch {
	case has && rec.Hash() == derived:
		mode = modeHashDerived
	case rec.Hash() != 0:
		mode = modeHash
	}
	if ts, given := rec.Ts(); given || ts != 0 {
		mode |= modeTs
	}
	return mode
}

func shapeOf(rec nudge.Record) (s shape) {
	copy(s.head[:4], rec[4:8])
	copy(s.head[4:], rec[16:24])
	for it := rec.Fields(); it.Next(); {
		s.fields = append(s.fields, shapeField{name: it.Name, kind: it.Value.Kind})
	}
	s.complete()
	derived, has := primaryHash(rec)
	s.mode = modeOf(rec, derived, has)
	return s
}

// appendKeyOf is the key of the record's shape.
func appendKeyOf(dst []byte, rec nudge.Record) []byte {
	dst = append(append(dst, rec[4:8]...), rec[16:24]...)
	for rest := rec[recordHeaderBytes:]; len(rest) > 0; {
		dst = append(dst, rest[:5]...)
		_, rest = splitValue(rest[4:])
	}
	derived, has := primaryHash(rec)
	return append(dst, modeOf(rec, derived, has))
}

// primaryHash is the hash of the record's primary key, if it has one.
func primaryHash(rec nudge.Record) (nudge.KeyHash, bool) {
	for _, p := range primaryScopes {
		for it := rec.Fields(); it.Next(); {
			if it.Name == p.name && it.Value.Kind == nudge.Text {
				return nudge.HashKey(p.scope, it.Value.Text), true
			}
		}
	}
	return 0, false
}

// splitValue splits the value off b, which begins with its kind: a text without its length, a number's or a bool's bytes. The record is well formed.
func splitValue(b []byte) (value, rest []byte) {
	n := 1
	switch nudge.ValueKind(b[0]) {
	case nudge.Text, nudge.JSON:
		end := 5 + int(binary.LittleEndian.Uint32(b[1:]))
		return b[5:end], b[end:]
	case nudge.Number:
		n = 9
	case nudge.Bool:
		n = 2
	}
	return b[1:n], b[n:]
}

// recordHeaderBytes is where a record's fields begin.
const recordHeaderBytes = 32

// appendDefinitions appends: uvarint number of the first new shape, uvarint how many, then of each 12 bytes of the header with the segment's id of the type,
// u8 mode, and of each field uvarint the segment's id of its name and u8 kind.
func (t *shapeWriter) appendDefinitions(dst []byte) []byte {
	own := t.all[t.mark:]
	dst = binary.AppendUvarint(dst, uint64(t.mark))
	dst = binary.AppendUvarint(dst, uint64(len(own)))
	for i := range own {
		head := own[i].head
		setType(&head, t.names.toSegment(typeOf(&head)))
		dst = append(append(dst, head[:]...), own[i].mode)
		for _, f := range own[i].fields {
			dst = append(binary.AppendUvarint(dst, uint64(t.names.toSegment(f.name))), byte(f.kind))
		}
	}
	return dst
}

func typeOf(head *[12]byte) nudge.NameID { return nudge.NameID(binary.LittleEndian.Uint32(head[4:])) }

func setType(head *[12]byte, id nudge.NameID) { binary.LittleEndian.PutUint32(head[4:], uint32(id)) }

// shapeReader is the table of shapes as a reader knows it.
type shapeReader struct {
	all    []shape
	fields int
	cols   columns
}

func (t *shapeReader) reset() {
	t.all, t.fields = t.all[:0], 0
	t.cols.reset()
}

// define reads the definitions at the start of b and returns what is behind them.
func (t *shapeReader) define(b []byte, names *nameReader) (rest []byte, err error) {
	first, b, ok1 := uvarint(b)
	count, b, ok2 := uvarint(b)
	if !ok1 || !ok2 || first != uint64(len(t.all)) {
		return nil, fmt.Errorf("shape definitions begin with number %d, %d is next", first, len(t.all))
	}
	for range count {
		var s shape
		if s, b, err = t.readShape(b, names); err != nil {
			return nil, fmt.Errorf("the definition of shape %d: %w", len(t.all), err)
		}
		t.all = append(t.all, s)
		t.fields += len(s.fields)
	}
	return b, names.err
}

func (t *shapeReader) readShape(b []byte, names *nameReader) (s shape, rest []byte, err error) {
	if len(b) < len(s.head)+1 {
		return s, nil, fmt.Errorf("%d bytes are left", len(b))
	}
	copy(s.head[:], b)
	if s.head[0] != nudge.RecordVersion {
		return s, nil, fmt.Errorf("record version %d, this build reads %d: use the build that wrote it, or a newer one", s.head[0], nudge.RecordVersion)
	}
	if id := typeOf(&s.head); id != nudge.NameNone {
		setType(&s.head, names.toProcess(id))
	}
	s.mode, b = b[len(s.head)], b[len(s.head)+1:]
	fields := int(binary.LittleEndian.Uint16(s.head[10:]))
	if s.mode&^modesAll != 0 || len(t.all) >= maxShapes || t.fields+fields > maxShapeFields {
		return s, nil, fmt.Errorf("mode %#x, %d fields: more than is possible", s.mode, fields)
	}
	for range fields {
		id, rest, ok := uvarint(b)
		if !ok || len(rest) == 0 || id > math.MaxUint32 || nudge.ValueKind(rest[0]) < nudge.Null || nudge.ValueKind(rest[0]) > nudge.JSON {
			return s, nil, fmt.Errorf("a field is not one: id %d, %d bytes are left", id, len(rest))
		}
		name := names.toProcess(nudge.NameID(id))
		s.fields = append(s.fields, shapeField{name: name, kind: nudge.ValueKind(rest[0]), column: t.cols.give(name)})
		b = rest[1:]
	}
	s.complete()
	if s.mode&modeHashDerived != 0 && (s.primary < 0 || s.mode&modeHash != 0) {
		return s, nil, fmt.Errorf("mode %#x: there is no primary key to take the hash of", s.mode)
	}
	return s, b, nil
}
