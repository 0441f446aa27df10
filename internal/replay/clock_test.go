package replay

import (
	"errors"
	"testing"

	"nudge"
)

func TestClock(t *testing.T) {
	const none = nudge.Millis(-1) // the line does not have it
	for _, tt := range []struct {
		name  string
		lines [][2]nudge.Millis // at, ts
		want  []nudge.Millis    // none: refused
	}{
		{"ts moves the clock", [][2]nudge.Millis{{none, 5}, {none, 9}}, []nudge.Millis{5, 9}},
		{"never back", [][2]nudge.Millis{{none, 9}, {none, 5}, {none, 10}}, []nudge.Millis{9, 9, 10}},
		{"own at wins over a larger ts", [][2]nudge.Millis{{7, 100}}, []nudge.Millis{7}},
		{"own at does not go back either", [][2]nudge.Millis{{7, none}, {3, 100}}, []nudge.Millis{7, 7}},
		{"without both: the clock", [][2]nudge.Millis{{none, 4}, {none, none}}, []nudge.Millis{4, 4}},
		{"without both before the start: refused", [][2]nudge.Millis{{none, none}, {none, 4}}, []nudge.Millis{none, 4}},
		{"a refused line does not start the clock", [][2]nudge.Millis{{none, none}, {none, none}}, []nudge.Millis{none, none}},
		{"before 1970", [][2]nudge.Millis{{-70, none}, {-80, none}}, []nudge.Millis{-70, -70}},
		{"an instant of 0 is an instant", [][2]nudge.Millis{{0, none}, {none, none}}, []nudge.Millis{0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c clock
			for i, line := range tt.lines {
				got, err := c.stamp(line[0], line[0] != none, line[1], line[1] != none)
				if refused := errors.Is(err, errNoClock); refused != (tt.want[i] == none) {
					t.Fatalf("line %d: error %v", i, err)
				} else if !refused && got != tt.want[i] {
					t.Fatalf("line %d: at %d, want %d", i, got, tt.want[i])
				}
			}
		})
	}
}
