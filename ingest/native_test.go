package ingest

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fastjson"

	"nudge"
)

// slowCodec reads native events through a parser, which shares nothing with native.go but what takes the members.
type slowCodec struct {
	*Codec
	parser *fastjson.Parser
}

func newSlowCodec(names *nudge.Names) slowCodec {
	return slowCodec{NewCodec(CodecOptions{Names: names}), &fastjson.Parser{}}
}

// jsonEvent reads one native event.
func (c slowCodec) jsonEvent(text []byte) *Error {
	v, perr := c.parser.ParseBytes(text)
	if perr != nil {
		return refuse(CodeBadBody, where{}, "the event cannot be read: it nests or breaks where the grammar says otherwise")
	}
	if v.Type() != fastjson.TypeObject {
		return refuse(CodeWrongType, where{}, "an event must be an object, not %s", jsonKind(v))
	}
	var err *Error
	v.GetObject().Visit(func(key []byte, m *fastjson.Value) {
		if err == nil {
			err = c.jsonTop(view(key), m)
		}
	})
	return err
}

// jsonTop takes one member of an event's top level.
func (c slowCodec) jsonTop(key string, v *fastjson.Value) *Error {
	at := where{name: key}
	switch key {
	case "props":
		switch v.Type() {
		case fastjson.TypeObject:
			return c.jsonMembers(v.GetObject(), rankProps, "props.", MaxDepth)
		case fastjson.TypeNull:
			return nil
		}
		return refuse(CodeWrongType, at, "must be an object, not %s", jsonKind(v))
	case "sentAt":
		return c.jsonSentAt(v, at)
	case "writeKey":
		return nil // the server has read it
	case "at":
		if !c.replay {
			return nil
		}
	}
	return c.jsonMember(rankTop, key, v, "", MaxDepth)
}

// jsonSentAt takes the instant at which the sender's clock says the event was sent.
func (c slowCodec) jsonSentAt(v *fastjson.Value, at where) *Error {
	val, err := c.jsonValue(v, at, 1)
	if err != nil || val.Kind == nudge.Null {
		return err
	}
	c.draft.sent, err = instant(val, at)
	c.draft.hasSnt = err == nil
	return err
}

// jsonMembers takes the members of an object. prefix is what stands before their names in what the sender wrote; the dotted name of the
// object is in c.draft.path. depth is how many levels may still open below.
func (c slowCodec) jsonMembers(o *fastjson.Object, r rank, prefix string, depth int) *Error {
	var err *Error
	o.Visit(func(key []byte, v *fastjson.Value) {
		if err == nil {
			err = c.jsonMember(r, view(key), v, prefix, depth)
		}
	})
	return err
}

func (c slowCodec) jsonMember(r rank, key string, v *fastjson.Value, prefix string, depth int) *Error {
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
func (c slowCodec) jsonValue(v *fastjson.Value, at where, depth int) (nudge.Value, *Error) {
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
		if digits := unheld(v); digits != "" {
			return nudge.Value{}, refuse(CodeBadValue, at, "holds %s, which no number of 64 bits holds", clip(digits, 40))
		}
		return nudge.Value{Kind: nudge.JSON, Text: view(text)}, nil
	case fastjson.TypeNull:
		return nudge.Value{Kind: nudge.Null}, nil
	}
	return nudge.Value{}, nil // an object, whose kind is none of ours: whoever wants a value refuses it
}

// unheld is the first number in v that is larger than any of 64 bits, "" if there is none.
func unheld(v *fastjson.Value) (digits string) {
	switch v.Type() {
	case fastjson.TypeNumber:
		digits = string(v.MarshalTo(nil))
		if _, err := strconv.ParseFloat(digits, 64); err == nil {
			return ""
		}
	case fastjson.TypeArray:
		for _, item := range v.GetArray() {
			if digits == "" {
				digits = unheld(item)
			}
		}
	case fastjson.TypeObject:
		v.GetObject().Visit(func(_ []byte, m *fastjson.Value) {
			if digits == "" {
				digits = unheld(m)
			}
		})
	}
	return digits
}

