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
	signed  string // the signing input: header, dot, payload
	payload []byte
	sig     []byte
}

// strictBase64 is base64url without padding and without stray trailing bits
// (RFC 7515 §2), so that one token has one spelling.
func strictBase64() *base64.Encoding { return base64.RawURLEncoding.Strict() }

// cut takes the compact form apart: three parts, none empty (RFC 7515 §3.1).
func cut(raw string) (compact, *Error) {
	first, last := strings.IndexByte(raw, '.'), strings.LastIndexByte(raw, '.')
	// The decoder of encoding/base64 skips line breaks; RFC 7515 does not.
	if first < 1 || strings.Count(raw, ".") != 2 || strings.ContainsAny(raw, "\r\n") {
		return compact{}, fail(Malformed)
	}
	c := compact{header: raw[:first], signed: raw[:last]}
	var err error
	if c.payload, err = strictBase64().DecodeString(raw[first+1 : last]); err != nil || len(c.payload) == 0 {
		return compact{}, fail(Malformed)
	}
	if c.sig, err = strictBase64().DecodeString(raw[last+1:]); err != nil || len(c.sig) == 0 {
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
	text, err := strictBase64().DecodeString(encoded)
	if err != nil {
		return header{}, fail(Malformed)
	}
	members, ok := parseObject(text)
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
