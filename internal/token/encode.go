package token

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signet-id/signet/keys"
)

// The claims are written by appending, not from maps: the order is fixed, so a
// token is the same bytes each time, and a signature costs more than its claims.

func appendAccess(b []byte, issuer string, a Access) []byte {
	b = appendText(append(b, '{'), "iss", issuer)
	b = appendText(append(b, ','), "sub", a.Subject)
	b = append(b, `,"aud":`...)
	if len(a.Audience) == 1 {
		b = appendString(b, a.Audience[0])
	} else {
		b = appendArray(b, a.Audience)
	}
	b = appendTime(append(b, ','), "exp", a.Expires)
	b = appendTime(append(b, ','), "iat", a.IssuedAt)
	b = appendText(append(b, ','), "jti", a.ID)
	b = appendText(append(b, ','), "client_id", a.ClientID)
	b = appendOptional(b, "scope", strings.Join(a.Scopes, " "))
	b = appendAuthentication(b, a.AuthTime, a.ACR, a.AMR, a.SessionID)
	b = appendList(b, "roles", a.Roles)
	b = appendList(b, "groups", a.Groups)
	b = append(b, `,"status":{"status_list":{"idx":`...)
	b = strconv.AppendUint(b, uint64(a.Slot.Index()), 10)
	b = appendText(append(b, ','), "uri", a.Slot.URI(issuer))
	return append(b, "}}}"...)
}

func appendID(b []byte, issuer string, alg keys.Algorithm, id ID, now, expires time.Time) []byte {
	b = appendText(append(b, '{'), "iss", issuer)
	b = appendText(append(b, ','), "sub", id.Subject)
	b = appendText(append(b, ','), "aud", id.ClientID)
	b = appendTime(append(b, ','), "exp", expires)
	b = appendTime(append(b, ','), "iat", now)
	b = appendOptional(b, "nonce", id.Nonce)
	if id.AccessToken != "" {
		b = appendText(append(b, ','), "at_hash", leftHash(alg, id.AccessToken))
	}
	b = appendAuthentication(b, id.AuthTime, id.ACR, id.AMR, id.SessionID)
	return append(appendMembers(b, id.Claims), '}')
}

// appendMembers writes claims that vary in number and type, by name.
func appendMembers(b []byte, claims map[string]any) []byte {
	if len(claims) == 0 { // as nearly always
		return b
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		value, err := json.Marshal(claims[name])
		if err != nil {
			continue // a user's claims are texts, numbers, booleans and an address
		}
		b = append(appendName(append(b, ','), name), value...)
	}
	return b
}

func appendAuthentication(b []byte, at time.Time, acr string, amr []string, sid string) []byte {
	if !at.IsZero() {
		b = appendTime(append(b, ','), "auth_time", at)
	}
	b = appendOptional(b, "acr", acr)
	b = appendList(b, "amr", amr)
	return appendOptional(b, "sid", sid)
}

func appendText(b []byte, name, value string) []byte {
	return appendString(appendName(b, name), value)
}

func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendText(append(b, ','), name, value)
}

func appendList(b []byte, name string, values []string) []byte {
	if len(values) == 0 {
		return b
	}
	return appendArray(appendName(append(b, ','), name), values)
}

func appendTime(b []byte, name string, t time.Time) []byte {
	return strconv.AppendInt(appendName(b, name), t.Unix(), 10)
}

func appendName(b []byte, name string) []byte {
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

func appendArray(b []byte, values []string) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, v)
	}
	return append(b, ']')
}

// appendString writes s as a JSON string. Plain ASCII, which nearly every claim
// is, is copied; the rest is left to encoding/json.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil { // a string always marshals
				quoted = []byte(`""`)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
