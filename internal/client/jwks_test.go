package client_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/client"
)

type jwk = map[string]any

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

func ecKey(t testing.TB, more jwk) jwk {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	out := jwk{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:]), "kid": "ec"}
	maps.Copy(out, more)
	return out
}

// unlikeHalves is a good point, cut in the wrong place.
func unlikeHalves(t testing.TB) jwk {
	t.Helper()
	key := ecKey(t, nil)
	x, errX := base64.RawURLEncoding.DecodeString(key["x"].(string))
	y, errY := base64.RawURLEncoding.DecodeString(key["y"].(string))
	if errX != nil || errY != nil {
		t.Fatal(errX, errY)
	}
	key["x"], key["y"] = b64(x[:31]), b64(append(x[31:], y...))
	return key
}

func edKey(t testing.TB, more jwk) jwk {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	out := jwk{"kty": "OKP", "crv": "Ed25519", "x": b64(public), "kid": "ed"}
	maps.Copy(out, more)
	return out
}

// rsaKey needs no private key: any odd modulus of the size will do.
func rsaKey(bits int, more jwk) jwk {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	n.Add(n, big.NewInt(12345))
	out := jwk{"kty": "RSA", "n": b64(n.Bytes()), "e": "AQAB", "kid": "rsa"}
	maps.Copy(out, more)
	return out
}

func setOf(t testing.TB, keys ...jwk) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestPublicKeysAreRead(t *testing.T) {
	keys, err := client.ParseJWKS(setOf(t, ecKey(t, nil), edKey(t, nil), rsaKey(2048, nil), rsaKey(8192, jwk{"kid": "big", "alg": "PS256"})))
	if err != nil || len(keys) != 4 {
		t.Fatalf("got %d keys, %v", len(keys), err)
	}
	for i, want := range []struct {
		id   string
		algs string
	}{{"ec", "ES256"}, {"ed", "EdDSA"}, {"rsa", "RS256 PS256"}, {"big", "PS256"}} {
		var got []string
		for _, alg := range []string{"none", "HS256", "ES256", "ES384", "EdDSA", "RS256", "PS256", "RS512", ""} {
			if keys[i].Signs(alg) {
				got = append(got, alg)
			}
		}
		if keys[i].ID != want.id || strings.Join(got, " ") != want.algs {
			t.Errorf("key %q signs %v, want %q and %s", keys[i].ID, got, want.id, want.algs)
		}
	}
	public := keys[2].Public.(*rsa.PublicKey)
	if public.E != 65537 || public.N.BitLen() != 2048 {
		t.Errorf("the RSA key is %d bits, e %d", public.N.BitLen(), public.E)
	}
}

