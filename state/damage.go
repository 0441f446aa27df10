package state

import (
	"fmt"

	"nudge"
)

// Damage is a place of the log that no crash explains (I7): a bad checksum, a gap, a missing segment, a stored offset beyond the end. The log
// is never read past it.
type Damage struct {
	File   string       // path of the file
	Pos    int64        // byte position in it
	Offset nudge.Offset // offset of the record that is expected there
	What   string       // what is wrong
}

// StoreDamage is a file of the store, or its folder, that does not hold what was written.
type StoreDamage struct {
	File    string // path
	Err     error  // what is wrong, in Pebble's words, with the place in the file
	FromLog string // the store's folder, where its contents can be made anew from the log; "" where they cannot
}

func (d *StoreDamage) Error() string {
	what := "Bring the whole data folder back from a copy"
	if d.FromLog != "" {
		what = "The log reaches back to the first record: move the folder " + d.FromLog + " away, and the state is made anew from the log"
	}
	return fmt.Sprintf("%s is damaged: %v. %s", d.File, d.Err, what)
}

func (d *StoreDamage) Unwrap() error { return d.Err }

func (d *Damage) Error() string {
	return fmt.Sprintf("log file %s is damaged at byte %d, offset %d: %s. Nothing was changed. "+
		"Bring this file, or the whole data folder, back from a copy; to begin anew without this history, move the data folder away",
		d.File, d.Pos, d.Offset, d.What)
}
