package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/valyala/fasthttp"

	"nudge"
)

// work is what handling one request of events needs until it is answered. It is used again for the next.
type work struct {
	records nudge.RecordBuilder
	out     []byte
	*decoder
}

// decoder is what a request needs only until it is decoded. A thousand requests may wait for their answers, but no more are decoded at once than there are
// cores: so few decoders, used again and again, stay in the cores' caches, where one for each request that waits would not.
type decoder struct {
	codec *Codec

	packed bytes.Reader
	gunzip *gzip.Reader
	plain  []byte // the unpacked body

	allow func(bodyKey string) bool
}

func newDecoder(s *Server) *decoder {
	d := &decoder{codec: NewCodec(CodecOptions{Names: s.o.Names, Reserved: s.o.Reserved})}
	d.allow = func(bodyKey string) bool { return s.keys.holds([]byte(bodyKey)) }
	return d
}

// begin gets a request as far as a decodable body: authorised, or left to the key in the body, and unpacked.
func (s *Server) begin(ctx *fasthttp.RequestCtx, limit int) (*work, []byte, *Error) {
	w := s.works.Get().(*work)
	w.decoder = s.decoders.Get().(*decoder)
	w.records.Buf = w.records.Buf[:0]
	w.codec.allow = nil
	if len(s.keys) > 0 {
		var buf [maxKeyBytes]byte
		key := keyOf(ctx, buf[:])
		if len(key) == 0 {
			w.codec.allow = w.allow
		} else if !s.keys.holds(key) {
			return w, nil, &Error{Code: CodeUnauthorized, Message: "this is not a write key of this server", Field: "key"}
		}
	}
	body, err := w.unpack(ctx, limit)
	s.metrics.bytes.Add(float64(len(body)))
	return w, body, err
}

// decoded lets the decoder be used again: nothing in the records, or in what is said about events that are wrong, points into it.
func (s *Server) decoded(w *work) {
	if cap(w.plain) > maxKeptBytes {
		w.plain = nil
	}
	s.decoders.Put(w.decoder)
	w.decoder = nil
}

// end lets the work be used again.
func (s *Server) end(w *work) {
	if w.decoder != nil {
		s.decoded(w)
	}
	if cap(w.records.Buf) > maxKeptBytes {
		w.records.Buf = nil
	}
	s.works.Put(w)
}

// unpack is the body as it was before the sender compressed it. Whether it did shows in the body: content types and encodings lie.
func (d *decoder) unpack(ctx *fasthttp.RequestCtx, limit int) ([]byte, *Error) {
	body := ctx.Request.Body()
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		switch enc := ctx.Request.Header.ContentEncoding(); string(enc) {
		case "br", "zstd", "deflate", "compress":
			return nil, &Error{Code: CodeEncoding, Message: fmt.Sprintf("bodies packed with %s are not read: use gzip or none", enc), Field: "Content-Encoding"}
		}
		return body, nil
	}
	d.packed.Reset(body)
	var err error
	if d.gunzip == nil {
		d.gunzip, err = gzip.NewReader(&d.packed)
	} else {
		err = d.gunzip.Reset(&d.packed)
	}
	if err == nil {
		d.plain, err = readUpTo(d.gunzip, d.plain[:0], limit+1)
	}
	switch {
	case err != nil:
		return nil, &Error{Code: CodeBadBody, Message: "the gzip body is cut off or damaged; nothing of it was taken"}
	case len(d.plain) > limit:
		return nil, &Error{Code: CodeTooLarge, Message: fmt.Sprintf("the unpacked body has more than %d bytes: send the events in several requests", limit)}
	}
	return d.plain, nil
}

