package main

import (
	"net/http"
	"time"

	"github.com/signet-id/signet/keys"
)

// scenario is one table: what a visitor does again and again, and what doing it
// costs anybody.
type scenario struct {
	name      string
	unit      string         // what one step is
	algorithm keys.Algorithm // of access tokens
	prelude   func(*visitor) error
	step      func(*visitor) error
	floor     map[string]work // by path
	aim       time.Duration   // the issuer's CPU per step; 0: none was set
}

// What the records of one Commit weigh: a spent code, and a grant. The keys of
// the floor are shorter than ours, and the difference is in here.
const (
	codeRecord  = 105
	grantRecord = 350
)

func scenarios() []scenario {
	all := []scenario{
		credentials(keys.ES256, 150*time.Microsecond), credentials(keys.EdDSA, 0), credentials(keys.RS256, 0),
		codeFlow(clientShop, keys.ES256, 500*time.Microsecond), codeFlow(clientOld, keys.RS256, 0),
		{
			name: "refresh, ES256", unit: "refresh (access, ID and refresh token)", algorithm: keys.ES256,
			prelude: func(v *visitor) error { return v.signIn(clientShop) },
			step:    func(v *visitor) error { return v.renew(clientShop) },
			floor:   map[string]work{"/token": {Signs: []keys.Algorithm{keys.ES256, keys.ES256}, Writes: []int{grantRecord}}},
		},
		{
			name: "userinfo", unit: "request", algorithm: keys.ES256,
			prelude: func(v *visitor) error { return v.signIn(clientShop) },
			step: func(v *visitor) error {
				return v.do(http.StatusOK, http.MethodGet, "/userinfo", "Authorization: Bearer "+v.access+"\r\n", "")
			},
			floor: map[string]work{"/userinfo": {Checks: []keys.Algorithm{keys.ES256}}},
		},
	}
	for _, document := range []struct{ name, path string }{{"discovery", "/.well-known/openid-configuration"}, {"JWKS", "/jwks"}} {
		all = append(all, scenario{
			name: document.name, unit: "request", algorithm: keys.ES256,
			step:  func(v *visitor) error { return v.do(http.StatusOK, http.MethodGet, document.path, "", "") },
			floor: map[string]work{document.path: {}},
		})
	}
	return all
}

func credentials(algorithm keys.Algorithm, aim time.Duration) scenario {
	return scenario{
		name: "client credentials, " + string(algorithm), unit: "request", algorithm: algorithm, aim: aim,
		step:  func(v *visitor) error { return v.token(clientRobot, "grant_type=client_credentials&scope="+scope) },
		floor: map[string]work{"/token": {Signs: []keys.Algorithm{algorithm}}},
	}
}

// codeFlow is what a person who is signed in sets off by opening a service.
func codeFlow(client string, idToken keys.Algorithm, aim time.Duration) scenario {
	return scenario{
		name: "code flow, ES256 access and " + string(idToken) + " ID token", unit: "flow (authorize and token)",
		algorithm: keys.ES256, aim: aim,
		step: func(v *visitor) error { return v.signIn(client) },
		floor: map[string]work{
			"/authorize": {},
			"/token":     {Signs: []keys.Algorithm{keys.ES256, idToken}, Writes: []int{codeRecord, grantRecord}},
		},
	}
}

func (v *visitor) signIn(client string) error {
	if err := v.authorize(client); err != nil {
		return err
	}
	return v.redeem(client)
}

// begin does the prelude, if there is one.
func (s scenario) begin(v *visitor) error {
	if s.prelude == nil {
		return nil
	}
	return s.prelude(v)
}

// plays records the answers of one step and adds what they cost.
func (s scenario) plays(v *visitor) (map[string]play, error) {
	v.record = map[string]play{}
	defer func() { v.record = nil }()
	if err := s.begin(v); err != nil {
		return nil, err
	}
	if err := s.step(v); err != nil {
		return nil, err
	}
	plays := v.record
	for path, w := range s.floor {
		p := plays[path]
		p.work = w
		plays[path] = p
	}
	return plays, nil
}
