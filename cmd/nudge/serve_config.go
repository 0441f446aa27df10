package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"nudge"
)

// serveConfig is everything that `nudge serve` can be told.
type serveConfig struct {
	engineFlags
	nats       natsConfig
	data       string
	rules      string
	rulesGiven bool // otherwise --demo brings its own
	listen     string
	writeKeys  []string
	feedKeys   []string
	adminKeys  []string
	logMax     sizeFlag
	logKeep    nudge.Millis
	memory     sizeFlag
	demo       bool
	stop       time.Duration // after a signal, until the last checkpoint is left out
}

const (
	flagRules    = "rules"
	flagWriteKey = "write-key"
	flagFeedKey  = "feed-key"
	flagAdminKey = "admin-key"
	flagLogMax   = "log-max"
	flagData     = "data"
	flagMemory   = "memory"

	defaultData   = "data"
	defaultListen = "127.0.0.1:8080"
	defaultLogMax = sizeFlag(64 << 30)

	// minLogMax holds four segments of the log: one that is written, one made ahead, and something to read back.
	minLogMax = sizeFlag(256 << 20)

	// minMemory is what a checkpoint and the store's own memory take anyway: less of a budget saves nothing.
	minMemory = sizeFlag(64 << 20)

	// minLogKeep is far more than a checkpoint is behind: what is younger is needed for a restart.
	minLogKeep = nudge.Millis(time.Hour / time.Millisecond)

	// maxKeyBytes bounds a write key, feed key or admin key.
	maxKeyBytes = 256
)

func (c *serveConfig) register(fs *pflag.FlagSet) {
	c.engineFlags.register(fs)
	c.logMax, c.logKeep = defaultLogMax, defaultLogKeep
	fs.StringVar(&c.data, flagData, defaultData, "folder of the log and the checkpoints; made if it is not there")
	fs.StringVar(&c.rules, flagRules, defaultRules, "folder of the rules; a file that is saved is live within a second")
	fs.StringVar(&c.listen, "listen", defaultListen, "address to listen on; port 0 picks a free one")
	fs.StringArrayVar(&c.writeKeys, flagWriteKey, nil, "public key with which sites send events and ask for popups (repeat)")
	fs.StringArrayVar(&c.feedKeys, flagFeedKey, nil, "key with which sales tools read alerts (repeat)")
	fs.StringArrayVar(&c.adminKeys, flagAdminKey, nil, "key with which people are erased (repeat); where other keys are given, nobody can without one")
	fs.Var(&c.logMax, flagLogMax, "size at which the oldest part of the log goes, even if it is younger than --log-keep")
	fs.Var((*durationFlag)(&c.logKeep), flagLogKeep, "age at which the oldest part of the log goes, even if it is smaller than --log-max")
	fs.Var(&c.memory, flagMemory, "memory for what rules know of their keys, as 2GiB; what was not needed lately is read from the data folder when it is (0: all stays in memory)")
	c.nats.register(fs)
	fs.BoolVar(&c.demo, "demo", false, "serve the example site under /demo/, with the example rules unless --rules is given")
}

// Validate returns every problem at once.
func (c *serveConfig) Validate() error {
	all := c.problems()
	if c.data == "" {
		all = append(all, errors.New("--data is empty; give a folder"))
	}
	if c.rules == "" {
		all = append(all, errors.New("--rules is empty; give a folder"))
	}
	if c.logMax < minLogMax {
		all = append(all, fmt.Errorf("--log-max is %v; the least is %v", c.logMax, minLogMax))
	}
	if c.logKeep < minLogKeep {
		all = append(all, fmt.Errorf("--log-keep is %v; the least is %v", durationFlag(c.logKeep), durationFlag(minLogKeep)))
	}
	if c.memory != 0 && c.memory < minMemory {
		all = append(all, fmt.Errorf("--memory is %v; the least is %v, and 0 is no budget", c.memory, minMemory))
	}
	for _, k := range c.writeKeys {
		all = appendKeyProblem(all, flagWriteKey, k)
	}
	for _, k := range c.feedKeys {
		all = appendKeyProblem(all, flagFeedKey, k)
	}
	for _, k := range c.adminKeys {
		all = appendKeyProblem(all, flagAdminKey, k)
	}
	all = append(all, c.publicKeyProblem(flagFeedKey, c.feedKeys), c.publicKeyProblem(flagAdminKey, c.adminKeys))
	all = append(all, c.nats.problems()...)
	return errors.Join(append(all, c.listenProblem())...)
}

func appendKeyProblem(all []error, flag, key string) []error {
	if key == "" || len(key) > maxKeyBytes || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) {
		return append(all, fmt.Errorf("--%s %q: a key has 1 to %d letters, digits and signs, no colon and no space", flag, key, maxKeyBytes))
	}
	return all
}

// publicKeyProblem refuses a secret key that is public.
func (c *serveConfig) publicKeyProblem(flag string, keys []string) error {
	if slices.ContainsFunc(keys, func(k string) bool { return slices.Contains(c.writeKeys, k) }) {
		return fmt.Errorf("a --%s is a --%s too, which every page shows; give another", flag, flagWriteKey)
	}
	return nil
}

// listenProblem refuses an address that others can reach while anybody may use the server.
func (c *serveConfig) listenProblem() error {
	host, _, err := net.SplitHostPort(c.listen)
	if err != nil {
		return fmt.Errorf("--listen %q: write it as HOST:PORT, as in %s", c.listen, defaultListen)
	}
	var missing []string
	if len(c.writeKeys) == 0 {
		missing = append(missing, "--"+flagWriteKey)
	}
	if len(c.feedKeys) == 0 {
		missing = append(missing, "--"+flagFeedKey)
	}
	if missing != nil && !loopback(host) {
		return fmt.Errorf("--listen %s can be reached from other machines, and without %s anybody could use it; give keys, or listen on 127.0.0.1",
			c.listen, strings.Join(missing, " and "))
	}
	return nil
}

// open says whether no key is asked for anywhere.
func (c *serveConfig) open() bool {
	return len(c.writeKeys) == 0 && len(c.feedKeys) == 0 && len(c.adminKeys) == 0
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
