package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"nudge"
	"nudge/engine"
	"nudge/state"
)

// inspectConfig is how inspect, or one of its sub-commands, was called.
type inspectConfig struct {
	data  string
	from  uint64
	limit int
	after string
}

func newInspect() *cobra.Command {
	c := &inspectConfig{}
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Show what a data folder holds",
		Long: `Inspect reads the data folder of a server that is stopped, or a backup, and changes nothing. Without a sub-command it prints a summary: the log's
segments with their records, what the newest checkpoint covers, the keys of each kind, and the feed. Damage is told with file and offset; the
exit code is 1 then.

While a server uses the folder, make a backup and inspect that.`,
		Example: "  nudge inspect --data data\n  nudge inspect log --from 1200 --limit 10\n  nudge inspect key visitor/v1\n  nudge inspect feed --after 1204-0",
		Args:    args(cobra.NoArgs, "one of the sub-commands log, key and feed, or nothing"),
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.summary(cmd.OutOrStdout(), cmd.ErrOrStderr()) },
	}
	cmd.PersistentFlags().StringVar(&c.data, flagData, defaultData, "folder of the log and the checkpoints")
	cmd.AddCommand(newInspectLog(c), newInspectKey(c), newInspectFeed(c))
	return cmd
}

// dataFolder is a data folder that is looked at.
type dataFolder struct {
	*state.Dir
	names *nudge.Names
}

// open is openFolder for who only looks: a backup of a folder in use shows the same.
func (c *inspectConfig) open() (*dataFolder, error) {
	d, err := openFolder(c.data)
	if errors.Is(err, state.ErrInUse) {
		return nil, fmt.Errorf("%w; or make a backup of it (`nudge backup`) and inspect that", err)
	}
	return d, err
}

// openFolder opens a folder to be read only. What is wrong in it is something found; that it is not there, or in use, is not.
func openFolder(path string) (*dataFolder, error) {
	d := &dataFolder{names: nudge.NewNames()}
	var err error
	d.Dir, err = state.OpenReadOnly(path, state.Options{Names: d.names})
	switch {
	case errors.Is(err, state.ErrInUse), errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, found(err)
	}
	return d, nil
}

// found makes damage something that was found, rather than something that kept the command from running.
func found(err error) error {
	var inLog *state.Damage
	var inStore *state.StoreDamage
	if errors.As(err, &inLog) || errors.As(err, &inStore) {
		return &exitError{exitFound, err}
	}
	return err
}

// checkpoint is nil where there is none.
func (d *dataFolder) checkpoint() (*engine.Checkpoint, error) {
	if d.Store == nil {
		return nil, nil
	}
	return engine.OpenCheckpoint(d.Store, d.names)
}

func (c *inspectConfig) summary(out, stderr io.Writer) error {
	d, err := c.open()
	if err != nil {
		return err
	}
	err = d.summary(out, stderr)
	return errors.Join(found(err), d.Close())
}

func (d *dataFolder) summary(out, stderr io.Writer) error {
	segments, readErr := d.countKinds(stderr)
	d.printLog(out, segments)
	if readErr != nil {
		fmt.Fprintf(out, "\nThe log is damaged: records behind offset %d were not counted.\n", d.counted(segments))
	}
	c, err := d.checkpoint()
	if err == nil && c == nil {
		fmt.Fprint(out, "\nCheckpoint  none: a start reads the log from its beginning\n")
	}
	if err == nil && c != nil {
		err = d.printCheckpoint(out, c)
	}
	return errors.Join(readErr, err)
}

// segmentKinds is a segment and how many records of each kind were read from it.
type segmentKinds struct {
	state.SegmentInfo
	kinds [len(kindNames)]int
	read  nudge.Offset // behind the last one
}

// countKinds reads the whole log. With an error, it read up to there.
func (d *dataFolder) countKinds(stderr io.Writer) ([]segmentKinds, error) {
	var segments []segmentKinds
	var total int64
	for _, s := range d.Log.Segments() {
		segments = append(segments, segmentKinds{SegmentInfo: s, read: s.First})
		total += s.Bytes
	}
	bar := startProgress(stderr, total)
	defer bar.stop()
	i := 0
	err := d.Log.Read(0, func(e nudge.Entry) error {
		for e.First > segments[i].Last {
			bar.Read.Add(segments[i].Bytes)
			i++
		}
		s := &segments[i]
		for rest := e.Records; len(rest) > 0; {
			var rec nudge.Record
			if rec, rest = nudge.SplitRecord(rest); int(rec.Kind()) < len(s.kinds) {
				s.kinds[rec.Kind()]++
			}
		}
		s.read = e.First + nudge.Offset(e.Count)
		bar.Events.Add(int64(e.Count))
		return nil
	})
	return segments, err
}

