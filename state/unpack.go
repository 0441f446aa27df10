package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"nudge"
)

// unpacker turns packed payloads into flat records with the process's name ids. It belongs to one reader and keeps its buffers. Whatever the
// bytes are, the records that it returns are well formed.
type unpacker struct {
	names   nameReader
	shapes  shapeReader
	control []byte // all of the payload's, as are texts and ids
	pos     int    // of what is still to be read, as textPos and idPos are
	texts   []byte
	textPos int
	ids     []byte
	idPos   int
	room    int // bytes that the records may still take
}

var (
	errPackedShort = errors.New("a record is cut off")
	errPackedLong  = errors.New("there are more records than the header says")
)

func (u *unpacker) init(names *nudge.Names) { u.names.init(names) }

// reset begins a segment or block.
func (u *unpacker) reset() {
	u.names.reset()
	u.shapes.reset()
}

// define begins a payload: it reads the definitions at the start of b, if there are any, and returns what is behind them.
func (u *unpacker) define(b []byte, defines bool) (rest []byte, err error) {
	u.shapes.cols.payload++
	if !defines {
		return b, nil
	}
	if b, err = u.names.define(b); err != nil {
		return nil, err
	}
	return u.shapes.define(b, &u.names)
}

// open takes the three parts: b is what appendPlain wrote behind the definitions and the head. room is how many bytes the records have.
func (u *unpacker) open(b, ids []byte, room int) error {
	n, b, ok := uvarint(b)
	if !ok || n > uint64(len(b)) {
		return fmt.Errorf("the control part is %d bytes of %d", n, len(b))
	}
	u.control, u.texts, u.ids = b[:n], b[n:], ids
	u.pos, u.textPos, u.idPos, u.room = 0, 0, 0, room
	return nil
}

// closed reports an error if something was left over.
func (u *unpacker) closed() error {
	if u.pos != len(u.control) || u.textPos != len(u.texts) || u.idPos != len(u.ids) || u.room != 0 {
		return fmt.Errorf("%d bytes of control, %d of texts and %d of ids are left behind the last record, and %d that it should have taken",
			len(u.control)-u.pos, len(u.texts)-u.textPos, len(u.ids)-u.idPos, u.room)
	}
	return nil
}

// records appends so many records stamped at to out.
func (u *unpacker) records(out []byte, count int, at nudge.Millis) ([]byte, error) {
	for range count {
		start := len(out)
		var err error
		if out, err = u.record(out, at); err != nil {
			return nil, err
		}
		n := len(out) - start
		if u.room -= n; u.room < 0 || n > nudge.MaxRecordBytes {
			return nil, errPackedLong
		}
		binary.LittleEndian.PutUint32(out[start:], uint32(n))
	}
	return out, nil
}

// record appends the next record, but for its length.
func (u *unpacker) record(out []byte, at nudge.Millis) ([]byte, error) {
	n, ok := u.varint()
	if !ok {
		return nil, errPackedShort
	}
	if n >= uint64(len(u.shapes.all)) {
		return nil, fmt.Errorf("shape %d is used and %d are defined", n, len(u.shapes.all))
	}
	s := &u.shapes.all[n]
	start := len(out)
	out = append(out, s.header[:]...)
	if s.mode&modeTs != 0 {
		d, ok := u.varint()
		if !ok {
			return nil, errPackedShort
		}
		binary.LittleEndian.PutUint64(out[start+24:], uint64(at)-uint64(unzigzag(d)))
	}
	if s.mode&modeHash != 0 && !u.takeIDs(out[start+8:start+16]) {
		return nil, errPackedShort
	}
	for i := range s.fields {
		f := &s.fields[i]
		out = append(out, f.header[:]...)
		from := len(out)
		var err error
		if out, err = u.value(out, f); err != nil {
			return nil, err
		}
		if len(out)-start > u.room {
			return nil, errPackedLong
		}
		if i == s.primary && s.mode&modeHashDerived != 0 {
			binary.LittleEndian.PutUint64(out[start+8:], uint64(s.hash(viewOf(out[from+4:]))))
		}
	}
	return out, nil
}

// value appends the next value of a field.
func (u *unpacker) value(out []byte, f *shapeField) ([]byte, error) {
	switch f.kind {
	case nudge.Text, nudge.JSON:
		return u.text(out, f)
	case nudge.Number:
		return u.number(out)
	case nudge.Bool:
		if u.pos == len(u.control) {
			return nil, errPackedShort
		}
		out = append(out, u.control[u.pos])
		u.pos++
	}
	return out, nil
}

func (u *unpacker) text(out []byte, f *shapeField) ([]byte, error) {
	form, ok := u.varint()
	if !ok {
		return nil, errPackedShort
	}
	col := &u.shapes.cols.all[f.column]
	switch {
	case form == formSame:
		if col.payload != u.shapes.cols.payload {
			return nil, errors.New("a field is as it was last, and was not there yet")
		}
	case form < formSame:
		if len(u.ids)-u.idPos < idBytes {
			return nil, errPackedShort
		}
		*col = column{payload: u.shapes.cols.payload, form: int(form), start: u.idPos, size: idBytes}
		u.idPos += idBytes
	default:
		size := form - formPlain
		if size > uint64(len(u.texts)-u.textPos) {
			return nil, errPackedShort
		}
		*col = column{payload: u.shapes.cols.payload, form: formPlain, start: u.textPos, size: int(size)}
		u.textPos += int(size)
	}
	switch col.form {
	case formUUID:
		out = binary.LittleEndian.AppendUint32(out, uuidBytes)
		return appendIDText(out, [idBytes]byte(u.ids[col.start:]), formUUID), nil
	case formHex:
		out = binary.LittleEndian.AppendUint32(out, hexBytes)
		return appendIDText(out, [idBytes]byte(u.ids[col.start:]), formHex), nil
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(col.size))
	return append(out, u.texts[col.start:col.start+col.size]...), nil
}

func (u *unpacker) number(out []byte) ([]byte, error) {
	v, ok := u.varint()
	if !ok {
		return nil, errPackedShort
	}
	var f float64
	switch m := unzigzag(v >> numberBits); v & (1<<numberBits - 1) {
	case numberWhole:
		f = float64(m)
	case numberCents:
		f = float64(m) / 100
	case numberFloat:
		if len(u.control)-u.pos < 8 || v != numberFloat {
			return nil, errPackedShort
		}
		f = math.Float64frombits(binary.LittleEndian.Uint64(u.control[u.pos:]))
		u.pos += 8
	default:
		return nil, fmt.Errorf("a number begins with %d", v)
	}
	return binary.LittleEndian.AppendUint64(out, math.Float64bits(f)), nil
}

// varint is the next one of the control.
func (u *unpacker) varint() (v uint64, ok bool) {
	if pos := u.pos; pos < len(u.control) && u.control[pos] < moreBit {
		u.pos = pos + 1
		return uint64(u.control[pos]), true
	}
	return u.longVarint()
}

func (u *unpacker) longVarint() (v uint64, ok bool) {
	v, next := longVarintAt(u.control, u.pos)
	if next == 0 {
		return 0, false
	}
	u.pos = next
	return v, true
}

func (u *unpacker) takeIDs(dst []byte) bool {
	if len(u.ids)-u.idPos < len(dst) {
		return false
	}
	u.idPos += copy(dst, u.ids[u.idPos:])
	return true
}
