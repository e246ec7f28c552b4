package record_test

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/signet-id/signet/internal/record"
)

const layout = 1

// read reads a record whose only field, number 2, is known.
func read(value []byte, field func(*record.Reader)) (unknown string, err error) {
	r := record.Read(value, layout)
	for r.Next() {
		if r.Field() == 2 {
			field(&r)
		} else {
			r.Keep()
		}
	}
	return r.Unknown(), r.Err()
}

func write(fields func(*record.Writer)) []byte {
	w := record.Write(layout, 64)
	fields(&w)
	return w.Value()
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	// The numbers that take one byte, two and three have other tags.
	back := func(n uint8, number uint32, great uint64, flag bool, text string, texts []string, seconds int64, nanos uint32, raw [32]byte) bool {
		at := time.Unix(seconds, int64(nanos%1e9)).UTC()
		numbers := []record.Number{2, 15, 16, 2047, 2048, 1 << 20}
		field := func(i int) record.Number { return numbers[i%len(numbers)]*8 + record.Number(n%2) + 2 }
		w := record.Write(layout, 0)
		w.Number(2, uint64(number))
		w.Number(3, great)
		w.Flag(4, flag)
		w.Text(field(0), text)
		w.Texts(field(1), texts)
		w.Time(field(2), at)
		w.Bytes(field(3), raw[:])
		mark := w.Begin(field(4))
		w.Text(1, text)
		w.Texts(2, texts)
		w.End(mark)

		var gotNumber uint32
		var gotGreat uint64
		var gotFlag bool
		var gotText, innerText string
		var gotTexts, innerTexts []string
		var gotTime time.Time
		var gotRaw [32]byte
		r := record.Read(w.Value(), layout)
		for r.Next() {
			switch r.Field() {
			case 2:
				gotNumber = r.Uint32()
			case 3:
				gotGreat = r.Number(math.MaxUint64)
			case 4:
				gotFlag = r.Flag()
			case field(0):
				gotText = r.Text()
			case field(1):
				gotTexts = r.Texts(gotTexts)
			case field(2):
				gotTime = r.Time()
			case field(3):
				r.Exactly(gotRaw[:])
			case field(4):
				fields := r.Fields()
				for fields.Next() {
					if fields.Field() == 1 {
						innerText = fields.Text()
					} else {
						innerTexts = fields.Texts(innerTexts)
					}
				}
				r.Join(fields)
			}
		}
		return r.Err() == nil && gotNumber == number && gotGreat == great && gotFlag == flag && gotText == text && innerText == text &&
			slices.Equal(gotTexts, texts) && slices.Equal(innerTexts, texts) && gotTime.Equal(at) && gotRaw == raw
	}
	if err := quick.Check(back, &quick.Config{MaxCount: 500}); err != nil {
		t.Error(err)
	}
}

func TestAFieldWithFieldsMayBeAnyLength(t *testing.T) {
	for _, length := range []int{0, 1, 124, 125, 126, 127, 128, 129, 16380, 16381, 16382, 16383, 16384, 1 << 20} {
		text := strings.Repeat("x", length)
		value := write(func(w *record.Writer) {
			mark := w.Begin(2)
			w.Text(1, text)
			w.End(mark)
			w.Text(3, "behind")
		})
		var got string
		unknown, err := read(value, func(r *record.Reader) {
			fields := r.Fields()
			for fields.Next() {
				got = fields.Text()
			}
			r.Join(fields)
		})
		if err != nil || got != text || !strings.HasSuffix(unknown, "behind") {
			t.Errorf("%d bytes: %d came back, %v", length, len(got), err)
		}
	}
}

func TestZeroIsNotWritten(t *testing.T) {
	value := write(func(w *record.Writer) {
		w.Number(2, 0)
		w.Flag(3, false)
		w.Text(4, "")
		w.Texts(5, []string{})
		w.Time(6, time.Time{})
	})
	if want := "0801"; hex.EncodeToString(value) != want {
		t.Errorf("a record of zeros is %x, want its layout alone", value)
	}
	if value := write(func(w *record.Writer) { w.Texts(2, []string{""}) }); hex.EncodeToString(value) != "08011200" {
		t.Errorf("a list with one empty text is %x", value)
	}
}

// Whoever writes the record back, of a release that knows less, loses nothing.
func TestWhatANewerReleaseWroteIsKept(t *testing.T) {
	var future []byte
	future = protowire.AppendTag(future, 900, protowire.VarintType)
	future = protowire.AppendVarint(future, 7)
	future = protowire.AppendTag(future, 901, protowire.BytesType)
	future = protowire.AppendString(future, "from the future")
	future = protowire.AppendTag(future, 902, protowire.Fixed32Type)
	future = protowire.AppendFixed32(future, 7)
	future = protowire.AppendTag(future, 903, protowire.Fixed64Type)
	future = protowire.AppendFixed64(future, 7)
	future = protowire.AppendTag(future, 904, protowire.StartGroupType)
	future = append(future, 0x08, 0x01)
	future = protowire.AppendTag(future, 904, protowire.EndGroupType)

	for name, value := range map[string][]byte{
		"behind what is known": append(write(func(w *record.Writer) { w.Text(2, "known") }), future...),
		"before it":            append(append(write(func(*record.Writer) {}), future...), 0x12, 5, 'k', 'n', 'o', 'w', 'n'),
		"around it":            append(append(append(write(func(*record.Writer) {}), future[:3]...), 0x12, 5, 'k', 'n', 'o', 'w', 'n'), future[3:]...),
	} {
		var known string
		unknown, err := read(value, func(r *record.Reader) { known = r.Text() })
		if err != nil || known != "known" || unknown != string(future) {
			t.Errorf("%s: read %q and kept %x, %v, want %x", name, known, unknown, err, future)
		}
		back := write(func(w *record.Writer) { w.Keep(unknown) })
		if !strings.HasSuffix(string(back), string(future)) {
			t.Errorf("%s: written back as %x", name, back)
		}
	}
}

