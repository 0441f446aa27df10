package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// FuzzEntryDecode: whatever a payload holds, decoding it gives records that are well formed, or an error.
func FuzzEntryDecode(f *testing.F) {
	var c encoder
	b := builder{names: nudge.NewNames()}
	c.init(b.names)
	c.reset(nil, nil)
	add := func(bytes []byte, h entryHeader) { // for several entries there is no room on the stack of seeds' types
		f.Add(bytes[entryHeaderBytes:len(bytes)-1], h.flags, h.codec, h.plain, int(h.count))
	}
	for _, n := range []int{1, 1, 40} {
		e := b.entry(f, 1, 1, n)
		bytes, h, err := c.encode(e, 0, 0)
		if err != nil {
			f.Fatal(err)
		}
		add(bytes, h)
		if bytes, h, err = c.encodeFlat(entryHeader{first: 1, count: uint32(n)}, e.Records, 0); err != nil {
			f.Fatal(err)
		}
		add(bytes, h)
	}
	var blocks blockEncoder
	if err := blocks.init(b.names); err != nil {
		f.Fatal(err)
	}
	for first := nudge.Offset(1); first < 10; first += 3 {
		if ok, err := blocks.add(b.entry(f, first, nudge.Millis(first), 3)); err != nil || !ok {
			f.Fatal(ok, err)
		}
	}
	add(blocks.close(0, 0))
	f.Fuzz(func(t *testing.T, stored []byte, flags, codec byte, plain uint32, count int) {
		if n, _ := binary.Uvarint(stored); plain > 1<<20 || codec == codecPackedZstd && n > 1<<20 {
			return // only costs memory
		}
		var d decoder
		names := nudge.NewNames()
		d.init(names)
		h := entryHeader{flags: flags, codec: codec, first: 1, at: 1 << 20, count: uint32(count), stored: uint32(len(stored)), plain: plain}
		records, bytes := 0, 0
		for err := d.open(h, stored, 0); err == nil; {
			var e nudge.Entry
			ok, failed := d.entry(&e)
			if !ok && failed == nil && (records != int(h.count) || codec > codecFlatS2 && bytes != int(plain)) {
				t.Fatalf("%d records of %d bytes, the header says %d of %d", records, bytes, h.count, plain)
			}
			if err = failed; !ok {
				break
			}
			if err == nil {
				factOf(t, names, e)
				records += e.Count
				bytes += len(e.Records)
			}
		}
	})
}

