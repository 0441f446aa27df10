package nudge

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// sample is a record with a field of each kind.
func sample() Record {
	var b RecordBuilder
	b.Begin(RecordEvent, 70)
	b.Ts(1764000000123)
	b.Text(NameVisitor, "v1")
	b.Text(NamePath, "/précis")
	b.Number(71, 19.9)
	b.Bool(72, true)
	b.Bool(73, false)
	b.Null(74)
	b.JSON(75, `["a",1]`)
	b.Value(76, Value{})
	b.Value(77, TextValue(""))
	b.End(HashKey("visitor", "v1"))
	return Record(b.Buf)
}

func TestRecordKeepsWhatItWasGiven(t *testing.T) {
	rec, rest, err := NextRecord(sample())
	if err != nil || len(rest) != 0 {
		t.Fatal(rest, err)
	}
	ts, given := rec.Ts()
	if rec.Kind() != RecordEvent || rec.Type() != 70 || ts != 1764000000123 || !given || rec.Space() != 0 || rec.Hash() != HashKey("visitor", "v1") {
		t.Errorf("header: %v %v %v %v %v", rec.Kind(), rec.Type(), ts, given, rec.Hash())
	}
	want := []Value{
		TextValue("v1"), TextValue("/précis"), NumberValue(19.9), BoolValue(true), BoolValue(false),
		{Kind: Null},
		{Kind: JSON, Text: `["a",1]`},
		TextValue(""),
	}
	var got []Value
	for it := rec.Fields(); it.Next(); {
		got = append(got, it.Value)
	}
	if !slices.Equal(got, want) {
		t.Errorf("fields: %v, want %v", got, want)
	}
	if v := rec.Field(72); v != BoolValue(true) {
		t.Errorf("field 72: %v", v)
	}
	if v := rec.Field(76); v.Kind != Missing || v.Present() {
		t.Errorf("a missing value was stored: %v", v)
	}
}

func TestRecordsStandBackToBack(t *testing.T) {
	var b RecordBuilder
	for i := range 3 {
		b.Begin(RecordEvent, NameID(64+i))
		b.Text(NameVisitor, strings.Repeat("x", i))
		if i == 1 {
			b.Abort()
			continue
		}
		b.End(0)
	}
	var types []NameID
	for rest := b.Buf; len(rest) > 0; {
		var rec Record
		var err error
		if rec, rest, err = NextRecord(rest); err != nil {
			t.Fatal(err)
		}
		types = append(types, rec.Type())
	}
	if !slices.Equal(types, []NameID{64, 66}) {
		t.Errorf("types %v", types)
	}
}

func TestMapNamesIsUndoneByItsInverse(t *testing.T) {
	rec := sample()
	before := slices.Clone(rec)
	rec.MapNames(func(id NameID) NameID { return id + 1000 })
	if rec.Type() != 1070 || rec.Field(1071).Num != 19.9 {
		t.Errorf("type %d", rec.Type())
	}
	rec.MapNames(func(id NameID) NameID { return id - 1000 })
	if !slices.Equal(rec, before) {
		t.Error("the record changed")
	}
}

// FuzzNextRecord: whatever NextRecord takes, the accessors can walk to its end.
func FuzzNextRecord(f *testing.F) {
	f.Add([]byte(sample()))
	f.Add(append([]byte(sample()), sample()...))
	f.Add([]byte{32, 0, 0, 0, 1, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		for rest := data; len(rest) > 0; {
			rec, more, err := NextRecord(rest)
			if err != nil {
				if !errors.Is(err, ErrRecord) {
					t.Fatalf("an error of another kind: %v", err)
				}
				return
			}
			fields := 0
			for it := rec.Fields(); it.Next(); fields++ {
				_ = it.Value.AppendJSON(nil)
			}
			if fields != rec.fieldCount() || len(rec)+len(more) != len(rest) {
				t.Fatalf("%d fields of %d", fields, rec.fieldCount())
			}
			slices.Clone(rec).MapNames(func(id NameID) NameID { return id })
			rest = more
		}
	})
}

