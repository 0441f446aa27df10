package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"nudge"
	"nudge/state"
)

func newBackup() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy a data folder, also while a server uses it",
		Long: `Backup copies the data folder to DIR, which must not be there yet: the newest checkpoint, and the log up to the last record that is on disk. While a server
uses the folder it is asked to make the copy, and goes on meanwhile; DIR is a path on its machine. Files that never change are linked rather than copied where DIR
is on the same file system, so a backup takes little room and time; copy DIR to another machine to be safe from the loss of this one.

DIR is a data folder: a server that is started on it goes on from there. While it is written it is called DIR.unfinished.`,
		Example: "  nudge backup /backups/monday --data data\n  nudge serve --data /backups/monday",
		Args:    args(cobra.ExactArgs(1), "one folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return backup(cmd.Context(), data, args[0], cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&data, flagData, defaultData, "folder of the log and the checkpoints")
	return cmd
}

func backup(ctx context.Context, data, to string, out io.Writer) error {
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(data, "log")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not a data folder: %w", data, err)
	}
	report, err := backupStopped(ctx, data, to)
	if errors.Is(err, state.ErrInUse) {
		report, err = backupRunning(ctx, data, to)
	}
	if errors.Is(err, state.ErrExists) {
		return usagef("%w", err)
	}
	if err != nil {
		return found(err)
	}
	_, err = fmt.Fprintf(out, "backed up the log's offsets %s and the newest checkpoint to %s\n", offsets(report.First, report.Last), to)
	return err
}

// backupStopped copies a folder that nobody uses.
func backupStopped(ctx context.Context, data, to string) (report state.BackupReport, err error) {
	d, err := state.Open(data, state.Options{Names: nudge.NewNames()})
	if err != nil {
		return report, err
	}
	report, err = d.Backup(ctx, to)
	return report, errors.Join(err, d.Close())
}

// backupRunning asks the server that uses the folder.
func backupRunning(ctx context.Context, data, to string) (report state.BackupReport, err error) {
	text, err := os.ReadFile(filepath.Join(data, controlName))
	var server control
	if err == nil {
		err = json.Unmarshal(text, &server)
	}
	if err != nil {
		return report, fmt.Errorf("%s is in use by a process that cannot be asked: it is no server, or just starting or stopping (%w)", data, err)
	}
	body, err := json.Marshal(backupRequest{To: to})
	if err != nil {
		return report, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+backupPath, bytes.NewReader(body))
	if err != nil {
		return report, err
	}
	req.Header.Set("Authorization", "Bearer "+server.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return report, fmt.Errorf("ask the server for a backup: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return report, json.NewDecoder(resp.Body).Decode(&report)
	}
	var refused struct {
		Error struct{ Code, Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&refused); err != nil {
		return report, fmt.Errorf("ask the server for a backup: %s", resp.Status)
	}
	if refused.Error.Code == "exists" {
		return report, fmt.Errorf("back up to %s: it %w", to, state.ErrExists)
	}
	return report, fmt.Errorf("the server made no backup: %s", refused.Error.Message)
}
