package bench

import "fmt"

// Unit says what a figure is and so how it is written for people. JSON has the bare number.
type Unit int

// The units.
const (
	PerSecond Unit = iota // written 1234, 12.3 k or 1.23 M
	Micros                // written in µs, ms or s
	Bytes                 // written in B, KiB or MiB
	Count
	Times // a ratio
	Share // of a whole; written in %
)

// scale is a way of writing a value: divided, with so many digits behind the point, and what follows it.
type scale struct {
	by     float64
	digits int
	suffix string
}

// scale is the way in which a value of that size is read best.
func (u Unit) scale(v float64) scale {
	switch u {
	case PerSecond:
		switch {
		case v >= 999_500:
			return scale{1e6, 2, " M"}
		case v >= 9_999.5:
			return scale{1e3, 1, " k"}
		}
		return scale{1, 0, ""}
	case Micros:
		switch {
		case v >= 999_500:
			return scale{1e6, 2, " s"}
		case v >= 999.5:
			return scale{1e3, 2, " ms"}
		}
		return scale{1, 0, " µs"}
	case Bytes:
		switch {
		case v >= 10<<20:
			return scale{1 << 20, 0, " MiB"}
		case v >= 10<<10:
			return scale{1 << 10, 0, " KiB"}
		}
		return scale{1, 0, " B"}
	case Times:
		return scale{1, 2, " ×"}
	case Share:
		return scale{0.01, 1, " %"}
	}
	switch {
	case v == float64(int64(v)) || v >= 100:
		return scale{1, 0, ""}
	case v >= 10:
		return scale{1, 1, ""}
	}
	return scale{1, 3, ""}
}

// text writes a bare number.
func (s scale) text(v float64) string { return fmt.Sprintf("%.*f", s.digits, v/s.by) }

// text writes a value of the unit.
func (u Unit) text(v float64) string {
	s := u.scale(v)
	return s.text(v) + s.suffix
}

// String is the median, and the least and the most where they read differently, all on the median's scale.
func (s Spread) String() string {
	sc := s.Unit.scale(s.Median)
	median, least, most := sc.text(s.Median), sc.text(s.Min), sc.text(s.Max)
	if least == most {
		return median + sc.suffix
	}
	return fmt.Sprintf("%s (%s – %s)%s", median, least, most, sc.suffix)
}
