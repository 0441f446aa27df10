package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"nudge"
	"nudge/deliver"
	"nudge/engine"
	"nudge/ingest"
	"nudge/internal/beside"
	"nudge/rules"
	"nudge/state"
)

// server is what `nudge serve` runs, in this process: a data folder, a node, a hub and an HTTP server, with every default.
type server struct {
	names *nudge.Names
	data  *state.Dir
	log   *timedLog // of data
	node  *engine.Node
	hub   *deliver.Hub
	http  *ingest.Server

	wall func() time.Time // nil: the machine's clock

	stopHTTP, stopNode context.CancelFunc
	httpDone, nodeDone chan error
}

// serve starts a server over a new folder, whose syncs it measures for the report. end stops the server and removes the folder.
func (o *Options) serve(ctx context.Context, r *Report, sources []rules.Source, onFirings func([]nudge.Firing)) (s *server, end func() error, err error) {
	dir, remove, err := o.folder()
	if err != nil {
		return nil, nil, err
	}
	if err := r.Machine.measureSync(dir); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	if s, err = startServer(ctx, dir+"/data", sources, onFirings); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	return s, func() error { return errors.Join(s.close(), remove()) }, nil
}

// startServer serves the rules from a new data folder in dir, on a free port of this machine. onFirings, where given, is told of firings
// beside the hub, by the goroutine that delivers them.
func startServer(ctx context.Context, dir string, sources []rules.Source, onFirings func([]nudge.Firing)) (*server, error) {
	s := &server{names: nudge.NewNames()}
	if err := s.open(dir, onFirings); err != nil {
		return nil, errors.Join(err, s.close())
	}
	diags, err := s.node.Deploy(ctx, sources)
	if err == nil && diags.HasErrors() {
		err = diags.Err()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("deploy the rules: %w", err), s.close())
	}
	return s, nil
}

func (s *server) open(dir string, onFirings func([]nudge.Firing)) (err error) {
	if s.data, err = state.Open(dir, state.Options{Names: s.names}); err != nil {
		return err
	}
	publish := func(f []nudge.Firing) {
		s.hub.Publish(f)
		if onFirings != nil {
			onFirings(f)
		}
	}
	s.log = &timedLog{Log: s.data.Log}
	if s.node, err = newNode(s.log, s.data.Store, s.names, s.wall, publish); err != nil {
		return err
	}
	if s.hub, err = deliver.New(deliver.Options{Feed: s.node}); err != nil {
		return err
	}
	s.http, err = ingest.NewServer(ingest.ServerOptions{Listen: "127.0.0.1:0", Sink: s.node, Names: s.names, Routes: s.hub.Routes()})
	if err != nil {
		return err
	}
	if err := s.http.Listen(); err != nil {
		return err
	}
	if err := s.node.Recover(); err != nil {
		return err
	}
	s.nodeDone, s.stopNode = started(s.node.Run)
	s.httpDone, s.stopHTTP = started(s.http.Run)
	return nil
}

// newNode is a node with the defaults of `nudge serve`; wall is nil for the machine's clock.
func newNode(log engine.Log, store engine.Store, names *nudge.Names, wall func() time.Time, onFirings func([]nudge.Firing)) (*engine.Node, error) {
	return engine.NewNode(engine.NodeOptions{
		Engine: engine.Options{Names: names}, Log: log, Store: store, Logger: slog.New(slog.DiscardHandler), Wall: wall,
		OnFirings: onFirings, Beside: new(beside.Core).Run,
	})
}

// started runs a part until it is stopped. Stopping goes part by part, so it does not hang on the caller's context.
func started(run func(context.Context) error) (done chan error, stop context.CancelFunc) {
	ctx, stop := context.WithCancel(context.Background())
	done = make(chan error, 1)
	go func() { done <- run(ctx) }()
	return done, stop
}

func (s *server) addr() string { return s.http.Addr().String() }

// close stops the parts in the order of `nudge serve`: consumers, requests, the log, the folder.
func (s *server) close() error {
	var errs []error
	if s.hub != nil {
		s.hub.Close()
	}
	if s.httpDone != nil {
		s.stopHTTP()
		errs = append(errs, <-s.httpDone)
	}
	if s.nodeDone != nil {
		s.stopNode()
		errs = append(errs, <-s.nodeDone)
	}
	if s.data != nil {
		errs = append(errs, s.data.Close())
	}
	return errors.Join(errs...)
}

// folder makes a folder for data, and the function that removes it and all that is in it.
func (o *Options) folder() (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp(o.Dir, "nudge-bench-*")
	if err != nil {
		return "", nil, fmt.Errorf("make a data folder: %w", err)
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}
