package nudge

// Receipt says what an erasure has removed, and whether the person, or what was the company's own, has left every file. It does not say who it was: only whoever knows the id
// can find out, by its digest.
type Receipt struct {
	ID     Offset `json:"id"`     // of the erasure: its record's offset. What came before it is erased, what comes after is about somebody new
	Kind   string `json:"kind"`   // "visitor", "user" or "company"
	Digest string `json:"digest"` // 32 hexadecimal digits of a hash of the id
	At     Millis `json:"at"`     // when it was erased from the state

	State struct {
		Visitors  int `json:"visitors"`   // visitors, each with its key, its past and who it was
		Users     int `json:"users"`      // users, mail addresses among them
		Companies int `json:"companies"`  // companies, whose people stay
		OtherKeys int `json:"other_keys"` // keys of other kinds whose text names the person
		Values    int `json:"values"`     // texts and values taken from keys that stay
	} `json:"state"`
	Feed struct {
		Removed  int `json:"removed"`  // firings of the person, or caused by it
		Redacted int `json:"redacted"` // firings that stay and named it
	} `json:"feed"`
	Log struct {
		Records  int `json:"records"`  // events of the person that have become voids
		Segments int `json:"segments"` // files that were rewritten for this and for erasures beside it, since the server was started
	} `json:"log"`

	Complete    bool   `json:"complete"`               // no file of the data folder holds the person any more
	CompletedAt Millis `json:"completed_at,omitempty"` // 0 until then
}
