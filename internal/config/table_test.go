package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/fault"
)

// leaves counts the fields that hold values rather than other fields.
func leaves(v reflect.Value, out map[any]string, path string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		field := v.Field(i)
		inner := field.Kind() == reflect.Struct && f.Type.PkgPath() == v.Type().PkgPath() // not secret.Value
		if inner {
			leaves(field, out, path+f.Name+".")
			continue
		}
		out[field.Addr().Interface()] = path + f.Name
	}
}

func TestEveryFieldHasExactlyOneKey(t *testing.T) {
	var cfg Config
	fields := map[any]string{}
	leaves(reflect.ValueOf(&cfg).Elem(), fields, "")
	for _, e := range table() {
		pointer := e.field(&cfg)
		if _, ok := fields[pointer]; !ok {
			t.Errorf("%s leads to no field, or to one that another key has", e.key)
		}
		delete(fields, pointer)
	}
	for _, name := range fields {
		t.Errorf("the field %s has no key", name)
	}
}

func TestEveryKeyHasItsOwnNameInTheEnvironment(t *testing.T) {
	seen := map[string]string{fileVariable: "the file's own name"}
	for _, e := range table() {
		if e.fileOnly {
			continue
		}
		if other, taken := seen[e.env()]; taken {
			t.Errorf("%s is the variable of %s and of %s", e.env(), other, e.key)
		}
		seen[e.env()] = e.key
	}
}

func TestEveryBoundOfTheTableCanBeRead(t *testing.T) {
	for _, e := range table() {
		if (e.min == "") != (e.max == "") {
			t.Errorf("%s has one bound only", e.key)
		}
		if e.min != "" && e.bound(e.min) >= e.bound(e.max) {
			t.Errorf("%s allows nothing between %s and %s", e.key, e.min, e.max)
		}
	}
}

func TestEveryExampleWorksAsItStands(t *testing.T) {
	for _, key := range Keys() {
		x, err := Explain(key)
		if err != nil {
			t.Fatal(err)
		}
		if x.Doc == "" || x.Type == "value" || x.Default == "" || x.Example == "" {
			t.Errorf("%s is not explained: %+v", key, x)
		}
		if !x.InFile {
			continue
		}
		// Only the example's own key counts: a lone TLS certificate lacks its key.
		_, err = Parse("example.yaml", []byte(x.Snippet()), nil)
		var problems Problems
		errors.As(err, &problems)
		for _, p := range problems {
			if p.Key == key {
				t.Errorf("the example of %s does not work: %v", key, p)
			}
		}
	}
}

func TestExplainNamesTheKeyThatWasMeant(t *testing.T) {
	for key, want := range map[string]string{
		"htp.address": "did you mean http.address?",
		"isuer":       "did you mean issuer?",
		"lifetime":    "keys.lifetime",
		"http":        "http.max_body",
		"frobnicate":  "signet config explain",
	} {
		_, err := Explain(key)
		if fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), want) {
			t.Errorf("Explain(%q) = %v, want it to say %q", key, err, want)
		}
	}
}

func TestASlipOfTheHandFindsTheKeyAndAnotherWordDoesNot(t *testing.T) {
	for word, want := range map[string]string{
		"isuser": "issuer", "ISSUER": "issuer", "issuer": "issuer", "htp.address": "http.address",
		"tokens.acess_lifetime": "tokens.access_lifetime", "sessions.idel": "sessions.idle",
		"zebra": "", "x": "", "": "", strings.Repeat("issuer", 100): "",
	} {
		if got := nearest(word, Keys()); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestDistanceCountsSlips(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1},
		{"abc", "abd", 1}, {"kitten", "sitting", 3}, {"isuer", "issuer", 1},
	} {
		if got := distance(tc.a, tc.b); got != tc.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}

func TestWhatIsShownIsReadBack(t *testing.T) {
	cfg := Default()
	for _, e := range table() {
		field := e.field(&cfg)
		shown := texts(field)
		var scratch Config
		again := e.field(&scratch)
		if isList(field) || len(shown) == 0 {
			continue
		}
		if err := setScalar(again, shown[0]); err != nil || !slices.Equal(texts(again), shown) {
			t.Errorf("%s: %v is shown, and read back as %v (%v)", e.key, shown, texts(again), err)
		}
	}
}
