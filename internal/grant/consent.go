package grant

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/signet-id/signet/internal/store"
)

// Consent is a person's remembered answer to a third-party client.
type Consent struct {
	Scopes []string  `json:"scopes"`
	Given  time.Time `json:"given"`
}

// ConsentKey is where the consent of subject to the client is stored.
func ConsentKey(subject, clientID string) string { return ConsentPrefix(subject) + clientID }

// ConsentPrefix is what the keys of all consents of subject begin with; what
// follows is the client.
func ConsentPrefix(subject string) string { return "consent/" + subject + "/" }

// DecodeConsent reads a consent to a client that was registered at the given
// time. An absent record is a consent to nothing, and so is one that was given to
// a client of the same name that was removed before.
func DecodeConsent(r store.Record, registered time.Time) (Consent, error) {
	var c Consent
	if !r.Exists() {
		return c, nil
	}
	if err := json.Unmarshal(r.Value, &c); err != nil {
		return c, fmt.Errorf("reading %s: %w", r.Key, err)
	}
	if c.Given.Before(registered) {
		return Consent{}, nil
	}
	return c, nil
}

// Covers reports whether every scope was agreed to.
func (c Consent) Covers(scopes []string) bool {
	return !c.Given.IsZero() && !slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(c.Scopes, s) })
}

// Widen adds scopes to what was agreed to.
func (c Consent) Widen(scopes []string, now time.Time) Consent {
	c.Scopes = slices.Clone(c.Scopes)
	for _, s := range scopes {
		if !slices.Contains(c.Scopes, s) {
			c.Scopes = append(c.Scopes, s)
		}
	}
	c.Given = now.UTC()
	return c
}

// Put remembers the consent.
func (c Consent) Put(subject, clientID string) (store.Op, error) {
	value, err := json.Marshal(c)
	if err != nil {
		return store.Op{}, fmt.Errorf("writing a consent: %w", err)
	}
	return store.Put(ConsentKey(subject, clientID), value), nil
}
