package config_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/config"
)

// wrong returns the keys at fault after change.
func wrong(t *testing.T, change func(*config.Config)) []string {
	t.Helper()
	cfg := config.Default()
	cfg.Issuer = "https://id.example.com"
	change(&cfg)
	return keysOf(t, cfg.Validate())
}

func keysOf(t *testing.T, err error) []string {
	t.Helper()
	var problems config.Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatalf("%v is not Problems", err)
	}
	var keys []string
	for _, p := range problems {
		keys = append(keys, p.Key)
	}
	return keys
}

func TestAnIssuerHasOneSpelling(t *testing.T) {
	for issuer, fine := range map[string]bool{
		"https://id.example.com":           true,
		"https://id.example.com:8443":      true,
		"https://id.example.com/auth":      true,
		"https://[2001:db8::1]":            true,
		"https://id.example.com/":          false,
		"https://id.example.com/a/":        false,
		"https://id.example.com/a//b":      false,
		"https://id.example.com/../a":      false,
		"https://id.example.com/%61":       false,
		"https://id.example.com?":          false,
		"https://id.example.com?a=b":       false,
		"https://id.example.com#":          false,
		"https://id.example.com#a":         false,
		"https://user@id.example.com":      false,
		"https://ID.example.com":           false,
		"HTTPS://id.example.com":           false,
		"https://id.example.com:":          false,
		"https://id.example.com:0":         false,
		"https://id.example.com:99999":     false,
		"https://id.example.com\u00a0":     false,
		"https:id.example.com":             false,
		"https://":                         false,
		"//id.example.com":                 false,
		"id.example.com":                   false,
		"ftp://id.example.com":             false,
		"http://id.example.com":            false,
		"http://127.0.0.1:8080":            false,
		"http://localhost":                 false,
		"":                                 false,
		"https://id.example.com/\x00":      false,
		"javascript:alert(1)//example.com": false,
	} {
		keys := wrong(t, func(c *config.Config) { c.Issuer = issuer })
		if (len(keys) == 0) != fine {
			t.Errorf("issuer %q: problems with %v, want fine = %v", issuer, keys, fine)
		}
	}
}

func TestPlainHTTPIsForDevelopmentOnOnesOwnMachineOnly(t *testing.T) {
	for _, tc := range []struct {
		issuer, address string
		fine            bool
	}{
		{"http://127.0.0.1:8080", "127.0.0.1:8080", true},
		{"http://localhost:8080", "localhost:8080", true},
		{"http://signet.localhost:8080", "127.0.0.1:8080", true},
		{"http://[::1]:8080", "[::1]:8080", true},
		{"https://localhost:8080", "127.0.0.1:8080", true},
		{"http://id.example.com", "127.0.0.1:8080", false},
		{"https://id.example.com", "127.0.0.1:8080", false},
		{"http://127.0.0.1.example.com", "127.0.0.1:8080", false},
		{"http://localhost.example.com", "127.0.0.1:8080", false},
		{"http://192.168.0.1:8080", "127.0.0.1:8080", false},
		{"http://127.0.0.1:8080", "0.0.0.0:8080", false},
		{"http://127.0.0.1:8080", ":8080", false},
	} {
		keys := wrong(t, func(c *config.Config) {
			config.LoopbackHTTP(c)
			c.Issuer, c.HTTP.Address = tc.issuer, tc.address
		})
		if (len(keys) == 0) != tc.fine {
			t.Errorf("%s on %s in development: problems with %v, want fine = %v", tc.issuer, tc.address, keys, tc.fine)
		}
	}
	for _, issuer := range []string{"http://127.0.0.1:8080", "http://id.example.com"} {
		if keys := wrong(t, func(c *config.Config) { c.Issuer = issuer }); len(keys) == 0 {
			t.Errorf("%s is fine in production", issuer)
		}
	}
}

func TestNoKeyAndNoVariableReachesLoopbackHTTP(t *testing.T) {
	for _, key := range config.Keys() {
		if strings.Contains(key, "loopback") || strings.Contains(key, "insecure") || strings.Contains(key, "dev") {
			t.Errorf("the key %s looks as if it loosened something", key)
		}
	}
	if _, err := config.Parse("signet.yaml", []byte("issuer: http://127.0.0.1:8080\nloopback: true\n"), nil); err == nil {
		t.Error("a file made http acceptable")
	}
}

func TestPasswordHashesReachWhatOWASPRecommends(t *testing.T) {
	for _, tc := range []struct {
		memory config.Size
		time   int
		fine   bool
	}{
		{19 * config.MiB, 2, true}, {46 * config.MiB, 1, true}, {12 * config.MiB, 3, true},
		{9 * config.MiB, 4, true}, {7 * config.MiB, 5, true}, {64 * config.MiB, 3, true},
		{19*config.MiB - 1, 2, false}, {19 * config.MiB, 1, false}, {45 * config.MiB, 1, false},
		{6 * config.MiB, 20, false}, {64 * config.MiB, 0, false}, {2 * config.GiB, 2, false},
	} {
		keys := wrong(t, func(c *config.Config) { c.Passwords.Memory, c.Passwords.Time = tc.memory, tc.time })
		if (len(keys) == 0) != tc.fine {
			t.Errorf("%s, time %d: problems with %v, want fine = %v", tc.memory, tc.time, keys, tc.fine)
		}
	}
}

func TestAProxyNetworkIsNeverTheWholeInternet(t *testing.T) {
	for network, fine := range map[string]bool{
		"10.0.0.0/8": true, "192.0.2.1/32": true, "fc00::/7": true,
		"0.0.0.0/0": false, "::/0": false, "0.0.0.0/1": false, "128.0.0.0/7": false, "2000::/3": false,
	} {
		keys := wrong(t, func(c *config.Config) { c.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(network)} })
		if (len(keys) == 0) != fine {
			t.Errorf("%s: problems with %v, want fine = %v", network, keys, fine)
		}
	}
}

func TestWhatElseIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		key    string
		change func(*config.Config)
	}{
		"a key without its certificate":    {"http.tls.certificate", func(c *config.Config) { c.HTTP.TLS.Key = "tls.key" }},
		"an engine without a prefix":       {"store", func(c *config.Config) { c.Store = "etcd://10.0.0.1:2379" }},
		"an unknown engine":                {"store", func(c *config.Config) { c.Store = "mysql://x" }},
		"a store on another host":          {"store", func(c *config.Config) { c.Store = "bolt://host/signet.db" }},
		"a store without a file":           {"store", func(c *config.Config) { c.Store = "bolt:" }},
		"a store that is a folder":         {"store", func(c *config.Config) { c.Store = "bolt:///var/lib/signet/" }},
		"a store without an engine":        {"store", func(c *config.Config) { c.Store = "signet.db" }},
		"metrics on the public listener":   {"metrics.address", func(c *config.Config) { c.Metrics.Address = c.HTTP.Address }},
		"a socket path beyond the kernel":  {"admin.socket", func(c *config.Config) { c.Store = "bolt:///" + strings.Repeat("a", 100) + "/s.db" }},
		"a scope with a line break":        {"scopes.a\nb", func(c *config.Config) { c.Scopes = map[string]string{"a\nb": "x"} }},
		"a description with a line break":  {"scopes.a", func(c *config.Config) { c.Scopes = map[string]string{"a": "x\ny"} }},
		"a command without a program":      {"keys.encryption_key_command", func(c *config.Config) { c.Keys.EncryptionKeyCommand = []string{""} }},
		"a name that nobody can read":      {"name", func(c *config.Config) { c.Name = "Sig\u202enet" }},
		"a name longer than a heading":     {"name", func(c *config.Config) { c.Name = strings.Repeat("a", 61) }},
		"more hashes than any machine has": {"passwords.concurrency", func(c *config.Config) { c.Passwords.Concurrency = -1 }},
	} {
		if keys := wrong(t, tc.change); len(keys) != 1 || keys[0] != tc.key {
			t.Errorf("%s: problems with %v, want %s alone", name, keys, tc.key)
		}
	}
}

func TestAContactIsAnAddressThatPeopleCanOpen(t *testing.T) {
	for contact, fine := range map[string]bool{
		"": true, "mailto:security@example.com": true, "https://example.com/security": true, "https://example.com": true,
		"security@example.com": false, "http://example.com/security": false, "tel:+1-201-555-0123": false,
		"mailto:": false, "mailto:security": false, "mailto:a@example.com,b@example.com": false, "https:": false, "https://": false,
		"https://user@example.com": false, "javascript:alert(1)": false, "mailto:a@example.com\nContact: mailto:b@example.com": false,
		"mailto:a@example.com ": false, "https://example.com/\u00e4": false,
	} {
		keys := wrong(t, func(c *config.Config) { c.Security.Contact = contact })
		if (len(keys) == 0) != fine {
			t.Errorf("%q: problems with %v, want fine = %v", contact, keys, fine)
		}
	}
}

func TestAdviceIsGivenWhereASettingIsSeldomMeant(t *testing.T) {
	quiet := config.Default()
	quiet.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	if notes := quiet.Advice(); len(notes) != 0 {
		t.Errorf("a proxy on the same machine is advised against: %v", notes)
	}
	open := config.Default()
	open.HTTP.Address, open.Metrics.Address = "0.0.0.0:8080", ":9464"
	var keys []string
	for _, n := range open.Advice() {
		keys = append(keys, n.Key)
	}
	if got := strings.Join(keys, " "); got != "http.tls.certificate http.trusted_proxies metrics.address" {
		t.Errorf("Advice speaks of %q", got)
	}
	development := config.Default()
	config.LoopbackHTTP(&development)
	if notes := development.Advice(); len(notes) != 0 {
		t.Errorf("development is advised: %v", notes)
	}
}

func TestCheckLooksAtTheFilesThatAreNamed(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Default()
	cfg.Store = "bolt:" + filepath.Join(dir, "signet.db")
	if err := cfg.Check(); err != nil {
		t.Fatalf("Check = %v", err)
	}
	cfg.Store = "bolt:" + filepath.Join(dir, "absent", "signet.db")
	cfg.HTTP.TLS = config.TLS{Certificate: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	cfg.Keys.EncryptionKeyCommand = []string{"no-such-program-anywhere"}
	cfg.Keys.EncryptionKeyFile = filepath.Join(dir, "key")
	want := "http.tls.certificate keys.encryption_key_file keys.encryption_key_command store"
	if got := strings.Join(keysOf(t, cfg.Check()), " "); got != want {
		t.Errorf("Check names %q, want %q", got, want)
	}
}

func TestAKeyFileThatStrangersCanReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Default()
	cfg.Store = "bolt:" + filepath.Join(dir, "signet.db")
	cfg.Keys.EncryptionKeyFile = filepath.Join(dir, "key")
	if err := os.WriteFile(cfg.Keys.EncryptionKeyFile, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, fine := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o440: true, 0o644: false, 0o660: false, 0o602: false} {
		if err := os.Chmod(cfg.Keys.EncryptionKeyFile, mode); err != nil {
			t.Fatal(err)
		}
		if err := cfg.Check(); (err == nil) != fine {
			t.Errorf("mode %04o: Check = %v, want fine = %v", mode, err, fine)
		}
	}
}
