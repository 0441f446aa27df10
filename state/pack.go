package state

import (
	"encoding/binary"
	"math"

	"nudge"
)

// A packed payload holds its records in three parts:
//
//   - control: of each record the number of its shape, then what its values need: lengths, numbers, bools;
//   - texts, one behind the other;
//   - ids: what looks random, and so is not compressed: UUIDs and long hexadecimal numbers as their 16 bytes, and hashes.
//
// docs/format/log.md is the page for readers.

// The forms of a text, in the place of its length.
const (
	formUUID  = iota // 16 bytes of the ids, written 8-4-4-4-12
	formHex          // 16 bytes of the ids, written as 32 digits
	formSame         // as the field was last in this payload
	formPlain        // and more: so many bytes of the texts more
)

// The forms of a number: the two lowest bits of its varint.
const (
	numberWhole  = iota // zigzag
	numberCents         // zigzag of a hundredth
	_                   // not used
	numberFloat         // nothing; IEEE 754 follows, 8 bytes
	numberBits   = 2
	maxExactUnit = 1 << 53 // whole numbers below are exact
)

// packer packs the records of one payload. It belongs to one writer and keeps its buffers.
type packer struct {
	names   nameWriter
	shapes  shapeWriter
	control []byte
	texts   []byte
	ids     []byte
	head    []byte
	size    int // bytes of the records as they were
}

func (p *packer) init(names *nudge.Names) {
	p.names.init(names)
	p.shapes.names = &p.names
}

// reset begins a segment or block, in which these names and shapes are already defined.
func (p *packer) reset(names []nudge.NameID, shapes []shape) {
	p.names.reset(names)
	p.shapes.reset(shapes)
	p.begin()
}

// begin begins a payload.
func (p *packer) begin() {
	p.names.begin()
	p.shapes.begin()
	p.control, p.texts, p.ids, p.size = p.control[:0], p.texts[:0], p.ids[:0], 0
}

// undo takes back what the payload defined.
func (p *packer) undo() {
	p.names.undo()
	p.shapes.undo()
}

func (p *packer) fresh() bool { return p.names.fresh() || p.shapes.fresh() }

// add packs a checked record stamped at. ok is false, and nothing was packed, if there is no room for its shape.
func (p *packer) add(rec nudge.Record, at nudge.Millis) (ok bool) {
	n, ok := p.shapes.find(rec)
	if !ok {
		return false
	}
	p.size += len(rec)
	s := &p.shapes.all[n]
	p.control = binary.AppendUvarint(p.control, uint64(n))
	if s.mode&modeTs != 0 {
		ts, _ := rec.Ts()
		p.control = binary.AppendVarint(p.control, int64(at-ts))
	}
	if s.mode&modeHash != 0 {
		p.ids = append(p.ids, rec[8:16]...)
	}
	rest := rec[recordHeaderBytes:]
	for i := range s.fields {
		f := &s.fields[i]
		var value []byte
		value, rest = splitValue(rest[4:])
		switch f.kind {
		case nudge.Text, nudge.JSON:
			p.text(f, value)
		case nudge.Number:
			p.control = appendNumber(p.control, math.Float64frombits(binary.LittleEndian.Uint64(value)))
		case nudge.Bool:
			p.control = append(p.control, value[0])
		}
	}
	return true
}

// text packs a text: as nothing where the field had it last, as an id where it is one.
func (p *packer) text(f *shapeField, text []byte) {
	col := &p.shapes.cols.all[f.column]
	known := col.payload == p.shapes.cols.payload
	if f.kind == nudge.Text && (len(text) == uuidBytes || len(text) == hexBytes) {
		if p.id(col, known, text) {
			return
		}
	}
	if known && col.form == formPlain && string(p.texts[col.start:col.start+col.size]) == string(text) {
		p.control = append(p.control, formSame)
		return
	}
	*col = column{payload: p.shapes.cols.payload, form: formPlain, start: len(p.texts), size: len(text)}
	p.texts = append(p.texts, text...)
	p.control = binary.AppendUvarint(p.control, uint64(len(text))+formPlain)
}

// id packs a text as an id, and reports whether it is one.
func (p *packer) id(col *column, known bool, text []byte) bool {
	start := len(p.ids)
	ids, form, ok := appendID(p.ids, text)
	switch {
	case !ok:
		return false
	case known && col.form == form && [idBytes]byte(ids[col.start:]) == [idBytes]byte(ids[start:]):
		p.control = append(p.control, formSame)
		return true
	}
	p.ids = ids
	p.control = append(p.control, byte(form))
	*col = column{payload: p.shapes.cols.payload, form: form, start: start, size: idBytes}
	return true
}

// appendNumber packs a number so that it comes back to the bit.
func appendNumber(dst []byte, f float64) []byte {
	if m := int64(f); math.Abs(f) < maxExactUnit && math.Float64bits(float64(m)) == math.Float64bits(f) {
		return binary.AppendUvarint(dst, zigzag(m)<<numberBits) // numberWhole
	}
	if c := math.Round(f * 100); math.Abs(c) < maxExactUnit && math.Float64bits(float64(int64(c))/100) == math.Float64bits(f) {
		return binary.AppendUvarint(dst, zigzag(int64(c))<<numberBits|numberCents)
	}
	return binary.LittleEndian.AppendUint64(append(dst, numberFloat), math.Float64bits(f))
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// appendPlain appends what is compressed: the definitions, uvarint length of the control, the control, the texts.
func (p *packer) appendPlain(dst []byte) []byte {
	if p.fresh() {
		dst = p.names.appendDefinitions(dst)
		dst = p.shapes.appendDefinitions(dst)
	}
	dst = append(dst, p.head...)
	dst = binary.AppendUvarint(dst, uint64(len(p.control)))
	dst = append(dst, p.control...)
	return append(dst, p.texts...)
}
