package bench

import (
	"embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"unsafe"

	"nudge"
	"nudge/rules"
)

// The workload "six": 35 days of a B2B site. A million visitor ids drawn by Zipf's law with exponent 1.07, the heaviest of whom has a tenth of
// all events; 8 % of the visitors are known users, each of one of 2,000 companies; every event has a strictly later time than the
// one before. Other engines are measured with its events and rules too: peers.go.
const (
	sixVisitors   = 1_000_000
	sixZipf       = 1.07
	sixIdentified = 8 // in a hundred
	sixCompanies  = 2_000
	sixPaths      = 200
	sixPricing    = 10 // of the paths
	sixSpan       = 35 * day
	sixBegin      = nudge.Millis(1_761_955_200_000) // 2025-11-01T00:00:00Z
	sixSeed       = 1

	second = nudge.Millis(1000)
	day    = 24 * 60 * 60 * second
)

// sixRules are the rules of the folder six, for `nudge check` too.
var sixRules = folderRules(sixFolder, "six")

//go:embed six/*.expr
var sixFolder embed.FS

// folderRules reads an embedded rules folder: what fails is a bug of ours.
func folderRules(files embed.FS, dir string) (sources []rules.Source) {
	entries, err := files.ReadDir(dir)
	for _, e := range entries {
		text, readErr := files.ReadFile(dir + "/" + e.Name())
		err = errors.Join(err, readErr)
		sources = append(sources, rules.Source{File: e.Name(), Text: string(text)})
	}
	if err != nil {
		panic(fmt.Sprintf("BUG: embedded rules of %s: %v", dir, err))
	}
	return sources
}

// kind is what an event of the workload is.
type kind uint8

const (
	pageView kind = iota
	formView
	formSubmit
	pageLeave
	signup
	reportCreated
	purchase // of the workload dense alone
	kinds
)

var kindName = [kinds]string{"page_view", "form_view", "form_submit", "page_leave", "signup", "report_created", "purchase"}

// kindUpTo says which of a thousand events are of which kind: the running sum.
var kindUpTo = [kinds]int{800, 850, 880, 950, 975, 1000, 1000}

// visit is an event of the workload before it is written down in any form. Its numbers stand for texts.
type visit struct {
	kind    kind
	visitor int
	user    bool // the visitor is a known user
	company int  // of a known user
	path    int  // of a page view; the first sixPricing lie under /pricing
	demo    bool // of the form events: it is the demo form
}

// site draws visits.
type site struct {
	random *rand.Rand
	zipf   *rand.Zipf
	load   *workload
}

func newSite(seed uint64, load *workload) *site {
	r := rand.New(rand.NewPCG(seed, 0))
	return &site{random: r, zipf: rand.NewZipf(r, sixZipf, 1, uint64(load.visitors-1)), load: load}
}

func (s *site) next() visit {
	v := s.load.visitOf(int(s.zipf.Uint64()))
	n := s.random.IntN(1000)
	for n >= kindUpTo[v.kind] {
		v.kind++
	}
	switch v.kind {
	case pageView:
		v.path = s.random.IntN(sixPaths)
	case formView, formSubmit:
		v.demo = s.random.IntN(2) == 0
	}
	return v
}

// visitOf is a page view of a visitor.
func (w *workload) visitOf(visitor int) visit {
	h := mix(uint64(visitor))
	return visit{visitor: visitor, user: h%100 < uint64(w.identified), company: int(h / 100 % uint64(w.companies))}
}

// isUser says whether one of the visitors that are known users is one already.
func (w *workload) isUser(visitor int, at nudge.Millis) bool {
	return !w.signIn || at >= sixBegin+nudge.Millis(mix(uint64(visitor)+1)%uint64(sixSpan))
}

// mix scatters numbers; different ones stay different (splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func appendPath(dst []byte, path int) []byte {
	if path < sixPricing {
		return strconv.AppendInt(append(dst, "/pricing/"...), int64(path), 10)
	}
	return strconv.AppendInt(append(dst, "/docs/page-"...), int64(path), 10)
}

func formOf(demo bool) string {
	if demo {
		return "demo"
	}
	return "newsletter"
}

// stream is the workload as records, and the same events decoded for the hand-written program, whose texts are spans of the records' bytes: neither
// side has pointers that the garbage collector would follow on the other's account, and all of it lies outside its heap.
type stream struct {
	load   *workload
	names  *nudge.Names
	plan   *rules.Plan
	buf    []byte
	events []event // those that make visitors live, then those that are measured
	frees  []func() error
}

// close gives the stream's memory back.
func (s *stream) close() error {
	var errs []error
	for _, free := range s.frees {
		errs = append(errs, free())
	}
	s.buf, s.events, s.frees = nil, nil, nil
	return errors.Join(errs...)
}

// memory is n bytes outside the heap, given back by close.
func (s *stream) memory(n int) ([]byte, error) {
	b, free, err := outside(n)
	if err != nil {
		return nil, fmt.Errorf("take %d bytes of memory for the stream: %w", n, err)
	}
	s.frees = append(s.frees, free)
	return b, nil
}

