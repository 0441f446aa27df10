package nudge

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// ValueKind is the type of a field's value. The numbers are stored in records: they never change.
type ValueKind uint8

// The kinds of values. JSON is an array kept as its text: rules see that it is there and nothing else.
const (
	Missing ValueKind = iota
	Null
	Text
	Number
	Bool
	JSON
)

// Value is one field's value. Text of a decoded record points into the record: copy what must outlive the batch.
type Value struct {
	Kind ValueKind
	Num  float64 // Number; Bool as 0 or 1
	Text string  // Text, JSON
}

// TextValue, NumberValue and BoolValue make values.
func TextValue(s string) Value    { return Value{Kind: Text, Text: s} }
func NumberValue(f float64) Value { return Value{Kind: Number, Num: f} }
func BoolValue(b bool) Value {
	if b {
		return Value{Kind: Bool, Num: 1}
	}
	return Value{Kind: Bool}
}

// Present says whether there is a value: neither missing nor null.
func (v Value) Present() bool { return v.Kind > Null }

// KeyText is v as a key's text: text as it is, a whole number in digits; "" where v identifies nothing.
func (v Value) KeyText() string {
	switch {
	case v.Kind == Text:
		return v.Text
	case v.Kind == Number && v.Num == math.Trunc(v.Num) && math.Abs(v.Num) < 1<<53:
		return strconv.FormatInt(int64(v.Num), 10)
	}
	return ""
}

// AppendJSON appends v as JSON; missing is null. Numbers are in the shortest form that reads back the same.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.Kind {
	case Text:
		return AppendJSONString(dst, v.Text)
	case Number:
		return AppendJSONNumber(dst, v.Num)
	case Bool:
		return strconv.AppendBool(dst, v.Num != 0)
	case JSON:
		b := bytes.NewBuffer(dst)
		json.HTMLEscape(b, []byte(v.Text))
		return b.Bytes()
	}
	return append(dst, "null"...)
}

// AppendJSONNumber appends f in the shortest form that reads back the same; what JSON has no form for is null.
func AppendJSONNumber(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

// AppendJSONString appends s as a JSON string. What is not UTF-8 becomes U+FFFD; "<", ">" and "&" are escaped, so that a
// page may embed the result.
func AppendJSONString(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			b, _ := json.Marshal(s) // a string always marshals
			return append(dst, b...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
