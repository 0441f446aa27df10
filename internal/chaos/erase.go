//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"syscall"
	"time"
)

// erasedAtOnce is how many persons are erased between two kills.
const erasedAtOnce = 6

// erasedMost is how long an erasure may take until it is complete, on a machine that others keep busy too.
const erasedMost = 2 * time.Minute

// receipt is what an erasure has removed, as the server says.
type receipt struct {
	ID    uint64
	State struct {
		Visitors, Users, Companies, Values int
		OtherKeys                          int `json:"other_keys"`
	}
	Log struct {
		Records int
	}
	Complete bool
}

// erased kills servers behind the erasures of persons, of whom each has two devices and a company of its own, which goes on without it. A receipt must stay
// what it was when it was answered, and in the end every erasure must be complete. What files still hold the engine's tests look at.
func erased(ctx context.Context, o *options, dir string) (*result, error) {
	rng := rand.New(rand.NewPCG(o.seed, 77))
	t, err := newTrial(ctx, o, dir, "", nil)
	if err != nil {
		return nil, err
	}
	var receipts []receipt
	for _, t.set.shards = range []int{3, 1, 6, 2} {
		if err := t.load.more(t.load.accepted() + rng.IntN(betweenHarm)); err != nil {
			return nil, err
		}
		for range erasedAtOnce {
			r, err := t.eraseSomebody(len(receipts))
			if err != nil {
				return nil, err
			}
			receipts = append(receipts, r)
		}
		if err := errors.Join(t.server.end(syscall.SIGKILL), t.start()); err != nil {
			return nil, err
		}
		if err := t.sameReceipts(receipts, 0); err != nil {
			return nil, err
		}
	}
	if err := t.sameReceipts(receipts, erasedMost); err != nil {
		return nil, err
	}
	r, err := t.end()
	if err == nil {
		r.more = fmt.Sprintf("%d persons erased, each receipt the same after every kill, all complete", len(receipts))
	}
	return r, err
}

// nameOf is the text by which the n-th person is known.
func nameOf(n int) string { return fmt.Sprintf("erased-person-%03d", n) }

// eraseSomebody lets a person act, and erases it.
func (t *trial) eraseSomebody(n int) (r receipt, err error) {
	var b bytes.Buffer
	for device := range 2 {
		fmt.Fprintf(&b, `{"type":"seen","id":"erased-%d-%d","visitor":"%s-device-%d","user":"%[3]s","company":"firm-%[1]d.example"}`+"\n", n, device, nameOf(n), device)
	}
	if err := post(t.ctx, t.server.url, b.Bytes()); err != nil {
		return r, err
	}
	req, err := http.NewRequestWithContext(t.ctx, http.MethodDelete, t.server.url+"/v1/keys/user/"+nameOf(n), nil)
	if err != nil {
		return r, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return r, err
	}
	err = errors.Join(json.NewDecoder(resp.Body).Decode(&r), resp.Body.Close())
	if s := &r.State; err == nil && (s.Visitors != 2 || s.Users != 1 || s.Values != 4) { // of the company, by each of two operators
		err = fmt.Errorf("erase %s: status %d, receipt %+v; want two visitors, a user and four values", nameOf(n), resp.StatusCode, r)
	}
	return r, err
}

// sameReceipts wants the receipts to be what they were, and within some time complete.
func (t *trial) sameReceipts(receipts []receipt, within time.Duration) error {
	begun := time.Now()
	for _, was := range receipts {
		for {
			status, body, err := get(t.ctx, fmt.Sprintf("%s/v1/erasures/%d?wait=2s", t.server.url, was.ID))
			if err != nil {
				return err
			}
			var is receipt
			if err := json.Unmarshal(body, &is); err != nil || is.State != was.State {
				return fmt.Errorf("the receipt of erasure %d was %+v; now status %d: %s", was.ID, was, status, body)
			}
			if within == 0 || is.Complete {
				if within > 0 && is.Log.Records != 2 {
					return fmt.Errorf("of the person of erasure %d the log had two events: %s", was.ID, body)
				}
				break
			}
			if time.Since(begun) > within {
				return fmt.Errorf("the erasure %d is not complete after %v: %s", was.ID, within, body)
			}
		}
	}
	return nil
}
