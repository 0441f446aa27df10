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
	control []byte
	texts   []byte // all of the payload's
	textPos int
	ids     []byte // all of the payload's
	idPos   int
	out     []byte
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
	u.textPos, u.idPos, u.room = 0, 0, room
	return nil
}

// closed reports an error if something was left over.
func (u *unpacker) closed() error {
	if len(u.control) != 0 || u.textPos != len(u.texts) || u.idPos != len(u.ids) || u.room != 0 {
		return fmt.Errorf("%d bytes of control, %d of texts and %d of ids are left behind the last record, and %d that it should have taken",
			len(u.control), len(u.texts)-u.textPos, len(u.ids)-u.idPos, u.room)
	}
	return nil
}

// records unpacks so many records stamped at. They are valid until the next call.
func (u *unpacker) records(count int, at nudge.Millis) ([]byte, error) {
	u.out = u.out[:0]
	for range count {
		start := len(u.out)
		if err := u.record(at); err != nil {
			return nil, err
		}
		n := len(u.out) - start
		if u.room -= n; u.room < 0 || n > nudge.MaxRecordBytes {
			return nil, errPackedLong
		}
		binary.LittleEndian.PutUint32(u.out[start:], uint32(n))
	}
	return u.out, nil
}

func (u *unpacker) record(at nudge.Millis) error {
	n, ok := u.varint()
	if !ok {
		return errPackedShort
	}
	if n >= uint64(len(u.shapes.all)) {
		return fmt.Errorf("shape %d is used and %d are defined", n, len(u.shapes.all))
	}
	s := &u.shapes.all[n]
	start := len(u.out)
	var head [recordHeaderBytes]byte
	copy(head[4:], s.head[:4])
	copy(head[16:], s.head[4:])
	if s.mode&modeTs != 0 {
		d, ok := u.varint()
		if !ok {
			return errPackedShort
		}
		binary.LittleEndian.PutUint64(head[24:], uint64(at)-uint64(unzigzag(d)))
	}
	if s.mode&modeHash != 0 && !u.takeIDs(head[8:16]) {
		return errPackedShort
	}
	u.out = append(u.out, head[:]...)
	for i := range s.fields {
		f := &s.fields[i]
		u.out = append(binary.LittleEndian.AppendUint32(u.out, uint32(f.name)), byte(f.kind))
		from := len(u.out)
		if err := u.value(f); err != nil {
			return err
		}
		if len(u.out)-start > u.room {
			return errPackedLong
		}
		if i == s.primary && s.mode&modeHashDerived != 0 {
			binary.LittleEndian.PutUint64(u.out[start+8:], uint64(s.hash(viewOf(u.out[from+4:]))))
		}
	}
	return nil
}

func (u *unpacker) value(f *shapeField) error {
	switch f.kind {
	case nudge.Text, nudge.JSON:
		return u.text(f)
	case nudge.Number:
		return u.number()
	case nudge.Bool:
		if len(u.control) == 0 {
			return errPackedShort
		}
		u.out = append(u.out, u.control[0])
		u.control = u.control[1:]
	}
	return nil
}

func (u *unpacker) text(f *shapeField) error {
	form, ok := u.varint()
	if !ok {
		return errPackedShort
	}
	col := &u.shapes.cols.all[f.column]
	switch {
	case form == formSame:
		if col.payload != u.shapes.cols.payload {
			return errors.New("a field is as it was last, and was not there yet")
		}
	case form < formSame:
		if len(u.ids)-u.idPos < idBytes {
			return errPackedShort
		}
		*col = column{payload: u.shapes.cols.payload, form: int(form), start: u.idPos, size: idBytes}
		u.idPos += idBytes
	default:
		size := form - formPlain
		if size > uint64(len(u.texts)-u.textPos) {
			return errPackedShort
		}
		*col = column{payload: u.shapes.cols.payload, form: formPlain, start: u.textPos, size: int(size)}
		u.textPos += int(size)
	}
	switch col.form {
	case formPlain:
		u.out = binary.LittleEndian.AppendUint32(u.out, uint32(col.size))
		u.out = append(u.out, u.texts[col.start:col.start+col.size]...)
	case formUUID:
		u.out = binary.LittleEndian.AppendUint32(u.out, uuidBytes)
		u.out = appendIDText(u.out, [idBytes]byte(u.ids[col.start:]), formUUID)
	case formHex:
		u.out = binary.LittleEndian.AppendUint32(u.out, hexBytes)
		u.out = appendIDText(u.out, [idBytes]byte(u.ids[col.start:]), formHex)
	}
	return nil
}

func (u *unpacker) number() error {
	v, ok := u.varint()
	if !ok {
		return errPackedShort
	}
	var f float64
	switch m := unzigzag(v >> numberBits); v & (1<<numberBits - 1) {
	case numberWhole:
		f = float64(m)
	case numberCents:
		f = float64(m) / 100
	case numberFloat:
		if len(u.control) < 8 || v != numberFloat {
			return errPackedShort
		}
		f = math.Float64frombits(binary.LittleEndian.Uint64(u.control))
		u.control = u.control[8:]
	default:
		return fmt.Errorf("a number begins with %d", v)
	}
	u.out = binary.LittleEndian.AppendUint64(u.out, math.Float64bits(f))
	return nil
}

func (u *unpacker) varint() (uint64, bool) {
	if len(u.control) > 0 && u.control[0] < 0x80 {
		v := u.control[0]
		u.control = u.control[1:]
		return uint64(v), true
	}
	v, rest, ok := uvarint(u.control)
	u.control = rest
	return v, ok
}

func (u *unpacker) takeIDs(dst []byte) bool {
	if len(u.ids)-u.idPos < len(dst) {
		return false
	}
	u.idPos += copy(dst, u.ids[u.idPos:])
	return true
}
