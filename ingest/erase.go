package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"nudge"
)

// Eraser erases persons.
type Eraser interface {
	// Erase removes a visitor, a user with its visitors, or a company's key from the state and returns what that held. nudge.ErrBusy, ErrFull and ErrStopped are as
	// those of a Sink.
	Erase(ctx context.Context, kind, id string) (nudge.Receipt, error)
	// WaitErasure is what is known of an erasure when it is complete or ctx ends, and whether there is one of that id.
	WaitErasure(ctx context.Context, id nudge.Offset) (nudge.Receipt, bool, error)
}

// MaxWait bounds ?wait=, how long an answer is held back until an erasure is complete.
const MaxWait = 60 * time.Second

const (
	keysPath     = "/v1/keys/"
	erasuresPath = "/v1/erasures/"
)

var (
	keysRoute     = &route{name: "keys", methods: "DELETE", limit: maxOtherBodyBytes, private: true, serve: (*Server).deleteKey}
	erasuresRoute = &route{name: "erasures", methods: "GET", limit: maxOtherBodyBytes, private: true, serve: (*Server).getErasure}
)

// mayAdminister refuses who has no admin key. Where none is configured nobody has, unless the server asks nobody for any key.
func (s *Server) mayAdminister(ctx *fasthttp.RequestCtx) bool {
	if len(s.adminKeys) == 0 && s.o.OpenAdmin {
		return true
	}
	message := "this needs an admin key: send one as header X-Admin-Key, or as Authorization (Bearer, or the user of Basic)"
	key := ctx.Request.Header.Peek("X-Admin-Key")
	if len(key) == 0 {
		var buf [maxKeyBytes]byte
		key = authorization(ctx, buf[:])
	}
	switch {
	case len(s.adminKeys) == 0:
		answerError(ctx, fasthttp.StatusForbidden, &Error{Code: CodeForbidden, Message: "this server has no admin key: start it with one to use this path"})
		return false
	case len(key) > 0 && s.adminKeys.holds(key):
		return true
	case len(key) > 0:
		message = "this is not an admin key of this server"
	}
	answerError(ctx, fasthttp.StatusUnauthorized, &Error{Code: CodeUnauthorized, Message: message, Field: "key"})
	return false
}

// deleteKey answers DELETE /v1/keys/{visitor,user,company}/ID: the person is erased from the state when it does, and with ?wait from all files, if that does
// not take longer.
func (s *Server) deleteKey(ctx *fasthttp.RequestCtx) {
	if !s.mayAdminister(ctx) {
		return
	}
	kind, id, bad := personOf(ctx)
	wait, badWait := waitOf(ctx)
	if bad == nil {
		bad = badWait
	}
	if bad != nil {
		answerError(ctx, fasthttp.StatusBadRequest, bad)
		return
	}
	receipt, err := s.o.Eraser.Erase(s.ctx, kind, id)
	if err != nil {
		s.answerEraseError(ctx, err)
		return
	}
	if wait > 0 {
		if receipt, _, err = s.waitErasure(receipt.ID, wait); err != nil {
			s.answerEraseError(ctx, err)
			return
		}
	}
	status := fasthttp.StatusOK
	if !receipt.Complete {
		status = fasthttp.StatusAccepted
	}
	ctx.Response.Header.Set("Location", erasuresPath+strconv.FormatUint(uint64(receipt.ID), 10))
	answerReceipt(ctx, status, receipt)
}

