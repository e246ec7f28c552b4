package verify

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSkipPlainStopsAtEachByteThatMeansSomething(t *testing.T) {
	for c := range 256 {
		means := c < ' ' || c == '"' || c == '\\'
		for place := range 20 {
			s := strings.Repeat("\xff", place) + string([]byte{byte(c)}) + `"`
			want := place
			if !means {
				want++
			}
			if got := skipPlain(s, 0); got != want {
				t.Fatalf("skipPlain(%q) = %d, want %d", s, got, want)
			}
		}
	}
}

func TestBracketsNestAsDeepAsInEncodingJSON(t *testing.T) {
	for depth, want := range map[int]bool{63: true, 64: true, 129: true, 9_000: true, 10_000: true, 10_001: false} {
		text := strings.Repeat(`[{"a":`, depth/2) + strings.Repeat("[", depth%2) +
			strings.Repeat("]", depth%2) + "0"[depth%2:] + strings.Repeat("}]", depth/2)
		end, got := skipValue(text, 0)
		if got != want || got != json.Valid([]byte(text)) || got && end != len(text) {
			t.Errorf("%d of them: %v up to %d of %d, want %v", depth, got, end, len(text), want)
		}
	}
}

// What is taken for JSON, and for the members of an object, is what encoding/json
// takes for it, but for names that come twice.
func FuzzTheScannerAgreesWithEncodingJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":[true,false,null,{"c":"d"}],"e":-0.5E+3}`, ` { } `, `[]`, `{"a":{},"b":[[],[{}]]}`, `{"a":01}`,
		`{"a":1,}`, `{"a":[1,]}`, `{"a" 1}`, `{"a":"\u00e9\n\"\\"}`, `{"a":"\u00g9"}`, `{"a":"\x"}`, "{\"a\":\"\n\"}",
		`{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":-}`, `{"a":tru}`, `{"a":nul`, `{"a":"b`, `{"a":1}x`, `{"a":1]`, `[1}`,
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"":1,"":2}`, `{"a":[}`, `{"a":{"b"}}`, `{"a":{"b":1,}}`, `{1:2}`, "{\"a\":\"\xff\"}", `{"a":--1}`,
		"{\x00}", `{"a":1 2}`, `{"a":{,}}`, `[,]`, `{"a":[1 2]}`, `{"a":"12345678\"x"}`, `{"a":"\ud800"}`, `"`, `{`, ``, "\u00a0{}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		i := skipSpace(text, 0)
		end, ok := skipValue(text, i)
		if got, want := ok && skipSpace(text, end) == len(text), json.Valid([]byte(text)); got != want {
			t.Fatalf("%q is JSON: %v, want %v", text, got, want)
		}
		members, ok := parseObject(nil, text)
		want, valid := membersOf(text)
		if ok != valid || ok && !slices.Equal(members, want) {
			t.Errorf("parseObject(%q): %q, %v, want %q, %v", text, members, ok, want, valid)
		}
	})
}

// membersOf is parseObject by means of encoding/json.
func membersOf(text string) (members []member, ok bool) {
	if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		m := member{name.(string), string(value)}
		if len(members) == maxMembers || slices.ContainsFunc(members, func(other member) bool { return other.name == m.name }) {
			return nil, false
		}
		members = append(members, m)
	}
	return members, true
}
