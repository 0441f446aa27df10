package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"nudge/state"
)

// backupPath answers whoever can read the data folder: the token in its control file is the key.
const backupPath = "/v1/backup"

// controlName is the file in the data folder that says how to reach the server that uses it.
const controlName = "control"

// maxBackupRequest bounds the body of a request for a backup: one path.
const maxBackupRequest = 64 << 10

// control is what the control file holds. Only the server's user can read it.
type control struct {
	URL   string `json:"url"`
	Token string `json:"token"` // a new one at each start
}

// backupRequest asks for a backup.
type backupRequest struct {
	To string `json:"to"` // an absolute path on the server's machine
}

// backups makes backups of the folder of a running server, one at a time, until ctx ends or stop is called.
type backups struct {
	ctx    context.Context
	cancel context.CancelFunc
	dir    *state.Dir
	logger *slog.Logger
	token  string
	making sync.Mutex // held while one is made, and for good from stop on
}

func newBackups(ctx context.Context, dir *state.Dir, logger *slog.Logger) *backups {
	var token [32]byte
	rand.Read(token[:])
	b := &backups{dir: dir, logger: logger, token: hex.EncodeToString(token[:])}
	b.ctx, b.cancel = context.WithCancel(ctx)
	return b
}

// stop ends the one that is being made, waits for that, and lets no other begin: the folder is given back next.
func (b *backups) stop() {
	b.cancel()
	b.making.Lock()
}

// ServeHTTP answers when the backup is on disk.
func (b *backups) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	var asked backupRequest
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		problem(w, http.StatusMethodNotAllowed, "bad_method", "this path answers POST only")
		return
	case !bearer || subtle.ConstantTimeCompare([]byte(token), []byte(b.token)) != 1:
		problem(w, http.StatusUnauthorized, "unauthorized", "the token is in the file "+controlName+" of the data folder; `nudge backup` reads it")
		return
	case json.NewDecoder(io.LimitReader(r.Body, maxBackupRequest)).Decode(&asked) != nil || !filepath.IsAbs(asked.To):
		problem(w, http.StatusBadRequest, "bad_value", `the body must be {"to":"/an/absolute/path"}`)
		return
	case !b.making.TryLock():
		problem(w, http.StatusConflict, "busy", "another backup is being made; try again when that is done")
		return
	}
	defer b.making.Unlock()
	report, err := b.dir.Backup(b.ctx, filepath.Clean(asked.To))
	switch {
	case err == nil:
		b.logger.Info("made a backup", "to", asked.To, "last", uint64(report.Last), "bytes", report.Bytes)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(report) // the asker is gone, and the backup is there
	case errors.Is(err, state.ErrExists):
		problem(w, http.StatusConflict, "exists", err.Error())
	case errors.Is(err, context.Canceled):
		problem(w, http.StatusServiceUnavailable, "stopping", "the server is being stopped: no backup was made")
	default:
		b.logger.Error("no backup was made", "to", asked.To, "error", err)
		problem(w, http.StatusInternalServerError, "failed", err.Error())
	}
}

func problem(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": message}})
}

// publish writes the control file. The caller removes it with withdraw when the server answers no more.
func (b *backups) publish(data string, addr net.Addr) error {
	text, err := json.Marshal(control{URL: "http://" + reachable(addr), Token: b.token})
	if err != nil {
		return err
	}
	path := filepath.Join(data, controlName)
	if err := os.WriteFile(path+".tmp", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("say how to reach this server: %w", err)
	}
	return os.Rename(path+".tmp", path)
}

func (b *backups) withdraw(data string) error {
	err := os.Remove(filepath.Join(data, controlName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// reachable is an address at which this machine reaches a server that listens on addr.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr.String()
}
