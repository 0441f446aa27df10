package deliver

import (
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"nudge"
)

// problem is an answer that is not 2xx.
type problem struct {
	status  int
	code    string
	message string // names the fix
	field   string // the parameter or header that is wrong, "" if none is
	retry   int    // seconds for Retry-After, 0: none
}

// invalid is the problem of one parameter.
func invalid(field, message string) *problem {
	return &problem{status: fasthttp.StatusBadRequest, code: "bad_value", field: field, message: message}
}

func (p *problem) answer(ctx *fasthttp.RequestCtx) {
	b := append([]byte(nil), `{"error":{"code":`...)
	b = nudge.AppendJSONString(b, p.code)
	b = append(b, `,"message":`...)
	b = nudge.AppendJSONString(b, p.message)
	if p.field != "" {
		b = append(b, `,"field":`...)
		b = nudge.AppendJSONString(b, p.field)
	}
	b = append(b, "}}\n"...)
	answerJSON(ctx, b)
	ctx.SetStatusCode(p.status)
	if p.retry > 0 {
		ctx.Response.Header.Set("Retry-After", strconv.Itoa(p.retry))
	}
}

// throttleFor is how long a repeated failure is only counted after it was logged.
const throttleFor = 10 * time.Second

// throttle logs a repeated failure at most once in throttleFor, with how many were left out.
type throttle struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

func (t *throttle) log(l *slog.Logger, message string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if !t.last.IsZero() && now.Sub(t.last) < throttleFor {
		t.skipped++
		return
	}
	l.Error(message, "err", err, "skipped", t.skipped)
	t.last, t.skipped = now, 0
}