// FuzzPack: what is packed comes back to the byte, whatever the records hold.
func FuzzPack(f *testing.F) {
	b := builder{names: nudge.NewNames()}
	f.Add(b.entry(f, 1, 1, 5).Records, int64(7))
	f.Add(nudge.AppendVoid(b.entry(f, 1, 1, 1).Records), int64(-1))
	f.Add(oddRecords(), int64(1)<<62)
	f.Fuzz(func(t *testing.T, buf []byte, at int64) {
		names := nudge.NewNames()
		for range 5 {
			names.Intern(fmt.Sprint("name", names.Len()))
		}
		records, count := wellFormed(buf, names)
		if count == 0 {
			return
		}
		e := nudge.Entry{First: 1, At: nudge.Millis(at), Count: count, Records: records}
		var c encoder
		c.init(names)
		c.reset(nil, nil)
		var d decoder
		d.init(names)
		for range 2 { // the second time all is defined
			bytes, h, err := c.encode(e, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.open(h, bytes[entryHeaderBytes:len(bytes)-1], h.at); err != nil {
				t.Fatal(err)
			}
			var back nudge.Entry
			ok, err := d.entry(&back)
			if err != nil || !ok || back.Count != count || !slices.Equal(back.Records, records) {
				t.Fatalf("%v: %d of %d records come back, or others", err, back.Count, count)
			}
		}
	})
}

// wellFormed is the well-formed records at the start of buf, with names that there are.
func wellFormed(buf []byte, names *nudge.Names) (records []byte, count int) {
	for len(buf) > 0 {
		rec, rest, err := nudge.NextRecord(buf)
		if err != nil {
			break
		}
		rec = slices.Clone(rec)
		rec.MapNames(func(id nudge.NameID) nudge.NameID {
			if id < nudge.FirstFreeName {
				return id
			}
			return nudge.FirstFreeName + id%nudge.NameID(names.Len()-int(nudge.FirstFreeName))
		})
		records, buf = append(records, rec...), rest
		count++
	}
	return records, count
}

// FuzzSegmentOpen: whatever a segment holds behind its header, opening it either refuses it as damaged, or gives a log that reads, goes on and
// opens again. The fuzzer's entries get right checksums, or it would never come past them.
func FuzzSegmentOpen(f *testing.F) {
	o := Options{SegmentBytes: 2048, spareInline: true}
	tl := openTest(f, vfs.NewMem(), o)
	tl.append(f, 1, 3, 1)
	fm := filesOf(f, tl.fs)
	segment := fm[segmentName(1)]
	used := bytes.TrimRight(segment[segmentHeaderBytes:], "\x00")
	f.Add(used, true)
	f.Add(used[:len(used)-7], true)
	f.Add(used[:len(used)-7], false)
	f.Add(append(bytes.Clone(used), 1, 2, 3), false)
	f.Add([]byte{}, false)
	sh, _ := parseSegmentHeader(segment)
	f.Fuzz(func(t *testing.T, entries []byte, repair bool) {
		b := append(bytes.Clone(segment[:segmentHeaderBytes]), entries...)
		if repair {
			repairEntries(b[segmentHeaderBytes:], sh)
		}
		fs := fm.put(t, segmentName(1), b)
		tl, err := tryOpen(t, fs, o)
		if err != nil {
			mustBeDamage(t, err)
			return
		}
		defer tl.closeQuietly()
		if tl.want, err = tl.read(t, 0); err != nil {
			mustBeDamage(t, err)
			return
		}
		if tl.Log.LastAt() > 1<<60 {
			return // there is no later time to append at
		}
		tl.append(t, 1, 40)
		tl.reopen(t)
		tl.check(t)
	})
}

func mustBeDamage(t *testing.T, err error) {
	t.Helper()
	var damage *Damage
	if !errors.As(err, &damage) {
		t.Fatalf("not a Damage: %v", err)
	}
}

// repairEntries gives the entries in b, as far as their lengths lead, right checksums.
func repairEntries(b []byte, sh segmentHeader) {
	prev := sh.crc
	for len(b) > entryHeaderBytes {
		h := readEntryHeader(b)
		if h.stored > uint32(len(b)-entryHeaderBytes-1) {
			return
		}
		end := entryHeaderBytes + int(h.stored)
		b[end] = endMark
		h.prev = prev
		h.payload = crc32.Checksum(b[entryHeaderBytes:end+1], castagnoli)
		h.put(b, sh.salt)
		prev = h.crc
		b = b[end+1:]
	}
}

// FuzzManifest: a manifest that is read is the one that was written.
func FuzzManifest(f *testing.F) {
	m := manifest{active: 3, sealed: []sealed{
		{segmentID: segmentID{number: 1}, first: 1, last: 7, since: 30, at: 70, bytes: 600, final: 1, chain: 1},
		{segmentID: segmentID{2, 5}, first: 8, last: 9, since: 80, at: 90, bytes: 500, final: 2, chain: 3},
	}}
	f.Add(m.encodeAs(1))
	m.voids = []voidNote{{3, 1000}, {9, 900}}
	f.Add(m.encode())
	f.Add((&manifest{active: 1}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, sum := range []bool{false, true} {
			if i := bytes.LastIndex(b, []byte("crc ")); sum && i >= 0 {
				b = fmt.Appendf(b[:i:i], manifestChecksum, crc32.Checksum(b[:i], castagnoli))
			}
			m, err := parseManifest(b)
			if err == nil && !bytes.Equal(m.encodeAs(1), b) && !bytes.Equal(m.encodeAs(2), b) {
				t.Fatalf("%q reads as %q", b, m.encode())
			}
			if err == nil {
				if again, err := parseManifest(m.encode()); err != nil || !bytes.Equal(again.encode(), m.encode()) {
					t.Fatalf("%q, written again: %v", b, err)
				}
			}
		}
	})
}
