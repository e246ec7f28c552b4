package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/fault"
)

const minimal = "issuer: https://id.example.com\n"

func TestAFileIsReadOrEveryProblemIsNamedWithItsLine(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", outcome(t, filepath.Base(file), raw))
		})
	}
}

// outcome is what an operator sees: the problems, or the whole configuration.
func outcome(t *testing.T, name string, raw []byte, environ ...string) string {
	t.Helper()
	cfg, err := config.Parse(name, raw, environ)
	if err != nil {
		return err.Error() + "\n"
	}
	text, err := cfg.YAML()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheEnvironmentIsReadOrEveryProblemIsNamedWithItsVariable(t *testing.T) {
	golden(t, "testdata/environment.golden", outcome(t, "signet.yaml", []byte("log:\n  level: loud\n"),
		"SIGNET_ISSUER=https://id.example.com",
		"SIGNET_LOG_LEVEL=warn", // repairs the file's
		"SIGNET_HTTP_TRUSTED_PROXIES=10.0.0.0/8, bad",
		"SIGNET_HTP_ADDRESS=127.0.0.1:8080",
		"SIGNET_PORT=8080",
		"SIGNET_SCOPES=orders",
		"SIGNET_TOKENS_ACCESS_LIFETIME=2h",
		"SIGNET_KEYS_ENCRYPTION_KEY=hunter2",
		"SIGNET_NAME=",
		"PATH=/bin",
	))
}

func TestTheEnvironmentOverridesTheFile(t *testing.T) {
	cfg, err := config.Parse("signet.yaml", []byte(minimal+"name: File\nhttp:\n  trusted_proxies: [10.0.0.0/8]\n"), []string{
		"SIGNET_NAME=Environment",
		"SIGNET_HTTP_TRUSTED_PROXIES=192.168.0.0/16,fd00::/8",
		"SIGNET_KEYS_ENCRYPTION_KEY=0123456789abcdef0123456789abcdef\n",
		"SIGNET_CONFIG=elsewhere.yaml",
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Name != "Environment" {
		t.Errorf("Name = %q, want the environment's", cfg.Name)
	}
	if len(cfg.HTTP.TrustedProxies) != 2 || cfg.HTTP.TrustedProxies[0].String() != "192.168.0.0/16" {
		t.Errorf("TrustedProxies = %v, want the environment's two", cfg.HTTP.TrustedProxies)
	}
	if got := cfg.Keys.EncryptionKey.Reveal(); got != "0123456789abcdef0123456789abcdef" {
		t.Errorf("EncryptionKey = %q", got)
	}
}

func TestAPodBesideAServiceCalledSignetStarts(t *testing.T) {
	links := []string{
		"SIGNET_SERVICE_HOST=10.0.0.1", "SIGNET_SERVICE_PORT=443", "SIGNET_SERVICE_PORT_HTTPS=443",
		"SIGNET_PORT=tcp://10.0.0.1:443", "SIGNET_PORT_443_TCP=tcp://10.0.0.1:443", "SIGNET_PORT_443_TCP_PROTO=tcp",
		"SIGNET_PORT_443_TCP_PORT=443", "SIGNET_PORT_443_TCP_ADDR=10.0.0.1",
		"SIGNET_METRICS_SERVICE_HOST=10.0.0.1", "SIGNET_METRICS_SERVICE_PORT=9464", "SIGNET_METRICS_PORT=tcp://10.0.0.2:9464",
		"SIGNET_METRICS_PORT_9464_TCP_ADDR=10.0.0.2",
	}
	if _, err := config.Parse("signet.yaml", []byte(minimal), links); err != nil {
		t.Errorf("the variables of a Kubernetes Service are taken for settings:\n%v", err)
	}
}

func TestNoProblemRepeatsASecret(t *testing.T) {
	for _, file := range []string{"testdata/values.yaml", "testdata/secret.yaml"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := outcome(t, file, raw, "SIGNET_KEYS_ENCRYPTION_KEY=hunter2"); strings.Contains(got, "hunter2") {
			t.Errorf("%s: a problem repeats the secret:\n%s", file, got)
		}
	}
}

func TestTheWholeConfigurationPrintsNoSecret(t *testing.T) {
	const key = "0123456789abcdef0123456789abcdef"
	got := outcome(t, "signet.yaml", []byte(minimal), "SIGNET_KEYS_ENCRYPTION_KEY="+key)
	if strings.Contains(got, key) || !strings.Contains(got, "issuer:") {
		t.Errorf("YAML prints the key, or nothing:\n%s", got)
	}
}

func TestProblemsAreOneInvalidFault(t *testing.T) {
	_, err := config.Parse("signet.yaml", nil, nil)
	var problems config.Problems
	if !errors.As(err, &problems) || fault.KindOf(err) != fault.Invalid {
		t.Errorf("an empty configuration gives %v, want Problems of kind invalid", err)
	}
}

func TestAMissingFileIsSaidPlainly(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "signet.yaml"), nil)
	if fault.KindOf(err) != fault.NotFound {
		t.Errorf("Load = %v, want not_found", err)
	}
}

func TestLoadReadsTheFileOrTheEnvironmentAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "signet.yaml")
	if err := os.WriteFile(file, []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	fromEnvironment, err := config.Load("", []string{"SIGNET_ISSUER=https://id.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(fromFile, fromEnvironment) {
		t.Errorf("the two differ: %+v, %+v", fromFile, fromEnvironment)
	}
}

func TestAHugeFileIsNotRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "signet.yaml")
	if err := os.WriteFile(file, []byte(strings.Repeat("# padding\n", 200_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(file, nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Load = %v, want invalid", err)
	}
}

func TestTheDefaultLacksNothingButTheIssuer(t *testing.T) {
	cfg := config.Default()
	var problems config.Problems
	if err := cfg.Validate(); !errors.As(err, &problems) || len(problems) != 1 || problems[0].Key != "issuer" {
		t.Errorf("Validate(Default()) = %v, want the issuer alone", err)
	}
	cfg.Issuer = "https://id.example.com"
	if err := cfg.Validate(); err != nil {
		t.Errorf("Validate = %v", err)
	}
}

func TestPathsThatAreNotNamedLieNextToTheStore(t *testing.T) {
	cfg := config.Default()
	cfg.Store = "bolt:///var/lib/signet/signet.db"
	got := []string{cfg.StorePath(), cfg.SocketPath(), cfg.KeyFilePath()}
	want := []string{"/var/lib/signet/signet.db", "/var/lib/signet/signet.sock", "/var/lib/signet/signet.key"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := config.Default().StorePath(); got != "signet.db" {
		t.Errorf("StorePath = %q, want signet.db", got)
	}
}

// golden compares got with the file, or writes it under -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (go test -update writes it):\n%s", file, diff)
	}
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files")
	flag.Parse()
	os.Exit(m.Run())
}
