package ingest

import (
	"strconv"

	"github.com/valyala/fastjson"

	"nudge"
)

// jsonMembers takes the members of an object. prefix is what stands before their names in what the sender wrote; the dotted name of the
// object is in c.draft.path. depth is how many levels may still open below.
func (c *Codec) jsonMembers(o *fastjson.Object, r rank, prefix string, depth int) *Error {
	var err *Error
	o.Visit(func(key []byte, v *fastjson.Value) {
		if err == nil {
			err = c.jsonMember(r, view(key), v, prefix, depth)
		}
	})
	return err
}

func (c *Codec) jsonMember(r rank, key string, v *fastjson.Value, prefix string, depth int) *Error {
	isObject := v.Type() == fastjson.TypeObject
	name, outer, err := c.enter(key, prefix, isObject)
	if err != nil {
		return err
	}
	at := where{prefix, name}
	if isObject {
		if err = c.object(r, name, at, outer, depth); err == nil {
			err = c.jsonMembers(v.GetObject(), r, prefix, depth-1)
		}
	} else {
		var val nudge.Value
		if val, err = c.jsonValue(v, at, depth); err == nil {
			err = c.member(r, name, val, at)
		}
	}
	c.leave(outer)
	return err
}

// jsonValue reads what is not an object.
func (c *Codec) jsonValue(v *fastjson.Value, at where, depth int) (nudge.Value, *Error) {
	switch v.Type() {
	case fastjson.TypeString:
		return nudge.TextValue(view(v.GetStringBytes())), nil
	case fastjson.TypeNumber:
		return numberValue(view(c.marshal(v)), at)
	case fastjson.TypeTrue:
		return nudge.BoolValue(true), nil
	case fastjson.TypeFalse:
		return nudge.BoolValue(false), nil
	case fastjson.TypeArray:
		text := c.marshal(v)
		if jsonDepth(text) > depth {
			return nudge.Value{}, tooDeep(at)
		}
		return nudge.Value{Kind: nudge.JSON, Text: view(text)}, nil
	case fastjson.TypeNull:
		return nudge.Value{Kind: nudge.Null}, nil
	}
	return nudge.Value{}, nil // an object, whose kind is none of ours: whoever wants a value refuses it
}

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

// marshal is v's JSON text, in the arena. Nothing below v may have been looked at: the parser would then write strings as Go does.
func (c *Codec) marshal(v *fastjson.Value) []byte {
	start := len(c.draft.arena)
	c.draft.arena = v.MarshalTo(c.draft.arena)
	return c.draft.arena[start:]
}

func tooDeep(at where) *Error {
	return refuse(CodeTooDeep, at, "nests more than %d levels deep", MaxDepth)
}

func jsonKind(v *fastjson.Value) string {
	switch v.Type() {
	case fastjson.TypeString:
		return "text"
	case fastjson.TypeNumber:
		return "a number"
	case fastjson.TypeArray:
		return "an array"
	case fastjson.TypeNull:
		return "null"
	case fastjson.TypeObject:
		return "an object"
	}
	return "a bool"
}
