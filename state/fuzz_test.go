package state

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// FuzzEntryDecode: whatever a payload holds, decoding it gives records that are well formed, or an error.
func FuzzEntryDecode(f *testing.F) {
	var c encoder
	b := builder{names: nudge.NewNames()}
	c.names.init(b.names)
	c.names.reset(nil)
	for _, n := range []int{1, 1, 40} {
		bytes, h, err := c.encode(b.entry(f, 1, 1, n), 0, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes[entryHeaderBytes:len(bytes)-1], h.flags, h.codec, h.plain, n)
		c.names.begin()
	}
	f.Fuzz(func(t *testing.T, stored []byte, flags, codec byte, plain uint32, count int) {
		if plain > 1<<20 {
			return // only costs memory
		}
		var d decoder
		names := nudge.NewNames()
		d.names.init(names)
		h := entryHeader{flags: flags, codec: codec, first: 1, count: uint32(count), stored: uint32(len(stored)), plain: plain}
		if e, err := d.decode(h, stored); err == nil {
			factOf(t, names, e)
		}
	})
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
