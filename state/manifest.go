package state

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// sealed is a segment that is never appended to again. It may be rewritten as a whole: then it keeps its offsets and its times.
type sealed struct {
	segmentID
	first, last nudge.Offset
	since, at   nudge.Millis // log times of its first and last entry
	bytes       int64        // header and entries; behind them are only zeros
	final       uint32       // header checksum of its last entry
	chain       uint32       // final as it was when the next segment was begun, which names it. They differ once the segment was rewritten
}

// voidNote says that a record was made a void by hand, and when.
type voidNote struct {
	off nudge.Offset
	at  nudge.Millis
}

// manifest lists the sealed segments, oldest first, the records among them that were made voids by hand, and the segment that is appended to.
//
// It is text, so that it can be read by a person in trouble:
//
//	nudge log manifest 2
//	sealed 1 rewritten 0 first 1 last 900 since 1764000000000 at 1764000000123 bytes 65012 final 0badcafe chain 0badcafe
//	void 17 at 1764000300000
//	active 2
//	crc 1234abcd
//
// The last line is the CRC32C of the lines before it. Version 1 knew neither voids nor rewritten segments, nor the time of the first entry.
type manifest struct {
	sealed []sealed
	voids  []voidNote // ascending by offset
	active uint64
}

const (
	manifestName    = "manifest"
	manifestTmpName = "manifest.tmp"
	manifestVersion = 2

	manifestHead     = "nudge log manifest %d\n"
	manifestSealed1  = "sealed %d first %d last %d at %d bytes %d final %08x chain %08x\n"
	manifestSealed   = "sealed %d rewritten %d first %d last %d since %d at %d bytes %d final %08x chain %08x\n"
	manifestVoid     = "void %d at %d\n"
	manifestActive   = "active %d\n"
	manifestChecksum = "crc %08x\n"
)

func (m *manifest) encode() []byte { return m.encodeAs(manifestVersion) }

func (m *manifest) encodeAs(version int) []byte {
	b := fmt.Appendf(nil, manifestHead, version)
	for _, s := range m.sealed {
		if version == 1 {
			b = fmt.Appendf(b, manifestSealed1, s.number, s.first, s.last, s.at, s.bytes, s.final, s.chain)
		} else {
			b = fmt.Appendf(b, manifestSealed, s.number, s.generation, s.first, s.last, s.since, s.at, s.bytes, s.final, s.chain)
		}
	}
	for _, v := range m.voids {
		b = fmt.Appendf(b, manifestVoid, v.off, v.at)
	}
	b = fmt.Appendf(b, manifestActive, m.active)
	return fmt.Appendf(b, manifestChecksum, crc32.Checksum(b, castagnoli))
}

var errManifest = errors.New("the manifest is not what was written: its checksum or its form is wrong")

func parseManifest(b []byte) (manifest, error) {
	var m manifest
	var version int
	if n, _ := fmt.Sscanf(string(b[:min(len(b), 64)]), manifestHead, &version); n != 1 || version < 1 || version > manifestVersion {
		return m, fmt.Errorf("this is not a manifest that this build reads: its first line is not \"nudge log manifest %d\" or an older version's", manifestVersion)
	}
	for line := range bytes.Lines(b) {
		m.parseLine(string(line), version)
	}
	// There is one way to write a manifest, so comparing proves the checksum and the form of every line.
	if !bytes.Equal(m.encodeAs(version), b) {
		return m, errManifest
	}
	return m, m.check()
}

