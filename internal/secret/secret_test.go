package secret_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/signet-id/signet/internal/secret"
)

const plain = "hunter2-hunter2"

type holder struct {
	Name   string
	Public secret.Value
	hidden secret.Value
}

func TestNoVerbOfFmtPrintsASecret(t *testing.T) {
	v := secret.New(plain)
	h := holder{Name: "x", Public: v, hidden: v}
	for _, verb := range strings.Split("v +v #v s q x X d t b o c U e f g p T", " ") {
		for _, arg := range []any{v, &v, h, &h, []secret.Value{v}, map[string]secret.Value{"k": v}} {
			got := fmt.Sprintf("%"+verb, arg)
			if strings.Contains(got, plain) || strings.Contains(got, fmt.Sprintf("%x", plain)) {
				t.Errorf("%%%s of %T prints the secret: %s", verb, arg, got)
			}
		}
	}
	if got := v.String() + fmt.Sprintf("%#v", v); got != "[redacted][redacted]" {
		t.Errorf("it prints as %q", got)
	}
	if err := errors.New(fmt.Sprint("opening with ", v)); strings.Contains(err.Error(), plain) {
		t.Errorf("an error prints the secret: %v", err)
	}
}

func TestNoLogPrintsASecret(t *testing.T) {
	v := secret.New(plain)
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("hello", "secret", v, "pointer", &v,
			"holder", holder{Public: v, hidden: v}, slog.Group("g", "inner", v))
	}
	if strings.Contains(out.String(), plain) || !strings.Contains(out.String(), `"secret":"[redacted]"`) {
		t.Errorf("the log has the secret:\n%s", out.String())
	}
}

func TestNoEncodingPrintsASecret(t *testing.T) {
	h := holder{Public: secret.New(plain), hidden: secret.New(plain)}
	asJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if all := string(asJSON) + string(asYAML); strings.Contains(all, plain) || strings.Count(all, "[redacted]") != 2 {
		t.Errorf("encoded with the secret: %s", all)
	}
}

func TestRevealYieldsWhatNewWasGiven(t *testing.T) {
	if got := secret.New(plain).Reveal(); got != plain {
		t.Errorf("Reveal = %q, want %q", got, plain)
	}
	if !secret.New("").Absent() || secret.New("").Reveal() != "" {
		t.Error("an empty text must be the absent secret")
	}
}

func TestEqualSecretsAreEqualAndAbsentOnesNever(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{plain, plain, true},
		{plain, plain + "x", false},
		{plain, "", false},
		{"", "", false},
	} {
		if got := secret.New(tc.a).Equal(secret.New(tc.b)); got != tc.want {
			t.Errorf("Equal(%q, %q) = %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
	if got, want := secret.New(plain).Digest(), sha256.Sum256([]byte(plain)); got != want {
		t.Errorf("Digest = %x, want %x", got, want)
	}
}
