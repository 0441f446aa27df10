package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nudge"
	"nudge/examples"
)

const (
	demoBatch   = 200              // events in one request
	demoTimeout = 30 * time.Second // of one request

	// A busy server is asked again this often, and waited for at most so long each time.
	demoTries   = 20
	demoMaxWait = 10 * time.Second

	// maxAnswer bounds what is read of an answer.
	maxAnswer = 1 << 20
)

// poster posts events to a server.
type poster struct {
	url    string // of the server, without a slash at the end
	key    string
	client http.Client
	sleep  func(ctx context.Context, d time.Duration) error
}

// answer is what the server says to a batch of events.
type answer struct {
	Accepted int `json:"accepted"`
	Rejected []struct {
		Index   int    `json:"index"`
		Message string `json:"message"`
	} `json:"rejected"`
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
}

func newDemo() *cobra.Command {
	var (
		server, key string
		seed        uint64
	)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Post a made-up history to a running server",
		Long: `Demo posts three weeks of visits by some dozens of invented people to a server that runs the example rules,
so that two more pages make an alert. It is for a new data folder. To run it again on the same day changes nothing, as its events have
the same ids; on another day they are other visits, which tip the rules over by themselves.`,
		Example: "  nudge serve --demo\n  nudge demo",
		Args:    args(cobra.NoArgs, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			address, err := serverAddress(server)
			if err != nil {
				return err
			}
			p := &poster{url: address, key: key, client: http.Client{Timeout: demoTimeout}, sleep: sleep}
			return p.demo(cmd.Context(), examples.History(seed, nudge.Millis(time.Now().UnixMilli())), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&server, "url", "http://"+defaultListen, "where the server listens")
	cmd.Flags().StringVar(&key, flagWriteKey, "", "write key of the server, if it asks for one")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "another number makes another history")
	return cmd
}

// serverAddress checks --url, and leaves out the slash at its end.
func serverAddress(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", usagef("--url %q is not the address of a server; write it as http://127.0.0.1:8080", text)
	}
	return strings.TrimRight(text, "/"), nil
}

// demo posts the events and says what happened and what to do next.
func (p *poster) demo(ctx context.Context, events [][]byte, out io.Writer) error {
	posted := 0
	for len(events) > 0 {
		n := min(demoBatch, len(events))
		a, err := p.post(ctx, events[:n])
		if err != nil {
			return err
		}
		if len(a.Rejected) > 0 {
			first := a.Rejected[0]
			return foundf("the server refused %s; the first: %s: %s", plural(int64(len(a.Rejected)), "event"), first.Message, events[first.Index])
		}
		posted += a.Accepted
		events = events[n:]
	}
	fmt.Fprintf(out, `posted %s of three weeks to %s

Now be the visit that tips the rules over:
  1. open %s/demo/feed in one window: the sales feed
  2. open %s/demo/ in another, sign in as %s and look at one more page:
     the feed shows an alert, "highly engaged" (the page on which she signs in is her 19th, the next one her 20th)
  3. sign out, sign in as %s, look at a page: the feed shows %s, "several people of one company"
  4. sit on %s/demo/book for 20 seconds: a popup offers help

Each alert comes once. To begin again, and on another day, stop the server, remove its data folder, start it and post the history anew.
`, plural(int64(posted), "event"), p.url, p.url, p.url, examples.DemoPerson, examples.DemoColleague, examples.DemoCompany, p.url)
	return nil
}

// post posts one batch, and again as long as the server is busy.
func (p *poster) post(ctx context.Context, events [][]byte) (answer, error) {
	body := bytes.Join(events, []byte{'\n'})
	for range demoTries {
		a, wait, err := p.try(ctx, body)
		if err != nil || wait == 0 {
			return a, err
		}
		if err := p.sleep(ctx, min(wait, demoMaxWait)); err != nil {
			return a, err
		}
	}
	return answer{}, fmt.Errorf("%s is still busy after %d tries; try again later", p.url, demoTries)
}

// try posts one batch once. wait is how long a busy server wants to be left alone.
func (p *poster) try(ctx context.Context, body []byte) (a answer, wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/v1/events", bytes.NewReader(body))
	if err != nil {
		return a, 0, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if p.key != "" {
		req.SetBasicAuth(p.key, "")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return a, 0, fmt.Errorf("%w\nIs the server running? `nudge serve --demo` starts it; --url says where it listens", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return a, 0, fmt.Errorf("read the answer of %s: %w", p.url, err)
	}
	jsonErr := json.Unmarshal(text, &a)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if err != nil || seconds < 1 {
			seconds = 1
		}
		return a, time.Duration(seconds) * time.Second, nil
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return a, 0, usagef("%s asks for a write key: give one of its own with --%s", p.url, flagWriteKey)
	case jsonErr != nil:
		return a, 0, fmt.Errorf("%s does not answer like Nudge (%s); is it another program?", p.url, resp.Status)
	case len(a.Rejected) == 0 && resp.StatusCode != http.StatusOK:
		return a, 0, fmt.Errorf("%s answers %s: %s", p.url, resp.Status, a.Error.Message)
	}
	return a, 0, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errors.New("interrupted")
	}
}
