package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"nudge"
	"nudge/engine"
	"nudge/ingest/nats"
)

const (
	flagSource = "source"
	flagNATS   = "nats"
	flagCreds  = "nats-creds"

	// maxSources bounds the streams that one process reads; each has a connection and a goroutine of its own.
	maxSources = 16
)

// natsConfig is what `nudge serve` is told of NATS brokers.
type natsConfig struct {
	sources []string
	server  string
	creds   string
}

func (c *natsConfig) register(fs *pflag.FlagSet) {
	fs.StringArrayVar(&c.sources, flagSource, nil, "stream of events to read, as in nats://127.0.0.1:4222/EVENTS; ?consumer=NAME behind it names the durable consumer (repeat)")
	fs.StringVar(&c.server, flagNATS, "", "broker to publish firings to, on nudge.fired.RULE, as in nats://127.0.0.1:4222")
	fs.StringVar(&c.creds, flagCreds, "", "file with the credentials for --source and --nats")
}

// problems lists what is wrong with the values.
func (c *natsConfig) problems() (all []error) {
	if len(c.sources) > maxSources {
		all = append(all, fmt.Errorf("--%s is given %d times; at most %d streams are read by one process", flagSource, len(c.sources), maxSources))
	}
	seen := map[string]bool{}
	for _, text := range c.sources {
		s, err := nats.ParseStream(text)
		if err != nil {
			all = append(all, fmt.Errorf("--%s: %w", flagSource, err))
			continue
		}
		if seen[s.Position()] {
			all = append(all, fmt.Errorf("--%s: the stream %s is read twice by the consumer %s; give one of the two another name, as in ?consumer=%s-2",
				flagSource, s.Name, s.Consumer, s.Consumer))
		}
		seen[s.Position()] = true
	}
	if c.server != "" {
		if _, err := nats.ParseServer(c.server); err != nil {
			all = append(all, fmt.Errorf("--%s: %w", flagNATS, err))
		}
	}
	if c.creds == "" {
		return all
	}
	if c.server == "" && len(c.sources) == 0 {
		all = append(all, fmt.Errorf("--%s is for a broker, and none is given; give --%s or --%s too", flagCreds, flagSource, flagNATS))
	}
	if err := nats.CheckCreds(c.creds); err != nil {
		all = append(all, fmt.Errorf("--%s: %w; give the .creds file of a NATS user", flagCreds, err))
	}
	return all
}

// natsEnds are a server's ends on brokers.
type natsEnds struct {
	sources []*nats.Source
	sink    *nats.Sink // nil: no broker is given
}

// ends makes them. The node has recovered and does not run yet: it knows how far each end has got.
func (c *natsConfig) ends(node *engine.Node, names *nudge.Names, registry prometheus.Registerer, logger *slog.Logger) (e natsEnds, err error) {
	if c.server == "" && len(c.sources) == 0 {
		return e, nil
	}
	metrics, err := nats.NewMetrics(registry)
	if err != nil {
		return e, err
	}
	for _, text := range c.sources {
		stream, err := nats.ParseStream(text)
		if err != nil {
			return e, err
		}
		stream.Creds = c.creds
		source, err := nats.NewSource(nats.SourceOptions{
			Stream: stream, Sink: node, Names: names, Reserved: emitted(node), Place: node.Position(stream.Position()), Metrics: metrics, Logger: logger,
		})
		if err != nil {
			return e, err
		}
		e.sources = append(e.sources, source)
	}
	if c.server == "" {
		return e, nil
	}
	server, err := nats.ParseServer(c.server)
	if err != nil {
		return e, err
	}
	server.Creds = c.creds
	e.sink, err = nats.NewSink(nats.SinkOptions{
		Server: server, Feed: node, Sink: node, Place: node.Position(nats.SinkPosition), Metrics: metrics, Logger: logger,
	})
	return e, err
}

// emitted says which types of events only rules make.
func emitted(node *engine.Node) func(nudge.NameID) bool {
	return func(typ nudge.NameID) bool { return node.Plan().Emits(typ) }
}

// wake tells the sink of new firings.
func (e *natsEnds) wake() {
	if e.sink != nil {
		e.sink.Wake()
	}
}

// needs is the offset from which on the log is kept for firings that are still to be published: all of it until it is known how far that has got, 0 where
// nothing is published.
func (e *natsEnds) needs(c *natsConfig) nudge.Offset {
	switch {
	case c.server == "":
		return 0
	case e.sink == nil:
		return 1
	}
	return e.sink.Needs()
}

// begin comes before the first event.
func (e *natsEnds) begin(ctx context.Context) error {
	if e.sink == nil {
		return nil
	}
	return e.sink.Begin(ctx)
}

// read runs the sources.
func (e *natsEnds) read(ctx context.Context) error {
	errs := make([]error, len(e.sources))
	var running sync.WaitGroup
	for i, s := range e.sources {
		running.Go(func() { errs[i] = s.Run(ctx) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// publish runs the sink.
func (e *natsEnds) publish(ctx context.Context) error {
	if e.sink == nil {
		return nil
	}
	return e.sink.Run(ctx)
}
