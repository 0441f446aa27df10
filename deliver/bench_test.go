package deliver

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/valyala/fasthttp"

	"nudge"
)

// BenchmarkPublish is the time from Publish to the popup read by a client over loopback TCP, one at a time, beside idle streams
// of other visitors.
func BenchmarkPublish(b *testing.B) {
	for _, idle := range []int{0, 100, 10_000} {
		b.Run(fmt.Sprintf("to=stream/idle=%d", idle), func(b *testing.B) { benchPublish(b, idle) })
	}
	b.Run("to=inbox", func(b *testing.B) {
		hub := benchHub(b)
		list := make([]nudge.Firing, 64)
		for i := range list {
			list[i] = popupFiring("", 0, millis(), "a")
		}
		b.ReportAllocs()
		for n := 0; n < b.N; n += len(list) {
			for i := range list {
				f := &list[i]
				f.Cursor.Offset, f.At, f.Visitor, f.ID = nudge.Offset(n+i+1), millis(), visitorNames[(n+i)%len(visitorNames)], firingIDs[(n+i)%len(firingIDs)]
			}
			hub.Publish(list)
		}
	})
}

var (
	visitorNames = numbered("visitor-%d", 4096)
	firingIDs    = numbered("%032d", 1<<20)
)

func numbered(format string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(format, i)
	}
	return list
}

func benchHub(b *testing.B) *Hub {
	b.Helper()
	hub, err := New(Options{Feed: &memFeed{}, MaxStreams: 20_000})
	if err != nil {
		b.Fatal(err)
	}
	return hub
}

func benchPublish(b *testing.B, idle int) {
	hub := benchHub(b)
	server := &fasthttp.Server{Handler: hub.Routes()["/v1/popups/stream"], NoDefaultDate: true, Logger: quiet{}}
	before := heapAndStacks()
	var streams sync.WaitGroup
	for i := range idle {
		// In memory: ten thousand sockets are more than most machines allow one process.
		conn := openPipe(b, server, &streams, visitorNames[i%len(visitorNames)])
		defer conn.Close()
	}
	if idle > 0 {
		b.Logf("%d bytes a stream, the client's side included", (heapAndStacks()-before)/uint64(idle))
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	streams.Go(func() { // Serve would start a pool that outlives the benchmark
		if conn, err := ln.Accept(); err == nil {
			_ = server.ServeConn(conn)
		}
	})
	resp, err := http.Get("http://" + ln.Addr().String() + "/v1/popups/stream?visitor=me")
	if err != nil {
		b.Fatal(err)
	}
	s := &sse{t: b, resp: resp, br: bufio.NewReader(resp.Body)}
	s.block()

	list := []nudge.Firing{popupFiring("me", 0, 0, "a")}
	n := nudge.Offset(0)
	b.ReportAllocs()
	for b.Loop() {
		n++
		list[0].Cursor.Offset, list[0].At, list[0].ID = n, millis(), "f"
		hub.Publish(list)
		if s.block() == "" {
			b.Fatal("the stream has ended")
		}
		hub.Receipt("f")
	}
	b.StopTimer()
	hub.Close()
	s.close()
	http.DefaultClient.CloseIdleConnections()
	ln.Close()
	streams.Wait()
}

// openPipe opens a stream over a connection in memory and reads its head.
func openPipe(b *testing.B, server *fasthttp.Server, streams *sync.WaitGroup, visitor string) net.Conn {
	b.Helper()
	client, conn := net.Pipe()
	streams.Go(func() { _ = server.ServeConn(conn) })
	if _, err := fmt.Fprintf(client, "GET /v1/popups/stream?visitor=%s HTTP/1.1\r\nHost: nudge\r\n\r\n", visitor); err != nil {
		b.Fatal(err)
	}
	br := bufio.NewReaderSize(client, 64)
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		if strings.HasPrefix(line, "retry: ") {
			break
		}
	}
	streams.Go(func() { // what is left of the head, and the end
		var buf [16]byte
		for {
			if _, err := client.Read(buf[:]); err != nil {
				return
			}
		}
	})
	return client
}

func heapAndStacks() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
