package replay

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"nudge"
	"nudge/rules"
)

// The way of a line through a replay: one goroutine unpacks and cuts the files into blocks of whole lines, some decode blocks into
// records, and the caller's applies the blocks in the order in which they were cut. Only that order decides answers (I2).

const (
	// maxDecoders bounds the goroutines that decode. The engine needs the other cores.
	maxDecoders = 4

	// blocksAhead bounds the blocks between the reader and the engine (I8).
	blocksAhead = 2 * maxDecoders
)

// source reads the files of a replay and hands out decoded blocks in order.
type source struct {
	paths   []string
	stdin   io.Reader
	mapping Mapping
	names   *nudge.Names
	plan    *rules.Plan

	read *atomic.Int64 // bytes, still packed

	free    chan *block // to be used again
	decode  chan *block
	ordered chan *block
	stop    context.CancelFunc
	wg      sync.WaitGroup
	err     error // of the reader; valid after ordered is closed
}

// start starts the goroutines. Whoever starts them calls close.
func (s *source) start(ctx context.Context, decoders int) {
	ctx, s.stop = context.WithCancel(ctx)
	s.free = make(chan *block, 2*blocksAhead)
	s.decode = make(chan *block, blocksAhead)
	s.ordered = make(chan *block, blocksAhead)
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		defer close(s.ordered)
		defer close(s.decode)
		s.err = s.readAll(ctx)
	}()
	for range min(decoders, maxDecoders) {
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			d := newDecoder(s.plan, s.names)
			for b := range s.decode {
				d.decode(b)
				close(b.done)
			}
		}()
	}
}

// next returns the next block, decoded, or nil at the end or after an error.
func (s *source) next(ctx context.Context) (*block, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case b, ok := <-s.ordered:
		if !ok {
			return nil, s.err
		}
		<-b.done
		return b, nil
	}
}

// release gives a block back whose records are not needed any more.
func (s *source) release(b *block) {
	select {
	case s.free <- b:
	default:
	}
}

// close ends the goroutines and waits for them. Only a reader of standard input is left behind: it may wait for ever, nothing can wake
// it, and the process ends next.
func (s *source) close() {
	s.stop()
	if len(s.paths) == 0 {
		return
	}
	for range s.ordered { // until the reader is gone
	}
	s.wg.Wait()
}

// readAll cuts all files into blocks.
func (s *source) readAll(ctx context.Context) error {
	paths := s.paths
	if len(paths) == 0 {
		paths = []string{""}
	}
	line := uint64(1)
	for _, path := range paths {
		next, err := s.readFile(ctx, path, line)
		if err != nil {
			return err
		}
		line = next
	}
	return nil
}

// readFile cuts one file into blocks. first is the number of its first line; it returns that of the first line behind it.
func (s *source) readFile(ctx context.Context, path string, first uint64) (next uint64, err error) {
	in, err := openInput(path, s.stdin, s.read)
	if err != nil {
		return 0, err
	}
	defer in.close()
	r := &blockReader{in: in, line: first, before: first - 1}
	if s.mapping.given() {
		r.quotes = true
		if r.header, err = s.header(r); err != nil {
			return 0, err
		}
	}
	for {
		var b *block
		select {
		case b = <-s.free:
		default:
			b = newBlock()
		}
		ok, err := r.next(b)
		if err != nil || !ok {
			return r.line, err
		}
		b.done = make(chan struct{})
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case s.ordered <- b: // first, so that what is decoded is also waited for
		}
		s.decode <- b
	}
}

func (s *source) header(r *blockReader) (*csvHeader, error) {
	row, err := r.firstRow()
	if err != nil {
		return nil, err
	}
	if row == "" {
		return nil, refusedf("%s has no header line: the first line of a CSV file names its columns", r.in.name)
	}
	return s.mapping.resolve(r.in.name, row)
}
