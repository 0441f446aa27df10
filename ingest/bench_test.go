package ingest

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"nudge"
)

// typical is an event as a site sends it, about 330 bytes.
const typical = `{"id":"5f0a8a4c-1f8e-4a6b-9c59-4a0a1a0c2a11","type":"page_view","ts":1764000000123,"visitor":"0b6a8a4c-22de-4a6b-9c59-77aa1a0c2a11",` +
	`"user":"u7","email":"Ana@Acme.Example","url":"https://www.acme.example/pricing?utm_source=news","title":"Pricing","referrer":"",` +
	`"props":{"plan":"pro","amount":19.99,"new":true,"card":{"brand":"visa"},"list":[1,2,3]}}`

// item is one of a batch in Segment's form, about 250 bytes.
const item = `{"type":"track","event":"Product Viewed","anonymousId":"a1","userId":"u1","messageId":"m1","timestamp":"2025-11-24T16:00:19.500Z",` +
	`"properties":{"price":19.9,"path":"/p"},"context":{"page":{"url":"https://a.example/p"},"campaign":{"name":"x"}}}`

// TestNoAllocations: in the steady state a codec allocates nothing, whatever the form.
func TestNoAllocations(t *testing.T) {
	around := `"sentAt":"2025-11-24T16:00:19.800Z","context":{"page":{"title":"t"}}}`
	for name, run := range map[string]func(c *Codec, body []byte, b *nudge.RecordBuilder) (Decoded, error){
		"json": func(c *Codec, body []byte, b *nudge.RecordBuilder) (Decoded, error) {
			return c.Events(body, "application/json", received, b)
		},
		"msgpack": func(c *Codec, body []byte, b *nudge.RecordBuilder) (Decoded, error) {
			return c.Events(body, "application/msgpack", received, b)
		},
		"segment": func(c *Codec, body []byte, b *nudge.RecordBuilder) (Decoded, error) {
			return c.Segment("batch", body, received, b)
		},
		"replay": func(c *Codec, body []byte, b *nudge.RecordBuilder) (Decoded, error) {
			_, _, err := c.ReplayEvent(body, b)
			return Decoded{Records: 1}, err
		},
	} {
		body := []byte(typical)
		switch name {
		case "msgpack":
			body = toMsgpack(t, typical)
		case "segment":
			body = []byte(`{"batch":[` + item + `],` + around)
		}
		c := NewCodec(CodecOptions{Names: nudge.NewNames()})
		var b nudge.RecordBuilder
		allocs := testing.AllocsPerRun(100, func() {
			b.Buf = b.Buf[:0]
			if done, err := run(c, body, &b); err != nil || done.Records == 0 {
				t.Fatal(done, err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1, 100} {
		text := "[" + strings.Repeat(typical+",", n-1) + typical + "]"
		for _, format := range []string{"json", "msgpack", "segment"} {
			body, decode := []byte(text), (*Codec).Events
			switch format {
			case "msgpack":
				body = toMsgpack(b, text)
			case "segment":
				body = []byte(`{"batch":[` + strings.Repeat(item+",", n-1) + item + `],"sentAt":"2025-11-24T16:00:19.800Z","context":{"page":{"title":"t"}}}`)
				decode = func(c *Codec, body []byte, _ string, at nudge.Millis, out *nudge.RecordBuilder) (Decoded, error) {
					return c.Segment("batch", body, at, out)
				}
			}
			b.Run(fmt.Sprintf("format=%s/events=%d", format, n), func(b *testing.B) {
				c := NewCodec(CodecOptions{Names: nudge.NewNames()})
				var out nudge.RecordBuilder
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					out.Buf = out.Buf[:0]
					if done, err := decode(c, body, "", received, &out); err != nil || done.Records != n {
						b.Fatal(done, err)
					}
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// sinkOfNothing takes everything at once: what is measured is this package.
type sinkOfNothing struct{}

func (sinkOfNothing) Submit(context.Context, []byte, int, bool) ([]nudge.Firing, error) {
	return nil, nil
}

// BenchmarkServer posts over loopback; echo is fasthttp with nothing behind it, for the same bodies.
func BenchmarkServer(b *testing.B) {
	srv, err := NewServer(ServerOptions{Listen: "127.0.0.1:0", Sink: sinkOfNothing{}, Names: nudge.NewNames()})
	if err != nil {
		b.Fatal(err)
	}
	if err := srv.Listen(); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx) }()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	echo := fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetBody(ctx.PostBody()) }}
	go echo.Serve(ln)
	defer func() {
		echo.Shutdown()
		stop()
		if err := <-ran; err != nil {
			b.Error(err)
		}
	}()

	for _, n := range []int{1, 100} {
		body := []byte("[" + strings.Repeat(typical+",", n-1) + typical + "]")
		for name, addr := range map[string]net.Addr{"ingest": srv.Addr(), "echo": ln.Addr()} {
			b.Run(fmt.Sprintf("server=%s/events=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) { post(b, pb, addr.String(), body) })
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

func post(b *testing.B, pb *testing.PB, addr string, body []byte) {
	client := fasthttp.HostClient{Addr: addr}
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	req.SetRequestURI("http://" + addr + "/v1/events")
	req.Header.SetMethod("POST")
	req.SetBodyRaw(body)
	for pb.Next() {
		if err := client.Do(req, resp); err != nil || resp.StatusCode() != 200 {
			b.Error(resp.StatusCode(), err)
			return
		}
	}
	client.CloseIdleConnections()
}
