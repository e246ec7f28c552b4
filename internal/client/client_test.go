package client_test

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/secret"
)

func TestAClientSecretIsGeneratedRecognisableAndLong(t *testing.T) {
	seen := map[string]bool{}
	for range 64 {
		s := client.NewSecret().Reveal()
		if !strings.HasPrefix(s, "sgs_") || len(s) != len("sgs_")+43 { // 256 bits
			t.Fatalf("NewSecret = %q", s)
		}
		seen[s] = true
	}
	if len(seen) != 64 {
		t.Errorf("%d different secrets of 64", len(seen))
	}
}

func TestAClientIsKnownByItsSecretsAndNothingElse(t *testing.T) {
	var c client.Client
	first, second := client.NewSecret(), client.NewSecret()
	c.Rotate(first, time.Now())
	c.Rotate(second, time.Now())
	for _, s := range []secret.Value{first, second} {
		if !c.CheckSecret(s.Reveal()) {
			t.Error("a registered secret is refused")
		}
	}
	plain := first.Reveal()
	digest := first.Digest()
	for name, guess := range map[string]string{
		"another":          client.NewSecret().Reveal(),
		"nothing":          "",
		"cut":              plain[:len(plain)-1],
		"longer":           plain + "A",
		"in upper case":    strings.ToUpper(plain),
		"the digest":       string(digest[:]),
		"the digest, hex":  fmt.Sprintf("%x", digest),
		"both, joined":     plain + second.Reveal(),
		"without a prefix": strings.TrimPrefix(plain, "sgs_"),
	} {
		if c.CheckSecret(guess) {
			t.Errorf("%s: CheckSecret = true", name)
		}
	}
}

func TestAClientWithoutASecretIsKnownByNone(t *testing.T) {
	for name, c := range map[string]client.Client{
		"no secret":               {},
		"an empty digest":         {Secrets: []client.Secret{{}}},
		"the digest of no secret": {Secrets: []client.Secret{{Digest: digestOf("")}}},
	} {
		for _, guess := range []string{"", "x"} {
			if c.CheckSecret(guess) {
				t.Errorf("%s: CheckSecret(%q) = true", name, guess)
			}
		}
	}
}

func digestOf(text string) []byte {
	d := sha256.Sum256([]byte(text))
	return d[:]
}

// Two are valid at once, so that a secret is rotated without downtime; with the
// third the first is dead.
func TestASecretIsRotatedWithoutDowntime(t *testing.T) {
	var c client.Client
	secrets := []secret.Value{client.NewSecret(), client.NewSecret(), client.NewSecret()}
	for i, s := range secrets {
		before := slices.Clone(c.Secrets)
		old := c.Secrets
		c.Rotate(s, time.Now())
		if !slices.EqualFunc(before, old, func(a, b client.Secret) bool { return string(a.Digest) == string(b.Digest) }) {
			t.Fatal("Rotate changed the slice that other readers share")
		}
		for j, earlier := range secrets[:i+1] {
			if got, want := c.CheckSecret(earlier.Reveal()), i-j < client.MaxSecrets; got != want {
				t.Errorf("after %d rotations: secret %d works %t, want %t", i+1, j+1, got, want)
			}
		}
	}
}

func TestAClientMayBeLimitedToNetworks(t *testing.T) {
	inside := client.Client{Networks: []string{"10.1.0.0/16", "fd00:1::/32", "192.0.2.7/32"}}
	for address, want := range map[string]bool{
		"10.1.2.3": true, "10.1.255.255": true, "192.0.2.7": true, "fd00:1::5": true,
		"::ffff:10.1.2.3":  true, // an IPv4 client on a dual-stack socket
		"10.2.0.1":         false,
		"::ffff:10.2.0.1":  false,
		"192.0.2.8":        false,
		"fd00:2::5":        false,
		"127.0.0.1":        false,
		"::":               false,
		"::10.1.2.3":       false, // IPv4-compatible, long dead: not that address
		"64:ff9b::a01:203": false, // NAT64 of 10.1.2.3: not that address either
		"fd00:1::5%eth0":   false, // a zone names an interface, not a network
	} {
		if got := inside.AllowsAddress(netip.MustParseAddr(address)); got != want {
			t.Errorf("AllowsAddress(%s) = %t, want %t", address, got, want)
		}
		if !(client.Client{}).AllowsAddress(netip.MustParseAddr(address)) {
			t.Errorf("a client without networks may not call from %s", address)
		}
	}
	if inside.AllowsAddress(netip.Addr{}) {
		t.Error("an address that could not be read is let in")
	}
	if (client.Client{Networks: []string{"nonsense"}}).AllowsAddress(netip.MustParseAddr("10.1.2.3")) {
		t.Error("a damaged network lets everybody in")
	}
}

