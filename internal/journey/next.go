package journey

import (
	"slices"
	"time"

	"github.com/signet-id/signet/internal/grant"
)

// Step is what comes next.
type Step int

// The steps of a journey. Refuse answers the client with an error.
const (
	SignIn Step = iota
	Consent
	Issue
	Refuse
)

// Demand is what the validated request asks of the person.
type Demand struct {
	Prompt     []string
	MaxAge     *time.Duration // nil: not sent; 0 is a value (OpenID Connect Core §3.1.2.1)
	Hint       string         // the subject of id_token_hint
	Scopes     []string       // what would be granted
	FirstParty bool
}

func (d Demand) prompts(value string) bool { return slices.Contains(d.Prompt, value) }

// Person is who sits at the browser. The zero Person is nobody.
type Person struct {
	Subject  string
	AuthTime time.Time
	Consent  grant.Consent // remembered for this client
}

// Next is the whole journey: what comes next, and with Refuse the OAuth error
// code. It is a pure function; every page's return is decided here.
func (j Journey) Next(d Demand, p Person, now time.Time) (Step, string) {
	silent := d.prompts("none")
	switch {
	case j.Refused != "":
		return Refuse, j.Refused
	case !j.authenticated(d, p, now) && silent:
		return Refuse, "login_required"
	case !j.authenticated(d, p, now):
		return SignIn, ""
	case d.Hint != "" && d.Hint != p.Subject:
		// They signed in, but as somebody else than the client expects
		// (OpenID Connect Core §3.1.2.1, id_token_hint).
		return Refuse, "login_required"
	case !j.agreed(d, p) && silent:
		return Refuse, "consent_required"
	case !j.agreed(d, p):
		return Consent, ""
	default:
		return Issue, ""
	}
}

// authenticated reports whether the person is known as well as the request
// demands. Signing in on this journey satisfies every demand, so that
// prompt=login and max_age=0 end.
func (j Journey) authenticated(d Demand, p Person, now time.Time) bool {
	if p.Subject == "" {
		return false
	}
	if j.SignedIn == p.Subject {
		return true
	}
	switch {
	case d.prompts("login"), d.prompts("select_account"):
		return false
	case d.MaxAge != nil && now.Sub(p.AuthTime) > *d.MaxAge:
		return false
	default:
		return d.Hint == "" || d.Hint == p.Subject || d.prompts("none")
	}
}

func (j Journey) agreed(d Demand, p Person) bool {
	if d.FirstParty {
		return true
	}
	if a := j.Agreed; a != nil && a.Subject == p.Subject && covers(a.Scopes, d.Scopes) {
		return true
	}
	return !d.prompts("consent") && p.Consent.Covers(d.Scopes)
}

func covers(have, want []string) bool {
	return !slices.ContainsFunc(want, func(s string) bool { return !slices.Contains(have, s) })
}
