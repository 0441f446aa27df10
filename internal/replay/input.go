package replay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// An input is one file of a replay, unpacked as its name says.
type input struct {
	name string
	io.Reader
	close func() error
}

const (
	stdinName = "stdin"

	// readBuffer is how much of a file is read at once, before unpacking.
	readBuffer = 256 << 10
)

// openInput opens a file, or standard input where path is "". Bytes read from it, still packed, are counted into read.
func openInput(path string, stdin io.Reader, read *atomic.Int64) (*input, error) {
	if path == "" {
		return &input{stdinName, &countingReader{stdin, read}, func() error { return nil }}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, misusef("%s is a folder; replay reads files", path)
	}
	packed := bufio.NewReaderSize(&countingReader{f, read}, readBuffer)
	switch {
	case strings.HasSuffix(path, ".gz"):
		z, err := gzip.NewReader(packed)
		if err != nil {
			f.Close()
			return nil, unpackError(path, err)
		}
		return &input{path, z, func() error { return errors.Join(z.Close(), f.Close()) }}, nil
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewReader(packed)
		if err != nil {
			f.Close()
			return nil, unpackError(path, err)
		}
		return &input{path, z, func() error { z.Close(); return f.Close() }}, nil
	}
	return &input{path, packed, f.Close}, nil
}

// unpackError names the file in an error of reading it. A packed file that is cut short or broken is the giver's fault; a disk is not.
func unpackError(name string, err error) error {
	var disk *os.PathError
	if errors.As(err, &disk) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return refusedf("%s: the packed file is cut short", name)
	}
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, zstd.ErrMagicMismatch) {
		return refusedf("%s: is not packed as its name says; drop the ending if it is not packed at all", name)
	}
	return refusedf("%s: unpack: %w", name, err)
}

// PackedSize is the size of all files, 0 where it is not known.
func PackedSize(paths []string) (total int64) {
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil || !info.Mode().IsRegular() {
			return 0
		}
		total += info.Size()
	}
	return total
}

type countingReader struct {
	r    io.Reader
	read *atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// lineError is why a line is refused.
type lineError struct {
	file string
	line uint64 // in the file, from 1
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.file, e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }
