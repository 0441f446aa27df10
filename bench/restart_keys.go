package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"nudge"
	"nudge/engine"
	"nudge/state"
)

// restartKeys is how many visitors the folder with many keys has for each event of the others.
const restartKeys = 20

// manyKeys is a data folder with many keys, all of them in its checkpoint, and what the rounds found. Each visitor has made one page view, and a part of them
// waits: for three days, for a page view that does not come.
type manyKeys struct {
	dir      string
	visitors int

	ready, first, hundredth, all []float64 // microseconds from opening the folder on
	bytes, rss                   float64
}

// waitsOneIn is which part of the visitors waits.
const waitsOneIn = 4

// write makes the folder.
func (k *manyKeys) write(ctx context.Context) error {
	names := nudge.NewNames()
	return withNode(k.dir, names, nil, func(_ *state.Dir, node *engine.Node) error {
		diags, err := node.Deploy(ctx, sixRules)
		if err = errors.Join(err, diags.Err()); err != nil {
			return err
		}
		w, err := newStreamWriter(names)
		if err != nil {
			return err
		}
		for v := 0; v < k.visitors; {
			w.b.Buf = w.b.Buf[:0]
			count := 0
			for ; v < k.visitors && count < batchRecords; v++ {
				visit := six.visitOf(v)
				visit.path = v % sixPaths
				w.write(visit, noTime, noTime)
				count++
				if v%waitsOneIn == 0 {
					visit.kind = reportCreated
					w.write(visit, noTime, noTime)
					count++
				}
			}
			if _, err := node.Submit(ctx, w.b.Buf, count, false); errors.Is(err, nudge.ErrBusy) {
				return fmt.Errorf("one request at a time is too much: %w", err)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
}

// run opens the folder and asks for decisions until all of it is in memory.
func (k *manyKeys) run(ctx context.Context, recorded bool) error {
	debug.FreeOSMemory()
	names, begun := nudge.NewNames(), time.Now()
	return withNode(k.dir, names, nil, func(_ *state.Dir, node *engine.Node) error {
		took := []time.Duration{time.Since(begun)}
		random := rand.New(rand.NewPCG(sixSeed, 2))
		w, err := newStreamWriter(names)
		for n := 1; err == nil && node.Stats().Loading(); n++ {
			w.b.Buf = w.b.Buf[:0]
			w.write(six.visitOf(random.IntN(k.visitors)), noTime, noTime)
			if _, err = node.Submit(ctx, w.b.Buf, 1, true); n == 1 || n == 100 {
				took = append(took, time.Since(begun))
			}
		}
		if err != nil || !recorded {
			return err
		}
		took = append(took, time.Since(begun))
		for i, list := range []*[]float64{&k.ready, &k.first, &k.hundredth, &k.all} {
			*list = append(*list, float64(took[min(i, len(took)-1)].Microseconds()))
		}
		k.rss = float64(residentBytes())
		k.bytes, err = filesBytes(k.dir)
		return err
	})
}

func tellKeys(r *Report, k *manyKeys) {
	t := Table{Title: "a checkpoint with many keys", Columns: []string{"ready after", "first decision after", "hundred decisions after", "all in memory after", "data folder", "memory of the process"}}
	t.row(fmt.Sprintf("%d keys of visitors", k.visitors), spread(Micros, k.ready), spread(Micros, k.first), spread(Micros, k.hundredth), spread(Micros, k.all), once(Bytes, k.bytes), once(Bytes, k.rss))
	r.Tables = append(r.Tables, t)
	r.Method = append(r.Method, fmt.Sprintf("many keys: each visitor has made one page view, and one in %d waits three days for another; while what the checkpoint holds is read, decisions are asked for, one after the other, each about any visitor", waitsOneIn))
}