func TestCursorText(t *testing.T) {
	for _, c := range []Cursor{{}, {1, 0}, {1204, 7}, {math.MaxUint64, math.MaxUint32}} {
		if got, err := ParseCursor(c.String()); err != nil || got != c {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	if c, err := ParseCursor(""); err != nil || c != (Cursor{}) {
		t.Errorf("the empty text: %v, %v", c, err)
	}
	for _, bad := range []string{"1", "-1", "1-", "a-1", "1-4294967296", "1-2-3"} {
		if _, err := ParseCursor(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if !(Cursor{1, 2}).Less(Cursor{2, 0}) || !(Cursor{1, 2}).Less(Cursor{1, 3}) || (Cursor{1, 2}).Less(Cursor{1, 2}) {
		t.Error("order")
	}
}

func TestFiringIDDependsOnEachPart(t *testing.T) {
	base := FiringID("r", "visitor", "k", 5, CauseTimer)
	for _, other := range []string{
		FiringID("q", "visitor", "k", 5, CauseTimer), FiringID("r", "user", "k", 5, CauseTimer), FiringID("r", "visitor", "l", 5, CauseTimer),
		FiringID("r", "visitor", "k", 6, CauseTimer), FiringID("r", "visitor", "k", 5, CauseRecord(1)), FiringID("rv", "isitor", "k", 5, CauseTimer),
	} {
		if other == base {
			t.Errorf("two firings share %s", base)
		}
	}
	if len(base) != 32 || base != FiringID("r", "visitor", "k", 5, CauseTimer) {
		t.Errorf("id %q", base)
	}
}

func TestValuesAsJSONAndAsKeys(t *testing.T) {
	for _, c := range []struct {
		v         Value
		json, key string
	}{
		{TextValue("a"), `"a"`, "a"},
		{TextValue("</script>\u2028"), `"\u003c/script\u003e\u2028"`, "</script>\u2028"},
		{TextValue("\xff"), `"\ufffd"`, "\xff"},
		{NumberValue(7), "7", "7"},
		{NumberValue(-0.5), "-0.5", ""},
		{NumberValue(1 << 53), "9.007199254740992e+15", ""},
		{NumberValue(1e21), "1e+21", ""},
		{NumberValue(math.Inf(1)), "null", ""},
		{BoolValue(true), "true", ""},
		{Value{Kind: Null}, "null", ""},
		{Value{}, "null", ""},
		{Value{Kind: JSON, Text: `["<"]`}, `["\u003c"]`, ""},
	} {
		if got := string(c.v.AppendJSON(nil)); got != c.json || !json.Valid([]byte(got)) {
			t.Errorf("%v: %s, want %s", c.v, got, c.json)
		}
		if got := c.v.KeyText(); got != c.key {
			t.Errorf("%v: key %q, want %q", c.v, got, c.key)
		}
	}
}

func TestShardsShareTheGroups(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8, Groups} {
		keys := make([]int, n)
		for g := range Groups {
			keys[(KeyHash(g)<<52).Shard(n)]++
		}
		if slices.Min(keys) == 0 || slices.Max(keys)-slices.Min(keys) > 1 {
			t.Errorf("%d shards: from %d to %d groups", n, slices.Min(keys), slices.Max(keys))
		}
	}
}

func TestNamesOfAllProcesses(t *testing.T) {
	n := NewNames()
	for id, text := range wellKnown {
		if got, ok := n.Find(text); text != "" && (!ok || got != NameID(id)) {
			t.Errorf("%q is %d, want %d", text, got, id)
		}
	}
	if NamePath != 11 || NameFired != 20 || NamePopupDismissed != 25 || NameSettings != 27 {
		t.Error("a well-known id has changed: logs could not be read any more")
	}
	first, _ := n.Intern("amount")
	again, _ := n.Intern("amount")
	if first != FirstFreeName || again != first || n.Text(first) != "amount" || n.Text(first+1) != "" {
		t.Errorf("%d %d %q", first, again, n.Text(first))
	}
	if _, ok := n.Find(""); ok {
		t.Error("the empty text has an id: a sender could set the mail domain")
	}
}

// Names from outside have ids while there is room; those of rules have room of their own.
func TestNamesFromOutside(t *testing.T) {
	n := NewNamesWith(int(FirstFreeName) + 1)
	met, ok := n.Meet("met")
	if met != FirstFreeName || !ok {
		t.Fatal(met, ok)
	}
	for range 2 {
		if id, ok := n.Meet("more"); id != NameOther || ok {
			t.Fatal(id, ok)
		}
	}
	if id, ok := n.Meet("met"); id != met || !ok || n.Other() != 2 || n.Len() != int(met)+1 {
		t.Fatal(id, ok, n.Other(), n.Len())
	}
	id, err := n.Intern("more")
	if again, ok := n.Meet("more"); err != nil || id != met+1 || again != id || !ok {
		t.Fatal(id, again, ok, err)
	}
	if _, ok := n.Meet("id"); !ok {
		t.Error("a well-known name is not known")
	}
}

// A record that spells names out says what it said with ids.
func TestSpelledOut(t *testing.T) {
	names := NewNames()
	typ, _ := names.Intern("typ")
	x, _ := names.Intern("x")
	y, _ := names.Intern("y")
	var b RecordBuilder
	b.Begin(RecordEvent, typ)
	b.Ts(7)
	b.Text(NameVisitor, "v")
	b.Number(x, 1.5)
	b.Null(y)
	b.JSON(x, "[1]")
	b.Text(NameRule, "r")
	b.End(99)
	plain := Record(b.Buf)
	says := func(r Record) (s string) {
		s = names.Text(r.Type())
		if r.Type() == NameOther {
			s = r.SpelledType()
		}
		ts, given := r.Ts()
		s += fmt.Sprint(r.Kind(), r.Space(), r.Hash(), ts, given)
		for it := r.Fields(); it.Next(); {
			if it.Name != NameType {
				name := it.Spell(names)
				s += fmt.Sprint(" ", name, it.Value)
			}
		}
		return s
	}
	for _, which := range [][]NameID{{typ, x, y}, {typ}, {x}, {y}, {}} {
		buf := plain.AppendSpelled([]byte("before"), func(id NameID) string {
			if slices.Contains(which, id) {
				return names.Text(id)
			}
			return ""
		})
		rec, rest, err := NextRecord(buf[len("before"):])
		if err != nil || len(rest) > 0 {
			t.Fatal(err, rest)
		}
		var who Who
		if rec.Who(&who); who.Visitor != "v" || says(rec) != says(plain) || rec.Spelled() != (len(which) > 0) {
			t.Errorf("%v spelled out: %s, want %s", which, says(rec), says(plain))
		}
		for it := rec.Fields(); it.Next(); {
			if slices.Contains(which, it.Name) {
				t.Errorf("%v is still there", it.Name)
			}
		}
		again := rec.AppendSpelled(nil, func(id NameID) string {
			if id >= FirstFreeName {
				return names.Text(id)
			}
			return ""
		})
		if says(again) != says(plain) {
			t.Errorf("%v spelled out, and then all: %s", which, says(again))
		}
	}
}

func TestPositionKeepsWhatItWasGiven(t *testing.T) {
	var b RecordBuilder
	b.Position("who", `{"where":1}`)
	b.Position("", "")
	rec, rest, err := NextRecord(b.Buf)
	if err != nil || rec.Kind() != RecordPosition {
		t.Fatal(rec, err)
	}
	if name, place := rec.Position(); name != "who" || place != `{"where":1}` {
		t.Errorf("%q at %q", name, place)
	}
	rec, rest, err = NextRecord(rest)
	if name, place := rec.Position(); err != nil || len(rest) != 0 || name != "" || place != "" {
		t.Errorf("%q at %q, %v", name, place, err)
	}
}

func TestVoid(t *testing.T) {
	buf := AppendVoid([]byte{})
	rec, rest, err := NextRecord(buf)
	if err != nil || len(rest) != 0 || rec.Kind() != RecordVoid || rec.Hash() != 0 || rec.Type() != NameNone || len(rec) != recordHeader {
		t.Fatalf("%v, %v", rec, err)
	}
	if _, given := rec.Ts(); given || hasFields(rec) {
		t.Fatal("a void says something")
	}
}

func hasFields(rec Record) bool {
	it := rec.Fields()
	return it.Next()
}

// Fill puts the first value of each field that is wanted into its place.
func TestFill(t *testing.T) {
	var b RecordBuilder
	names := NewNames()
	x, _ := names.Intern("x")
	y, _ := names.Intern("y")
	b.Begin(RecordEvent, x)
	b.Text(NameUser, "u")
	b.Number(x, 7)
	b.Bool(y, true)
	b.Text(x, "late")
	b.Text(NamePath, "/")
	b.End(1)
	rec, _, err := NextRecord(b.Buf)
	if err != nil {
		t.Fatal(err)
	}
	slots := make([]int32, y+1)
	slots[x], slots[y], slots[NamePath], slots[NameURL] = 3, 1, 2, 4
	vals := make([]Value, 4)
	filled := []int32{9}
	if rec.Fill(0, slots, &vals, &filled); !slices.Equal(filled, []int32{9, 2, 0, 1}) {
		t.Error(filled)
	}
	if want := []Value{BoolValue(true), TextValue("/"), NumberValue(7), {}}; !slices.Equal(vals, want) {
		t.Error(vals)
	}
	filled = nil
	if rec.Fill(0, slots[:x+1], &vals, &filled); filled != nil {
		t.Errorf("places that are taken are filled again: %v", filled)
	}
}

// Who says where the first field stands that is not about who the record is about, and Fill goes on from there.
func TestFillBehindWho(t *testing.T) {
	var b RecordBuilder
	b.Begin(RecordEvent, FirstFreeName)
	b.Text(NameID_, "m1")
	b.Number(NameUser, 7)
	b.Text(NameVisitor, "v")
	b.Text(NameMailDomain, "a.example")
	b.Text(NameURL, "u")
	b.Null(NamePath)
	b.JSON(NameTitle, "[1]")
	b.End(1)
	rec, _, err := NextRecord(b.Buf)
	if err != nil {
		t.Fatal(err)
	}
	var w Who
	end := rec.Who(&w)
	if want := (Who{ID: "m1", Visitor: "v", MailDomain: "a.example"}); w != want {
		t.Errorf("%+v, want %+v", w, want)
	}
	slots := make([]int32, NameTitle+1)
	slots[NameVisitor], slots[NameURL], slots[NamePath], slots[NameTitle] = 1, 2, 3, 4
	vals, filled := make([]Value, 4), []int32(nil)
	rec.Fill(end, slots, &vals, &filled)
	if want := []Value{{}, TextValue("u"), {Kind: Null}, {Kind: JSON, Text: "[1]"}}; !slices.Equal(vals, want) || !slices.Equal(filled, []int32{1, 2, 3}) {
		t.Errorf("%v in %v, want %v", vals, filled, want)
	}
	b.Buf = nil
	b.Begin(RecordEvent, FirstFreeName)
	b.Text(NameVisitor, "v")
	b.End(1)
	if end := Record(b.Buf).Who(&w); end != len(b.Buf) {
		t.Errorf("a record of %d bytes that says nothing else ends at %d", len(b.Buf), end)
	}
}
