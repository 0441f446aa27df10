package deliver

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/valyala/fasthttp"
)

// keyring is the keys that open a route. Without any it is open.
type keyring struct {
	name   string // for messages
	header string
	sums   [][sha256.Size]byte
}

// any says whether there is a key to ask for.
func (k keyring) any() bool { return len(k.sums) > 0 }

func newKeyring(name, header string, keys []string) keyring {
	r := keyring{name: name, header: header}
	for _, k := range keys {
		r.sums = append(r.sums, sha256.Sum256([]byte(k)))
	}
	return r
}

// check compares what the request brings with every key. Hashes of equal length are compared in constant time, all of them, so that
// the time taken says nothing about a key or which one it was.
func (r *keyring) check(ctx *fasthttp.RequestCtx) *problem {
	if len(r.sums) == 0 {
		return nil
	}
	given := r.given(ctx)
	sum := sha256.Sum256([]byte(given))
	match := 0
	for i := range r.sums {
		match |= subtle.ConstantTimeCompare(sum[:], r.sums[i][:])
	}
	if match == 1 {
		return nil
	}
	message := "this is not a " + r.name + " of this server"
	if given == "" {
		message = "a " + r.name + " is required: send it as header " + r.header + ", as Authorization (Bearer, or the user of Basic), or as ?key="
	}
	return &problem{status: fasthttp.StatusUnauthorized, code: "unauthorized", field: "key", message: message}
}

// given is the key that the request brings: in the ring's own header, else in Authorization, else in the query, where EventSource,
// which cannot send headers, has to put it.
func (r *keyring) given(ctx *fasthttp.RequestCtx) string {
	if k := ctx.Request.Header.Peek(r.header); len(k) > 0 {
		return string(k)
	}
	if k := keyOfAuthorization(string(ctx.Request.Header.Peek("Authorization"))); k != "" {
		return k
	}
	return string(ctx.QueryArgs().Peek("key"))
}

func keyOfAuthorization(text string) string {
	scheme, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return rest
	case strings.EqualFold(scheme, "Basic"):
		pair, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return ""
		}
		user, _, _ := strings.Cut(string(pair), ":")
		return user
	}
	return ""
}
