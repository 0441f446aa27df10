package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"nudge"
	"nudge/deliver"
	"nudge/engine"
	"nudge/ingest"
	"nudge/internal/beside"
	"nudge/state"
)

func newServe(stop time.Duration) *cobra.Command {
	c := serveConfig{stop: stop}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the engine: events in over HTTP, popups and alerts out",
		Long: `Serve is the whole engine in one process; it needs no other service. It keeps its log and checkpoints in --data, reads its
rules from --rules, and goes on after a crash where it was. A rule file that is saved is live within a second; one with an error
leaves the rules running that ran before.

With --source it reads events from streams of NATS JetStream too, with --nats it publishes what fires to a broker.

Without keys it listens on this machine only and asks for none.`,
		Example: "  nudge serve --demo\n  nudge serve --listen :8080 --write-key site-1 --feed-key sales-1\n" +
			"  nudge serve --source nats://127.0.0.1:4222/EVENTS --nats nats://127.0.0.1:4222",
		Args: args(cobra.NoArgs, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.rulesGiven = cmd.Flags().Changed(flagRules)
			if err := c.Validate(); err != nil {
				return &exitError{exitUsage, err}
			}
			return run(cmd.Context(), &c, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	c.register(cmd.Flags())
	return cmd
}

// recallPopups is how far back a restart looks for popups that may still be wanted: as long as they live.
const recallPopups = nudge.Millis(deliver.DefaultPopupTTL / time.Millisecond)

// budgetedGarbage is how much garbage there may be where memory is scarce, in percent of what is alive. The records are nothing that the collector looks into,
// so that it can come by often.
const budgetedGarbage = 25

// run is the life of a server. The order is what callers rely on: the folder is ours before anything is read; the address is ours before the
// log is read, so that a port in use is said at once; nothing is answered before recovery is done and the rules run; and at the
// end consumers go first, then requests in flight are finished, then the log, then the folder.
func run(ctx context.Context, c *serveConfig, stdout, stderr io.Writer) (err error) {
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	rulesFrom, err := c.ruleSource()
	if err != nil {
		return err
	}
	location, err := c.location()
	if err != nil {
		return err
	}

	files, err := shareFiles(openFilesLimit(), ingest.DefaultMaxConns)
	if err != nil {
		return err
	}
	if _, given := os.LookupEnv("GOGC"); c.memory > 0 && !given {
		debug.SetGCPercent(budgetedGarbage)
	}
	names := nudge.NewNames()
	var brokers natsEnds
	dir, err := state.Open(c.data, state.Options{
		Names: names, LogMaxBytes: int64(c.logMax), LogMaxAge: c.logKeep, LogWanted: func() nudge.Offset { return brokers.needs(&c.nats) },
		StoreFiles: files.store, Logger: logger,
	})
	if err != nil {
		return err
	}
	defer func() {
		if left := (*leftError)(nil); errors.As(err, &left) { // the folder is in use to the last
			err = left.besides
			return
		}
		err = errors.Join(err, dir.Close())
	}()

	copies := newBackups(ctx, dir, logger)
	if err := copies.withdraw(c.data); err != nil { // that of a process that was killed
		return err
	}
	defer copies.stop()

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var hub *deliver.Hub
	node, err := engine.NewNode(engine.NodeOptions{
		Engine: engine.Options{
			Names: names, Shards: c.shards, Lateness: c.lateness, DedupEvents: c.dedupEvents, Location: location,
		},
		Log: dir.Log, Store: dir.Store, Logger: logger, Recall: recallPopups, LogKeep: c.logKeep, Memory: int64(c.memory), Beside: new(beside.Core).Run, Wall: wallClock(),
		OnFirings: func(f []nudge.Firing) { hub.Publish(f); brokers.wake() },
		OnReceipt: func(id string) { hub.Receipt(id) },
		OnErase:   func(isVisitor func(string) bool) { hub.Erase(isVisitor) },
	})
	if err != nil {
		return err
	}
	keeper := &logKeeper{log: dir.Log, logger: logger}
	if err := errors.Join(registerNode(registry, node.Stats()), keeper.register(registry)); err != nil {
		return err
	}
	hub, err = deliver.New(deliver.Options{
		Feed: node, WriteKeys: c.writeKeys, FeedKeys: c.feedKeys, Now: node.Now, Logger: logger, Registerer: registry,
	})
	if err != nil {
		return err
	}
	defer hub.Close()
	server, err := ingest.NewServer(ingest.ServerOptions{
		Listen: c.listen, Sink: node, Eraser: node, Names: names, Reserved: emitted(node), WriteKeys: c.writeKeys, AdminKeys: c.adminKeys, OpenAdmin: c.open(),
		Routes: routes(hub, registry, copies), NotFound: site(c), MaxConns: files.conns, Now: node.Now, Ready: node.Ready, Loaded: node.Stats().Loaded, Logger: logger, Registerer: registry,
	})
	if err != nil {
		return err
	}
	if err := server.Listen(); err != nil {
		return err
	}
	if err := node.Recover(); err != nil {
		return fmt.Errorf("recover %s: %w", c.data, err)
	}

	if brokers, err = c.nats.ends(node, names, registry, logger); err != nil {
		return err
	}
	return c.serve(ctx, &services{
		node: node, log: keeper, copies: copies, store: dir.Store, hub: hub, server: server, brokers: &brokers, rules: rulesFrom, logger: logger,
		stdout: stdout, stderr: stderr,
	})
}

// services are the parts of a server that run.
type services struct {
	node    *engine.Node
	log     *logKeeper
	copies  *backups
	store   *state.Store
	hub     *deliver.Hub
	server  *ingest.Server
	brokers *natsEnds
	rules   ruleSource
	logger  *slog.Logger
	stdout  io.Writer
	stderr  io.Writer
}

// serve runs the parts until ctx ends or one of them fails, and stops them in order.
func (c *serveConfig) serve(ctx context.Context, s *services) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	nodeCtx, stopNode := context.WithCancel(context.WithoutCancel(ctx))
	nodeDone := start(func() error { return s.node.Run(nodeCtx) }, fail)
	serverCtx, stopServer := context.WithCancel(context.WithoutCancel(ctx))
	sinkCtx, stopSink := context.WithCancel(context.WithoutCancel(ctx))
	serverDone, watchDone, logDone, sourcesDone, sinkDone := closed(), closed(), closed(), closed(), closed()
	storeDone := start(func() error { return watchStore(ctx, s.store) }, fail)

	w := &ruleWatcher{source: s.rules, deploy: s.node.Deploy, logger: s.logger, stderr: s.stderr}
	err := w.first(ctx, s.node.Plan(), s.node.SettingsChanged())
	if err == nil {
		err = errors.Join(s.brokers.begin(ctx), s.copies.publish(c.data, s.server.Addr()))
	}
	if err == nil {
		sinkDone = start(func() error { return s.brokers.publish(sinkCtx) }, fail)
		sourcesDone = start(func() error { return s.brokers.read(ctx) }, fail)
		serverDone = start(func() error { return s.server.Run(serverCtx) }, fail)
		watchDone = start(func() error { return w.watch(ctx) }, fail)
		logDone = start(func() error { return s.log.run(ctx) }, fail)
		c.announce(s)
		debug.FreeOSMemory() // of what recovery has read, which may be several times the state
		<-ctx.Done()
		s.logger.Info("stopping: requests in flight are answered, and a checkpoint is written; a second signal ends it at once")
	}

	late := time.After(c.stop)
	fail(err)
	s.store.Hurry()
	err = errors.Join(err, <-watchDone, <-logDone, <-storeDone, <-sourcesDone)
	s.hub.Close()
	err = errors.Join(err, s.copies.withdraw(c.data))
	stopServer()
	err = errors.Join(err, <-serverDone)
	stopSink() // last of all, so that its place is logged
	err = errors.Join(err, <-sinkDone)
	stopNode()
	select {
	case stopped := <-nodeDone:
		return errors.Join(err, stopped)
	case <-late:
		s.logger.Warn("the last checkpoint takes too long and is left out: the next start reads the log", "after", c.stop)
		return &leftError{err}
	}
}

// stopTime is after how long an orderly end leaves the last checkpoint out, so that it is over within five seconds on a busy machine too: giving a large
// memory back takes its time, and who asks for the end often kills what is still there after ten seconds.
const stopTime = 4 * time.Second

// leftError says that the node still works while the process ends.
type leftError struct{ besides error } // what else has failed, nil for nothing

func (e *leftError) Error() string {
	return fmt.Sprintf("the last checkpoint is left out; besides: %v", e.besides)
}

// watchStore waits until the store fails for good: whoever reads or commits next would hear of it too, but maybe much later, or never.
func watchStore(ctx context.Context, store *state.Store) error {
	select {
	case <-store.Failed():
		return store.Err()
	case <-ctx.Done():
		return nil
	}
}

// start runs a part. Where it fails the others are told to stop.
func start(run func() error, fail context.CancelCauseFunc) <-chan error {
	done := make(chan error, 1)
	go func() {
		err := run()
		if err != nil {
			fail(err)
		}
		done <- err
	}()
	return done
}

// closed is the result of a part that never ran.
func closed() <-chan error {
	done := make(chan error)
	close(done)
	return done
}

// announce prints the one line that says the server is ready, and on stderr what a person wants to know.
func (c *serveConfig) announce(s *services) {
	base := "http://" + s.server.Addr().String()
	fmt.Fprintf(s.stdout, "listening on %s\n", base)
	if c.open() {
		fmt.Fprintln(s.stderr, "no keys are configured: only this machine is listened to, and nobody is asked for a key")
	}
	if c.demo {
		query := ""
		if len(c.feedKeys) > 0 {
			query = "?key=" + c.feedKeys[0]
		}
		fmt.Fprintf(s.stderr, "the example site: %s/demo/   the sales feed: %s/demo/feed%s   its history: nudge demo%s\n",
			base, base, query, strings.Join(c.demoFlags(base), ""))
	}
}

// demoFlags are what `nudge demo` needs to find this server.
func (c *serveConfig) demoFlags(base string) (flags []string) {
	if base != "http://"+defaultListen {
		flags = append(flags, " --url "+base)
	}
	if len(c.writeKeys) > 0 {
		flags = append(flags, " --"+flagWriteKey+" "+c.writeKeys[0])
	}
	return flags
}
