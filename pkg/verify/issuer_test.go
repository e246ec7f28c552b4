package verify_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

const (
	issuerURL = "https://id.example.com"
	audience  = "https://orders.example.com"
	jwksPath  = "/jwks.json"
)

// object is a JOSE header or a claims set.
type object map[string]any

// signer is a private key with a name and an algorithm.
type signer struct {
	kid string
	alg verify.Algorithm
	key crypto.Signer
}

func newSigner(t testing.TB, alg verify.Algorithm, kid string) *signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case verify.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case verify.EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case verify.RS256, verify.PS256:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &signer{kid: kid, alg: alg, key: key}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// jwk is the public half as it is published.
func (s *signer) jwk() object {
	j := object{"kid": s.kid, "alg": s.alg, "use": "sig"}
	switch pub := s.key.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := pub.Bytes()
		if err != nil {
			panic(err)
		}
		j["kty"], j["crv"], j["x"], j["y"] = "EC", "P-256", encode(point[1:33]), encode(point[33:])
	case ed25519.PublicKey:
		j["kty"], j["crv"], j["x"] = "OKP", "Ed25519", encode(pub)
	case *rsa.PublicKey:
		j["kty"], j["n"], j["e"] = "RSA", encode(pub.N.Bytes()), encode(big.NewInt(int64(pub.E)).Bytes())
	}
	return j
}

// signature signs any bytes, whatever they are.
func (s *signer) signature(input string) []byte {
	digest := sha256.Sum256([]byte(input))
	var sig []byte
	var err error
	switch key := s.key.(type) {
	case *ecdsa.PrivateKey:
		var r, t *big.Int
		r, t, err = ecdsa.Sign(rand.Reader, key, digest[:])
		sig = append(r.FillBytes(make([]byte, 32)), t.FillBytes(make([]byte, 32))...)
	case ed25519.PrivateKey:
		sig = ed25519.Sign(key, []byte(input))
	case *rsa.PrivateKey:
		if s.alg == verify.PS256 {
			sig, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: 32})
		} else {
			sig, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		}
	}
	if err != nil {
		panic(err)
	}
	return sig
}

// signParts signs a header and a payload that are written out already.
func (s *signer) signParts(header, payload string) string {
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	return input + "." + encode(s.signature(input))
}

func (s *signer) header() object { return object{"typ": "at+jwt", "alg": s.alg, "kid": s.kid} }

// goodClaims is what a token needs in order to pass, and what Signet adds.
func goodClaims() object {
	now := time.Now().Unix()
	return object{
		"iss": issuerURL, "sub": "u-alice", "aud": audience, "exp": now + 600, "iat": now,
		"jti": "t-" + rand.Text(), "client_id": "web", "scope": "openid orders:read orders:write",
		"auth_time": now - 60, "acr": "mfa", "amr": []string{"pwd", "otp"}, "sid": "s-1",
		"roles": []string{"admin"}, "groups": []string{"sales", "eu"},
		"status": statusAt(issuerURL+"/status/3", 70123),
	}
}

// token signs good claims with the changes made; a nil value removes a claim.
func (s *signer) token(changes object) string {
	claims := change(goodClaims(), changes)
	if iss, ok := changes["iss"].(string); ok && changes["status"] == nil && iss != issuerURL {
		claims["status"] = statusAt(iss+"/status/3", 70123) // an issuer tells of its own tokens
	}
	return s.signParts(string(mustJSON(s.header())), string(mustJSON(claims)))
}

func statusAt(uri string, index int) object {
	return object{"status_list": object{"uri": uri, "idx": index}}
}

// tokenWithHeader is token, with changes to the header instead.
func (s *signer) tokenWithHeader(changes object) string {
	return s.signParts(string(mustJSON(change(s.header(), changes))), string(mustJSON(goodClaims())))
}

func change(o, changes object) object {
	o = maps.Clone(o)
	for name, value := range changes {
		if value == nil {
			delete(o, name)
		} else {
			o[name] = value
		}
	}
	return o
}

