package nudge

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// Offset is a record's position in the log. The first record has offset 1, so that 0 means "before everything".
// In a replay it is the input line's number.
type Offset uint64

// Millis is an instant, or a length of time, in milliseconds; instants count from the Unix epoch.
type Millis int64

// ShardID is the index of a shard, 0 ≤ id < number of shards.
type ShardID int

// KeyHash is xxhash64 of a key's text under its kind. Its top twelve bits are the key group, which never changes
// with the number of shards.
type KeyHash uint64

// Groups is how many key groups there are. It is part of the stored format: fixed for ever.
const Groups = 4096

// Group is the key group of h.
func (h KeyHash) Group() int { return int(h >> 52) }

// Shard is the shard of h among n.
func (h KeyHash) Shard(n int) ShardID { return ShardID(h.Group() * n / Groups) }

// Kind says what a key's text identifies. The order is the order in which firings travel upwards, and in which timers of one
// millisecond are listed.
type Kind uint8

// The kinds of keys.
const (
	KindVisitor Kind = iota
	KindUser
	KindCompany
	KindOther // any other expression over one event; its text is part of the key
)

func (k Kind) String() string {
	switch k {
	case KindVisitor:
		return "visitor"
	case KindUser:
		return "user"
	case KindCompany:
		return "company"
	case KindOther:
		return "other"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// HashKey hashes a key's text under its scope: "visitor", "user", "company" or the text of a rule's per expression.
func HashKey(scope, text string) KeyHash {
	if len(scope) == wordScope && len(text) <= maxWordsText {
		return KeyHash(hashWords(scope, text))
	}
	var short [96]byte // most keys fit: hashed in one piece they take a third of the time
	if n := len(scope) + 1 + len(text); n <= len(short) {
		copy(short[:], scope)
		copy(short[len(scope)+1:], text)
		return KeyHash(xxhash.Sum64(short[:n]))
	}
	var d xxhash.Digest
	d.Reset()
	d.WriteString(scope)
	d.Write([]byte{0})
	d.WriteString(text)
	return KeyHash(d.Sum64())
}

// HashID is a fingerprint of a message id under the primary key h of its event.
func HashID(h KeyHash, id string) uint64 {
	var d xxhash.Digest
	d.Reset()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(h))
	d.Write(b[:])
	d.WriteString(id)
	return d.Sum64()
}
