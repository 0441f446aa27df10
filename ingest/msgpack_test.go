package ingest

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"nudge"
)

// toMsgpack translates JSON text. Objects keep their order; whole numbers become integers.
func toMsgpack(t testing.TB, text string) []byte {
	var out bytes.Buffer
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	for dec.More() {
		if err := translate(dec, msgpack.NewEncoder(&out)); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// translate copies one value.
func translate(dec *json.Decoder, enc *msgpack.Encoder) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	switch v := tok.(type) {
	case json.Delim:
		return translateNested(v, dec, enc)
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return enc.EncodeInt(i)
		}
		f, err := v.Float64()
		if err != nil {
			return err
		}
		return enc.EncodeFloat64(f)
	}
	return enc.Encode(tok)
}

func translateNested(open json.Delim, dec *json.Decoder, enc *msgpack.Encoder) error {
	var inner bytes.Buffer
	sub := msgpack.NewEncoder(&inner)
	n := 0
	for ; dec.More(); n++ {
		if err := translate(dec, sub); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	var err error
	if open == '{' {
		err = enc.EncodeMapLen(n / 2)
	} else {
		err = enc.EncodeArrayLen(n)
	}
	if err == nil {
		_, err = enc.Writer().Write(inner.Bytes())
	}
	return err
}

// A timestamp in an array is text like any other, whatever room the codec has left from the event before.
func TestMsgpackTimestampInArray(t *testing.T) {
	at := time.Date(2025, 11, 24, 16, 0, 20, 0, time.UTC)
	body, err := msgpack.Marshal(map[string]any{"type": "a", "visitor": "v", "seen": []any{at, "x", at}})
	if err != nil {
		t.Fatal(err)
	}
	names := nudge.NewNames()
	c := NewCodec(CodecOptions{Names: names})
	for round := range 3 {
		var b nudge.RecordBuilder
		if done, err := c.Events(body, "application/msgpack", 1764000020000, &b); err != nil || done.Records != 1 {
			t.Fatalf("%+v, %v", done, err)
		}
		rec, _ := nudge.SplitRecord(b.Buf)
		got := ""
		for it := rec.Fields(); it.Next(); {
			if names.Text(it.Name) == "seen" {
				got = it.Value.Text
			}
		}
		if want := `["2025-11-24T16:00:20Z","x","2025-11-24T16:00:20Z"]`; got != want {
			t.Errorf("round %d: %s, want %s", round, got, want)
		}
	}
}