// RFC 7517 §5: what is not understood is left out. What is broken is, too, but an
// operator at the keyboard is told.
func TestAKeyThatCanNotBeUsedIsLeftOutAndTheOperatorTold(t *testing.T) {
	for name, tt := range map[string]struct {
		key  jwk
		told bool
	}{
		"another curve":         {ecKey(t, jwk{"crv": "P-521"}), false},
		"another kind":          {jwk{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}, false},
		"encryption":            {rsaKey(2048, jwk{"use": "enc"}), false},
		"wrapping":              {rsaKey(2048, jwk{"key_ops": []string{"wrapKey", "encrypt"}}), false},
		"no kind":               {jwk{"x": "AAAA"}, false},
		"off the curve":         {ecKey(t, jwk{"y": b64(make([]byte, 32))}), true},
		"the point zero":        {ecKey(t, jwk{"x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))}), true},
		"half a point":          {ecKey(t, jwk{"y": ""}), true},
		"a point cut elsewhere": {unlikeHalves(t), true},
		"a short Ed25519":       {edKey(t, jwk{"x": b64(make([]byte, 31))}), true},
		"small RSA":             {rsaKey(2047, nil), true},
		"huge RSA":              {rsaKey(8193, nil), true},
		"an even modulus":       {rsaKey(2048, jwk{"n": b64(append([]byte{0x80}, make([]byte, 255)...))}), true},
		"e of 1":                {rsaKey(2048, jwk{"e": "AQ"}), true},
		"an even e":             {rsaKey(2048, jwk{"e": "BA"}), true},
		"a vast e":              {rsaKey(2048, jwk{"e": b64([]byte{1, 0, 0, 0, 1})}), true},
		"no e":                  {rsaKey(2048, jwk{"e": nil}), true},
		"standard base64":       {rsaKey(2048, jwk{"n": "++//"}), true},
		"alg that is a number":  {ecKey(t, jwk{"alg": 7}), true},
		"use that is a list":    {ecKey(t, jwk{"use": []string{"enc"}}), true},
		"ops that are a text":   {ecKey(t, jwk{"key_ops": "sign"}), true},
	} {
		keys, err := client.ParseJWKS(setOf(t, tt.key, edKey(t, nil)))
		if err != nil || len(keys) != 1 || keys[0].ID != "ed" {
			t.Errorf("%s, beside a good one: got %v, %v", name, keys, err)
		}
		if keys, err := client.ParseJWKS(setOf(t, tt.key)); err == nil {
			t.Errorf("%s, alone: got %v", name, keys)
		}
		c := client.Client{ID: "orders", AuthMethod: client.AuthKeyJWT, JWKS: setOf(t, tt.key, edKey(t, nil))}.Complete()
		if err := c.Validate(); (err != nil) != tt.told {
			t.Errorf("%s, registered beside a good one: got %v, want it told: %t", name, err, tt.told)
		}
	}
}

func TestASetThatGivesAKeyAwayOrIsNoneIsRefusedWhole(t *testing.T) {
	sets := map[string]string{
		"nothing":         "",
		"null":            "null",
		"a list":          "[]",
		"a key":           string(setOf(t, ecKey(t, nil)))[len(`{"keys":[`):],
		"no keys member":  `{"Keys":[]}`,
		"keys null":       `{"keys":null}`,
		"no key":          `{"keys":[]}`,
		"keys of numbers": `{"keys":[1]}`,
		"two sets":        string(setOf(t, ecKey(t, nil))) + "{}",
		"33 keys":         string(setOf(t, many(t, 33)...)),
		"a symmetric key": string(setOf(t, edKey(t, nil), jwk{"kty": "oct", "k": "AAAA"})),
	}
	for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "D", "Dp"} {
		sets["a private member "+member] = string(setOf(t, edKey(t, nil), rsaKey(2048, jwk{member: "AAAA"})))
	}
	for name, set := range sets {
		if keys, err := client.ParseJWKS([]byte(set)); err == nil {
			t.Errorf("%s: got %d keys", name, len(keys))
		}
	}
	if keys, err := client.ParseJWKS(setOf(t, many(t, 32)...)); err != nil || len(keys) != 32 {
		t.Errorf("32 keys: got %d, %v", len(keys), err)
	}
}

func many(t *testing.T, n int) []jwk {
	t.Helper()
	keys := make([]jwk, n)
	for i := range keys {
		keys[i] = edKey(t, jwk{"kid": fmt.Sprint(i)})
	}
	return keys
}

func TestAMethodAndItsKeysAreHeldTogether(t *testing.T) {
	keys := setOf(t, ecKey(t, nil))
	for name, tt := range map[string]struct {
		field  string // empty: valid
		change func(*client.Client)
	}{
		"keys":                    {"", func(c *client.Client) { c.JWKS = keys }},
		"their place":             {"", func(c *client.Client) { c.JWKSURI = "https://orders.example.com/jwks" }},
		"a place on loopback":     {"", func(c *client.Client) { c.JWKSURI = "http://127.0.0.1:3000/jwks" }},
		"one algorithm":           {"", func(c *client.Client) { c.JWKS, c.AuthSigningAlg = keys, "ES256" }},
		"neither":                 {"jwks", func(*client.Client) {}},
		"both":                    {"jwks", func(c *client.Client) { c.JWKS, c.JWKSURI = keys, "https://orders.example.com/jwks" }},
		"a place in http":         {"jwks_uri", func(c *client.Client) { c.JWKSURI = "http://orders.example.com/jwks" }},
		"a place with a password": {"jwks_uri", func(c *client.Client) { c.JWKSURI = "https://a:b@orders.example.com/jwks" }},
		"a place with a fragment": {"jwks_uri", func(c *client.Client) { c.JWKSURI = "https://orders.example.com/jwks#k" }},
		"a file":                  {"jwks_uri", func(c *client.Client) { c.JWKSURI = "file:///etc/passwd" }},
		"keys that are none":      {"jwks", func(c *client.Client) { c.JWKS = json.RawMessage(`{}`) }},
		"a private key":           {"jwks", func(c *client.Client) { c.JWKS = setOf(t, ecKey(t, jwk{"d": "AAAA"})) }},
		"very many bytes":         {"jwks", func(c *client.Client) { c.JWKS = setOf(t, ecKey(t, jwk{"x5c": strings.Repeat("x", 16<<10)})) }},
		"no key of the algorithm": {"jwks", func(c *client.Client) { c.JWKS, c.AuthSigningAlg = keys, "PS256" }},
		"an unknown algorithm":    {"auth_signing_alg", func(c *client.Client) { c.JWKS, c.AuthSigningAlg = keys, "none" }},
		"a MAC":                   {"auth_signing_alg", func(c *client.Client) { c.JWKS, c.AuthSigningAlg = keys, "HS256" }},
		"a secret besides":        {"auth_method", func(c *client.Client) { c.JWKS, c.Secrets = keys, []client.Secret{{Digest: []byte("x")}} }},
		"MACs":                    {"", func(c *client.Client) { c.AuthMethod = client.AuthSecretJWT }},
		"MACs by HS256":           {"", func(c *client.Client) { c.AuthMethod, c.AuthSigningAlg = client.AuthSecretJWT, "HS256" }},
		"MACs by a signature":     {"auth_signing_alg", func(c *client.Client) { c.AuthMethod, c.AuthSigningAlg = client.AuthSecretJWT, "ES256" }},
		"MACs without the secret": {"auth_method", func(c *client.Client) {
			c.AuthMethod, c.Secrets = client.AuthSecretJWT, []client.Secret{{Digest: []byte("x")}}
		}},
		"a secret, needlessly sealed": {"auth_method", func(c *client.Client) {
			c.AuthMethod, c.Secrets = client.AuthBasic, []client.Secret{{Sealed: []byte("x")}}
		}},
		"an algorithm for a password":   {"auth_signing_alg", func(c *client.Client) { c.AuthMethod, c.AuthSigningAlg = client.AuthBasic, "ES256" }},
		"keys for other things":         {"", func(c *client.Client) { c.AuthMethod, c.JWKS = client.AuthBasic, keys }},
		"keys for other things, broken": {"jwks", func(c *client.Client) { c.AuthMethod, c.JWKS = client.AuthBasic, json.RawMessage(`7`) }},
	} {
		t.Run(name, func(t *testing.T) {
			c := client.Client{ID: "orders", AuthMethod: client.AuthKeyJWT}.Complete()
			tt.change(&c)
			if err := c.Validate(); tt.field == "" && err != nil {
				t.Errorf("got %v, want it valid", err)
			} else if tt.field != "" {
				wantInvalid(t, err, tt.field)
			}
		})
	}
}

// Whatever a stranger publishes, what comes out can check signatures and is public.
func FuzzAKeyThatIsReadIsUsable(f *testing.F) {
	f.Add([]byte(setOf(f, ecKey(f, nil), edKey(f, nil), rsaKey(2048, nil))))
	f.Add([]byte(setOf(f, ecKey(f, jwk{"d": "AAAA"}))))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"","e":""},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, err := client.ParseJWKS(raw)
		if err == nil && len(keys) == 0 {
			t.Error("no key, and no error")
		}
		for _, k := range keys {
			switch public := k.Public.(type) {
			case *rsa.PublicKey:
				if public.N.BitLen() < 2048 || public.E < 3 {
					t.Errorf("RSA of %d bits, e %d", public.N.BitLen(), public.E)
				}
			case ed25519.PublicKey:
				ed25519.Verify(public, raw, make([]byte, 64)) // panics for a key of another length
			case *ecdsa.PublicKey:
				if _, err := public.ECDH(); err != nil {
					t.Errorf("not on the curve: %v", err)
				}
			default:
				t.Errorf("a key of type %T", k.Public)
			}
		}
	})
}
