package ingest

import (
	"strconv"

	"nudge"
)

// numberValue is the number that digits write. They stay beside it as text.
func numberValue(digits string, at where) (nudge.Value, *Error) {
	f, err := parseNumber(digits)
	if err != nil {
		return nudge.Value{}, refuse(CodeBadValue, at, "is %s, which no number of 64 bits holds", clip(digits, 40))
	}
	return nudge.Value{Kind: nudge.Number, Num: f, Text: digits}, nil
}

// maxWholeDigits is how many digits a whole number has at most that a float holds whatever they are.
const maxWholeDigits = 15

// parseNumber is the number that JSON text writes. Most are whole, and short.
func parseNumber(text string) (float64, error) {
	if len(text) > maxWholeDigits {
		return strconv.ParseFloat(text, 64)
	}
	n := int64(0)
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return strconv.ParseFloat(text, 64)
		}
		n = 10*n + int64(text[i]-'0')
	}
	return float64(n), nil
}

// unheldNumber is the first number in well-formed JSON text that is larger than any of 64 bits, nil if there is none. An array's text is kept as it stands, and
// most that read what rules make of it refuse such a number, and with it all that stands beside it: a whole page of alerts.
func unheldNumber(text []byte) []byte {
	for s := (scanner{b: text}); s.pos < len(text); {
		switch c := text[s.pos]; {
		case c == '"':
			s.skip()
		case c == '-' || c >= '0' && c <= '9':
			start := s.pos
			s.skip()
			if _, err := parseNumber(view(text[start:s.pos])); err != nil {
				return text[start:s.pos]
			}
		default:
			s.pos++
		}
	}
	return nil
}

func tooDeep(at where) *Error {
	return refuse(CodeTooDeep, at, "nests more than %d levels deep", MaxDepth)
}