// readUpTo reads r to its end, but no more than limit bytes, into dst.
func readUpTo(r io.Reader, dst []byte, limit int) ([]byte, error) {
	for len(dst) < limit {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), limit)])
		dst = dst[:len(dst)+n]
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// postEvents takes events in the native form.
func (s *Server) postEvents(ctx *fasthttp.RequestCtx) {
	w, body, bad := s.begin(ctx, MaxBodyBytes)
	if bad != nil {
		answerError(ctx, bad.status(), bad)
		s.end(w)
		return
	}
	done, err := w.codec.Events(body, view(ctx.Request.Header.ContentType()), s.o.Now(), &w.records)
	s.decoded(w)
	decide := ctx.QueryArgs().GetBool("decide")
	firings, ok := s.submit(ctx, w, &done, err, decide)
	if !ok {
		return
	}
	defer s.end(w)
	s.metrics.native.Add(float64(done.Accepted))
	w.out = append(w.out[:0], '{')
	status := fasthttp.StatusOK
	switch {
	case len(done.Rejected) == 0:
	case done.Accepted > 0:
		status = fasthttp.StatusMultiStatus
	default:
		status = fasthttp.StatusBadRequest
		w.out = append(appendError(append(w.out, `"error":`...), &done.Rejected[0].Error), ',')
	}
	w.out = appendDone(w.out, &done)
	if decide {
		w.out = appendPopups(append(w.out, `,"popups":`...), firings, nudge.Millis(s.o.PopupTTL.Milliseconds()))
	}
	startAnswer(ctx, status)
	ctx.Response.SetBody(append(w.out, '}'))
}

// postSegment takes events in Segment's form. Its libraries know only taken and not taken: an answer other than 200 would make them send
// a batch again or drop it whole. So a batch with some wrong events is answered 200, and what was wrong is counted and logged; only one
// with nothing right in it is answered 400.
func (s *Server) postSegment(ctx *fasthttp.RequestCtx, call string) {
	w, body, bad := s.begin(ctx, MaxSegmentBodyBytes)
	if bad != nil {
		answerError(ctx, bad.status(), bad)
		s.end(w)
		return
	}
	done, err := w.codec.Segment(call, body, s.o.Now(), &w.records)
	s.decoded(w)
	if _, ok := s.submit(ctx, w, &done, err, false); !ok {
		return
	}
	defer s.end(w)
	s.metrics.segment.Add(float64(done.Accepted))
	if len(done.Rejected) > 0 {
		first := &done.Rejected[0].Error
		s.quiet.Warn(s.o.Logger, "events in segment's form were rejected", "call", call, "count", len(done.Rejected), "code", first.Code, "message", first.Message)
		if done.Accepted == 0 {
			answerError(ctx, fasthttp.StatusBadRequest, first)
			return
		}
	}
	answer(ctx, fasthttp.StatusOK, `{"success":true}`)
}

// submit hands the decoded records over, all at once, and waits until they are durable (I1); err is the codec's. Where there is nothing
// to say but an error it answers, ends w and returns false.
func (s *Server) submit(ctx *fasthttp.RequestCtx, w *work, done *Decoded, err error, decide bool) ([]nudge.Firing, bool) {
	if err != nil {
		var bad *Error
		if !errors.As(err, &bad) {
			panic(fmt.Sprintf("BUG: the codec refuses a body without saying why: %v", err))
		}
		answerError(ctx, bad.status(), bad)
		s.end(w)
		return nil, false
	}
	for i := range done.Rejected {
		s.metrics.rejected.WithLabelValues(done.Rejected[i].Code).Inc()
	}
	if done.Records == 0 {
		return nil, true
	}
	firings, err := s.o.Sink.Submit(s.ctx, w.records.Buf, done.Records, decide)
	switch {
	case err == nil:
		return firings, true
	case errors.Is(err, nudge.ErrBusy):
		refuseBusy(ctx)
		s.end(w)
	case errors.Is(err, nudge.ErrFull):
		ctx.Response.Header.Set("Retry-After", retryStopped)
		answerError(ctx, fasthttp.StatusServiceUnavailable, &Error{Code: CodeFull, Message: "the server's disk is full and nothing was taken: send the same again later; it is taken as soon as there is room"})
		s.end(w)
	default: // w is not used again: nobody knows who still reads its records
		if !errors.Is(err, nudge.ErrStopped) {
			s.quiet.Warn(s.o.Logger, "records could not be handed over", "err", err)
		}
		ctx.Response.Header.Set("Retry-After", retryStopped)
		answerError(ctx, fasthttp.StatusServiceUnavailable, &Error{Code: CodeStopped, Message: "the engine is stopping, and may or may not have taken the events: send the same again, with the same ids"})
	}
	return nil, false
}
