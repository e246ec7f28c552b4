package object_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/object"
)

func TestAnObjectIsWrittenInTheOrderOfItsCalls(t *testing.T) {
	w := object.New(0)
	w.Text("iss", "https://id.example")
	w.Text("empty", "")
	w.Optional("absent", "")
	w.Optional("there", `a","sub":"b`)
	w.Text("slash", `\`)
	w.Text("line", "\n")
	w.Texts("none", nil)
	w.Texts("amr", []string{"pwd", "otp"})
	w.OneOrMore("aud", []string{"one"})
	w.OneOrMore("auds", []string{"one", "two"})
	w.OneOrMore("noaud", nil)
	w.Bool("active", true)
	w.Number("ttl", -7)
	w.Time("never", time.Time{})
	w.Time("exp", time.Unix(1700000000, 5))
	w.Open("status")
	w.Open("empty")
	w.Close()
	w.Number("idx", 3)
	w.Close()
	w.Text("last", "ü")
	want := `{"iss":"https://id.example","empty":"","there":"a\",\"sub\":\"b","slash":"\\","line":"\n","amr":["pwd","otp"],"aud":"one","auds":["one","two"],` +
		`"noaud":[],"active":true,"ttl":-7,"exp":1700000000,"status":{"empty":{},"idx":3},"last":"ü"}`
	if got := string(w.End()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAnObjectWithoutMembersIsEmpty(t *testing.T) {
	if got := string(object.Of(nil)); got != "{}" {
		t.Errorf("got %s", got)
	}
}

func TestMembersAreWrittenByNameAndWhatIsNoJSONIsLeftOut(t *testing.T) {
	w := object.New(0)
	w.Text("sub", "u")
	w.Members(map[string]any{
		"b": true, "a": "text", "c": int64(1 << 60), "d": []string{"x"}, "e": struct {
			Street string `json:"street"`
		}{"Quay 1"}, "f": func() {}, "g": 1.5, "h": []string{},
	})
	want := `{"sub":"u","a":"text","b":true,"c":1152921504606846976,"d":["x"],"e":{"street":"Quay 1"},"g":1.5,"h":[]}`
	if got := string(w.End()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Whatever the texts are, a reader finds them again.
func FuzzObject(f *testing.F) {
	f.Add("name", "value", "other")
	f.Add("{", "}", "{")
	f.Add("", "\x00\u2028<&>\"\\", "\xff")
	f.Fuzz(func(t *testing.T, name, one, two string) {
		w := object.New(0)
		w.Text("first"+name, one)
		w.Texts("second"+name, []string{one, two})
		w.Members(map[string]any{"third" + name: two})
		raw := w.End()
		var got map[string]any
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		valid := func(s string) string { return string([]rune(s)) } // what is no UTF-8 becomes U+FFFD, as in encoding/json
		want := map[string]any{
			valid("first" + name): valid(one), valid("second" + name): []any{valid(one), valid(two)}, valid("third" + name): valid(two),
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %v, want %v", raw, got, want)
		}
	})
}

func BenchmarkObject(b *testing.B) {
	audience, expires := []string{"https://orders.example"}, time.Unix(1700000000, 0)
	b.ReportAllocs()
	for b.Loop() {
		w := object.New(256)
		w.Text("iss", "https://id.example")
		w.OneOrMore("aud", audience)
		w.Time("exp", expires)
		w.Texts("amr", audience)
		w.End()
	}
}
