package verify

import (
	"encoding/base64"
	"strings"
)

// maxToken bounds what is parsed at all. Signet's tokens stay under 900 bytes;
// no server passes a header of more than some multiple of this anyway.
const maxToken = 16 << 10

// maxKid bounds what is remembered of a stranger's key name.
const maxKid = 256

// compact is a JWS in compact form, cut but not yet believed.
type compact struct {
	header  string // encoded, as it came
	signed  []byte // the signing input: header, dot, payload
	payload []byte
	sig     []byte
}

// strictBase64 is base64url without padding and without stray trailing bits
// (RFC 7515 §2), so that one token has one spelling. It never changes; it is here
// because each call of Strict makes a copy.
var strictBase64 = base64.RawURLEncoding.Strict()

// cut takes the compact form apart: three parts, none empty (RFC 7515 §3.1).
func cut(raw string) (compact, *Error) {
	return cutWithin([]byte(raw), raw)
}

// cutWithin is cut for who has a copy of raw already. What is decoded goes behind
// it, as far as its capacity goes.
func cutWithin(text []byte, raw string) (compact, *Error) {
	first := strings.IndexByte(raw, '.')
	second := strings.IndexByte(raw[first+1:], '.') + first + 1 // first, if there is none
	// The decoder of encoding/base64 skips line breaks; RFC 7515 does not.
	if first < 1 || second == first || strings.IndexByte(raw, '\n') >= 0 || strings.IndexByte(raw, '\r') >= 0 {
		return compact{}, fail(Malformed)
	}
	c := compact{header: raw[:first], signed: text[:second]}
	var err error
	if c.payload, err = strictBase64.AppendDecode(text[len(raw):], []byte(raw[first+1:second])); err != nil || len(c.payload) == 0 {
		return compact{}, fail(Malformed)
	}
	// A fourth part would have its dot in here, which is not of the alphabet.
	if c.sig, err = strictBase64.AppendDecode(c.payload[len(c.payload):], []byte(raw[second+1:])); err != nil || len(c.sig) == 0 {
		return compact{}, fail(Malformed)
	}
	return c, nil
}

// header is what of a JOSE header plays a part. Keys that a token brings along
// (jwk, jku, x5c, x5u) play none: they are not even read (RFC 8725 §3.10).
type header struct {
	typ, kid string
	alg      Algorithm
	crit     bool
}

func parseHeader(encoded string) (header, *Error) {
	text, err := strictBase64.DecodeString(encoded)
	if err != nil {
		return header{}, fail(Malformed)
	}
	members, ok := parseObject(nil, string(text))
	if !ok {
		return header{}, fail(Malformed)
	}
	var h header
	for _, m := range members {
		ok := true
		switch m.name {
		case "typ":
			h.typ, ok = parseString(m.value)
		case "alg":
			var alg string
			alg, ok = parseString(m.value)
			h.alg = Algorithm(alg)
		case "kid":
			h.kid, ok = parseString(m.value)
			ok = ok && len(h.kid) <= maxKid
		case "crit":
			h.crit = true
		}
		if !ok {
			return header{}, failOn(Malformed, m.name)
		}
	}
	return h, nil
}

// isAccessToken judges typ. It keeps ID tokens and logout tokens of the same
// issuer out (RFC 9068 §4); media types ignore case, and "application/" may be
// left out (RFC 7515 §4.1.9).
func (h header) isAccessToken() bool {
	return strings.EqualFold(h.typ, "at+jwt") || strings.EqualFold(h.typ, "application/at+jwt")
}
