package ingest

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/valyala/fasthttp"
)

// keyring is the keys that may send events. Without any, everybody may.
type keyring [][sha256.Size]byte

func newKeyring(keys []string) keyring {
	var r keyring
	for _, k := range keys {
		r = append(r, sha256.Sum256([]byte(k)))
	}
	return r
}

// holds compares a key with all of them in constant time, as hashes, so that the time taken says nothing about any.
func (r keyring) holds(key []byte) bool {
	sum := sha256.Sum256(key)
	match := 0
	for i := range r {
		match |= subtle.ConstantTimeCompare(sum[:], r[i][:])
	}
	return match == 1
}

// maxKeyBytes bounds a key that a request brings.
const maxKeyBytes = 256

// keyOf is the key that a request brings outside its body: X-Write-Key, Authorization (the user of Basic, or Bearer), else ?key=, where a
// beacon, which cannot set headers, may put it. buf is room for decoding.
func keyOf(ctx *fasthttp.RequestCtx, buf []byte) []byte {
	if k := ctx.Request.Header.Peek("X-Write-Key"); len(k) > 0 {
		return k
	}
	if k := authorization(ctx, buf); len(k) > 0 {
		return k
	}
	return ctx.QueryArgs().Peek("key")
}

// authorization is the key of the header Authorization.
func authorization(ctx *fasthttp.RequestCtx, buf []byte) []byte {
	scheme, rest, _ := bytes.Cut(ctx.Request.Header.Peek("Authorization"), []byte{' '})
	rest = bytes.TrimSpace(rest)
	switch {
	case len(rest) == 0:
	case bytes.EqualFold(scheme, []byte("Bearer")):
		return rest
	case bytes.EqualFold(scheme, []byte("Basic")):
		if base64.StdEncoding.DecodedLen(len(rest)) > len(buf) {
			return rest // longer than any key: matches none
		}
		n, err := base64.StdEncoding.Decode(buf, rest)
		if err != nil {
			return rest
		}
		user, _, _ := bytes.Cut(buf[:n], []byte{':'})
		return user
	}
	return nil
}
