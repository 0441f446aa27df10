package replay

import (
	"fmt"
	"strings"
)

// Misuse is an error of how a replay was asked for. What is neither this nor Refused is the environment's fault.
type Misuse struct{ err error }

func (e *Misuse) Error() string { return e.err.Error() }
func (e *Misuse) Unwrap() error { return e.err }

// Refused is an error of what a file holds.
type Refused struct{ err error }

func (e *Refused) Error() string { return e.err.Error() }
func (e *Refused) Unwrap() error { return e.err }

func misusef(format string, args ...any) error  { return &Misuse{fmt.Errorf(format, args...)} }
func refusedf(format string, args ...any) error { return &Refused{fmt.Errorf(format, args...)} }

// NoColumn says that a mapping names a column that a file's header line lacks.
type NoColumn struct {
	File, Field, Column string
	Columns             []string // that there are
}

func (e *NoColumn) Error() string {
	return e.Lack() + "; its columns are " + strings.Join(e.Columns, ", ")
}

// Lack is the error without the list of the columns.
func (e *NoColumn) Lack() string {
	return fmt.Sprintf("%s has no column %q (--map %s=%s)", e.File, e.Column, e.Field, e.Column)
}
