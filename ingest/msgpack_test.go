package ingest

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
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