// getErasure answers GET /v1/erasures/ID, with ?wait when the erasure is complete.
func (s *Server) getErasure(ctx *fasthttp.RequestCtx) {
	if !s.mayAdminister(ctx) {
		return
	}
	wait, bad := waitOf(ctx)
	text := bytes.TrimPrefix(ctx.Path(), []byte(erasuresPath))
	id, err := strconv.ParseUint(string(text), 10, 64)
	if bad == nil && err != nil {
		bad = refuse(CodeBadValue, where{name: "id"}, "%q is not the id of an erasure, a number that its answer gave", clip(string(text), 40))
	}
	if bad != nil {
		answerError(ctx, fasthttp.StatusBadRequest, bad)
		return
	}
	receipt, ok, err := s.waitErasure(nudge.Offset(id), wait)
	switch {
	case err != nil:
		s.answerEraseError(ctx, err)
	case !ok:
		answerError(ctx, fasthttp.StatusNotFound, &Error{
			Code: CodeNotFound, Field: "id", Message: fmt.Sprintf("there is no erasure %d; receipts go with the log's oldest part", id),
		})
	default:
		answerReceipt(ctx, fasthttp.StatusOK, receipt)
	}
}

func (s *Server) waitErasure(id nudge.Offset, wait time.Duration) (nudge.Receipt, bool, error) {
	ctx, cancel := context.WithTimeout(s.waits, wait)
	defer cancel()
	return s.o.Eraser.WaitErasure(ctx, id)
}

func answerReceipt(ctx *fasthttp.RequestCtx, status int, r nudge.Receipt) {
	body, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("BUG: a receipt does not marshal: %v", err))
	}
	startAnswer(ctx, status)
	ctx.Response.SetBody(append(body, '\n'))
}

func (s *Server) answerEraseError(ctx *fasthttp.RequestCtx, err error) {
	switch {
	case errors.Is(err, nudge.ErrBusy):
		ctx.Response.Header.Set("Retry-After", retryBusy)
		answerError(ctx, fasthttp.StatusTooManyRequests, &Error{Code: CodeBusy, Message: "too many erasures are under way, or the engine is at its bound: nothing was erased, send the same again a little later"})
	case errors.Is(err, nudge.ErrFull):
		ctx.Response.Header.Set("Retry-After", retryStopped)
		answerError(ctx, fasthttp.StatusServiceUnavailable, &Error{Code: CodeFull, Message: "the server's disk is full and nothing was erased: send the same again later"})
	case errors.Is(err, nudge.ErrStopped):
		ctx.Response.Header.Set("Retry-After", retryStopped)
		answerError(ctx, fasthttp.StatusServiceUnavailable, &Error{Code: CodeStopped, Message: "the engine is stopping: send the same again; erasing twice is as good as once"})
	default:
		s.o.Logger.Error("an erasure failed", "err", err)
		answerError(ctx, fasthttp.StatusInternalServerError, &Error{Code: CodeInternal, Message: "the erasure failed; the server's log says why"})
	}
}

// personOf reads whom a path names. What stands behind the kind is the id, percent-encoded, slashes and all.
func personOf(ctx *fasthttp.RequestCtx) (kind, id string, bad *Error) {
	rest := bytes.TrimPrefix(ctx.URI().PathOriginal(), []byte(keysPath))
	kindBytes, idBytes, _ := bytes.Cut(rest, []byte{'/'})
	kind = string(kindBytes)
	if kind != "visitor" && kind != "user" && kind != "company" {
		return "", "", refuse(CodeBadValue, where{name: "kind"}, "is %q: it is visitor, user or company, as in %svisitor/ID", clip(kind, 40), keysPath)
	}
	id, err := url.PathUnescape(string(idBytes))
	switch {
	case err != nil:
		return "", "", refuse(CodeBadValue, where{name: "id"}, "is not percent-encoded as a path is: %v", err)
	case id == "":
		return "", "", refuse(CodeMissing, where{name: "id"}, "is missing: say which %s, as in %s%s/ID", kind, keysPath, kind)
	case len(id) > MaxKeyBytes:
		return "", "", tooLong(where{name: "id"}, len(id), MaxKeyBytes)
	}
	return kind, id, nil
}

// waitOf reads ?wait=.
func waitOf(ctx *fasthttp.RequestCtx) (time.Duration, *Error) {
	text := string(ctx.QueryArgs().Peek("wait"))
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > MaxWait {
		return 0, refuse(CodeBadValue, where{name: "wait"}, "is a length of time from 0s to %.0fs with its unit, as in wait=25s", MaxWait.Seconds())
	}
	return d, nil
}
