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

func (d *Damage) Error() string {
	return fmt.Sprintf("log file %s is damaged at byte %d, offset %d: %s. Nothing was changed. "+
		"Bring this file, or the whole data folder, back from a copy; to begin anew without this history, move the data folder away",
		d.File, d.Pos, d.Offset, d.What)
}
