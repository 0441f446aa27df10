package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"nudge"
	"nudge/engine"
	"nudge/state"
)

// voidConfig is how log void was called.
type voidConfig struct {
	data   string
	offset nudge.Offset
	yes    bool
}

func newLog() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Repair the log of a data folder",
		Args:  args(cobra.NoArgs, "the sub-command void"),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newVoid())
	return cmd
}

func newVoid() *cobra.Command {
	c := &voidConfig{}
	cmd := &cobra.Command{
		Use:   "void OFFSET",
		Short: "Take one record that stops the engine out of the log",
		Long: `Void is for a record that the engine cannot apply, a bug of ours: every start fails at it, and names its offset. It prints the record and, with --yes,
puts a void in its place. The offset stays, so nothing else moves; what the record said is gone for good, so keep the printed line and report it. The log's manifest
notes which record it was and when; nudge inspect shows that.

The server must be stopped.`,
		Example: "  nudge log void 1204 --data data\n  nudge log void 1204 --data data --yes",
		Args:    args(cobra.ExactArgs(1), "one offset"),
		RunE: func(cmd *cobra.Command, args []string) error {
			off, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil || off == 0 {
				return usagef("%q is not an offset: give a number from 1 on", args[0])
			}
			c.offset = nudge.Offset(off)
			return c.void(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&c.data, flagData, defaultData, "folder of the log and the checkpoints")
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do it: without, the record is only printed")
	return cmd
}

func (c *voidConfig) void(ctx context.Context, out, stderr io.Writer) error {
	d, err := openFolder(c.data)
	if err != nil {
		return err
	}
	err = errors.Join(c.show(d, out, stderr), d.Close())
	if err != nil {
		return found(err)
	}
	if !c.yes {
		return usagef("this is the record; add --yes to make it a void")
	}
	names := nudge.NewNames()
	dir, err := state.Open(c.data, state.Options{Names: names})
	if err != nil {
		return found(err)
	}
	if err := errors.Join(dir.Log.Void(ctx, c.offset, nudge.Millis(time.Now().UnixMilli())), dir.Close()); err != nil {
		return found(err)
	}
	fmt.Fprintf(stderr, "the record at offset %d is a void now\n", c.offset)
	return nil
}

// show prints the record, and says what a void would not undo, or would.
func (c *voidConfig) show(d *dataFolder, out, stderr io.Writer) error {
	first, next := d.Log.First(), d.Log.Next()
	if c.offset < first || c.offset >= next {
		return usagef("offset %d is not in the log: it holds the offsets %d to %d", c.offset, first, next-1)
	}
	var kind nudge.RecordKind
	err := d.eachRecord(c.offset, func(off nudge.Offset, at nudge.Millis, rec nudge.Record) error {
		kind = rec.Kind()
		if _, err := out.Write(append(appendRecordJSON(nil, d.names, off, at, rec), '\n')); err != nil {
			return err
		}
		return errEnough
	})
	if err != nil {
		return err
	}
	switch kind {
	case nudge.RecordVoid:
		return foundf("the record at offset %d is a void already", c.offset)
	case nudge.RecordErase:
		fmt.Fprintln(stderr, "nudge: this record erases a person: without it the person is not erased, and must be again")
	case nudge.RecordDeploy:
		fmt.Fprintln(stderr, "nudge: this record deploys rules: without it those before run until a start deploys the folder's")
	case nudge.RecordPosition:
		fmt.Fprintln(stderr, "nudge: this record says how far a stream was read, or firings were published: without it a start goes on from the place before")
	}
	return c.warnCovered(d, stderr)
}

// warnCovered says whether the checkpoint already holds what the record did.
func (c *voidConfig) warnCovered(d *dataFolder, stderr io.Writer) error {
	if d.Store == nil {
		return nil
	}
	checkpoint, err := engine.OpenCheckpoint(d.Store, d.names)
	if err != nil || checkpoint == nil || checkpoint.Next <= c.offset {
		return err
	}
	_, err = fmt.Fprintf(stderr, "nudge: the checkpoint at offset %d holds what this record did, so no start applies it: it is read again only for new rules\n", checkpoint.Next-1)
	return err
}
