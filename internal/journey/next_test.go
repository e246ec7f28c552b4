package journey_test

import (
	"testing"
	"time"

	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/journey"
)

func TestNextIsTheWholeJourney(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	begun := now.Add(-time.Minute)
	age := func(d time.Duration) *time.Duration { return &d }
	early := journey.Person{Subject: "alice", AuthTime: begun.Add(-10 * time.Minute)}
	fresh := journey.Person{Subject: "alice", AuthTime: begun.Add(time.Second)}
	signedIn := func(j *journey.Journey) { j.SignedIn = "alice" }
	agreedTo := func(p journey.Person, scopes ...string) journey.Person {
		p.Consent = grant.Consent{Scopes: scopes, Given: begun}
		return p
	}
	third := []string{"openid", "email"}
	for name, tt := range map[string]struct {
		change func(*journey.Journey)
		demand journey.Demand
		person journey.Person
		step   journey.Step
		code   string
	}{
		"nobody signs in": {step: journey.SignIn, demand: journey.Demand{FirstParty: true}},
		"nobody, prompt=none": {step: journey.Refuse, code: "login_required",
			demand: journey.Demand{FirstParty: true, Prompt: []string{"none"}}},
		"a session is enough for a first-party client": {step: journey.Issue, person: early,
			demand: journey.Demand{FirstParty: true, Scopes: third}},
		"prompt=consent asks nothing of a first-party client": {step: journey.Issue, person: early,
			demand: journey.Demand{FirstParty: true, Prompt: []string{"consent"}}},
		"prompt=login wants a new sign-in": {step: journey.SignIn, person: early,
			demand: journey.Demand{FirstParty: true, Prompt: []string{"login"}}},
		"prompt=login ends": {step: journey.Issue, person: fresh, change: signedIn,
			demand: journey.Demand{FirstParty: true, Prompt: []string{"login"}}},
		"prompt=select_account wants a new sign-in": {step: journey.SignIn, person: early,
			demand: journey.Demand{FirstParty: true, Prompt: []string{"select_account"}}},
		"max_age exceeded": {step: journey.SignIn, person: early,
			demand: journey.Demand{FirstParty: true, MaxAge: age(time.Minute)}},
		"max_age within": {step: journey.Issue, person: early,
			demand: journey.Demand{FirstParty: true, MaxAge: age(time.Hour)}},
		"max_age=0 wants a new sign-in": {step: journey.SignIn, person: early,
			demand: journey.Demand{FirstParty: true, MaxAge: age(0)}},
		"max_age=0 ends": {step: journey.Issue, person: fresh, change: signedIn,
			demand: journey.Demand{FirstParty: true, MaxAge: age(0)}},
		"max_age exceeded, prompt=none": {step: journey.Refuse, code: "login_required", person: early,
			demand: journey.Demand{FirstParty: true, MaxAge: age(0), Prompt: []string{"none"}}},
		"another person is hinted": {step: journey.SignIn, person: early,
			demand: journey.Demand{FirstParty: true, Hint: "bob"}},
		"another person is hinted, prompt=none": {step: journey.Refuse, code: "login_required", person: early,
			demand: journey.Demand{FirstParty: true, Hint: "bob", Prompt: []string{"none"}}},
		"another person is hinted, and alice signed in again": {step: journey.Refuse, code: "login_required", person: fresh, change: signedIn,
			demand: journey.Demand{FirstParty: true, Hint: "bob"}},
		"a third party asks": {step: journey.Consent, person: fresh, change: signedIn,
			demand: journey.Demand{Scopes: third}},
		"a third party asks, prompt=none": {step: journey.Refuse, code: "consent_required", person: early,
			demand: journey.Demand{Scopes: third, Prompt: []string{"none"}}},
		"a third party was answered before": {step: journey.Issue, person: agreedTo(early, third...),
			demand: journey.Demand{Scopes: third}},
		"a third party wants more than was agreed to": {step: journey.Consent, person: agreedTo(early, "openid"),
			demand: journey.Demand{Scopes: third}},
		"prompt=consent asks again": {step: journey.Consent, person: agreedTo(early, third...),
			demand: journey.Demand{Scopes: third, Prompt: []string{"consent"}}},
		"a third party that asks no scope is still asked about": {step: journey.Consent, person: early},
		"prompt=consent ends": {step: journey.Issue, person: early,
			change: func(j *journey.Journey) { j.Agreed = &journey.Agreement{Subject: "alice", Scopes: third} },
			demand: journey.Demand{Scopes: third, Prompt: []string{"consent"}}},
		"another person's agreement counts for nothing": {step: journey.Consent, person: early,
			change: func(j *journey.Journey) { j.Agreed = &journey.Agreement{Subject: "bob", Scopes: third} },
			demand: journey.Demand{Scopes: third}},
		"an agreement to less counts for nothing": {step: journey.Consent, person: early,
			change: func(j *journey.Journey) {
				j.Agreed = &journey.Agreement{Subject: "alice", Scopes: []string{"openid"}}
			},
			demand: journey.Demand{Scopes: third}},
		"another person's sign-in counts for nothing": {step: journey.SignIn, person: early,
			change: func(j *journey.Journey) { j.SignedIn = "bob" },
			demand: journey.Demand{FirstParty: true, Prompt: []string{"login"}}},
		"a page refused": {step: journey.Refuse, code: "access_denied", person: fresh,
			change: func(j *journey.Journey) { j.Refused = "access_denied" }},
	} {
		t.Run(name, func(t *testing.T) {
			j := journey.Begin(nil, "browser", begun)
			if tt.change != nil {
				tt.change(&j)
			}
			step, code := j.Next(tt.demand, tt.person, now)
			if step != tt.step || code != tt.code {
				t.Errorf("Next = %v %q, want %v %q", step, code, tt.step, tt.code)
			}
		})
	}
}
