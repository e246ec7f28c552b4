// Package journey owns the way from an authorization request to its answer:
// the sealed state that travels through the browser, and the one function that
// decides what comes next.
//
//	/authorize ──Begin──▶ Journey ──Seal──▶ /signin?journey=…  ──┐
//	                         ▲                /consent?journey=…  ──┤
//	                         └──────── /authorize/resume ◀──────────┘
//
// Every page returns to /authorize/resume; none knows another, and only the
// authorization endpoint answers the client. Nothing of a journey is stored: an
// anonymous request writes nothing. A journey is bound to the browser it began
// in by the digest of a cookie, which makes it its own CSRF token: a form
// posted from elsewhere has no journey that fits the victim's cookie.
package journey

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/seal"
)

// Lifetime is how long a person may take from the request to its answer.
const Lifetime = time.Hour

const purpose = "journey"

// Journey is one authorization request on its way.
type Journey struct {
	// Request holds the parameters as the client sent them; they are validated
	// anew on each return, so that a client disabled meanwhile gets no answer.
	Request url.Values `json:"r"`
	Started time.Time  `json:"t"`
	Browser []byte     `json:"b"` // digest of the browser's binding cookie

	// What pages did on this journey:
	SignedIn string     `json:"s,omitempty"` // the subject who authenticated
	Agreed   *Agreement `json:"a,omitempty"`
	Refused  string     `json:"x,omitempty"` // the OAuth error code that a page decided on
}

// Agreement is a consent given on this journey.
type Agreement struct {
	Subject string   `json:"sub"`
	Scopes  []string `json:"scopes"`
}

// Begin starts a journey in the browser that holds binding.
func Begin(request url.Values, binding string, now time.Time) Journey {
	return Journey{Request: request, Started: now.UTC(), Browser: digest(binding)}
}

func digest(binding string) []byte {
	d := sha256.Sum256([]byte(binding))
	return d[:16]
}

// ClientID is the client that asked. It is validated by whoever resumes.
func (j Journey) ClientID() string { return j.Request.Get("client_id") }

// Seal writes the journey as it travels.
func (j Journey) Seal(ring *seal.Ring) (string, error) {
	plain, err := json.Marshal(j)
	if err != nil {
		return "", fmt.Errorf("writing a journey: %w", err)
	}
	return ring.Seal(purpose, plain, j.Started.Add(Lifetime))
}

// Open reads a journey that came back through the browser that holds binding.
// The error says what the person can do about it.
func Open(ring *seal.Ring, sealed, binding string) (Journey, error) {
	var j Journey
	plain, err := ring.Open(purpose, sealed)
	if err != nil {
		return j, fault.Wrap(fault.Invalid, err,
			"This sign-in has expired or is incomplete. Go back to the application and start again.").On("journey")
	}
	if err := json.Unmarshal(plain, &j); err != nil {
		return j, fmt.Errorf("reading a journey: %w", err)
	}
	if binding == "" || subtle.ConstantTimeCompare(j.Browser, digest(binding)) != 1 {
		return j, fault.New(fault.Invalid,
			"This sign-in began in another browser, or cookies are blocked. Allow cookies for this site, go back to the application and start again.").On("journey")
	}
	return j, nil
}
