package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nudge"
)

// errEnough ends a reading early.
var errEnough = errors.New("enough")

const noLimit = 0

func newInspectLog(c *inspectConfig) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Print the records of the log, one JSON object a line",
		Long: `Log prints the log's records in order, one JSON object a line: offset, log time, kind, and what the record says. Events are in the form in
which servers take them, with "at", so that they can be replayed:

  nudge inspect log | jq -c 'select(.event) | .event' | nudge replay --rules rules`,
		Example: "  nudge inspect log --from 1200 --limit 10",
		Args:    args(cobra.NoArgs, "no arguments, only flags"),
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.log(cmd.OutOrStdout()) },
	}
	cmd.Flags().Uint64Var(&c.from, "from", 0, "offset of the first record to print; 0 is the oldest that the log holds")
	cmd.Flags().IntVar(&c.limit, "limit", noLimit, "print at most so many; 0 is all")
	return cmd
}

func newInspectKey(c *inspectConfig) *cobra.Command {
	return &cobra.Command{
		Use:   "key KIND/TEXT",
		Short: "Print what the newest checkpoint holds of one key",
		Long: `Key prints, as JSON, what the newest checkpoint holds of one key: what each operator, cooldown and pool of a limit remembers, when the key's next timer
is, and who a visitor or user is known to be. KIND is visitor, user, company or a rule's per expression.`,
		Example: "  nudge inspect key visitor/v1\n  nudge inspect key company/acme.example",
		Args:    args(cobra.ExactArgs(1), "one key, as in visitor/v1"),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.key(cmd.OutOrStdout(), args[0]) },
	}
}

func newInspectFeed(c *inspectConfig) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "feed",
		Short:   "Print the firings of the newest checkpoint, one JSON object a line",
		Long:    `Feed prints the firings that the newest checkpoint holds, in order, one JSON object a line; suppressed and shadow ones too.`,
		Example: "  nudge inspect feed --after 1204-0 --limit 10",
		Args:    args(cobra.NoArgs, "no arguments, only flags"),
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.feed(cmd.OutOrStdout(), cmd.ErrOrStderr()) },
	}
	cmd.Flags().StringVar(&c.after, "after", "", "print what follows this cursor")
	cmd.Flags().IntVar(&c.limit, "limit", noLimit, "print at most so many; 0 is all")
	return cmd
}

func (c *inspectConfig) checkLimit() error {
	if c.limit < noLimit {
		return usagef("--limit is %d; give 1 or more, or 0 for all", c.limit)
	}
	return nil
}

func (c *inspectConfig) log(stdout io.Writer) error {
	if err := c.checkLimit(); err != nil {
		return err
	}
	d, err := c.open()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(stdout)
	err = d.printRecords(out, nudge.Offset(c.from), c.limit)
	return errors.Join(found(err), out.Flush(), d.Close())
}

func (d *dataFolder) printRecords(out *bufio.Writer, from nudge.Offset, limit int) error {
	if first, next := d.Log.First(), d.Log.Next(); from != 0 && (from < first || from > next) {
		return usagef("--from is %d; the log holds the offsets %d to %d", from, first, next-1)
	}
	printed := 0
	var line []byte
	return d.eachRecord(from, func(off nudge.Offset, at nudge.Millis, rec nudge.Record) error {
		line = append(appendRecordJSON(line[:0], d.names, off, at, rec), '\n')
		if _, err := out.Write(line); err != nil {
			return err
		}
		if printed++; printed == limit {
			return errEnough
		}
		return nil
	})
}