// marshal is v's JSON text, in the arena. Nothing below v may have been looked at: the parser would then write strings as Go does.
func (c slowCodec) marshal(v *fastjson.Value) []byte {
	start := len(c.draft.arena)
	c.draft.arena = v.MarshalTo(c.draft.arena)
	return c.draft.arena[start:]
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

// event decodes one event with read; the record's bytes, and what is wrong.
func event(c *Codec, text []byte, read func([]byte) *Error) (record []byte, bad Decoded) {
	var b nudge.RecordBuilder
	r := request{c: c, b: &b, received: received, limit: MaxEvents}
	r.take(text, read)
	return b.Buf, r.done
}

// checkNative fails where the two ways of reading an event do not give the same record, or the same error.
func checkNative(t *testing.T, fast *Codec, slow slowCodec, text []byte) {
	t.Helper()
	text = validUTF8(text)
	s := scanner{b: text}
	if s.value(maxBodyDepth) != nil || !s.ended() {
		return
	}
	kept := bytes.Clone(text)
	got, gotDone := event(fast, text, fast.jsonEvent)
	if !bytes.Equal(text, kept) {
		t.Fatalf("the text was changed to %q", text)
	}
	want, wantDone := event(slow.Codec, text, slow.jsonEvent)
	if !bytes.Equal(got, want) || !reflect.DeepEqual(gotDone, wantDone) {
		t.Fatalf("%s\ngives %q %v,\nwant %q %v", text, got, gotDone, want, wantDone)
	}
}

// nativeSeeds are events of every shape, wrong ones too.
var nativeSeeds = append([]string{
	`{"type":"a","visitor":"v","t":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\ud83d x","\u0070rops":{"x\n":"y"}}`,
	` { "type" : "a" , "visitor" : "v" , "l" : [ 1 , "a b\"" , { "k" : [ ] } , true ] , "o" : { } , "n" : null , "f" : false , "props" : { "a" : { "b" : { "c" : -1.5e3 } } } } `,
	`{"type":"a","visitor":"v","a":1,"a":"2","props":{"a":3},"writeKey":{"x":[1]},"at":[{}],"sentAt":{"x":1}}`,
	`{"type":"a","visitor":"v","t":"\ud83dxudc00","u":"\udc00\ud83d","w":"\ud83d\ud83d\ude00"}`, `{"type":"a","visitor":"v","t":"\ud83d"udc00"}`,
	`{"type":"a","visitor":"v","props":null}`, `{"type":"a","visitor":"v","props":[1]}`, `{"type":"a","visitor":"v","sentAt":null,"x":1e999}`,
	`{"type":"a","visitor":"v","l":[[[[[[[[[[]]]]]]]]]]}`, `{"type":"a","visitor":"v","":1}`, `{"type":"a","visitor":"v","o":{"":1}}`, `{"type":"a","visitor":"v","l":[1e308,{"a":-1e309}],"m":[2e400]}`, `{}`, `5`, `null`, `"x"`, `[]`, `true`,
	`{"type":"a","visitor":12,"user":1.0,"email":" Ana@ACME.example ","ts":1764000000123,"sentAt":1764000000999,"o":{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":1}}}}}}}}}}`,
	deepKey(maxBodyDepth - 1), deepKey(maxBodyDepth), "[" + deepKey(maxBodyDepth-2) + "]", "[" + deepKey(maxBodyDepth-1) + "]",
}, seeds...)

// deepKey is an event whose write key, which nobody reads, is an array that nests so deep.
func deepKey(n int) string {
	return `{"type":"a","visitor":"v","writeKey":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
}

// TestNative: events read straight from their text give the records that they give through a parser.
func TestNative(t *testing.T) {
	names := nudge.NewNames()
	for _, replay := range []bool{false, true} {
		fast, slow := NewCodec(CodecOptions{Names: names}), newSlowCodec(names)
		fast.replay, slow.replay = replay, replay
		for _, s := range nativeSeeds {
			checkNative(t, fast, slow, []byte(s))
		}
	}
}

func FuzzNative(f *testing.F) {
	for _, s := range nativeSeeds {
		f.Add([]byte(s))
	}
	names := nudge.NewNames()
	fast, slow := NewCodec(CodecOptions{Names: names}), newSlowCodec(names)
	f.Fuzz(func(t *testing.T, text []byte) { checkNative(t, fast, slow, text) })
}

// TestHereTooLarge: an event that is too large is one of those that are scanned first, and refused.
func TestHereTooLarge(t *testing.T) {
	c := NewCodec(CodecOptions{Names: nudge.NewNames()})
	for _, size := range []int{MaxEventBytes, MaxEventBytes + 1} {
		body := `{"type":"a","visitor":"v","l":[` + strings.Repeat("1,", size/2-20)
		body += strings.Repeat(" ", size-len(body)-3) + `1]}`
		done, err := c.Events([]byte("["+body+",5]"), "", received, new(nudge.RecordBuilder))
		if err != nil || (done.Accepted == 1) != (size <= MaxEventBytes) || len(done.Rejected) != 2-done.Accepted {
			t.Errorf("%d bytes: %+v, %v", len(body), done, err)
		}
	}
}

// checkHere fails where a body that is decoded as it is scanned does not give what it gives when it is scanned first.
func checkHere(t *testing.T, here, scanned *Codec, body []byte) {
	t.Helper()
	var got, want nudge.RecordBuilder
	gotDone, gotErr := here.Events(bytes.Clone(body), "", received, &got)
	scanned.allow = func(string) bool { return true }
	wantDone, wantErr := scanned.Events(bytes.Clone(body), "", received, &want)
	if !bytes.Equal(got.Buf, want.Buf) || !reflect.DeepEqual(gotDone, wantDone) || !reflect.DeepEqual(gotErr, wantErr) {
		t.Fatalf("%q\ngives %q %v %v,\nwant %q %v %v", body, got.Buf, gotDone, gotErr, want.Buf, wantDone, wantErr)
	}
}

// TestHere: also where a body is cut off anywhere, or has any of its bytes replaced, what is decoded at once is what is scanned before.
func TestHere(t *testing.T) {
	names := nudge.NewNames()
	here, scanned := NewCodec(CodecOptions{Names: names}), NewCodec(CodecOptions{Names: names})
	for _, s := range append(nativeSeeds, "{\"type\":\"a\",\"visitor\":\"v\"}\n{\"type\":\"b\"}\n{\"type\":\"c\",\"visitor\":\"v\"}") {
		for i := range len(s) + 1 {
			checkHere(t, here, scanned, []byte(s[:i]))
			for _, ch := range []byte("{}[]\",:\\u0 \x00x") {
				checkHere(t, here, scanned, append(append([]byte(s[:i]), ch), s[min(i+1, len(s)):]...))
				checkHere(t, here, scanned, append(append([]byte(s[:i]), ch), s[i:]...))
			}
		}
	}
}

func FuzzHere(f *testing.F) {
	for _, s := range nativeSeeds {
		f.Add([]byte(s))
	}
	names := nudge.NewNames()
	here, scanned := NewCodec(CodecOptions{Names: names}), NewCodec(CodecOptions{Names: names})
	f.Fuzz(func(t *testing.T, body []byte) { checkHere(t, here, scanned, body) })
}
