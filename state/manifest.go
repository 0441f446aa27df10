package state

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// sealed is a segment that is never appended to again.
type sealed struct {
	number      uint64
	first, last nudge.Offset
	at          nudge.Millis // log time of its last entry
	bytes       int64        // header and entries; behind them are only zeros
	final       uint32       // header checksum of its last entry
	chain       uint32       // final as it was when the next segment was begun, which names it. They differ once the segment was rewritten
}

// manifest lists the sealed segments, oldest first, and the one that is appended to.
//
// It is text, so that it can be read by a person in trouble:
//
//	nudge log manifest 1
//	sealed 1 first 1 last 900 at 1764000000123 bytes 65012 final 0badcafe chain 0badcafe
//	active 2
//	crc 1234abcd
//
// The last line is the CRC32C of the lines before it.
type manifest struct {
	sealed []sealed
	active uint64
}

const (
	manifestName    = "manifest"
	manifestTmpName = "manifest.tmp"

	manifestHead   = "nudge log manifest 1\n"
	manifestSealed = "sealed %d first %d last %d at %d bytes %d final %08x chain %08x\n"
	manifestActive = "active %d\n"
	manifestCRC    = "crc %08x\n"
)

func (m *manifest) encode() []byte {
	b := []byte(manifestHead)
	for _, s := range m.sealed {
		b = fmt.Appendf(b, manifestSealed, s.number, s.first, s.last, s.at, s.bytes, s.final, s.chain)
	}
	b = fmt.Appendf(b, manifestActive, m.active)
	return fmt.Appendf(b, manifestCRC, crc32.Checksum(b, castagnoli))
}

var errManifest = errors.New("the manifest is not what was written: its checksum or its form is wrong")

func parseManifest(b []byte) (manifest, error) {
	var m manifest
	if !bytes.HasPrefix(b, []byte(manifestHead)) {
		return m, errors.New("this is not a manifest that this build reads: its first line is not \"nudge log manifest 1\"")
	}
	for line := range bytes.Lines(b[len(manifestHead):]) {
		var s sealed
		if n, _ := fmt.Sscanf(string(line), manifestSealed, &s.number, &s.first, &s.last, &s.at, &s.bytes, &s.final, &s.chain); n == 7 {
			m.sealed = append(m.sealed, s)
			continue
		}
		fmt.Sscanf(string(line), manifestActive, &m.active)
	}
	// There is one way to write a manifest, so comparing proves the checksum and the form of every line.
	if !bytes.Equal(m.encode(), b) {
		return m, errManifest
	}
	return m, m.check()
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
	return nil
}

// oldest is the number of the first segment that is held.
func (m *manifest) oldest() uint64 {
	if len(m.sealed) > 0 {
		return m.sealed[0].number
	}
	return m.active
}

// write replaces the manifest of dir: a crash leaves the old one or the new one. After a nudge.ErrFull the old one stands.
func (m *manifest) write(fs vfs.FS, dir string) error {
	tmp := fs.PathJoin(dir, manifestTmpName)
	f, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return full(err)
	}
	_, err = f.Write(m.encode())
	if err = full(err); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(tmp, fs.PathJoin(dir, manifestName)); err != nil {
		return full(err)
	}
	return syncDir(fs, dir)
}

// readManifest returns nil if there is none.
func readManifest(fs vfs.FS, dir string) (*manifest, error) {
	path := fs.PathJoin(dir, manifestName)
	f, err := fs.Open(path)
	if errors.Is(err, errNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	m, err := parseManifest(b)
	if err != nil {
		return nil, &Damage{File: path, What: err.Error()}
	}
	return &m, nil
}
