package nats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// patience is how long a test waits for what must come, on a machine that has much else to do.
const patience = time.Minute

// until waits for a condition.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-deadline.C:
			t.Fatalf("it does not come about that %s", what)
		}
	}
}

// broker is a NATS server with JetStream that syncs every message. It keeps its port and folder over restarts.
type broker struct {
	testing.TB
	dir    string
	port   int
	change func(*serverOptions)
	server *server.Server
	admin  *connection // a client of the test's own
}

func startBroker(t testing.TB, change func(*serverOptions)) *broker {
	t.Helper()
	b := &broker{TB: t, dir: t.TempDir(), port: server.RANDOM_PORT, change: change}
	b.start()
	t.Cleanup(b.stop)
	return b
}

func (b *broker) start() {
	b.Helper()
	o := &server.Options{
		Host: "127.0.0.1", Port: b.port, JetStream: true, StoreDir: b.dir, SyncAlways: true, NoSigs: true, NoLog: true,
	}
	if b.change != nil {
		b.change(o)
	}
	var err error
	if b.server, err = server.NewServer(o); err != nil {
		b.Fatal(err)
	}
	b.server.Start()
	if !b.server.ReadyForConnections(patience) {
		b.Fatal("the broker does not start")
	}
	if b.port == server.RANDOM_PORT {
		b.port = b.server.Addr().(*net.TCPAddr).Port
	}
	b.dial(o)
}

// dial connects the test's own client.
func (b *broker) dial(o *server.Options) {
	b.Helper()
	nc, err := nats.Connect(b.url(), nats.UserInfo(o.Username, o.Password), nats.Token(o.Authorization), nats.NoReconnect())
	if err != nil {
		b.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	b.admin = &connection{nc: nc, js: js, lost: make(chan struct{})}
}

func (b *broker) url() string { return "nats://127.0.0.1:" + strconv.Itoa(b.port) }

func (b *broker) stop() {
	if b.server == nil {
		return
	}
	b.admin.nc.Close()
	b.server.Shutdown()
	b.server.WaitForShutdown()
	b.server = nil
}

// restart stops and starts the broker; meanwhile it may be changed.
func (b *broker) restart(meanwhile func()) {
	b.Helper()
	b.stop()
	meanwhile()
	b.start()
}

// keep copies the broker's folder; it must be stopped. back puts the copy in its place.
func (b *broker) keep() (back func()) {
	b.Helper()
	copied := filepath.Join(b.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(b.dir)); err != nil {
		b.Fatal(err)
	}
	return func() {
		b.empty()
		if err := os.CopyFS(b.dir, os.DirFS(copied)); err != nil {
			b.Fatal(err)
		}
	}
}

func (b *broker) empty() {
	if err := os.RemoveAll(b.dir); err != nil {
		b.Fatal(err)
	}
}

func (b *broker) stream(c jetstream.StreamConfig) {
	b.Helper()
	if _, err := b.admin.js.CreateStream(context.Background(), c); err != nil {
		b.Fatal(err)
	}
}

// events makes the stream EVENTS.
func (b *broker) events() {
	b.Helper()
	b.stream(jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"events.>"}})
}

// publish publishes to a stream and wants it taken.
func (b *broker) publish(subject, body string, headers ...string) {
	b.Helper()
	m := &nats.Msg{Subject: subject, Data: []byte(body), Header: nats.Header{}}
	for i := 0; i < len(headers); i += 2 {
		m.Header.Set(headers[i], headers[i+1])
	}
	if _, err := b.admin.js.PublishMsg(context.Background(), m); err != nil {
		b.Fatal(err)
	}
}

// numbered publishes events that carry the numbers [from, to), several in one message now and then.
func (b *broker) numbered(from, to int) {
	b.Helper()
	for n := from; n < to; {
		body := numberedEvent(n)
		n++
		for ; n < to && n%7 < 2; n++ {
			body += "\n" + numberedEvent(n)
		}
		b.publish("events.web", body)
	}
}

func numberedEvent(n int) string {
	return fmt.Sprintf(`{"type":"seen","visitor":"v%d","n":%d}`, n%5, n)
}

// messages are all of a stream.
func (b *broker) messages(stream string) (all []*message) {
	b.Helper()
	for seq := uint64(1); ; {
		m, err := b.admin.next(context.Background(), stream, seq, anySubject)
		if errors.Is(err, errNone) {
			return all
		}
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, m)
		seq = m.seq + 1
	}
}

func (b *broker) consumer(name string) *jetstream.ConsumerInfo {
	b.Helper()
	c, err := b.admin.js.Consumer(context.Background(), "EVENTS", name)
	if err != nil {
		b.Fatal(err)
	}
	return c.CachedInfo()
}

// wire is a connection's way to the broker, which can be cut.
type wire struct {
	broker *broker
	ln     net.Listener

	mu         sync.Mutex
	mute, deaf bool // what the client says, or is told, is lost
	conns      map[net.Conn]bool
}

func newWire(b *broker) *wire {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	w := &wire{broker: b, ln: ln, conns: map[net.Conn]bool{}}
	b.Cleanup(func() { ln.Close(); w.cut() })
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			w.join(near)
		}
	}()
	return w
}

func (w *wire) url() string { return "nats://" + w.ln.Addr().String() }

func (w *wire) join(near net.Conn) {
	far, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(w.broker.port))
	if err != nil {
		near.Close()
		return
	}
	w.mu.Lock()
	w.conns[near], w.conns[far] = true, true
	w.mu.Unlock()
	go w.carry(far, near, &w.mute)
	go w.carry(near, far, &w.deaf)
}

func (w *wire) carry(to, from net.Conn, lost *bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		w.mu.Lock()
		drop := *lost
		w.mu.Unlock()
		if drop {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil && !errors.Is(err, io.EOF) {
			return
		}
	}
}

// lose has everything lost that the client says (mute), or is told (deaf), from now on until cut.
func (w *wire) lose(mute, deaf bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mute, w.deaf = mute, deaf
}

// cut closes all connections; new ones are whole.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mute, w.deaf = false, false
	for c := range w.conns {
		c.Close()
	}
	clear(w.conns)
}

// serverOptions are the broker's.
type serverOptions = server.Options
