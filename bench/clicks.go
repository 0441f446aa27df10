package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"nudge"
)

// The file of clicks as an engineer would read it for these columns and no others, and the rule by hand. A CSV file of clicks has no quotes.

// clickBuffer holds the longest line of a file of clicks, many times over.
const clickBuffer = 256 << 10

// readClicks calls fn with each row's visitor, article and time, as texts and the time as a number too. The texts are valid until fn returns.
func readClicks(path string, fn func(visitor, article, at []byte, ts nudge.Millis) error) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bufio.NewReaderSize(f, clickBuffer))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		defer z.Close()
		in = z
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, clickBuffer), clickBuffer)
	if !lines.Scan() {
		return fmt.Errorf("%s: there is no header line: %w", path, errors.Join(lines.Err(), io.ErrUnexpectedEOF))
	}
	columns, err := clickColumns(path, lines.Text())
	if err != nil {
		return err
	}
	last := slices.Max(columns[:])
	for n := 2; lines.Scan(); n++ {
		var values [3][]byte
		rest := lines.Bytes()
		for i := 0; i <= last; i++ {
			value, behind, _ := bytes.Cut(rest, []byte{','})
			rest = behind
			for k, c := range columns {
				if c == i {
					values[k] = value
				}
			}
		}
		ts, err := clickMillis(values[2])
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if err := fn(values[0], values[1], values[2], ts); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	return lines.Err()
}

// clickColumns are the places of visitor, article and time.
func clickColumns(path, header string) (at [3]int, err error) {
	names := strings.Split(header, ",")
	for i, name := range [...]string{clickVisitor, clickArticle, clickTime} {
		if at[i] = slices.Index(names, name); at[i] < 0 {
			return at, fmt.Errorf("%s has no column %q; clicks have %s, %s and %s", path, name, clickVisitor, clickArticle, clickTime)
		}
	}
	return at, nil
}

func clickMillis(text []byte) (ts nudge.Millis, err error) {
	for _, c := range text {
		if c < '0' || c > '9' || ts > 1<<52 {
			return 0, fmt.Errorf("%s is %q, not a number of milliseconds", clickTime, text)
		}
		ts = ts*10 + nudge.Millis(c-'0')
	}
	return ts, nil
}

// clicker is what the rule by hand keeps of a visitor: the newest times, a ring once it is full.
type clicker struct {
	times [replayClicks]nudge.Millis
	at, n int8
}

// replayByHand reads the file and applies the rule. Times of the file do not go back.
func replayByHand(path string) (sum replaySum, err error) {
	visitors := map[string]*clicker{}
	err = readClicks(path, func(visitor, _, _ []byte, ts nudge.Millis) error {
		c := visitors[string(visitor)]
		if c == nil {
			c = &clicker{}
			visitors[string(visitor)] = c
		}
		was := ringFull(c.times[:], c.at, c.n, ts-replayWindow)
		ringAdd(c.times[:], &c.at, &c.n, ts)
		sum.events++
		if !was && ringFull(c.times[:], c.at, c.n, ts-replayWindow) {
			sum.fired(string(visitor), ts)
		}
		return nil
	})
	return sum, err
}

// writeClicks writes n events of the workload six as clicks, a tenth of whose columns matter, as in the real file.
func writeClicks(path string, n int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, clickBuffer)
	fmt.Fprintf(w, "%s,session_id,session_start,session_size,%s,%s,environment,device,os,country,region,referrer\n", clickVisitor, clickArticle, clickTime)
	site := newSite(sixSeed, six)
	step := max(int64(sixSpan)/int64(n), 2)
	var line []byte
	for i := range n {
		v := site.next()
		at := int64(sixBegin) + int64(i)*step + site.random.Int64N(step)
		line = strconv.AppendInt(line[:0], int64(v.visitor), 10)
		line = strconv.AppendInt(append(line, ','), at/1_000_000*1_000_000+int64(v.visitor), 10)
		line = strconv.AppendInt(append(line, ','), at/1_000_000*1_000_000, 10)
		line = strconv.AppendInt(append(line, ",2,"...), int64(100_000+v.path), 10)
		line = strconv.AppendInt(append(line, ','), at, 10)
		line = append(line, ",4,3,2,1,21,1\n"...)
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}
