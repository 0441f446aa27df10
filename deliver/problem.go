package deliver

import (
	"strconv"

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