// counted is the offset of the last record that was counted.
func (d *dataFolder) counted(segments []segmentKinds) nudge.Offset {
	for i := len(segments) - 1; i >= 0; i-- {
		if segments[i].read > segments[i].First {
			return segments[i].read - 1
		}
	}
	return d.Log.First() - 1
}

func (d *dataFolder) printLog(out io.Writer, segments []segmentKinds) {
	stats := d.Log.Stats()
	fmt.Fprintf(out, "Log  offsets %s, %s in %s\n\n", offsets(d.Log.First(), d.Log.Next()-1), sizeText(stats.Bytes), plural(int64(stats.Segments), "segment"))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "SEGMENT\tOFFSETS\tFROM\tTO\tSIZE\tEVENTS\tTICKS\tDEPLOYS\tOTHERS\tVOIDS\t")
	for i := range segments {
		s := &segments[i]
		other := 0
		for k, n := range s.kinds {
			if kind := nudge.RecordKind(k); kind != nudge.RecordEvent && kind != nudge.RecordTick && kind != nudge.RecordDeploy && kind != nudge.RecordVoid {
				other += n
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", segmentText(s.SegmentInfo), offsets(s.First, s.Last), timeText(s.Since), timeText(s.At), sizeText(s.Bytes),
			grouped(int64(s.kinds[nudge.RecordEvent])), grouped(int64(s.kinds[nudge.RecordTick])), grouped(int64(s.kinds[nudge.RecordDeploy])), grouped(int64(other)),
			grouped(int64(s.kinds[nudge.RecordVoid])))
	}
	w.Flush()
	for _, v := range d.Log.Voids() {
		fmt.Fprintf(out, "The record at offset %d was made a void by hand on %s.\n", v.Offset, timeText(v.At))
	}
}

func segmentText(s state.SegmentInfo) string {
	name := s.File[strings.LastIndexAny(s.File, `/\`)+1:]
	if s.Active {
		name += " (active)"
	}
	return name
}

func (d *dataFolder) printCheckpoint(out io.Writer, c *engine.Checkpoint) error {
	counts, due, visitors, users, err := c.Counts()
	if err != nil {
		return err
	}
	behind := int64(d.Log.Next()) - int64(c.Next)
	fmt.Fprintf(out, "\nCheckpoint  offsets up to %d, at %s; a start reads %s behind it\n", c.Next-1, timeText(c.Clock), plural(behind, "record"))
	fmt.Fprintf(out, "            %s, deployed at offset %d", plural(int64(len(c.Rules)), "rule"), c.Deployed)
	if len(c.Warming) > 0 {
		fmt.Fprintf(out, "; warming: %s", strings.Join(c.Warming, ", "))
	}
	fmt.Fprintf(out, "\n            %s and %s known by who they are\n\n", plural(int64(visitors), "visitor"), plural(int64(users), "user"))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "KEYS PER\tKEYS\tSIZE\tWITH A TIMER\t")
	for _, k := range counts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\n", k.Per, grouped(int64(k.Keys)), sizeText(int64(k.Bytes)), grouped(int64(k.Timed)))
	}
	w.Flush()
	if due != 0 {
		fmt.Fprintf(out, "The next timer is due at %s.\n", timeText(due))
	}
	firings, delivered, oldest, newest, err := c.FeedCounts()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nFeed  %s, %s of them delivered", plural(int64(firings), "firing"), grouped(int64(delivered)))
	if firings > 0 {
		fmt.Fprintf(out, "; cursors %s to %s", oldest, newest)
	}
	fmt.Fprintln(out)
	return nil
}

func offsets(first, last nudge.Offset) string {
	if last < first {
		return fmt.Sprintf("none yet, next %d", first)
	}
	return fmt.Sprintf("%d–%d", first, last)
}

// timeText is an instant for people; 0 is none.
func timeText(at nudge.Millis) string {
	if at == 0 {
		return "–"
	}
	return time.UnixMilli(int64(at)).UTC().Format("2006-01-02T15:04:05.000Z")
}

// sizeText is a number of bytes for people.
func sizeText(n int64) string {
	for _, u := range sizeUnits {
		if u.bytes > 1 && n >= 10*u.bytes {
			return fmt.Sprintf("%s %s", grouped(n/u.bytes), u.name)
		}
	}
	return fmt.Sprintf("%s B", grouped(n))
}
