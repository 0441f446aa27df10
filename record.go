package nudge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// RecordKind says what a record is. The numbers are stored: they never change.
type RecordKind uint8

// The kinds of records. A void stands where a record was that is gone: it keeps the offset, and the log time, and says nothing.
const (
	RecordEvent   RecordKind = 1
	RecordTick    RecordKind = 2
	RecordDeploy  RecordKind = 3
	RecordErase   RecordKind = 4
	RecordReceipt RecordKind = 5
	RecordLive    RecordKind = 6
	RecordVoid    RecordKind = 7

	RecordPosition RecordKind = 8
)

// RecordVersion is the version byte of the layout below.
const RecordVersion = 1

// Layout of a record, little endian. docs/format/record.md is the page for readers.
//
//	 0 u32 length of the whole record, these four bytes included
//	 4 u8  version
//	 5 u8  kind
//	 6 u16 space (tenant), 0 for now
//	 8 u64 hash of the primary key: visitor, else user as sent, else mail address, else company
//	16 u32 name id of the event type
//	20 u8  flags: 1 = ts is given, 2 = names are spelled out
//	21 u8  reserved, 0
//	22 u16 number of fields
//	24 i64 ts, ms
//	32 fields, those with names up to NameMailDomain first: u32 name id, u8 value kind, then
//	     text, json: u32 length, bytes · number: 8 bytes IEEE 754 · bool: 1 byte · null: nothing
//
// A name without an id is spelled out, with flag 2: a field's in a text field NameOther, which stands before the field, itself NameOther; the event type's in a
// text field NameType, and the type is NameOther.
//
// A deploy record has two fields: NameRule, the rules folder as one text, and NameSettings, the settings that answers depend on,
// as JSON. A live record has one: NameSettings, which deployment's rules go live and from where on the log was read back for them, as JSON;
// an erase record one, NameSettings, whom it erases, by hashes, as JSON; a receipt record one, NameSettings, a Receipt as JSON.
// A position record has two: NameKey, who has got somewhere, and NameSettings, where, as it writes it (position.go).
const (
	recordHeader = 32
	fieldHead    = 5 // of a field, before its value
	flagTs       = 1
	flagSpelled  = 2
)

// MaxRecordBytes bounds one record. Events are far smaller (package ingest); a deployment of some 40,000 rules is one record.
const MaxRecordBytes = 8 << 20

// Record is one flat record. It is only valid as long as the buffer it lies in.
type Record []byte

// ErrRecord is wrapped by every error about a record's bytes.
var ErrRecord = errors.New("record is not well formed")

// NextRecord splits the first record off buf and checks all of it, so that the accessors below cannot run out of bounds.
func NextRecord(buf []byte) (rec Record, rest []byte, err error) {
	if len(buf) < recordHeader {
		return nil, nil, fmt.Errorf("%w: %d bytes are left, a header has %d", ErrRecord, len(buf), recordHeader)
	}
	n := binary.LittleEndian.Uint32(buf)
	if n < recordHeader || int64(n) > int64(len(buf)) || n > MaxRecordBytes {
		return nil, nil, fmt.Errorf("%w: length %d with %d bytes left", ErrRecord, n, len(buf))
	}
	rec = Record(buf[:n:n])
	if rec[4] != RecordVersion {
		return nil, nil, fmt.Errorf("%w: version %d, this build reads %d", ErrRecord, rec[4], RecordVersion)
	}
	pos := recordHeader
	for range rec.fieldCount() {
		if pos+5 > len(rec) {
			return nil, nil, fmt.Errorf("%w: a field starts at byte %d of %d", ErrRecord, pos, len(rec))
		}
		size, ok := valueSize(rec, pos)
		if !ok || pos+5+size > len(rec) {
			return nil, nil, fmt.Errorf("%w: the value at byte %d does not fit", ErrRecord, pos)
		}
		pos += 5 + size
	}
	if pos != len(rec) {
		return nil, nil, fmt.Errorf("%w: %d bytes behind the last field", ErrRecord, len(rec)-pos)
	}
	return rec, buf[n:], nil
}

