package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"nudge"
)

const (
	// blockBytes is how much text a block holds: enough that handing it over costs nothing, little enough for the caches.
	blockBytes = 256 << 10

	// maxLineBytes bounds one line, or one CSV row, without its line end. An event is far smaller.
	maxLineBytes = 1 << 20
)

// block is a run of whole lines of one file on its way from the reader to the engine. A block is used again after its records are
// applied.
type block struct {
	file      string
	header    *csvHeader // nil: NDJSON
	text      []byte     // whole lines; the last one's end may be missing at the end of the file
	firstLine uint64     // of text, counted over all files
	before    uint64     // lines of the files before this one
	problem   error      // text is one line that cannot be read, for this reason

	done    chan struct{} // decoded: the fields below are there
	records nudge.RecordBuilder
	items   []item
}

// item is one line that is not blank.
type item struct {
	line  uint64 // counted over all files
	at    nudge.Millis
	hasAt bool
	end   int // of its record in records.Buf; it begins where the one before ends
	err   error
}

func newBlock() *block { return &block{text: make([]byte, 0, blockBytes)} }

func (b *block) lineError(line uint64, err error) *lineError {
	return &lineError{file: b.file, line: line - b.before, err: err}
}

// blockReader cuts the text of one file into blocks.
type blockReader struct {
	in     *input
	quotes bool // CSV: a line end inside quotes ends nothing
	header *csvHeader
	before uint64
	line   uint64 // number of the next line, over all files
	rest   []byte // read, but not yet in a block
	eof    bool
	skip   bool // inside a line that was already refused for its length
}

var errLineTooLong = fmt.Errorf("the line is longer than %d bytes", maxLineBytes)

// next fills b with the next lines. It returns false at the end of the file. What it refuses does not depend on how much each read gives.
func (r *blockReader) next(b *block) (bool, error) {
	b.file, b.header, b.before, b.problem = r.in.name, r.header, r.before, nil
	b.text = append(b.text[:0], r.rest...)
	r.rest = r.rest[:0]
	for {
		if r.skip {
			r.dropToLineEnd(b)
		}
		if r.eof || len(b.text) >= blockBytes {
			if end := r.wholeLines(b.text); end > 0 {
				r.cut(b, end)
				return true, nil
			}
			if len(b.text) > maxLineBytes+1 || r.eof && len(b.text) > 0 { // one more: the CR of a line end
				r.refuse(b)
				return true, nil
			}
		}
		if r.eof {
			return false, nil
		}
		if err := r.read(b); err != nil {
			return false, err
		}
	}
}

// read appends what one read gives.
func (r *blockReader) read(b *block) error {
	if len(b.text) == cap(b.text) {
		b.text = append(b.text, make([]byte, blockBytes)...)[:len(b.text)]
	}
	n, err := r.in.Read(b.text[len(b.text):cap(b.text)])
	b.text = b.text[:len(b.text)+n]
	if errors.Is(err, io.EOF) {
		r.eof = true
		return nil
	}
	if err != nil {
		return unpackError(r.in.name, err)
	}
	return nil
}

// wholeLines is the length of the whole lines that text begins with. At the end of the file the last one needs no line end.
func (r *blockReader) wholeLines(text []byte) int {
	if r.quotes && bytes.IndexByte(text, '"') >= 0 {
		return wholeRows(text, r.eof)
	}
	if r.eof {
		return len(text)
	}
	return bytes.LastIndexByte(text, '\n') + 1
}

// cut leaves the first end bytes in b and keeps the others for the next block.
func (r *blockReader) cut(b *block, end int) {
	r.rest = append(r.rest, b.text[end:]...)
	b.text = b.text[:end]
	b.firstLine = r.line
	r.line += lineCount(b.text)
}

// lineCount is the number of lines of text, whether or not the last one has an end.
func lineCount(text []byte) uint64 {
	n := bytes.Count(text, []byte{'\n'})
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return uint64(n)
}

// refuse makes b the one line that is too long or whose quotes never close. Reading goes on behind it.
func (r *blockReader) refuse(b *block) {
	end := bytes.IndexByte(b.text, '\n') + 1
	r.skip = end == 0 && !r.eof
	if end == 0 {
		end = len(b.text)
	}
	b.problem = errOpenQuote
	if len(trimLineEnd(b.text[:end])) > maxLineBytes {
		b.problem = errLineTooLong
	}
	r.cut(b, end)
}

// dropToLineEnd drops the rest of a line that was refused and counted before its end was read.
func (r *blockReader) dropToLineEnd(b *block) {
	end := bytes.IndexByte(b.text, '\n') + 1
	r.skip = end == 0
	if end == 0 {
		end = len(b.text)
	}
	b.text = b.text[:copy(b.text, b.text[end:])]
}

// firstRow takes the header line of a CSV file. It returns "" where the file is empty.
func (r *blockReader) firstRow() (string, error) {
	b := newBlock()
	ok, err := r.next(b)
	if err != nil || !ok {
		return "", err
	}
	if b.problem != nil {
		return "", refusedf("%w", b.lineError(b.firstLine, b.problem))
	}
	end := rowEnd(b.text, true)
	row := trimLineEnd(b.text[:end])
	r.line = b.firstLine + lineCount(b.text[:end])
	r.rest = append(append([]byte(nil), b.text[end:]...), r.rest...)
	return string(bytes.TrimPrefix(row, []byte(byteOrderMark))), nil
}

// byteOrderMark is what some programs put at the start of a UTF-8 file. It means nothing.
const byteOrderMark = "\ufeff"

func trimLineEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}
