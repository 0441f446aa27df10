package sim

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"nudge"
	"nudge/ingest"
)

// client sends its requests one after the other, each until it is answered.
type client struct {
	name string
	todo []*call
	done []*call
}

// call is one request.
type call struct {
	drafts  []map[string]json.RawMessage // of its events, until they are composed
	events  []int                        // their numbers
	body    []byte
	decide  bool
	firings []nudge.Firing // that it was told of, if it asked
}

// makeClients shares the generated lines among the clients.
func (w *world) makeClients(lines []string) {
	r := w.chance("clients")
	for i := range clientCount {
		w.clients = append(w.clients, &client{name: "client " + strconv.Itoa(i)})
	}
	for len(lines) > 0 {
		n := min(1+r.IntN(w.perCall), len(lines))
		c := &call{decide: r.IntN(2) == 0}
		for _, line := range lines[:n] {
			draft := map[string]json.RawMessage{}
			if err := json.Unmarshal([]byte(line), &draft); err != nil {
				panic("BUG: the generator made " + line)
			}
			c.drafts = append(c.drafts, draft)
		}
		lines = lines[n:]
		to := w.clients[r.IntN(clientCount)]
		to.todo = append(to.todo, c)
		if r.IntN(12) == 0 {
			to.todo = append(to.todo, c) // sent twice, though it was answered
		}
	}
}

// compose makes the body of a call when it is sent for the first time. It stays the same however often it is sent.
func (w *world) compose(c *call, r *rand.Rand) {
	if c.body != nil {
		return
	}
	var texts []string
	for _, draft := range c.drafts {
		w.stampDraft(draft, r)
		u := w.add(draft)
		c.events = append(c.events, u)
		texts = append(texts, w.line(u))
	}
	switch r.IntN(3) {
	case 0:
		c.body = []byte("[" + strings.Join(texts, ",") + "]")
	case 1:
		c.body = []byte(strings.Join(texts, "\n"))
	default:
		c.body = []byte(strings.Join(texts, " ") + "\n")
	}
}

// stampDraft gives an event its time, as a sender whose clock is off, or who was offline, would, and mostly an id of its own.
func (w *world) stampDraft(e map[string]json.RawMessage, r *rand.Rand) {
	now := w.millis()
	delete(e, "at")
	delete(e, "ts")
	ts := now
	switch r.IntN(8) {
	case 0:
		ts -= nudge.Millis(r.Int64N(3000))
	case 1:
		ts -= millisOf(pick(r, 50*time.Millisecond, time.Second, 2500*time.Millisecond, 10*time.Second, time.Hour)) + nudge.Millis(r.IntN(3)) - 1
	case 2:
		ts += nudge.Millis(r.Int64N(3000))
	case 3:
	default:
		ts = 0
	}
	if w.wide {
		e["note"] = json.RawMessage(strconv.Quote(noise(r, r.IntN(700))))
	}
	if ts != 0 {
		e["ts"] = json.RawMessage(strconv.FormatInt(int64(ts), 10))
	}
}

// noise is a text that no compression makes much shorter.
func noise(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = ' ' + 3 + byte(r.IntN(57)) // printable, no quote and no backslash
	}
	return string(b)
}

// add notes an event and gives it its number, and an id unless the generator gave it one that others have, too.
func (w *world) add(e map[string]json.RawMessage) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := len(w.lines)
	e[fieldUnique] = json.RawMessage(strconv.Itoa(u))
	if id := string(e["id"]); !strings.HasPrefix(id, `"i`) {
		e["id"] = json.RawMessage(strconv.Quote(uniqueID(u)))
	}
	line, err := json.Marshal(e)
	if err != nil {
		panic("BUG: an event does not marshal: " + err.Error())
	}
	w.lines = append(w.lines, string(line))
	return u
}

func uniqueID(u int) string { return "event-" + strconv.Itoa(u) }

func (w *world) line(u int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines[u]
}

// client sends up to quota calls.
func (l *life) client(c *client, quota int, r *rand.Rand) {
	codec := ingest.NewCodec(ingest.CodecOptions{Names: l.names})
	for ; quota > 0 && len(c.todo) > 0; quota-- {
		time.Sleep(pause(r, 2*time.Second))
		if !l.send(c.todo[0], codec, r) {
			return
		}
		c.done = append(c.done, c.todo[0])
		c.todo = c.todo[1:]
	}
}

// send sends a call and says whether it was answered. An impatient client sends it once more before it is.
func (l *life) send(c *call, codec *ingest.Codec, r *rand.Rand) bool {
	l.compose(c, r)
	var again sync.WaitGroup
	if r.IntN(15) == 0 {
		wait := pause(r, 20*time.Millisecond)
		again.Go(func() {
			time.Sleep(wait)
			l.submit(&call{events: c.events, body: c.body, decide: true}, ingest.NewCodec(ingest.CodecOptions{Names: l.names}))
		})
	}
	answered := l.submit(c, codec)
	again.Wait()
	return answered
}

func (l *life) submit(c *call, codec *ingest.Codec) bool {
	var b nudge.RecordBuilder
	done, err := codec.Events(slices.Clone(c.body), "application/json", l.millis(), &b)
	if err != nil || done.Records != len(c.events) {
		l.problem("the codec takes %d of %d events: %v %v in %s", done.Records, len(c.events), err, done.Rejected, c.body)
		return false
	}
	firings, err := l.node.Submit(context.Background(), b.Buf, done.Records, c.decide)
	for errors.Is(err, nudge.ErrFull) { // nothing was taken
		time.Sleep(300 * time.Millisecond)
		firings, err = l.node.Submit(context.Background(), b.Buf, done.Records, c.decide)
	}
	switch {
	case errors.Is(err, nudge.ErrStopped):
		return false // nobody knows whether it was taken: the next process gets it again
	case err != nil:
		l.problem("Submit: %v", err)
		return false
	}
	return l.disk.seen(func() {
		c.firings = firings
		l.answered(c)
	})
}

// answered looks at a request that was answered: it is durable, so it is in the log, before the place where that failed.
func (l *life) answered(c *call) {
	for _, u := range c.events {
		at := l.ledger.offsets(u)
		if len(at) == 0 || l.lost > 0 && at[0] >= l.lost {
			l.problem("I1: the event %d was answered, but stands at %v, and the log failed at offset %d", u, at, l.lost)
			continue
		}
		l.known = max(l.known, at[0])
	}
}
