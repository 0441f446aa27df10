package nudge

import "math/bits"

// The numbers of xxhash64, and what its first and last lane begin with.
const (
	prime1 = 11400714785074694791
	prime2 = 14029467366897019727
	prime3 = 1609587929392839161
	prime4 = 9650029242287828579
	prime5 = 2870177450012600261

	lane1 = (prime1 + prime2) % (1 << 64)
	lane4 = 1<<64 - prime1
)

// The scopes and texts that hashWords takes: "visitor" and "company", and ids as they are, UUIDs too.
const (
	wordScope    = 7                        // with the zero byte behind it such a scope is one word of the hash
	maxWordsText = 2*32 - 1 - wordScope - 1 // less than two of the hash's stripes of 32 bytes
)

// hashWords is xxhash64 of scope, zero byte and text, which are not put together first.
func hashWords(scope, text string) uint64 {
	first := uint64(le32(scope)) | uint64(le32(scope[3:]))>>8<<32
	n := uint64(wordScope + 1 + len(text))
	var h uint64
	if n < 32 {
		h = addWord(n+prime5, first)
	} else {
		h = n + hashStripe(first, le64(text), le64(text[8:]), le64(text[16:]))
		text = text[24:]
	}
	for ; len(text) >= 8; text = text[8:] {
		h = addWord(h, le64(text))
	}
	if len(text) >= 4 {
		h ^= uint64(le32(text)) * prime1
		h = bits.RotateLeft64(h, 23)*prime2 + prime3
		text = text[4:]
	}
	for i := range len(text) {
		h ^= uint64(text[i]) * prime5
		h = bits.RotateLeft64(h, 11) * prime1
	}
	h = (h ^ h>>33) * prime2
	h = (h ^ h>>29) * prime3
	return h ^ h>>32
}

// hashStripe is the hash of the only stripe.
func hashStripe(a, b, c, d uint64) uint64 {
	a, b, c, d = hashRound(lane1, a), hashRound(prime2, b), hashRound(0, c), hashRound(lane4, d)
	h := bits.RotateLeft64(a, 1) + bits.RotateLeft64(b, 7) + bits.RotateLeft64(c, 12) + bits.RotateLeft64(d, 18)
	h = addLane(h, a)
	h = addLane(h, b)
	h = addLane(h, c)
	return addLane(h, d)
}

func addLane(h, lane uint64) uint64 { return (h^hashRound(0, lane))*prime1 + prime4 }

func addWord(h, word uint64) uint64 {
	return bits.RotateLeft64(h^hashRound(0, word), 27)*prime1 + prime4
}

func hashRound(lane, word uint64) uint64 {
	return bits.RotateLeft64(lane+word*prime2, 31) * prime1
}

// le32 and le64 read the first bytes of s as a number.
func le32(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func le64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