// eachRecord calls fn with the records from an offset on. errEnough ends it.
func (d *dataFolder) eachRecord(from nudge.Offset, fn func(nudge.Offset, nudge.Millis, nudge.Record) error) error {
	err := d.Log.Read(from, func(e nudge.Entry) error {
		off := e.First
		for rest := e.Records; len(rest) > 0; off++ {
			var rec nudge.Record
			if rec, rest = nudge.SplitRecord(rest); off < from {
				continue
			}
			if err := fn(off, e.At, rec); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// kindNames are the kinds of records as they are printed.
var kindNames = [...]string{
	nudge.RecordEvent: "event", nudge.RecordTick: "tick", nudge.RecordDeploy: "deploy", nudge.RecordErase: "erase", nudge.RecordReceipt: "receipt",
	nudge.RecordLive: "live", nudge.RecordVoid: "void", nudge.RecordPosition: "position",
}

func kindName(k nudge.RecordKind) string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// appendRecordJSON appends a record as one JSON object.
func appendRecordJSON(dst []byte, names *nudge.Names, off nudge.Offset, at nudge.Millis, rec nudge.Record) []byte {
	dst = append(dst, `{"offset":`...)
	dst = strconv.AppendUint(dst, uint64(off), 10)
	dst = append(dst, `,"time":"`...)
	dst = time.UnixMilli(int64(at)).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(dst, `","kind":`...)
	dst = nudge.AppendJSONString(dst, kindName(rec.Kind()))
	if rec.Kind() == nudge.RecordEvent {
		dst = append(dst, `,"event":`...)
		return append(appendEventJSON(dst, names, at, rec), '}')
	}
	if it := rec.Fields(); it.Next() {
		dst = append(dst, `,"fields":{`...)
		for more := true; more; more = it.Next() {
			name := it.Spell(names)
			dst = appendMember(dst, name, it.Value)
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendEventJSON appends an event as a server takes it. What was derived from its address stands beside that; the domain of a mail address, which no
// sender may give, is left out.
func appendEventJSON(dst []byte, names *nudge.Names, at nudge.Millis, rec nudge.Record) []byte {
	typ := names.Text(rec.Type())
	if rec.Type() == nudge.NameOther {
		typ = rec.SpelledType()
	}
	dst = append(dst, '{')
	dst = appendMember(dst, "type", nudge.TextValue(typ))
	if ts, given := rec.Ts(); given {
		dst = append(dst, `,"ts":`...)
		dst = strconv.AppendInt(dst, int64(ts), 10)
	}
	dst = append(dst, `,"at":`...)
	dst = strconv.AppendInt(dst, int64(at), 10)
	props := 0
	for it := rec.Fields(); it.Next(); {
		switch {
		case it.Name == nudge.NameMailDomain || it.Name == nudge.NameType:
		case it.Name <= nudge.NameUTMContent:
			dst = appendMember(dst, names.Text(it.Name), it.Value)
		default:
			props++
		}
	}
	if props > 0 {
		dst = append(dst, `,"props":{`...)
		for it := rec.Fields(); it.Next(); {
			if it.Name > nudge.NameUTMContent {
				name := it.Spell(names)
				dst = appendMember(dst, name, it.Value)
			}
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendMember appends a member of the object that dst ends in.
func appendMember(dst []byte, name string, v nudge.Value) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(nudge.AppendJSONString(dst, name), ':')
	return v.AppendJSON(dst)
}

func (c *inspectConfig) key(out io.Writer, arg string) error {
	d, err := c.open()
	if err != nil {
		return err
	}
	return errors.Join(found(d.printKey(out, arg)), d.Close())
}

func (d *dataFolder) printKey(out io.Writer, arg string) error {
	c, err := d.checkpoint()
	if err != nil {
		return err
	}
	if c == nil {
		return foundf("there is no checkpoint yet: a server writes one every minute and when it is stopped")
	}
	per, text, ok := cutKey(arg, c.Pers())
	if !ok {
		return usagef("%q is not a key: write it as visitor/v1; before the slash there can be %s", arg, strings.Join(c.Pers(), ", "))
	}
	k, ok, err := c.Key(per, text)
	if err != nil {
		return err
	}
	if !ok {
		return foundf("the checkpoint at offset %d knows nothing of the %s %q", c.Next-1, per, text)
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(k)
}

// cutKey splits KIND/TEXT. A per expression may have slashes of its own.
func cutKey(arg string, pers []string) (per, text string, ok bool) {
	for _, p := range pers {
		if rest, found := strings.CutPrefix(arg, p+"/"); found && len(p) > len(per) && rest != "" {
			per, text, ok = p, rest, true
		}
	}
	return per, text, ok
}

func (c *inspectConfig) feed(stdout, stderr io.Writer) error {
	if err := c.checkLimit(); err != nil {
		return err
	}
	after, err := nudge.ParseCursor(c.after)
	if err != nil {
		return usagef("--after: %w", err)
	}
	d, err := c.open()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(stdout)
	err = d.printFeed(out, stderr, after, c.limit)
	return errors.Join(found(err), out.Flush(), d.Close())
}

func (d *dataFolder) printFeed(out *bufio.Writer, stderr io.Writer, after nudge.Cursor, limit int) error {
	c, err := d.checkpoint()
	if err != nil || c == nil {
		return err
	}
	if behind := int64(d.Log.Next()) - int64(c.Next); behind > 0 {
		fmt.Fprintf(stderr, "nudge: %s behind the checkpoint may fire more; the next start applies them\n", plural(behind, "record"))
	}
	printed := 0
	err = c.Firings(after, func(f nudge.Firing) error {
		if _, err := fmt.Fprintf(out, "{\"cursor\":\"%s\",%s\n", f.Cursor, f.AppendJSON(nil)[1:]); err != nil {
			return err
		}
		if printed++; printed == limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