// SplitRecord is NextRecord for bytes that were checked before.
func SplitRecord(buf []byte) (rec Record, rest []byte) {
	n := binary.LittleEndian.Uint32(buf)
	return Record(buf[:n:n]), buf[n:]
}

func valueSize(rec Record, pos int) (int, bool) {
	switch ValueKind(rec[pos+4]) {
	case Null:
		return 0, true
	case Text, JSON:
		if pos+9 > len(rec) {
			return 0, false
		}
		n := binary.LittleEndian.Uint32(rec[pos+5:])
		return 4 + int(n), n <= MaxRecordBytes
	case Number:
		return 8, true
	case Bool:
		return 1, true
	}
	return 0, false
}

// Kind, Space, Hash and Type read the header.
func (r Record) Kind() RecordKind { return RecordKind(r.header()[5]) }
func (r Record) Space() uint16    { return binary.LittleEndian.Uint16(r.header()[6:]) }
func (r Record) Hash() KeyHash    { return KeyHash(binary.LittleEndian.Uint64(r.header()[8:])) }
func (r Record) Type() NameID     { return NameID(binary.LittleEndian.Uint32(r.header()[16:])) }

func (r Record) fieldCount() int { return int(binary.LittleEndian.Uint16(r.header()[22:])) }

// Ts returns the event time and whether the sender gave one.
func (r Record) Ts() (ts Millis, given bool) {
	h := r.header()
	return Millis(binary.LittleEndian.Uint64(h[24:])), h[20]&flagTs != 0
}

// Spelled says whether names are spelled out in the record.
func (r Record) Spelled() bool { return r.header()[20]&flagSpelled != 0 }

// SpelledType is the event type of a record whose Type is NameOther.
func (r Record) SpelledType() string { return r.Field(NameType).Text }

// header has one length to check, whatever is read of it.
func (r Record) header() *[recordHeader]byte { return (*[recordHeader]byte)(r) }

// Fields walks the fields in the order in which they were added.
func (r Record) Fields() FieldIterator { return FieldIterator{rec: r, pos: recordHeader} }

// FieldIterator walks a record's fields. It allocates nothing.
type FieldIterator struct {
	rec   Record
	pos   int
	Name  NameID
	Value Value // its text points into the record
}

// Next moves to the next field.
func (it *FieldIterator) Next() bool {
	if it.pos >= len(it.rec) {
		return false
	}
	b := it.rec[it.pos:]
	it.Name = NameID(binary.LittleEndian.Uint32(b))
	kind := ValueKind(b[4])
	it.Value = Value{Kind: kind}
	it.pos += 5
	switch kind {
	case Text, JSON:
		n := int(binary.LittleEndian.Uint32(b[5:]))
		it.Value.Text = view(b[9 : 9+n])
		it.pos += 4 + n
	case Number:
		it.Value.Num = math.Float64frombits(binary.LittleEndian.Uint64(b[5:]))
		it.pos += 8
	case Bool:
		it.Value.Num = float64(b[5])
		it.pos++
	}
	return true
}

// Spell is the name of the field on which the iterator stands. Where it is spelled out, the iterator moves on to the value.
func (it *FieldIterator) Spell(names *Names) string {
	if it.Name != NameOther {
		return names.Text(it.Name)
	}
	name := it.Value.Text
	it.Next()
	return name
}

// Field returns the value of the first field of that name, or a missing value.
func (r Record) Field(name NameID) Value {
	it := r.Fields()
	for it.Next() {
		if it.Name == name {
			return it.Value
		}
	}
	return Value{}
}