// event is a decoded event.
type event struct {
	at, ts                             nudge.Millis // when it came and when it happened
	record                             uint32       // where its record begins in buf
	kind                               kind
	rank                               uint8 // of the workload dense
	visitor, user, company, path, form span  // form: of the workload dense the section
}

// span is a text in the stream's bytes.
type span struct {
	at  uint32
	len uint32
}

// maxRecord bounds the records that streamWriter writes.
const maxRecord = 160

// newStream writes n events of a workload, after those of the visitors that are to be live.
func newStream(load *workload, n int) (_ *stream, err error) {
	s := &stream{load: load, names: nudge.NewNames()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.plan, err = compile(load.rules, s.names); err != nil {
		return nil, err
	}
	var w eventWriter
	if w, err = newStreamWriter(s.names); load.shapes != nil {
		w, err = newDenseWriter(s.names)
	}
	if err != nil {
		return nil, err
	}
	all := load.live + n
	b := w.builder()
	if b.Buf, err = s.memory(all * maxRecord); err != nil {
		return nil, err
	}
	b.Buf = b.Buf[:0]
	room, err := s.memory(all * int(unsafe.Sizeof(event{})))
	if err != nil {
		return nil, err
	}
	s.events = unsafe.Slice((*event)(unsafe.Pointer(unsafe.SliceData(room))), all)
	for i := range load.live {
		at := sixBegin - nudge.Millis(load.live-i)
		v := load.visitOf(i)
		v.user = v.user && load.isUser(i, at)
		s.events[i] = w.write(v, at, at)
	}
	site := newSite(sixSeed, load)
	step := max(int64(sixSpan)/int64(n), 2)
	for i := range n {
		at := sixBegin + nudge.Millis(int64(i)*step+site.random.Int64N(step))
		ts := at
		if load.delay != nil {
			ts -= load.delay(site.random)
		}
		v := site.next()
		v.user = v.user && load.isUser(v.visitor, at)
		s.events[load.live+i] = w.write(v, at, ts)
	}
	s.buf = b.Buf
	if len(s.buf) > all*maxRecord {
		panic(fmt.Sprintf("BUG: %d events take %d bytes", all, len(s.buf)))
	}
	return s, nil
}

// eventWriter writes visits of a workload, one behind the other.
type eventWriter interface {
	write(v visit, at, ts nudge.Millis) event // a visit that came at an instant and happened at another, or at the same
	builder() *nudge.RecordBuilder
}

// streamWriter writes visits as records.
type streamWriter struct {
	b     nudge.RecordBuilder
	form  nudge.NameID
	types [kinds]nudge.NameID
	text  []byte
}

func newStreamWriter(names *nudge.Names) (*streamWriter, error) {
	w := &streamWriter{}
	var err error
	if w.form, err = names.Intern("form"); err != nil {
		return nil, err
	}
	for k, name := range kindName {
		if w.types[k], err = names.Intern(name); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// noTime is the instant of an event that happens when it comes in.
const noTime = nudge.Millis(0)

func (w *streamWriter) builder() *nudge.RecordBuilder { return &w.b }

func (w *streamWriter) write(v visit, at, ts nudge.Millis) event {
	e := event{at: at, ts: ts, kind: v.kind, record: uint32(len(w.b.Buf))}
	w.b.Begin(nudge.RecordEvent, w.types[v.kind])
	if ts != noTime {
		w.b.Ts(ts)
	}
	w.text = strconv.AppendInt(append(w.text[:0], "visitor-"...), int64(v.visitor), 10)
	hash := nudge.HashKey("visitor", string(w.text))
	e.visitor = w.field(nudge.NameVisitor)
	if v.user {
		w.text = strconv.AppendInt(append(w.text[:0], "user-"...), int64(v.visitor), 10)
		e.user = w.field(nudge.NameUser)
		w.text = append(strconv.AppendInt(append(w.text[:0], "company-"...), int64(v.company), 10), ".example"...)
		e.company = w.field(nudge.NameCompany)
	}
	switch v.kind {
	case pageView:
		w.text = appendPath(w.text[:0], v.path)
		e.path = w.field(nudge.NamePath)
	case formView, formSubmit:
		w.text = append(w.text[:0], formOf(v.demo)...)
		e.form = w.field(w.form)
	}
	w.b.End(hash)
	return e
}

// field adds the text at hand and says where it stands.
func (w *streamWriter) field(name nudge.NameID) span {
	w.b.Text(name, string(w.text))
	return span{uint32(len(w.b.Buf) - len(w.text)), uint32(len(w.text))}
}

// record is the record of an event.
func (s *stream) record(e *event) nudge.Record {
	rec, _ := nudge.SplitRecord(s.buf[e.record:])
	return rec
}

// compile compiles rules that are part of this package: an error is a bug of ours, told to whoever runs the bench.
func compile(sources []rules.Source, names *nudge.Names) (*rules.Plan, error) {
	plan, diags := rules.Compile(sources, rules.Options{Names: names})
	if plan == nil {
		return nil, fmt.Errorf("the workload's rules do not compile: %w", diags.Err())
	}
	return plan, nil
}
