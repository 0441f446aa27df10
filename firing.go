package nudge

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Cursor is a firing's place in the one order of firings: the offset of the record that caused it (for a timer: of the first record
// stamped at or after its due time) and its number among the firings of that offset.
type Cursor struct {
	Offset Offset
	N      uint32
}

// String is the cursor's text form, "offset-n".
func (c Cursor) String() string {
	return strconv.FormatUint(uint64(c.Offset), 10) + "-" + strconv.FormatUint(uint64(c.N), 10)
}

// Less orders cursors.
func (c Cursor) Less(d Cursor) bool {
	return c.Offset < d.Offset || c.Offset == d.Offset && c.N < d.N
}

// ParseCursor reads the text form. The empty text is the cursor before the first firing.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	o, n, ok := strings.Cut(s, "-")
	off, err1 := strconv.ParseUint(o, 10, 64)
	num, err2 := strconv.ParseUint(n, 10, 32)
	if !ok || err1 != nil || err2 != nil {
		return Cursor{}, fmt.Errorf("cursor %q is not of the form OFFSET-N, as in 1204-0", s)
	}
	return Cursor{Offset: Offset(off), N: uint32(num)}, nil
}

// ActionKind is what an action does.
type ActionKind uint8

// The kinds of actions. The numbers are stored.
const (
	ActionPopup   ActionKind = 1
	ActionAlert   ActionKind = 2
	ActionWebhook ActionKind = 3
	ActionTag     ActionKind = 4
	ActionUntag   ActionKind = 5
	ActionEmit    ActionKind = 6
)

var actionNames = [...]string{
	ActionPopup: "popup", ActionAlert: "alert", ActionWebhook: "webhook", ActionTag: "tag", ActionUntag: "untag", ActionEmit: "emit",
}

func (k ActionKind) String() string {
	if int(k) < len(actionNames) && actionNames[k] != "" {
		return actionNames[k]
	}
	return fmt.Sprintf("ActionKind(%d)", uint8(k))
}

// Action is one rendered action of a firing.
type Action struct {
	Kind ActionKind
	Name string          // a popup's template, an alert's text, the name of a webhook or tag, the type of an emitted event
	Data json.RawMessage // an object, {} where the rule gives none
}

// Why a firing was suppressed. The empty text: it was not.
const (
	SuppressedUnless   = "unless"
	SuppressedCooldown = "cooldown"
	SuppressedLimit    = "limit"
)

// Firing is one rising edge of one rule for one key, with its actions rendered. Everything in it follows from the log (I4).
type Firing struct {
	ID         string // 32 hex digits of a hash of rule, key, at and cause
	Cursor     Cursor
	Rule       string
	Kind       Kind
	Per        string // "visitor", "user", "company", or the per expression as written
	Key        string
	At         Millis
	Cause      string // the event's id, "line:17" or "offset:17" where it has none, "timer", or "fired:" and a firing's id
	Visitor    string // to whom a popup goes; "" if nobody is known
	Timer      bool   // its first cause is a timer, not an event
	Shadow     bool   // mode: "shadow": recorded, not delivered
	Suppressed string // SuppressedUnless, SuppressedCooldown, SuppressedLimit or ""
	Actions    []Action

	// Source is the hash of the primary key of the event that is its first cause, or opened the wait by which time made it fire; of other
	// timers that of the key where it is a person's, else 0. It is what an erasure goes by.
	Source KeyHash
	// Sources are, of a key that is no person's, those of the values in its actions that earlier events brought.
	Sources []KeyHash `json:",omitempty"`
}

// Delivered says whether the firing's actions go out.
func (f *Firing) Delivered() bool { return f.Suppressed == "" && !f.Shadow }

// AppendJSON appends the firing's line of `nudge replay`, without a newline.
func (f *Firing) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"rule":`...)
	dst = AppendJSONString(dst, f.Rule)
	dst = append(dst, `,"key":`...)
	dst = AppendJSONString(dst, f.Key)
	dst = append(dst, `,"at":`...)
	dst = strconv.AppendInt(dst, int64(f.At), 10)
	dst = append(dst, `,"time":"`...)
	dst = time.UnixMilli(int64(f.At)).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(dst, `","cause":`...)
	dst = AppendJSONString(dst, f.Cause)
	dst = append(dst, `,"id":"`...)
	dst = append(dst, f.ID...)
	dst = append(dst, '"')
	if f.Shadow {
		dst = append(dst, `,"mode":"shadow"`...)
	}
	if f.Suppressed != "" {
		dst = append(dst, `,"suppressed":`...)
		dst = AppendJSONString(dst, f.Suppressed)
	}
	dst = append(dst, `,"actions":[`...)
	for i, a := range f.Actions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"`...)
		dst = append(dst, a.Kind.String()...)
		dst = append(dst, `":`...)
		dst = AppendJSONString(dst, a.Name)
		dst = append(dst, `,"data":`...)
		dst = append(dst, a.Data...)
		dst = append(dst, '}')
	}
	return append(dst, ']', '}')
}

// FiringID is the id of a firing: 128 bits of a hash over what it is a function of. cause is CauseRecord's, CauseTimer or
// CauseFired's text.
func FiringID(rule, per, key string, at Millis, cause string) string {
	return string(AppendFiringID(nil, rule, per, key, at, cause))
}

// AppendFiringID appends FiringID to dst.
func AppendFiringID(dst []byte, rule, per, key string, at Millis, cause string) []byte {
	b := make([]byte, 0, 128)
	for _, part := range [...]string{rule, per, key, cause} {
		b = append(b, part...)
		b = append(b, 0)
	}
	b = strconv.AppendInt(b, int64(at), 10)
	sum := sha256.Sum256(b)
	return hex.AppendEncode(dst, sum[:16])
}

// CauseTimer is the cause of a firing that time alone brought about.
const CauseTimer = "timer"

// CauseRecord is the cause, for FiringID, of a firing by the record at an offset (in a replay: of a line).
func CauseRecord(o Offset) string { return CauseRecordPrefix + strconv.FormatUint(uint64(o), 10) }

// CauseRecordPrefix is what stands before the offset in CauseRecord.
const CauseRecordPrefix = "record:"

// CauseFired is the cause of a firing by another firing.
func CauseFired(id string) string { return "fired:" + id }
