package verify

import (
	"slices"
	"strings"
	"time"
)

// leeway absorbs clocks that disagree. It is not an option: a service that
// needs more has a clock to repair.
const leeway = 30 * time.Second

// fewWords is how many strings the lists of an ordinary token have together.
const fewWords = 12

// parseClaims takes the payload apart. It runs after the signature was checked,
// so that nothing but the issuer's own bytes is ever interpreted.
func parseClaims(payload []byte) (*claims, *Error) {
	c := &claims{payload: string(payload)}
	var room [24]member
	members, ok := parseObject(room[:0], c.payload)
	if !ok {
		return nil, fail(Malformed)
	}
	c.words = c.few[:0]
	for _, m := range members {
		if !c.set(m.name, m.value) {
			return nil, failOn(MalformedClaim, m.name)
		}
	}
	return c, c.missing()
}

// set reads one claim and reports whether it has the right shape. A claim that
// has no accessor is left to Token.Claims.
func (c *claims) set(name, value string) (ok bool) {
	ok = true
	switch name {
	case "iss":
		c.issuer, ok = parseString(value)
	case "sub":
		c.subject, ok = parseString(value)
	case "aud":
		c.audience, ok = c.parseAudience(value)
	case "client_id":
		c.clientID, ok = parseString(value)
	case "jti":
		c.id, ok = parseString(value)
	case "sid":
		c.sid, ok = parseString(value)
	case "acr":
		c.acr, ok = parseString(value)
	case "scope":
		c.scopes, ok = c.parseScope(value)
	case "amr":
		c.amr, ok = c.parseStrings(value)
	case "roles":
		c.roles, ok = c.parseStrings(value)
	case "groups":
		c.groups, ok = c.parseStrings(value)
	case "iat":
		c.issuedAt, ok = parseTime(value)
	case "exp":
		c.expiresAt, ok = parseTime(value)
	case "nbf":
		c.notBefore, ok = parseTime(value)
	case "auth_time":
		c.authTime, ok = parseTime(value)
	case "status":
		ok = c.setStatus(value)
	case "cnf":
		c.bound = true // even null: whoever wrote it meant a binding
	}
	return ok
}

// parseAudience reads aud, which is one string or several (RFC 7519 §4.1.3).
func (c *claims) parseAudience(value string) ([]string, bool) {
	if one, ok := parseString(value); ok {
		from := len(c.words)
		c.words = append(c.words, one)
		return c.since(from), true
	}
	return c.parseStrings(value)
}

func (c *claims) parseStrings(value string) (list []string, ok bool) {
	from := len(c.words)
	c.words, ok = parseStrings(c.words, value)
	return c.since(from), ok
}

func (c *claims) parseScope(value string) ([]string, bool) {
	scope, ok := parseString(value)
	from := len(c.words)
	for word := range strings.FieldsSeq(scope) {
		c.words = append(c.words, word)
	}
	return c.since(from), ok
}

// since is what words has from there on, or nil. Whoever appended to it would get
// a copy.
func (c *claims) since(from int) []string {
	if from == len(c.words) {
		return nil
	}
	return slices.Clip(c.words[from:])
}

// missing names the first absent claim of those that RFC 9068 §2.2 requires.
func (c *claims) missing() *Error {
	switch {
	case c.issuer == "":
		return failOn(MissingClaim, "iss")
	case c.expiresAt == 0:
		return failOn(MissingClaim, "exp")
	case len(c.audience) == 0:
		return failOn(MissingClaim, "aud")
	case c.subject == "":
		return failOn(MissingClaim, "sub")
	case c.clientID == "":
		return failOn(MissingClaim, "client_id")
	case c.issuedAt == 0:
		return failOn(MissingClaim, "iat")
	case c.id == "":
		return failOn(MissingClaim, "jti")
	}
	return nil
}

// judge runs the checks that follow the signature, in their order. A token is
// refused for the first one that fails; whether it has ended comes after them,
// in weigh, because that can change, and scope last of all, in
// [Verifier.Authenticate], because it depends on the route.
func (v *Verifier) judge(c *claims, now time.Time) *Error {
	for _, check := range [...]func(*Verifier, *claims, time.Time) *Error{
		(*Verifier).checkIssuer,
		(*Verifier).checkAudience,
		(*Verifier).checkTimes,
		(*Verifier).checkBinding,
		(*Verifier).checkStatus,
	} {
		if err := check(v, c, now); err != nil {
			return err
		}
	}
	return nil
}

// checkIssuer compares byte for byte (RFC 9068 §4): no URL is ever "the same".
func (v *Verifier) checkIssuer(c *claims, _ time.Time) *Error {
	if c.issuer != v.issuer {
		return failOn(WrongIssuer, "iss")
	}
	return nil
}

func (v *Verifier) checkAudience(c *claims, _ time.Time) *Error {
	if !slices.Contains(c.audience, v.audience) {
		return failOn(WrongAudience, "aud")
	}
	return nil
}

func (v *Verifier) checkTimes(c *claims, now time.Time) *Error {
	if err := v.checkExpiry(c, now); err != nil {
		return err
	}
	soon := now.Add(leeway).Unix()
	if c.issuedAt > soon {
		return failOn(NotYetValid, "iat")
	}
	if c.notBefore > soon {
		return failOn(NotYetValid, "nbf")
	}
	return nil
}

// checkExpiry is the one check of times that a remembered token needs again.
func (v *Verifier) checkExpiry(c *claims, now time.Time) *Error {
	if now.Add(-leeway).Unix() >= c.expiresAt {
		return failOn(Expired, "exp")
	}
	return nil
}

// checkBinding refuses every bound token, because no proof of possession is
// checked here yet: a thief could otherwise use as a bearer token what its
// client had bound to a key (RFC 9449 §7.1, RFC 8705 §3).
func (v *Verifier) checkBinding(c *claims, _ time.Time) *Error {
	if c.bound {
		return failOn(SenderConstrained, "cnf")
	}
	return nil
}
