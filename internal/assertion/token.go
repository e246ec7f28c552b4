package assertion

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// token is a JWS in compact form, taken apart and not yet believed.
type token struct {
	alg, kid  string
	input     []byte // what is signed
	payload   []byte
	signature []byte
}

// parse reads the form (RFC 7515 §7.1), and of the header what decides how the
// rest is to be read.
func parse(raw string) (token, error) {
	if len(raw) > MaxAssertion {
		return token{}, fmt.Errorf("longer than %d bytes", MaxAssertion)
	}
	parts := strings.SplitN(raw, ".", 4)
	if len(parts) != 3 {
		return token{}, errors.New("not three parts")
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = decodePart(part); err != nil {
			return token{}, fmt.Errorf("part %d: %w", i+1, err)
		}
	}
	j := token{
		input:   []byte(raw[:len(parts[0])+1+len(parts[1])]),
		payload: decoded[1], signature: decoded[2],
	}
	header, err := members(decoded[0])
	if err != nil {
		return token{}, fmt.Errorf("header: %w", err)
	}
	return j, j.readHeader(header)
}

func (j *token) readHeader(header map[string]json.RawMessage) error {
	// No extension is understood here, so a header that insists on one is refused
	// (RFC 7515 §4.1.11); b64 is one of them (RFC 7797 §6).
	if _, ok := header["crit"]; ok {
		return errors.New("header: crit")
	}
	var typ string
	for name, into := range map[string]*string{"alg": &j.alg, "kid": &j.kid, "typ": &typ} {
		if text, ok := header[name]; ok {
			if err := readText(text, into); err != nil {
				return fmt.Errorf("header: %s: %w", name, err)
			}
		}
	}
	// A client may sign other things with the same key, a DPoP proof or a request
	// object, that must not pass for an assertion (RFC 8725 §3.11).
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
	case "", "jwt", "client-authentication+jwt":
		return nil
	}
	return fmt.Errorf("header: typ is %q", typ)
}

// decodePart is base64url with exactly one spelling for each value: the package's
// decoder skips line breaks, and RFC 7515 §2 allows none.
func decodePart(part string) ([]byte, error) {
	if at := strings.IndexAny(part, "\r\n"); at >= 0 {
		return nil, base64.CorruptInputError(at)
	}
	return base64.RawURLEncoding.Strict().DecodeString(part)
}

// signedBy reports whether key, which must be of the kind of alg, made the
// signature. The bytes checked are the ones that parse read: no second parser
// could see another header in them.
func (j token) signedBy(key any) bool {
	verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(j.alg))
	return err == nil && verifier.Verify(j.input, j.signature, key) == nil
}

// members reads a JSON object at its top level. Other than encoding/json it
// compares names exactly and refuses one that comes twice, since two readers who
// choose differently can be played against one another (RFC 7519 §4).
func members(text []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	out := map[string]json.RawMessage{}
	for decoder.More() {
		var value json.RawMessage
		name, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("not a JSON object: %w", err)
		}
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("not a JSON object: %w", err)
		}
		key, ok := name.(string)
		if _, twice := out[key]; twice || !ok {
			return nil, fmt.Errorf("%q comes twice", key)
		}
		out[key] = value
	}
	if _, err := decoder.Token(); err != nil { // the closing brace
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return out, nil
}

// readText reads a JSON string; null, which encoding/json takes for anything, is none.
func readText(text json.RawMessage, into *string) error {
	if len(text) == 0 || text[0] != '"' {
		return errors.New("not a text")
	}
	return json.Unmarshal(text, into)
}