// Fill puts the values of the fields from a place in the record on, that of the first one or one that Who gave, where slots says, by name id: one more
// than the place in vals, 0 for those that are not wanted. A place that is taken stays as it is; others are empty values. It appends the places
// that it has filled to filled. The record must be a checked one.
func (r Record) Fill(from int, slots []int32, vals *[]Value, filled *[]int32) {
	for pos := max(from, recordHeader); pos < len(r); {
		id, kind := r.uint32(pos), ValueKind(r[pos+4])
		pos += fieldHead
		var v *Value
		if id < uint32(len(slots)) && slots[id] > 0 {
			slot := slots[id] - 1
			if to := &(*vals)[slot]; to.Kind == Missing {
				v = to
				v.Kind = kind
				*filled = append(*filled, slot)
			}
		}
		switch kind {
		case Text, JSON:
			text, end := r.text(pos)
			if pos = end; v != nil {
				v.Text = text
			}
		case Number:
			if v != nil {
				v.Num = math.Float64frombits(binary.LittleEndian.Uint64(r[pos : pos+8]))
			}
			pos += 8
		case Bool:
			if v != nil {
				v.Num = float64(r[pos])
			}
			pos++
		}
	}
}

// Who is what a record says of who it is about. A text is "" where the field is not there, or is no text; it points into the record.
type Who struct {
	ID, Visitor, User, Email, Company, MailDomain string
}

// Who reads the fields that say who the record is about, and returns where the first one stands that says something else. The record must be a
// checked one.
func (r Record) Who(w *Who) (end int) {
	*w = Who{}
	pos := recordHeader
	for pos < len(r) {
		id := NameID(r.uint32(pos))
		if id > NameMailDomain { // they come first
			break
		}
		if ValueKind(r[pos+4]) != Text {
			size, _ := valueSize(r, pos)
			pos += fieldHead + size
			continue
		}
		var text string
		text, pos = r.text(pos + fieldHead)
		switch id {
		case NameID_:
			w.ID = text
		case NameVisitor:
			w.Visitor = text
		case NameUser:
			w.User = text
		case NameEmail:
			w.Email = text
		case NameCompany:
			w.Company = text
		case NameMailDomain:
			w.MailDomain = text
		}
	}
	return pos
}

func (r Record) uint32(pos int) uint32 { return binary.LittleEndian.Uint32(r[pos : pos+4]) }

// text is the text whose length stands at a place, and the place behind it.
func (r Record) text(pos int) (text string, end int) {
	from := pos + 4
	end = from + int(r.uint32(pos))
	return view(r[from:end]), end
}

// view is b as a string without a copy; b must not change while the string lives.
func view(b []byte) string { return *(*string)(unsafe.Pointer(&b)) } // unsafe.String would check once more what b's own length says

// MapNames replaces every name id of a checked record through f, in place. The log uses it to translate between a segment's ids and the
// process's.
func (r Record) MapNames(f func(NameID) NameID) {
	if id := r.Type(); id != NameNone {
		binary.LittleEndian.PutUint32(r[16:], uint32(f(id)))
	}
	for pos := recordHeader; pos < len(r); {
		id := NameID(binary.LittleEndian.Uint32(r[pos:]))
		binary.LittleEndian.PutUint32(r[pos:], uint32(f(id)))
		size, _ := valueSize(r, pos)
		pos += 5 + size
	}
}

// AppendSpelled appends a checked record in which the names are spelled out for whose ids spell has a text; it is "" for those that stay.
func (r Record) AppendSpelled(dst []byte, spell func(NameID) string) []byte {
	b := RecordBuilder{Buf: dst}
	b.Begin(r.Kind(), r.Type())
	copy(b.Buf[b.start+4:], r[4:recordHeader])
	if text := spell(r.Type()); text != "" {
		b.OtherType(text)
	}
	for it := r.Fields(); it.Next(); {
		if text := spell(it.Name); text != "" {
			b.Other(text, it.Value)
		} else {
			b.Value(it.Name, it.Value)
		}
	}
	b.End(r.Hash())
	return b.Buf
}

// RecordBuilder appends records to a buffer that its owner may reuse. The zero value is ready.
//
//	b.Begin(RecordEvent, typeID)
//	b.Text(NameVisitor, "v1")
//	b.End(hash)
type RecordBuilder struct {
	Buf   []byte
	start int
	count int
}

