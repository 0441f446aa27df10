package replay

import (
	"bytes"
	"fmt"
	"strings"

	"nudge"
	"nudge/ingest"
	"nudge/rules"
)

// decoder turns the lines of blocks into records. One per goroutine.
type decoder struct {
	codec  *ingest.Codec
	row    csvRow
	fields []string
	values []string
}

func newDecoder(plan *rules.Plan, names *nudge.Names) *decoder {
	return &decoder{codec: ingest.NewCodec(ingest.CodecOptions{Names: names, Reserved: plan.Emits})}
}

// decode fills in the records of a block.
func (d *decoder) decode(b *block) {
	b.items, b.records.Buf = b.items[:0], b.records.Buf[:0]
	if b.problem != nil {
		b.items = append(b.items, item{line: b.firstLine, err: b.problem})
		return
	}
	if b.header != nil {
		d.decodeRows(b)
		return
	}
	line := b.firstLine
	for text := b.text; len(text) > 0; line++ {
		var one []byte
		one, text = cutLine(text)
		if line == b.before+1 {
			one = bytes.TrimPrefix(one, []byte(byteOrderMark))
		}
		if len(bytes.TrimSpace(one)) == 0 {
			continue
		}
		it := item{line: line}
		if len(one) > maxLineBytes {
			it.err = errLineTooLong
		} else {
			it.at, it.hasAt, it.err = d.codec.ReplayEvent(one, &b.records)
			if it.err != nil && line == b.before+1 && bytes.TrimSpace(one)[0] != '{' {
				it.err = fmt.Errorf("%w; if this is CSV, say which columns are which fields, as in --map visitor=user_id --map ts=time --set type=click", it.err)
			}
		}
		it.end = len(b.records.Buf)
		b.items = append(b.items, it)
	}
}

// cutLine cuts the first line off text, without its line end.
func cutLine(text []byte) (line, rest []byte) {
	end := bytes.IndexByte(text, '\n')
	if end < 0 {
		return trimLineEnd(text), nil
	}
	return trimLineEnd(text[:end]), text[end+1:]
}

// decodeRows is decode for CSV. The block's text is copied once into a string, so that no value has to be.
func (d *decoder) decodeRows(b *block) {
	plain := bytes.IndexByte(b.text, '"') < 0
	text := string(b.text)
	line := b.firstLine
	for pos := 0; pos < len(text); {
		end := strings.IndexByte(text[pos:], '\n') + 1
		lines := uint64(1)
		switch {
		case !plain:
			end = rowEnd(b.text[pos:], true)
			lines = lineCount(b.text[pos : pos+end])
		case end == 0:
			end = len(text) - pos
		}
		row := strings.TrimSuffix(strings.TrimSuffix(text[pos:pos+end], "\n"), "\r")
		pos += end
		if row != "" {
			it := item{line: line}
			it.at, it.hasAt, it.err = d.decodeRow(b, row)
			it.end = len(b.records.Buf)
			b.items = append(b.items, it)
		}
		line += lines
	}
}

func (d *decoder) decodeRow(b *block, row string) (at nudge.Millis, hasAt bool, err error) {
	if len(row) > maxLineBytes {
		return 0, false, errLineTooLong
	}
	if err := d.row.split(row); err != nil {
		return 0, false, err
	}
	d.fields, d.values, err = b.header.pick(&d.row, d.fields[:0], d.values[:0])
	if err != nil {
		return 0, false, err
	}
	return d.codec.ReplayFields(d.fields, d.values, &b.records)
}
