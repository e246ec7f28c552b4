package keys

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxToken is the length in bytes above which [Ring.Verify] refuses a token unread.
const MaxToken = 16 << 10

// strict refuses an encoding whose unused last bits are not zero: else one
// signature would have several spellings.
var strict = base64.RawURLEncoding.Strict()

// Sign returns claims as a JWS in compact serialization (RFC 7515 §7.1), signed
// by the active key of alg. Its header has alg, kid and, unless it is empty,
// typ (such as "at+jwt"). claims is signed as it is and not looked into.
//
// ctx matters only for the first signature with an algorithm that has no key
// yet: Sign then calls [Ring.Ensure]. The error wraps [ErrAlgorithm] for an
// unknown algorithm.
func (r *Ring) Sign(ctx context.Context, alg Algorithm, typ string, claims []byte) (string, error) {
	m := r.current.Load().active[alg]
	if m == nil {
		if err := r.Ensure(ctx, alg); err != nil {
			return "", err
		}
		if m = r.current.Load().active[alg]; m == nil {
			return "", fmt.Errorf("signing: %w: the key for %s was taken away at once", ErrUnknownKey, alg)
		}
	}
	return m.compact(typ, claims)
}

// compact makes the token in one buffer, of the size that it will have.
func (m *material) compact(typ string, claims []byte) (string, error) {
	header, err := m.header(typ)
	if err != nil {
		return "", err
	}
	size := len(header) + 1 + strict.EncodedLen(len(claims)) + 1 + strict.EncodedLen(m.signatureSize())
	token := make([]byte, 0, size)
	token = append(token, header...)
	token = append(token, '.')
	token = strict.AppendEncode(token, claims)
	signature, err := m.algorithm.sign(m.private, token)
	if err != nil {
		return "", fmt.Errorf("signing with key %s: %w", m.id, err)
	}
	token = append(token, '.')
	return string(strict.AppendEncode(token, signature)), nil
}

// Verify checks that a key of this ring signed the token, and returns its header and
// payload. It is for an issuer that is handed back what it issued (an
// id_token_hint, an access token at userinfo). It says nothing about what the payload
// claims: typ, iss, aud and exp are the caller's to check (RFC 8725 §3.8–3.11).
//
// The checks, in order, with the error that each wraps:
//
//  1. at most MaxToken bytes; three parts; strict base64url; a header of alg, kid
//     and typ alone, so neither crit nor b64, jwk nor jku: [ErrMalformed]
//  2. kid is in the ring, in whatever state: [ErrUnknownKey]
//  3. alg is the algorithm of that key, whatever the token says (RFC 8725 §3.1);
//     the signature is right: [ErrSignature]
func (r *Ring) Verify(compact string) (Header, []byte, error) {
	if len(compact) > MaxToken {
		return Header{}, nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxToken)
	}
	if strings.Count(compact, ".") != 2 {
		return Header{}, nil, fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	end := strings.LastIndexByte(compact, '.')
	protected, payload, _ := strings.Cut(compact[:end], ".")
	ring := r.current.Load()
	header, err := ring.header(protected)
	if err != nil {
		return Header{}, nil, err
	}
	claims, err := decodePart(payload)
	if err != nil {
		return Header{}, nil, fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	signature, err := decodePart(compact[end+1:])
	if err != nil {
		return Header{}, nil, fmt.Errorf("%w: signature: %w", ErrMalformed, err)
	}
	m := ring.byID[header.Kid]
	if m == nil {
		return Header{}, nil, fmt.Errorf("%w: %q", ErrUnknownKey, header.Kid)
	}
	if header.Alg != m.algorithm {
		return Header{}, nil, fmt.Errorf("%w: key %s signs %s, not %q", ErrSignature, m.id, m.algorithm, header.Alg)
	}
	if !m.algorithm.verifies(m.public, []byte(compact[:end]), signature) {
		return Header{}, nil, fmt.Errorf("%w: by key %s", ErrSignature, m.id)
	}
	return header, claims, nil
}

// Holds reports whether a key with that ID is in the ring, in whatever state: what it
// signed verifies as long as it is.
func (r *Ring) Holds(id string) bool { return r.current.Load().byID[id] != nil }

// header reads a protected header. Those that this ring writes are the same few
// texts again and again, and known without decoding them.
func (s *snapshot) header(encoded string) (Header, error) {
	for _, k := range s.keys {
		for typ, h := range *k.headers.Load() {
			if h == encoded {
				return Header{Alg: k.algorithm, Kid: k.id, Typ: typ}, nil
			}
		}
	}
	text, err := decodePart(encoded)
	if err != nil {
		return Header{}, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	return parseHeader(text)
}

// decodePart is base64url with exactly one spelling for each value. The
// package's decoder skips line breaks, strict or not; RFC 7515 §2 allows none.
func decodePart(part string) ([]byte, error) {
	if at := strings.IndexAny(part, "\r\n"); at >= 0 {
		return nil, base64.CorruptInputError(at)
	}
	return strict.DecodeString(part)
}

// parseHeader reads a protected header. One member more than ours and the token
// is not ours; above all it may be one that changes how the rest is to be read, which
// must not be ignored (RFC 7515 §4.1.11, RFC 7797 §6).
func parseHeader(text []byte) (Header, error) {
	var h Header
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&h); err != nil {
		return Header{}, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Header{}, fmt.Errorf("%w: header: more than one JSON value", ErrMalformed)
	}
	return h, nil
}