// Begin starts a record behind those already in Buf.
func (b *RecordBuilder) Begin(kind RecordKind, typ NameID) {
	b.start, b.count = len(b.Buf), 0
	var h [recordHeader]byte
	h[4], h[5] = RecordVersion, byte(kind)
	binary.LittleEndian.PutUint32(h[16:], uint32(typ))
	b.Buf = append(b.Buf, h[:]...)
}

// Ts sets the event time.
func (b *RecordBuilder) Ts(ts Millis) {
	b.Buf[b.start+20] |= flagTs
	binary.LittleEndian.PutUint64(b.Buf[b.start+24:], uint64(ts))
}

// OtherType sets the event type to one that has no id.
func (b *RecordBuilder) OtherType(typ string) {
	binary.LittleEndian.PutUint32(b.Buf[b.start+16:], uint32(NameOther))
	b.Buf[b.start+20] |= flagSpelled
	b.Text(NameType, typ)
}

// Other adds a field whose name has no id; a missing value adds nothing.
func (b *RecordBuilder) Other(name string, v Value) {
	if v.Kind == Missing {
		return
	}
	b.Buf[b.start+20] |= flagSpelled
	b.Text(NameOther, name)
	b.Value(NameOther, v)
}

// Text adds a text field.
func (b *RecordBuilder) Text(name NameID, s string) { b.bytes(name, Text, s) }

// JSON adds a field that is kept as JSON text.
func (b *RecordBuilder) JSON(name NameID, s string) { b.bytes(name, JSON, s) }

func (b *RecordBuilder) bytes(name NameID, kind ValueKind, s string) {
	b.field(name, kind)
	b.Buf = binary.LittleEndian.AppendUint32(b.Buf, uint32(len(s)))
	b.Buf = append(b.Buf, s...)
}

// Number adds a number field.
func (b *RecordBuilder) Number(name NameID, f float64) {
	b.field(name, Number)
	b.Buf = binary.LittleEndian.AppendUint64(b.Buf, math.Float64bits(f))
}

// Bool adds a bool field.
func (b *RecordBuilder) Bool(name NameID, v bool) {
	b.field(name, Bool)
	if v {
		b.Buf = append(b.Buf, 1)
	} else {
		b.Buf = append(b.Buf, 0)
	}
}

// Null adds a field that is there without a value.
func (b *RecordBuilder) Null(name NameID) { b.field(name, Null) }

// Value adds a field of any kind; a missing value adds nothing.
func (b *RecordBuilder) Value(name NameID, v Value) {
	switch v.Kind {
	case Null:
		b.Null(name)
	case Text, JSON:
		b.bytes(name, v.Kind, v.Text)
	case Number:
		b.Number(name, v.Num)
	case Bool:
		b.Bool(name, v.Num != 0)
	}
}

func (b *RecordBuilder) field(name NameID, kind ValueKind) {
	b.count++
	b.Buf = binary.LittleEndian.AppendUint32(b.Buf, uint32(name))
	b.Buf = append(b.Buf, byte(kind))
}

// Size is the length of the record being built, so far.
func (b *RecordBuilder) Size() int { return len(b.Buf) - b.start }

// Fields is the number of fields of the record being built, so far; the name of one that is spelled out is one more.
func (b *RecordBuilder) Fields() int { return b.count }

// End closes the record. hash is that of its primary key.
func (b *RecordBuilder) End(hash KeyHash) {
	r := b.Buf[b.start:]
	binary.LittleEndian.PutUint32(r, uint32(len(r)))
	binary.LittleEndian.PutUint64(r[8:], uint64(hash))
	binary.LittleEndian.PutUint16(r[22:], uint16(b.count))
}

// AppendVoid appends a void.
func AppendVoid(dst []byte) []byte {
	b := RecordBuilder{Buf: dst}
	b.Begin(RecordVoid, NameNone)
	b.End(0)
	return b.Buf
}

// Abort drops the record being built.
func (b *RecordBuilder) Abort() { b.Buf = b.Buf[:b.start] }
