package nudge

import "errors"

// Entry is one entry of the log: the records of one micro-batch, which share one log time and one sync.
type Entry struct {
	First   Offset // offset of the first record; the others follow without a gap
	At      Millis // log time of all of them
	Count   int    // number of records
	Records []byte // the records back to back; valid until the reader's callback returns
}

// Errors that one part answers and another must tell apart.
var (
	// ErrBusy: a queue is at its bound (I8). The caller slows down; nothing was taken.
	ErrBusy = errors.New("the engine is at its bound")
	// ErrStopped: the engine is shutting down or has stopped. Whether what was handed in is durable is not known.
	ErrStopped = errors.New("the engine has stopped")
	// ErrFull: the disk has no room. Nothing was taken; the same may be tried again once there is some.
	ErrFull = errors.New("the disk is full")
)
