//go:build unix && !solaris && !illumos && !aix

package ingest

import (
	"net"
	"runtime"
	"testing"
)

// TestPeerGone: a connection that is open is not gone, whether there is something to read or not, and looking takes nothing out of it.
func TestPeerGone(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(accepted)
	if c.PeerGone() {
		t.Fatal("an open connection is gone")
	}
	if _, err := client.Write([]byte("ab")); err != nil {
		t.Fatal(err)
	}
	var b [2]byte
	for i := range b {
		if _, err := c.Read(b[i : i+1]); err != nil || i == 0 && c.PeerGone() {
			t.Fatalf("byte %d: %v, or gone with another to come", i, err)
		}
	}
	if string(b[:]) != "ab" || c.PeerGone() {
		t.Fatalf("read %q, or gone with nothing to come", b)
	}
	client.Close()
	for !c.PeerGone() { // the system may take a moment to say so
		runtime.Gosched()
	}
	if _, err := accepted.Write([]byte("x")); err != nil {
		t.Errorf("the first bytes behind a close: %v", err)
	}
	c.Close()
	if !c.PeerGone() {
		t.Error("a connection that is closed on this side is there")
	}
	if pipe, _ := net.Pipe(); newConn(pipe).PeerGone() {
		t.Error("what cannot be asked is gone")
	}
}