// issuer is an issuer on the other side of an http.RoundTripper: no network.
type issuer struct {
	mu           sync.Mutex
	keys         []*signer
	metadata     object
	cacheControl string
	age          string
	etags        bool
	down         bool
	delay        time.Duration
	body         []byte // instead of the JWKS
	redirect     string // instead of the JWKS
	requests     map[string]int
	notModified  int
	passedCaches int // requests for the JWKS that no cache may answer
	under, most  int // requests under way, and the most there ever were
	journal      *journal
}

func newIssuer(keys ...*signer) *issuer {
	return &issuer{
		keys: keys, requests: map[string]int{},
		metadata: object{"issuer": issuerURL, "jwks_uri": issuerURL + jwksPath},
	}
}

// with changes the issuer while others may be asking it.
func (i *issuer) with(f func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f(i)
}

// fetches counts the requests for the JWKS.
func (i *issuer) fetches() int { return i.asked(jwksPath) }

// asked counts the requests for a path.
func (i *issuer) asked(path string) (n int) {
	i.with(func(i *issuer) { n = i.requests[path] })
	return n
}

// read returns one of i's counters.
func (i *issuer) read(counter *int) (n int) {
	i.with(func(*issuer) { n = *counter })
	return n
}

func (i *issuer) jwks() []byte {
	set := []object{}
	for _, k := range i.keys {
		set = append(set, k.jwk())
	}
	return mustJSON(object{"keys": set})
}

func (i *issuer) RoundTrip(req *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.under++
	i.most = max(i.most, i.under)
	delay := i.delay
	i.mu.Unlock()
	defer i.with(func(i *issuer) { i.under-- })
	select {
	case <-time.After(delay):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests[req.URL.Path]++
	if i.down {
		return nil, errors.New("connection refused")
	}
	if req.URL.Path == jwksPath && req.Header.Get("Cache-Control") == "no-cache" {
		i.passedCaches++
	}
	if i.journal != nil && strings.HasPrefix(req.URL.Path, "/status") {
		return i.journal.answer(req), nil
	}
	return i.answer(req), nil
}

func (i *issuer) answer(req *http.Request) *http.Response {
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: req}
	var body []byte
	switch {
	case strings.HasSuffix(req.URL.Path, "/.well-known/openid-configuration"):
		body = mustJSON(i.metadata)
	case len(i.keys) > 0 && strings.HasPrefix(req.URL.Path, "/status/"):
		body = []byte(i.keys[0].list(req.URL.String(), nil))
	case i.redirect != "" && req.URL.Path == jwksPath:
		resp.StatusCode = http.StatusFound
		resp.Header.Set("Location", i.redirect)
	case i.body != nil:
		body = i.body
	default:
		body = i.jwks()
	}
	if i.cacheControl != "" {
		resp.Header.Set("Cache-Control", i.cacheControl)
	}
	if i.age != "" {
		resp.Header.Set("Age", i.age)
	}
	if i.etags && req.URL.Path == jwksPath {
		etag := strconv.Quote(fmt.Sprintf("%x", sha256.Sum256(body)))
		resp.Header.Set("ETag", etag)
		if req.Header.Get("If-None-Match") == etag {
			i.notModified++
			resp.StatusCode, body = http.StatusNotModified, nil
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp
}

// verifier makes a Verifier that asks i, and closes it when the test ends.
func (i *issuer) verifier(t testing.TB, options ...verify.Option) *verify.Verifier {
	t.Helper()
	options = append([]verify.Option{
		verify.WithHTTPClient(&http.Client{Transport: i}), verify.WithLogger(slog.New(slog.DiscardHandler)),
	}, options...)
	v, err := verify.New(issuerURL, audience, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func wantAccepted(t testing.TB, v *verify.Verifier, raw string) verify.Token {
	t.Helper()
	tok, err := v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatalf("Verify: %v, want a token", err)
	}
	if !tok.Valid() {
		t.Fatal("Verify returned no error and no valid token")
	}
	return tok
}

func wantRefused(t testing.TB, v *verify.Verifier, raw string, want verify.Reason) {
	t.Helper()
	tok, err := v.Verify(t.Context(), raw)
	if !errors.Is(err, want) {
		t.Errorf("Verify: %v, want %q", err, want)
	}
	if tok.Valid() {
		t.Error("a refused token is valid")
	}
}

// exampleKey is a key for where there is no test to fail.
func exampleKey() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}
