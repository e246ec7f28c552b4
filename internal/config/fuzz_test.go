package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/signet-id/signet/internal/config"
)

// What parses means the same when it is written out and read again; what does
// not is explained: each problem has a key or a line, and says what to do.
func FuzzAFileIsReadBackOrExplained(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(minimal + "name: \"\\u0085 'x' \\\\ #\"\nscopes: {\"a:b\": \"~\", \"!x\": \"|\"}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		cfg, err := config.Parse("signet.yaml", raw, nil)
		if err != nil {
			explained(t, err)
			return
		}
		text, err := cfg.YAML()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := config.Parse("signet.yaml", text, nil)
		if err != nil {
			t.Fatalf("what was written cannot be read:\n%s\n%v", text, err)
		}
		if !reflect.DeepEqual(cfg, again) {
			t.Fatalf("read %+v, but after writing\n%s\nread %+v", cfg, text, again)
		}
	})
}

func explained(t *testing.T, err error) {
	t.Helper()
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("%v is no list of problems", err)
	}
	for _, p := range problems {
		if p.Key == "" && p.Line == 0 {
			t.Errorf("%q has neither key nor line", p.Text)
		}
		if p.Text == "" || p.Fix == "" {
			t.Errorf("%+v does not say what is wrong, or what to do", p)
		}
	}
}
