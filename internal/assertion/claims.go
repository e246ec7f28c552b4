package assertion

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// claims are what an assertion says (RFC 7523 §3, Core §9). Times that it does
// not name are zero.
type claims struct {
	issuer, subject, id string
	audience            []string
	expires             time.Time
	notBefore, issued   time.Time
}

// ClientID returns the client that raw says it is from, so that the caller can
// find it. Nothing about it is proven: that is Judge's to do.
func ClientID(raw string) (string, error) {
	j, err := parse(raw)
	if err != nil {
		return "", refuse(err)
	}
	cl, err := j.claims()
	if err != nil {
		return "", refuse(fmt.Errorf("the assertion %w", err))
	}
	return cl.subject, nil
}

// claims reads the payload. Its errors end a sentence that begins "the assertion".
func (j token) claims() (claims, error) {
	all, err := members(j.payload)
	if err != nil {
		return claims{}, fmt.Errorf("has no readable claims: %w", err)
	}
	var c claims
	for name, into := range map[string]*string{"iss": &c.issuer, "sub": &c.subject, "jti": &c.id} {
		if text, ok := all[name]; ok {
			if err := readText(text, into); err != nil {
				return claims{}, fmt.Errorf("has a %s that is not a text", name)
			}
		}
	}
	for name, into := range map[string]*time.Time{"exp": &c.expires, "nbf": &c.notBefore, "iat": &c.issued} {
		if text, ok := all[name]; ok {
			if *into, err = readTime(text); err != nil {
				return claims{}, fmt.Errorf("has no valid %s: %w", name, err)
			}
		}
	}
	if text, ok := all["aud"]; ok {
		if c.audience, err = readAudience(text); err != nil {
			return claims{}, err
		}
	}
	return c, nil
}

// check is the whole rule about what an assertion of the client clientID must say
// at now. It is pure; its errors end a sentence that begins "the assertion".
func (c claims) check(clientID string, audience []string, now time.Time) error {
	switch {
	case c.issuer != clientID:
		return errors.New("must have the client_id as iss (OpenID Connect Core §9)")
	case c.subject != clientID:
		return errors.New("must have the client_id as sub (OpenID Connect Core §9)")
	case !slices.ContainsFunc(c.audience, func(a string) bool { return slices.Contains(audience, a) }):
		return fmt.Errorf("is not for this server: aud must be %s", strings.Join(audience, " or "))
	case c.expires.IsZero():
		return errors.New("has no exp")
	case !now.Before(c.expires.Add(Leeway)):
		return fmt.Errorf("has expired, at %s: is the client's clock right?", c.expires.UTC().Format(time.RFC3339))
	case c.expires.After(now.Add(MaxLifetime + Leeway)):
		return fmt.Errorf("lives too long: exp may be at most %s ahead", MaxLifetime)
	case c.notBefore.After(now.Add(Leeway)):
		return errors.New("is not valid yet (nbf): is the client's clock right?")
	case c.issued.After(now.Add(Leeway)):
		return errors.New("was issued in the future (iat): is the client's clock right?")
	case c.id == "":
		return errors.New("has no jti: it could be used again by whoever sees it")
	case len(c.id) > maxID:
		return fmt.Errorf("has a jti of more than %d bytes", maxID)
	}
	return nil
}

// readTime reads a NumericDate (RFC 7519 §2): seconds, perhaps with a fraction,
// which is dropped. Only years 1970 to 9999 make sense of one.
func readTime(text json.RawMessage) (time.Time, error) {
	const last = 253402300799
	seconds, err := strconv.ParseFloat(string(text), 64)
	if err != nil || seconds < 1 || seconds > last {
		return time.Time{}, errors.New("write it as a number of seconds since 1970")
	}
	return time.Unix(int64(seconds), 0), nil
}

// readAudience reads aud as RFC 7519 §4.1.3 allows it: a text, or several.
func readAudience(text json.RawMessage) ([]string, error) {
	var one string
	if err := readText(text, &one); err == nil {
		return []string{one}, nil
	}
	var several []json.RawMessage
	if err := json.Unmarshal(text, &several); err != nil {
		return nil, errors.New("has an aud that is neither a text nor a list of them")
	}
	audience := make([]string, len(several))
	for i, item := range several {
		if err := readText(item, &audience[i]); err != nil {
			return nil, errors.New("has an aud that is neither a text nor a list of them")
		}
	}
	return audience, nil
}
