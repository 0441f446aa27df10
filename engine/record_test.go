package engine

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestRecordShapes writes records on both sides of what 16 bits hold, of their length and of their numbers, and reads them back. A narrow one
// becomes wide with the byte, or the number, that is too much, and a wide one narrow again.
func TestRecordShapes(t *testing.T) {
	const header = keyHeader + len("key") + 2*dirEntry
	for _, c := range []struct {
		why  string
		num  uint32 // of the larger slot
		size int    // of the larger slot
		wide bool
	}{
		{"small", 7, 20, false},
		{"the longest narrow record", 7, mostNarrow - header - 5, false},
		{"one byte more", 7, mostNarrow - header - 4, true},
		{"the largest narrow number", mostNarrow, 20, false},
		{"the next number", mostNarrow + 1, 20, true},
		{"both are large", 1 << 20, 1 << 20, true},
	} {
		t.Run(c.why, func(t *testing.T) {
			var tb table
			i := tb.add(1, 3, "key")
			first := bytes.Repeat([]byte{1}, 5)
			copy(tb.grow(i, 2, len(first)), first)
			second := bytes.Repeat([]byte{2}, c.size)
			copy(tb.grow(i, c.num, len(second)), second)
			check := func(wide bool, nums ...uint32) {
				t.Helper()
				rec := tb.record(i)
				if isWide(rec) != wide || !isRecord(rec) {
					t.Fatalf("a record of %d bytes with number %d: wide %v, want %v", len(rec), c.num, isWide(rec), wide)
				}
				if scope, key := identityOf(rec); scope != 3 || string(key) != "key" {
					t.Fatalf("it is of %d %q", scope, key)
				}
				d := directoryOf(rec)
				var got []uint32
				for j := range d.len() {
					got = append(got, d.num(j))
				}
				if !slices.Equal(got, nums) {
					t.Fatalf("it has the slots %v, want %v", got, nums)
				}
			}
			for _, focused := range []bool{false, true} {
				if focused {
					tb.focusOn(i)
				}
				if !bytes.Equal(tb.slot(i, 2), first) || !bytes.Equal(tb.slot(i, c.num), second) || tb.slot(i, 3) != nil {
					t.Fatalf("focused %v: the slots do not hold what was put there", focused)
				}
			}
			check(c.wide, 2, c.num)
			tb.strip(i, func(num uint32) bool { return num == c.num })
			check(false, 2)
			if !bytes.Equal(tb.slot(i, 2), first) {
				t.Fatal("what stays does not hold what was put there")
			}
		})
	}
}

// TestRecordOfLongText wants a text that 16 bits cannot count to be found.
func TestRecordOfLongText(t *testing.T) {
	for _, size := range []int{0, 1, mostNarrow - keyHeader, mostNarrow - keyHeader + 1, mostNarrow + 1} {
		var tb table
		key := strings.Repeat("k", size)
		i := tb.add(1, 0, key)
		tb.addSlots(i, []slotCopy{{num: 1, size: 8, old: []byte{5}}, {num: 9, size: 1}})
		if tb.find(1, 0, key) != i || tb.slot(i, 1)[0] != 5 || len(tb.slot(i, 1)) != 8 || len(tb.slot(i, 9)) != 1 {
			t.Errorf("a key of %d bytes is not found, or not its slots", size)
		}
	}
}

// TestIsRecord cuts and changes records: what does not hold its key's text is none.
func TestIsRecord(t *testing.T) {
	for _, size := range []int{3, mostNarrow} {
		var tb table
		rec := slices.Clone(tb.record(tb.add(1, 0, strings.Repeat("k", size))))
		if !isRecord(rec) {
			t.Fatalf("a record of %d bytes is none", len(rec))
		}
		for _, n := range []int{0, 1, keyHeader - 1, keyHeader, wideHeader - 1, len(rec) - 1} {
			if n < len(rec) && isRecord(rec[:n]) {
				t.Errorf("%d of %d bytes are a record", n, len(rec))
			}
		}
		rec[0]--
		if isRecord(rec) {
			t.Error("a record of an older layout is one")
		}
	}
}

// TestWidenIsGrowAnew lets slots of random records grow and come into being in both ways: the records are equal, byte for byte.
func TestWidenIsGrowAnew(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	widened := 0
	for range 300 {
		var quick, anew table
		key := strings.Repeat("k", r.IntN(30))
		i, j := quick.add(1, 0, key), anew.add(1, 0, key)
		for range 40 {
			num := uint32(r.IntN(12))
			size := len(quick.slot(i, num)) + r.IntN(40)
			if r.IntN(40) == 0 {
				size += mostNarrow / 3
			}
			if quick.focusOn(i); quick.widen(i, num, size) {
				widened++
			} else {
				quick.growAnew(i, num, size)
			}
			anew.growAnew(j, num, size)
			if !bytes.Equal(quick.record(i), anew.record(j)) {
				t.Fatalf("slot %d with %d bytes:\n%x\nand anew\n%x", num, size, quick.record(i), anew.record(j))
			}
			if !bytes.Equal(quick.slot(i, num), anew.slot(j, num)) {
				t.Fatalf("slot %d is not found where it is", num)
			}
			r1 := quick.slot(i, num)
			for k := range r1 {
				r1[k] = byte(r.Uint32())
			}
			copy(anew.slot(j, num), r1)
		}
	}
	if widened < 1000 {
		t.Errorf("%d slots grew in the quick way", widened)
	}
	var tb table
	i := tb.add(1, 0, "key")
	tb.addSlots(i, []slotCopy{{num: 1, size: 8}, {num: 9, size: 8}})
	tb.live = []bool{9: true}
	if tb.widen(i, 9, 16) {
		t.Error("a record keeps a slot that no rule uses any more")
	}
	tb.addSlots(i, []slotCopy{{num: 9, size: 24}})
	if tb.slot(i, 1) != nil || len(tb.slot(i, 9)) != 24 {
		t.Errorf("a slot that no rule uses has %d bytes, one that grew has %d", len(tb.slot(i, 1)), len(tb.slot(i, 9)))
	}
}
