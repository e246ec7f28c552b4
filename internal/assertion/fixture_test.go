package assertion_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/signet-id/signet/internal/assertion"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
)

const (
	issuer        = "https://id.example.com"
	tokenEndpoint = "https://id.example.com/token"
	jwksURI       = "https://orders.example.com/jwks"
)

type object = map[string]any

// signer is a key as a client has it.
type signer struct {
	kid, alg string
	key      any // crypto.Signer, or []byte for a MAC
}

func newSigner(t testing.TB, kid, alg string) signer {
	t.Helper()
	var key any
	var err error
	switch alg {
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "RS256", "PS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer{kid, alg, key}
}

// public is the JWK of the signer's public key, with what else is said of it.
func (s signer) public(t testing.TB, more object) object {
	t.Helper()
	key, err := jwk.FromRaw(s.key.(crypto.Signer).Public())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	out := object{}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	if s.kid != "" {
		out["kid"] = s.kid
	}
	maps.Copy(out, more)
	return out
}

func jwks(t testing.TB, signers ...signer) []byte {
	t.Helper()
	keys := []object{}
	for _, s := range signers {
		keys = append(keys, s.public(t, nil))
	}
	return mustJSON(t, object{"keys": keys})
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// compact signs header and payload as they are.
func (s signer) compact(t testing.TB, header, payload []byte) string {
	t.Helper()
	return s.sign(t, b64(header)+"."+b64(payload))
}

func (s signer) sign(t testing.TB, input string) string {
	t.Helper()
	digest := sha256.Sum256([]byte(input))
	var signature []byte
	var err error
	switch key := s.key.(type) {
	case *ecdsa.PrivateKey:
		r, v, signErr := ecdsa.Sign(rand.Reader, key, digest[:])
		err, signature = signErr, make([]byte, 64)
		r.FillBytes(signature[:32])
		v.FillBytes(signature[32:])
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(input))
	case *rsa.PrivateKey:
		if s.alg == "PS256" {
			signature, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		}
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		signature = mac.Sum(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(signature)
}

// assert makes an assertion; change may spoil it.
func (s signer) assert(t testing.TB, clientID string, now time.Time, change func(header, claims object)) string {
	t.Helper()
	header := object{"alg": s.alg, "typ": "JWT"}
	if s.kid != "" {
		header["kid"] = s.kid
	}
	claims := object{
		"iss": clientID, "sub": clientID, "aud": issuer, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	if change != nil {
		change(header, claims)
	}
	return s.compact(t, mustJSON(t, header), mustJSON(t, claims))
}

// web is where clients publish their keys.
type web struct {
	mu    sync.Mutex
	body  []byte
	age   time.Duration
	err   error
	asked int
	hold  chan struct{} // if set, a fetch waits for it
}

func (w *web) Fetch(ctx context.Context, url string) ([]byte, time.Duration, error) {
	w.mu.Lock()
	w.asked++
	hold := w.hold
	w.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if url != jwksURI {
		return nil, 0, errors.New("nothing is there")
	}
	return w.body, w.age, w.err
}

func (w *web) publish(body []byte, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.body, w.err = body, err
}

func (w *web) wantAsked(t *testing.T, want int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asked != want {
		t.Errorf("%d fetches, want %d", w.asked, want)
	}
}

// box seals by writing the purpose in front.
type box struct{}

func (box) Seal(purpose string, plain []byte) ([]byte, error) {
	return append([]byte(purpose+"|"), plain...), nil
}

func (box) Open(purpose string, sealed []byte) ([]byte, error) {
	head := purpose + "|"
	if len(sealed) < len(head) || string(sealed[:len(head)]) != head {
		return nil, errors.New("forged")
	}
	return sealed[len(head):], nil
}

func newAuthenticator(w *web) *assertion.Authenticator {
	return assertion.New(assertion.Options{Audience: []string{issuer, tokenEndpoint}, Fetch: w, Box: box{}})
}

// keyed is a client that registered the public keys of the signers.
func keyed(t testing.TB, signers ...signer) client.Client {
	t.Helper()
	c := client.Client{ID: "orders", AuthMethod: client.AuthKeyJWT, JWKS: jwks(t, signers...)}.Complete()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// secretive is a client that makes MACs, and its signer.
func secretive(t testing.TB) (client.Client, signer) {
	t.Helper()
	c := client.Client{ID: "orders", AuthMethod: client.AuthSecretJWT}.Complete()
	s := client.NewSecret()
	if err := c.RotateSealed(s, box{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c, signer{alg: "HS256", key: []byte(s.Reveal())}
}

func wantRefused(t *testing.T, err error) {
	t.Helper()
	if err == nil || fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("got %v (%s), want it refused as unauthenticated", err, fault.KindOf(err))
	}
}
