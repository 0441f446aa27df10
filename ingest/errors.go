package ingest

import (
	"fmt"
	"strings"
)

// The codes of errors. They are part of the HTTP interface.
const (
	CodeBadBody       = "bad_body"        // not JSON or MessagePack, or cut off: nothing of the body is taken
	CodeTooLarge      = "too_large"       // body or event
	CodeTooMany       = "too_many_events" // in one request
	CodeTooManyFields = "too_many_fields" // in one event
	CodeTooDeep       = "too_deep"
	CodeTooLong       = "too_long" // a text or a name
	CodeMissing       = "missing"
	CodeWrongType     = "wrong_type"
	CodeBadValue      = "bad_value" // right type, but means nothing: a ts that is no time
	CodeBadName       = "bad_name"
	CodeReserved      = "reserved" // a type that only the engine makes
	CodeUnauthorized  = "unauthorized"
	CodeForbidden     = "forbidden" // nobody may, whatever the key
	CodeBusy          = "busy"
	CodeFull          = "disk_full"
	CodeStopped       = "stopped"
	CodeNotFound      = "not_found"
	CodeMethod        = "method_not_allowed"
	CodeInternal      = "internal"
	CodeEncoding      = "unsupported_encoding"
	CodeTimeout       = "timeout"
)

// Error says what is wrong with what somebody sent, and where. Field is as the sender wrote it: "visitor", "props.card.brand",
// "context.page.url"; "" where the fault is not in one field.
type Error struct {
	Code    string
	Message string
	Field   string
}

func (e *Error) Error() string { return e.Message }

// Rejection is one event of a request that was not taken, while others may have been.
type Rejection struct {
	Index int // among the events of the request, from 0
	Error
}

// Decoded is what became of the events of one body.
type Decoded struct {
	Accepted int // events taken, those included that make no record (an alias of a user to itself)
	Records  int // records appended
	Rejected []Rejection
}

func (d *Decoded) reject(err *Error) {
	d.Rejected = append(d.Rejected, Rejection{Index: d.Accepted + len(d.Rejected), Error: *err})
}

func refuse(code string, at where, format string, args ...any) *Error {
	field := at.String()
	msg := fmt.Sprintf(format, args...)
	if field != "" {
		msg = field + " " + msg
	}
	return &Error{Code: code, Message: msg, Field: field}
}

// where is the place of a value in what was sent. It is put together only when there is something to say about it.
type where struct {
	prefix string // "props.", "context.page."; "" at the top
	name   string
}

func (w where) String() string {
	name := w.name
	if w.prefix != "" {
		name = strings.TrimPrefix(name, propsPrefix) // put there by us
	}
	return strings.ToValidUTF8(w.prefix+clip(name, 64), "\uFFFD")
}

// clip shortens s for a message.
func clip(s string, n int) string {
	if len(s) <= n {
		return strings.Clone(s) // the original lies in a buffer that is used again
	}
	return s[:n] + "…"
}
