package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"nudge"
)

const (
	eraseWait    = 25 * time.Second // that a request is held back
	eraseTimeout = time.Minute      // of one request
	eraseTries   = 20               // without an answer, one after the other
	erasePause   = 3 * time.Second  // between two of them
)

// eraser erases a person on a server.
type eraser struct {
	url    string // of the server, without a slash at the end
	key    string
	client http.Client
	sleep  func(ctx context.Context, d time.Duration) error
}

func newErase() *cobra.Command {
	var server string
	ids := map[string]*string{}
	e := &eraser{client: http.Client{Timeout: eraseTimeout}, sleep: sleep}
	cmd := &cobra.Command{
		Use:   "erase",
		Short: "Erase a person, or a company's key, from a running server",
		Long: `Erase removes a visitor, or a user with every visitor that it is known to have been: from the state and the feed at once, and then
from every file of the server; or a company's key, whose people and their events stay. It waits for that and prints the receipt, which says what was removed and does not hold the id.
What an event sends afterwards is about somebody new. Erasing somebody whom the server does not know is no error.`,
		Example: "  nudge erase --user u7\n  nudge erase --visitor 5f0c7a --url https://nudge.example.com --admin-key ops-1",
		Args:    args(cobra.NoArgs, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			address, err := serverAddress(server)
			if err != nil {
				return err
			}
			kind, id, err := whomToErase(ids)
			if err != nil {
				return err
			}
			e.url = address
			return e.erase(cmd.Context(), kind, id, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&server, "url", "http://"+defaultListen, "where the server listens")
	cmd.Flags().StringVar(&e.key, flagAdminKey, "", "admin key of the server, if it asks for one")
	ids["visitor"] = cmd.Flags().String("visitor", "", "id of the visitor to erase")
	ids["user"] = cmd.Flags().String("user", "", "id of the user to erase, or a mail address that is one")
	ids["company"] = cmd.Flags().String("company", "", "the company whose key to erase; its people stay")
	return cmd
}

// whomToErase is the one of the kinds that has an id.
func whomToErase(ids map[string]*string) (kind, id string, err error) {
	given := 0
	for k, text := range ids {
		if *text != "" {
			kind, id = k, *text
			given++
		}
	}
	if given != 1 {
		return "", "", usagef("say whom to erase: one of --visitor, --user and --company")
	}
	return kind, id, nil
}

// erase erases a person, waits until no file holds it and prints the receipt.
func (e *eraser) erase(ctx context.Context, kind, id string, out, errs io.Writer) error {
	wait := "?wait=" + eraseWait.String()
	r, err := e.ask(ctx, http.MethodDelete, "/v1/keys/"+kind+"/"+url.PathEscape(id)+wait)
	if err != nil {
		return err
	}
	if !r.Complete {
		fmt.Fprintf(errs, "erasure %d: gone from the state and the feed; waiting until no file holds it\n", r.ID)
	}
	for !r.Complete {
		if r, err = e.ask(ctx, http.MethodGet, "/v1/erasures/"+strconv.FormatUint(uint64(r.ID), 10)+wait); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", text)
	return nil
}

// errAgain is the error of a request that is to be sent again: the server is busy, restarts, or has not answered.
type errAgain struct{ error }

func (e errAgain) Unwrap() error { return e.error }

// ask sends a request, and again while the server is busy or away. Erasing twice is as good as once.
func (e *eraser) ask(ctx context.Context, method, path string) (r nudge.Receipt, err error) {
	for range eraseTries {
		var again errAgain
		if r, err = e.try(ctx, method, path); !errors.As(err, &again) {
			return r, err
		}
		if err := e.sleep(ctx, erasePause); err != nil {
			return r, err
		}
	}
	return r, fmt.Errorf("after %d tries: %w", eraseTries, err)
}

func (e *eraser) try(ctx context.Context, method, path string) (r nudge.Receipt, err error) {
	req, err := http.NewRequestWithContext(ctx, method, e.url+path, nil)
	if err != nil {
		return r, err
	}
	if e.key != "" {
		req.Header.Set("X-Admin-Key", e.key)
	}
	resp, err := e.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return r, errors.New("interrupted")
		}
		err = hideID(err, e.url)
		return r, errAgain{fmt.Errorf("%w\nIs the server running? --url says where it listens", err)}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return r, errAgain{fmt.Errorf("read the answer of %s: %w", e.url, err)}
	}
	return readReceipt(e.url, resp, text)
}

// hideID leaves the path out of an error: it holds who is to be erased, and errors end up in logs.
func hideID(err error, server string) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return fmt.Errorf("%s: %w", server, failed.Err)
	}
	return err
}

func readReceipt(server string, resp *http.Response, text []byte) (r nudge.Receipt, err error) {
	var refused struct {
		Error struct{ Code, Message string }
	}
	jsonErr := json.Unmarshal(text, &refused)
	switch {
	case jsonErr != nil:
		return r, fmt.Errorf("%s does not answer like Nudge (%s); is it another program?", server, resp.Status)
	case resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusAccepted:
		return r, json.Unmarshal(text, &r)
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable:
		return r, errAgain{fmt.Errorf("%s answers %s: %s", server, resp.Status, refused.Error.Message)}
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return r, usagef("%s: %s (--%s)", server, refused.Error.Message, flagAdminKey)
	case resp.StatusCode == http.StatusBadRequest:
		return r, usagef("%s", refused.Error.Message)
	}
	return r, fmt.Errorf("%s answers %s: %s", server, resp.Status, refused.Error.Message)
}
