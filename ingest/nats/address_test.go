package nats

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseStream(t *testing.T) {
	longest := strings.Repeat("S", maxNameBytes)
	for text, want := range map[string]Stream{
		"nats://h/EVENTS":                      {Server{URL: "nats://h:4222"}, "EVENTS", "nudge"},
		"nats://h:1/EVENTS/":                   {Server{URL: "nats://h:1"}, "EVENTS", "nudge"},
		"tls://u:p%40@h:1/EVENTS?consumer=c-2": {Server{URL: "tls://h:1", User: "u", Password: "p@"}, "EVENTS", "c-2"},
		"nats://token@[::1]:1/EVENTS":          {Server{URL: "nats://[::1]:1", User: "token"}, "EVENTS", "nudge"},
		"nats://h/" + longest + "?consumer=c":  {Server{URL: "nats://h:4222"}, longest, "c"},
	} {
		if got, err := ParseStream(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                 "is not the URL of a broker",
		"EVENTS":                           "is not the URL of a broker",
		"http://h/EVENTS":                  "is not the URL of a broker",
		"nats:///EVENTS":                   "is not the URL of a broker",
		"nats://u:secret@h:x/EVENTS":       "not a URL",
		"nats://h":                         "names no stream",
		"nats://h/":                        "names no stream",
		"nats://h/A/B":                     `the name of the stream "A/B"`,
		"nats://h/a.b":                     `the name of the stream "a.b"`,
		"nats://h/" + longest + "S":        "must have 1 to 128 letters",
		"nats://h/A?consumer=":             `the name of the consumer ""`,
		"nats://h/A?consumer=a%20b":        `the name of the consumer "a b"`,
		"nats://h/A?consumer=a&consumer=b": "stands there twice",
		"nats://u:secret@h/A?user=b":       `"user" is not known`,
		"nats://h/A?%zz":                   "cannot be read",
	} {
		_, err := ParseStream(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestParseServer(t *testing.T) {
	if got, err := ParseServer("nats://u:p@h/"); err != nil || got != (Server{URL: "nats://h:4222", User: "u", Password: "p"}) {
		t.Errorf("%+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"nats://h/A": "names more than a broker", "nats://h?x=1": "names more than a broker", "h:4222": "is not the URL of a broker", "nats://h,g:1": "names several",
	} {
		if _, err := ParseServer(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestCheckCreds(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good": "-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------\n-----BEGIN USER NKEY SEED-----\nx\n------END USER NKEY SEED------\n",
		"half": "-----BEGIN NATS USER JWT-----\nx\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"good": "", "half": "holds no credentials: it has no line with BEGIN USER NKEY SEED", "none": "no such file", ".": "is a directory"} {
		err := CheckCreds(filepath.Join(dir, name))
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// A broker that wants to know who we are is told, by the user or the token of the URL; one that does not know us says so.
func TestWhoWeAre(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		change func(*serverOptions)
		who    string
	}{
		{func(o *serverOptions) { o.Username, o.Password = "u", "p" }, "u:p@"},
		{func(o *serverOptions) { o.Authorization = "token" }, "token@"},
	} {
		b := startBroker(t, tt.change)
		b.events()
		b.numbered(0, 1)
		m := startMachine(t, plan{source: strings.Replace(b.url(), "//", "//"+tt.who, 1) + "/EVENTS"})
		m.wantRead(b, 1)
		m = startMachine(t, plan{source: b.url() + "/EVENTS"})
		until(t, "it is said that the broker does not know us", func() bool { return m.logs.has("the broker refuses the credentials") })
	}
}

// Without a broker everything else goes on, and it is said what is missing.
func TestNoBroker(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	b.events()
	b.fired(nil)
	url := b.url()
	b.stop()
	m := startMachine(t, plan{source: url + "/EVENTS", sink: url})
	m.send(0, 3)
	until(t, "it is said", func() bool { return m.logs.has("connect to " + url) })
	m.wantValue("connected", 0)
	b.start()
	until(t, "both are connected", func() bool { return m.value("connected") == 2 })
	b.numbered(3, 5)
	b.wantFired(m, 5)
}