func TestAPersonReadsTheTitleOrElseTheName(t *testing.T) {
	if got := (client.Client{ID: "orders"}).Name(); got != "orders" {
		t.Errorf("Name = %q", got)
	}
	if got := (client.Client{ID: "orders", Title: "Orders"}).Name(); got != "Orders" {
		t.Errorf("Name = %q", got)
	}
}

func TestAUserScopeThatIsUnknownIsDroppedNotRefused(t *testing.T) {
	offline := client.Client{Scopes: []string{"orders:read"}, Refresh: client.RefreshOffline}
	for _, tt := range []struct {
		client    client.Client
		requested []string
		want      []string
	}{
		{offline, []string{"openid", "orders:read", "orders:write", "offline_access"}, []string{"openid", "orders:read", "offline_access"}},
		{client.Client{Refresh: client.RefreshSession}, []string{"openid", "offline_access"}, []string{"openid"}},
		{offline, []string{"openid", "openid"}, []string{"openid"}},
		{offline, []string{"OPENID", "orders:*", "orders"}, []string{}},
		{offline, nil, []string{}},
		{offline, client.StandardScopes(), client.StandardScopes()},
	} {
		if got := tt.client.UserScopes(tt.requested); !slices.Equal(got, tt.want) {
			t.Errorf("UserScopes(%v) = %v, want %v", tt.requested, got, tt.want)
		}
	}
}

func TestAMachineGetsWhatIsRegisteredAndLearnsWhatIsNot(t *testing.T) {
	c := client.Client{Scopes: []string{"orders:read", "orders:write"}}
	for _, tt := range []struct{ requested, want []string }{
		{nil, []string{"orders:read", "orders:write"}},
		{[]string{"orders:read"}, []string{"orders:read"}},
		{[]string{"orders:read", "orders:read"}, []string{"orders:read"}},
	} {
		if got, err := c.OwnScopes(tt.requested); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("OwnScopes(%v) = %v, %v, want %v", tt.requested, got, err, tt.want)
		}
	}
	for _, scope := range []string{"openid", "orders", "orders:*", "ORDERS:READ", ""} {
		_, err := c.OwnScopes([]string{"orders:read", scope})
		wantInvalid(t, err, "scope")
	}
}

func TestATokenIsNeverWithoutAnAudienceNorForOneNotRegistered(t *testing.T) {
	const issuer = "https://id.example.com"
	two := client.Client{Audience: []string{"https://orders.example.com", "https://billing.example.com"}}
	for _, tt := range []struct {
		client          client.Client
		resources, want []string
	}{
		{two, nil, []string{"https://orders.example.com"}},
		{client.Client{}, nil, []string{issuer}},
		{two, []string{"https://billing.example.com"}, []string{"https://billing.example.com"}},
		{two, []string{issuer}, []string{issuer}},
		{
			two, []string{"https://orders.example.com", "https://billing.example.com", "https://orders.example.com"},
			[]string{"https://billing.example.com", "https://orders.example.com"},
		},
	} {
		if got, err := tt.client.Targets(tt.resources, issuer); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("Targets(%v) = %v, %v, want %v", tt.resources, got, err, tt.want)
		}
	}
	for _, resource := range []string{"", "https://orders.example.com/", "https://ORDERS.example.com", "https://orders.example.com.evil", "https://else.example.com"} {
		_, err := two.Targets([]string{"https://orders.example.com", resource}, issuer)
		wantInvalid(t, err, "resource")
	}
}

// What Find returned is shared by every request.
func TestAnAudienceCanBeExtendedWithoutChangingTheClient(t *testing.T) {
	c := client.Client{Audience: []string{"https://a.example.com", "https://b.example.com"}}
	got, err := c.Targets(nil, "https://id.example.com")
	if err != nil {
		t.Fatal(err)
	}
	_ = append(got, "https://evil.example.com")
	if c.Audience[1] != "https://b.example.com" {
		t.Errorf("the client's audience became %v", c.Audience)
	}
}