func TestADamagedRecordIsNotRead(t *testing.T) {
	number := func(r *record.Reader) { r.Uint32() }
	text := func(r *record.Reader) { r.Text() }
	texts := func(r *record.Reader) { r.Texts(nil) }
	at := func(r *record.Reader) { r.Time() }
	exactly := func(r *record.Reader) { r.Exactly(make([]byte, 2)) }
	inner := func(r *record.Reader) {
		fields := r.Fields()
		for fields.Next() {
			fields.Text()
		}
		r.Join(fields)
	}
	for name, tt := range map[string]struct {
		value string // hex
		field func(*record.Reader)
	}{
		"nothing":                     {"", text},
		"no layout":                   {"120161", text},
		"a layout that is a text":     {"0a0101", text},
		"another number first":        {"10010801", number},
		"another layout":              {"0802120161", text},
		"a tag cut off":               {"0801ff", text},
		"a field with the number 0":   {"08010001", text},
		"a wire type that is none":    {"080117", text},
		"a number cut off":            {"080110ff", number},
		"a number that is a text":     {"0801120161", number},
		"a number too great":          {"0801108080808010", number},
		"a truth that is two":         {"08011002", func(r *record.Reader) { r.Flag() }},
		"a text cut off":              {"080112056161", text},
		"a text that is a number":     {"08011001", text},
		"a list cut off":              {"0801120161120561", texts},
		"a list of numbers":           {"08011001", texts},
		"a time that is a number":     {"08011001", at},
		"an empty time":               {"08011200", at},
		"a time without nanoseconds":  {"0801120102", at},
		"a second of 1e9 nanoseconds": {"0801120602" + "8094ebdc03", at},
		"a time and something more":   {"08011203020202", at},
		"bytes too few":               {"0801120161", exactly},
		"bytes too many":              {"08011203616161", exactly},
		"bytes that are a number":     {"08011001", exactly},
		"fields that are a number":    {"08011001", inner},
		"fields cut off":              {"080112020a05", inner},
		"fields of another kind":      {"080112020801", inner},
		"a group that has no end":     {"080113", text},
		"an end of no group":          {"080114", text},
	} {
		value, err := hex.DecodeString(tt.value)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := read(value, tt.field); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

func TestTheFilesOfUnreleasedVersionsAreToldApart(t *testing.T) {
	_, err := read([]byte(`{"digest":"AAAA"}`), func(*record.Reader) {})
	if err == nil || !strings.Contains(err.Error(), "unreleased version") {
		t.Errorf("a JSON record: %v, want a sentence about unreleased versions", err)
	}
}

// The value belongs to whoever asked the store, who may use its bytes again.
func TestWhatWasReadIsNotTheValuesBytes(t *testing.T) {
	value := write(func(w *record.Writer) {
		w.Texts(2, []string{"one", "two"})
		w.Text(3, "later")
	})
	var got []string
	unknown, err := read(value, func(r *record.Reader) { got = r.Texts(got) })
	clear(value)
	if err != nil || !slices.Equal(got, []string{"one", "two"}) || !strings.Contains(unknown, "later") {
		t.Errorf("read %q and kept %q, %v", got, unknown, err)
	}
}

func TestReadingTakesOneCopyAndOneListOfAnyLength(t *testing.T) {
	value := write(func(w *record.Writer) { w.Texts(2, slices.Repeat([]string{"text"}, 100)) })
	got := testing.AllocsPerRun(100, func() {
		var texts []string
		r := record.Read(value, layout)
		for r.Next() {
			texts = r.Texts(texts)
		}
		if r.Err() != nil || len(texts) != 100 {
			t.Fatal(r.Err())
		}
	})
	if got > 2 {
		t.Errorf("%v allocations, want the copy and the list", got)
	}
}

// Whatever bytes come, nothing is lost and nothing made up: a reader that knows
// no field keeps exactly what follows the layout, or refuses it all.
func FuzzAReaderThatKnowsNothingKeepsEverything(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{8, 1})
	f.Add([]byte{8, 1, 0x12, 1, 'a', 0x12, 0, 0x18, 0xff, 1})
	f.Add([]byte{8, 1, 0x13, 0x08, 1, 0x14})
	f.Add([]byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		r := record.Read(value, layout)
		for r.Next() {
			r.Keep()
		}
		if r.Err() != nil {
			return
		}
		tag, number, at := protowire.ConsumeTag(value)
		_, n := protowire.ConsumeVarint(value[at:])
		if tag != 1 || number != protowire.VarintType || r.Unknown() != string(value[at+n:]) {
			t.Errorf("of %x was kept %x", value, r.Unknown())
		}
	})
}