// parseLine takes a line of a segment, a void or the active segment; what is left out of others shows when they are compared.
func (m *manifest) parseLine(line string, version int) {
	var s sealed
	var v voidNote
	if version == 1 {
		if n, _ := fmt.Sscanf(line, manifestSealed1, &s.number, &s.first, &s.last, &s.at, &s.bytes, &s.final, &s.chain); n == 7 {
			s.since = s.at
			if n := len(m.sealed); n > 0 {
				s.since = m.sealed[n-1].at // at most what it really is
			}
			m.sealed = append(m.sealed, s)
		}
	} else if n, _ := fmt.Sscanf(line, manifestSealed, &s.number, &s.generation, &s.first, &s.last, &s.since, &s.at, &s.bytes, &s.final, &s.chain); n == 9 {
		m.sealed = append(m.sealed, s)
	} else if n, _ := fmt.Sscanf(line, manifestVoid, &v.off, &v.at); n == 2 {
		m.voids = append(m.voids, v)
	}
	fmt.Sscanf(line, manifestActive, &m.active)
}

// check makes sure that the segments continue each other.
func (m *manifest) check() error {
	if m.active == 0 {
		return errors.New("the manifest names no active segment")
	}
	for i, s := range m.sealed {
		next := m.active
		if i+1 < len(m.sealed) {
			next = m.sealed[i+1].number
			if m.sealed[i+1].first != s.last+1 {
				return fmt.Errorf("the manifest has a gap behind offset %d", s.last)
			}
		}
		if s.number+1 != next || s.last < s.first {
			return fmt.Errorf("the manifest's line of segment %d does not fit its neighbours", s.number)
		}
	}
	for i, v := range m.voids {
		if m.find(v.off) == nil || i > 0 && v.off <= m.voids[i-1].off {
			return fmt.Errorf("the manifest's line of the void at offset %d does not fit the others", v.off)
		}
	}
	return nil
}

// note puts a note among the others; nil is none.
func (m *manifest) note(v *voidNote) {
	if v == nil {
		return
	}
	i := sort.Search(len(m.voids), func(i int) bool { return m.voids[i].off >= v.off })
	m.voids = slices.Insert(m.voids, i, *v)
}

// find returns the sealed segment that holds an offset, nil if there is none.
func (m *manifest) find(off nudge.Offset) *sealed {
	i := sort.Search(len(m.sealed), func(i int) bool { return m.sealed[i].last >= off })
	if i == len(m.sealed) || m.sealed[i].first > off {
		return nil
	}
	return &m.sealed[i]
}

// clone is a copy that may be changed while others read m.
func (m *manifest) clone() manifest {
	return manifest{active: m.active, sealed: slices.Clone(m.sealed), voids: slices.Clone(m.voids)}
}

// seal puts the active segment, which ends at the given place, on the list.
func (m *manifest) seal(s segment, at end) {
	m.sealed = append(m.sealed, sealed{
		segmentID: segmentID{number: s.header.number}, first: s.header.first, last: at.next - 1, since: s.since, at: at.at,
		bytes: at.pos, final: at.crc, chain: at.crc,
	})
	m.active = s.header.number + 1
}

// dropOldest takes the n oldest segments off the list, and what is noted of them.
func (m *manifest) dropOldest(n int) {
	if n == 0 {
		return
	}
	last := m.sealed[n-1].last
	m.sealed = m.sealed[n:]
	m.voids = slices.DeleteFunc(m.voids, func(v voidNote) bool { return v.off <= last })
}

// oldest is the first segment that is held.
func (m *manifest) oldest() segmentID {
	if len(m.sealed) > 0 {
		return m.sealed[0].segmentID
	}
	return segmentID{number: m.active}
}

// write replaces the manifest of dir: a crash leaves the old one or the new one. After a nudge.ErrFull the old one stands.
func (m *manifest) write(fs vfs.FS, dir string) error {
	return replaceFile(fs, dir, manifestName, manifestTmpName, m.encode())
}

// readManifest returns nil if there is none.
func readManifest(fs vfs.FS, dir string) (*manifest, error) {
	path := fs.PathJoin(dir, manifestName)
	b, err := readFile(fs, path)
	if errors.Is(err, errNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(b)
	if err != nil {
		return nil, &Damage{File: path, What: err.Error()}
	}
	return &m, nil
}
