package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestServeConfig(t *testing.T) {
	good := func() serveConfig {
		return serveConfig{
			engineFlags: engineFlags{shards: 1, lateness: 1, dedupEvents: 1, timezone: "UTC"},
			data:        "data", rules: "rules", listen: defaultListen, logMax: minLogMax, logKeep: minLogKeep,
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*serveConfig)
		want   []string // parts of the error; none: it is right
	}{
		{"as it is", func(*serveConfig) {}, nil},
		{"IPv6 loopback", func(c *serveConfig) { c.listen = "[::1]:0" }, nil},
		{"localhost", func(c *serveConfig) { c.listen = "localhost:80" }, nil},
		{"open to all with both keys", func(c *serveConfig) { c.listen, c.writeKeys, c.feedKeys = ":80", []string{"w"}, []string{"f"} }, nil},
		{"open to all without keys", func(c *serveConfig) { c.listen = ":80" }, []string{"without --write-key and --feed-key anybody could use it"}},
		{"open to all with one", func(c *serveConfig) { c.listen, c.writeKeys = "192.0.2.1:80", []string{"w"} }, []string{"without --feed-key"}},
		{"one key for the feed and for erasing", func(c *serveConfig) {
			c.writeKeys, c.feedKeys, c.adminKeys = []string{"w"}, []string{"s"}, []string{"s"}
		}, nil},
		{"a public key that is secret", func(c *serveConfig) {
			c.writeKeys, c.feedKeys, c.adminKeys = []string{"w", "x"}, []string{"f", "x"}, []string{"w"}
		}, []string{"a --feed-key is a --write-key too, which every page shows; give another", "a --admin-key is a --write-key too"}},
		{"no port", func(c *serveConfig) { c.listen = "127.0.0.1" }, []string{"write it as HOST:PORT"}},
		{"most shards", func(c *serveConfig) { c.shards = maxShards }, nil},
		{"too many shards", func(c *serveConfig) { c.shards = maxShards + 1 }, []string{"--shards is 4097; give 1 to 4096"}},
		{"the clock of the machine", func(c *serveConfig) { c.timezone = "Local" }, []string{"differs from machine to machine"}},
		{"longest key", func(c *serveConfig) { c.feedKeys = []string{strings.Repeat("k", maxKeyBytes)} }, nil},
		{"least memory", func(c *serveConfig) { c.memory = minMemory }, nil},
		{"too little memory", func(c *serveConfig) { c.memory = minMemory - 1 }, []string{"--memory is 67108863; the least is 64MiB, and 0 is no budget"}},
		{"NATS", func(c *serveConfig) {
			c.nats = natsConfig{sources: []string{"nats://u:p@h/EVENTS", "tls://h:1/EVENTS?consumer=two"}, server: "nats://h"}
		}, nil},
		{"most sources", func(c *serveConfig) { c.nats.sources = manySources(maxSources) }, nil},
		{"too many sources", func(c *serveConfig) { c.nats.sources = manySources(maxSources + 1) }, []string{"--source is given 17 times; at most 16"}},
		{"NATS, wrong", func(c *serveConfig) {
			c.nats = natsConfig{sources: []string{"nats://h", "nats://h/A", "nats://other/A"}, server: "nats://h/EVENTS", creds: "none.creds"}
		}, []string{
			`--source: "nats://h" names no stream`, "--source: the stream A is read twice by the consumer nudge", `--nats: "nats://h/EVENTS" names more than a broker`,
			"--nats-creds: open none.creds",
		}},
		{"credentials for nobody", func(c *serveConfig) { c.nats.creds = "serve.go" }, []string{
			"--nats-creds is for a broker, and none is given; give --source or --nats", "--nats-creds: serve.go holds no credentials",
		}},
		{"all at once", func(c *serveConfig) {
			c.data, c.rules, c.logMax, c.logKeep, c.dedupEvents, c.lateness = "", "", minLogMax-1, minLogKeep-1, 0, 0
			c.writeKeys, c.feedKeys = []string{"", "a:b"}, []string{strings.Repeat("k", maxKeyBytes+1)}
		}, []string{"--data is empty", "--rules is empty", "--log-max is 268435455; the least is 256MiB", "--log-keep is 3599999ms; the least is 1h", "--dedup-events", "--lateness", `--write-key ""`, `--write-key "a:b"`, `--feed-key "kkk`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := good()
			tt.change(&c)
			err := c.Validate()
			if (err != nil) != (tt.want != nil) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
		})
	}
}

func manySources(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("nats://h/S%d", i))
	}
	return all
}
