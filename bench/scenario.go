package main

import (
	"context"
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
	idToken   keys.Algorithm // of ID tokens; empty: there are none
	few       int            // connections at most; 0: all
	logged    bool           // beside a server that logs each request, too
	prelude   func(*visitor) error
	stock     func(context.Context, *bench, *contender) error // before each slice, unmeasured
	step      func(*visitor) error
	floor     map[string]work // by method and path

	ratio float64       // what the issuer's CPU per step should be at most, as a multiple of the floor's; 0: nothing was set
	aim   time.Duration // and by itself

	peers  func(*visitor) error // the step of the issuers that we did not write; nil: they are left out
	modest bool                 // they are asked for a token that is for no service
}

// What the records of one Commit weigh: a spent code, and a grant. The keys of
// the floor are shorter than ours, and the difference is in here.
const (
	codeRecord  = 105
	grantRecord = 350
)

// passwordSignIn is the scenario in which a hash is nearly everything.
const passwordSignIn = "sign-in with a password"

// The paths of the floor that are more than their bytes.
const (
	postToken     = "POST /token"
	getUserinfo   = "GET /userinfo"
	postInspect   = "POST /introspect"
	postSignIn    = "POST /signin"
	sessionRecord = 300
)

func scenarios() []scenario {
	shop, old := signedIn(clientShop), signedIn(clientOld)
	return append([]scenario{
		credentials(keys.ES256, 1.25), credentials(keys.EdDSA, 0), credentials(keys.RS256, 1.15),
		codeFlow(clientShop, keys.ES256, 1.5, 360*time.Microsecond), codeFlow(clientOld, keys.RS256, 1.15, 0),
		refresh("refresh, ES256", clientShop, shop, keys.ES256, 1.5, 280*time.Microsecond),
		refresh("refresh, ES256 access and RS256 ID token", clientOld, old, keys.RS256, 1.15, 0),
		{
			name: "sign-in page", unit: "page", algorithm: keys.ES256,
			prelude: (*visitor).page, step: (*visitor).pageAgain,
		},
		{
			name: passwordSignIn, unit: "sign-in", algorithm: keys.ES256, few: signingIn,
			prelude: (*visitor).page, step: (*visitor).password,
			floor: map[string]work{postSignIn: {Hashes: true, Writes: []int{sessionRecord}}},
		},
	}, reading(shop)...)
}

// reading are the scenarios that change nothing.
func reading(prelude func(*visitor) error) []scenario {
	checks := work{Checks: []keys.Algorithm{keys.ES256}}
	seen := 80 * time.Microsecond
	all := []scenario{
		{
			name: "userinfo, first sight", unit: "request", algorithm: keys.ES256, ratio: 1.3,
			prelude: prelude, stock: fresh, step: unseen((*visitor).userinfo), floor: map[string]work{getUserinfo: checks},
		},
		{
			name: "userinfo, seen", unit: "request", algorithm: keys.ES256, aim: seen,
			prelude: prelude, step: (*visitor).userinfo, peers: (*visitor).userinfo, modest: true,
		},
		{
			name: "introspection, first sight", unit: "request", algorithm: keys.ES256, ratio: 1.3,
			prelude: prelude, stock: fresh, step: unseen((*visitor).introspect), floor: map[string]work{postInspect: checks},
		},
		{
			name: "introspection, seen", unit: "request", algorithm: keys.ES256, aim: seen,
			prelude: prelude, step: (*visitor).introspect,
		},
		{
			name: "status list", unit: "request", algorithm: keys.ES256, ratio: 1.15,
			prelude: func(v *visitor) error {
				if err := prelude(v); err != nil {
					return err
				}
				return v.findList()
			},
			step: func(v *visitor) error { return v.fetch(v.list) },
		},
	}
	for _, document := range []struct{ name, path string }{{"discovery", "/.well-known/openid-configuration"}, {"JWKS", "/jwks"}} {
		step := func(v *visitor) error { return v.fetch(document.path) }
		all = append(all, scenario{
			name: document.name, unit: "request", algorithm: keys.ES256, ratio: 1.15, step: step, peers: step,
		})
	}
	return all
}

func credentials(algorithm keys.Algorithm, ratio float64) scenario {
	step := func(v *visitor) error { return v.token(clientRobot, "grant_type=client_credentials&scope="+scope) }
	return scenario{
		name: "client credentials, " + string(algorithm), unit: "request", algorithm: algorithm, ratio: ratio, logged: algorithm == keys.ES256,
		step: step, peers: step,
		floor: map[string]work{postToken: {Signs: []keys.Algorithm{algorithm}}},
	}
}

// codeFlow is what a person who is signed in sets off by opening a service.
func codeFlow(client string, idToken keys.Algorithm, ratio float64, aim time.Duration) scenario {
	return scenario{
		name: "code flow, ES256 access and " + string(idToken) + " ID token", unit: "flow (authorize and token)",
		algorithm: keys.ES256, idToken: idToken, ratio: ratio, aim: aim, logged: idToken == keys.ES256,
		step: signedIn(client), peers: signedIn(client),
		floor: map[string]work{
			postToken: {Signs: []keys.Algorithm{keys.ES256, idToken}, Writes: []int{codeRecord, grantRecord}},
		},
	}
}

func refresh(name, client string, prelude func(*visitor) error, idToken keys.Algorithm, ratio float64, aim time.Duration) scenario {
	step := func(v *visitor) error { return v.renew(client) }
	return scenario{
		name: name, unit: "refresh (access, ID and refresh token)", algorithm: keys.ES256, idToken: idToken,
		ratio: ratio, aim: aim, logged: idToken == keys.ES256,
		prelude: prelude, step: step, peers: step,
		floor: map[string]work{postToken: {Signs: []keys.Algorithm{keys.ES256, idToken}, Writes: []int{grantRecord}}},
	}
}

// of are the visitors who take part.
func (s scenario) of(all []*visitor) []*visitor {
	if s.few > 0 {
		return all[:min(s.few, len(all))]
	}
	return all
}

// begin does the prelude, if there is one.
func (s scenario) begin(v *visitor) error {
	if s.prelude == nil {
		return nil
	}
	return s.prelude(v)
}

// plays records the answers of one step and adds what they cost.
func (s scenario) plays(ctx context.Context, b *bench, c *contender) (map[string]play, error) {
	v := c.visitors[0]
	v.record = map[string]play{}
	defer func() { v.record = nil }()
	if err := s.begin(v); err != nil {
		return nil, err
	}
	if s.stock != nil {
		if err := s.stock(ctx, b, c); err != nil {
			return nil, err
		}
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

// fetch gets a document as a verifier does.
func (v *visitor) fetch(path string) error {
	return v.do(http.StatusOK, http.MethodGet, path, "Accept-Encoding: gzip\r\n", "")
}

func (v *visitor) userinfo() error {
	return v.do(http.StatusOK, http.MethodGet, "/userinfo", "Authorization: Bearer "+v.access+"\r\n", "")
}
