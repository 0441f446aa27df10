package ingest

// Limits of what one sender may hand in. Each has its own answer and is tested at its edge. They are constants: a limit that differs
// between two nodes would let a replay refuse what the server took.
const (
	// MaxBodyBytes bounds a native request's body, unpacked. With MaxEvents it keeps a request about the size of one batch of the log.
	MaxBodyBytes = 1 << 20
	// MaxEvents bounds the events of one native request.
	MaxEvents = 4096

	// MaxSegmentBodyBytes and MaxSegmentEvents bound a request in Segment's form, as Segment does.
	MaxSegmentBodyBytes = 500 << 10
	MaxSegmentEvents    = 2500

	// MaxEventBytes bounds one event as it is sent: its JSON or MessagePack text.
	MaxEventBytes = 32 << 10
	// MaxFields bounds the fields of one event after flattening.
	MaxFields = 256
	// MaxDepth bounds the nesting of objects and arrays inside one event; the event itself is depth 0, its props are too.
	MaxDepth = 8
	// MaxKeyBytes bounds id, visitor, user, company and email.
	MaxKeyBytes = 256
	// MaxTextBytes bounds every other text. An array is bounded by MaxEventBytes alone.
	MaxTextBytes = 8 << 10

	// MaxTs is the latest ts that is taken: the last millisecond of the year 9999. The earliest is 0.
	MaxTs = 253402300799999

	// maxBodyDepth bounds the nesting of a body before it is looked at more closely: a deeper one is refused whole.
	maxBodyDepth = 64
	// maxCachedNames bounds the names that one codec keeps at hand; beyond it starts anew.
	maxCachedNames = 4096
	// maxSpelledBytes bounds the records of a request in which names are spelled out: those of nested objects are longer there than in the body. A server takes
	// requests of 8 MiB.
	maxSpelledBytes = 4 << 20
	// maxKeptBytes is the largest buffer that a codec or a request keeps for the next one.
	maxKeptBytes = 256 << 10
)
