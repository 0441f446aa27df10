package state

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"nudge"
)

// Entries whose checksums are all right, but that do not belong where they stand, stop the log too.
func TestLogMisfits(t *testing.T) {
	fm, o, want := makeFiles(t, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	acked := want[len(want)-1].First
	m, err := parseManifest(fm[manifestName])
	if err != nil {
		t.Fatal(err)
	}
	active, sealedName := segmentName(m.active), segmentName(1)
	for _, c := range []struct {
		what, file string
		change     func(b []byte, h *entryHeader)
		want       string
	}{
		{"a gap", active, func(_ []byte, h *entryHeader) { h.first++ }, "records are missing or doubled"},
		{"doubled", active, func(_ []byte, h *entryHeader) { h.first-- }, "records are missing or doubled"},
		{"a gap in a sealed segment", sealedName, func(_ []byte, h *entryHeader) { h.first++ }, "records are missing or doubled"},
		{"time goes back", active, func(_ []byte, h *entryHeader) { h.at = 1 }, "log time goes back"},
		{"another chain", active, func(_ []byte, h *entryHeader) { h.prev++ }, "do not chain"},
		{"no records", active, func(_ []byte, h *entryHeader) { h.count = 0 }, "says 0 records"},
		{"an absurd length", active, func(_ []byte, h *entryHeader) { h.stored = maxPayloadBytes + 1 }, "which is not possible"},
		{"a later version", active, func(b []byte, _ *entryHeader) { b[4] = entryVersion + 1 }, "the entry's version is 2, this build reads 1"},
		{"an unknown flag", active, func(_ []byte, h *entryHeader) { h.flags |= 0x80 }, "flags 0x8"},
		{"an unknown codec", active, func(_ []byte, h *entryHeader) { h.codec = 9 }, "codec is 9"},
		{"a record too many", active, func(_ []byte, h *entryHeader) { h.count++ }, "a record is cut off"},
		{"a wrong length", active, func(_ []byte, h *entryHeader) { h.plain++ }, "left behind the last record, and 1 that it should have taken"},
		{"another last entry than was sealed", sealedName, func(_ []byte, h *entryHeader) { h.at++ }, "the segment should end at byte"},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := append([]byte(nil), fm[c.file]...)
			changeLastEntry(t, b, c.change)
			_, opened, read, confirmed := outcome(t, fm.put(t, c.file, b), o, acked)
			err := errors.Join(opened, read, confirmed)
			var damage *Damage
			if !errors.As(err, &damage) || !strings.Contains(err.Error(), c.want) || !strings.HasSuffix(damage.File, c.file) {
				t.Fatalf("got %v, want a Damage of %s with %q", err, c.file, c.want)
			}
		})
	}
}

// changeLastEntry changes the header of the segment's last entry and gives it a right checksum again.
func changeLastEntry(t *testing.T, b []byte, change func(b []byte, h *entryHeader)) {
	t.Helper()
	sh, problem := parseSegmentHeader(b)
	if problem != "" {
		t.Fatal(problem)
	}
	last := segmentHeaderBytes
	for pos := last; ; {
		h, _, ok := parseEntryHeader(b[pos:], sh.salt)
		if !ok {
			break
		}
		last = pos
		pos += int(h.size())
	}
	if last == segmentHeaderBytes {
		t.Fatal("the segment holds one entry: the test does not test")
	}
	h := readEntryHeader(b[last:])
	change(b[last:], &h)
	version := b[last+4]
	h.put(b[last:], sh.salt)
	if version != entryVersion { // put writes this build's
		b[last+4] = version
		binary.LittleEndian.PutUint32(b[last+44:], crc32.Update(sh.salt, castagnoli, b[last:last+44]))
	}
}

// A name that is used before it is defined, or defined wrongly, is damage.
func TestLogNamesMisfit(t *testing.T) {
	names := nudge.NewNames()
	var w nameWriter
	w.init(names)
	id, _ := names.Intern("price")
	w.reset(nil)
	if seg := w.toSegment(id); seg != nudge.FirstFreeName {
		t.Fatalf("segment id %d", seg)
	}
	good := w.appendDefinitions(nil)
	for what, b := range map[string][]byte{
		"empty":          {},
		"wrong first":    append([]byte{65}, good[1:]...),
		"cut":            good[:len(good)-1],
		"endless":        {64, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 'a'},
		"empty name":     {64, 1, 0},
		"long name":      append([]byte{64, 1, 0x81, 0x02}, make([]byte, 257)...),
		"no number":      {0x80},
		"no count":       {64, 0x80},
		"no length":      {64, 1, 0x80},
		"length too big": {64, 1, 9, 'a'},
	} {
		var r nameReader
		r.init(nudge.NewNames())
		if _, err := r.define(b); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	var r nameReader
	r.init(nudge.NewNames())
	if rest, err := r.define(append(good, 7)); err != nil || len(rest) != 1 {
		t.Fatalf("%v, %v", rest, err)
	}
	if got := r.names.Text(r.toProcess(nudge.FirstFreeName)); got != "price" || r.err != nil {
		t.Fatalf("%q, %v", got, r.err)
	}
	if r.toProcess(nudge.FirstFreeName + 1); r.err == nil || !strings.Contains(r.err.Error(), "name id 65 is used before it is defined") {
		t.Fatal(r.err)
	}
}
