package grant

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/user"
)

// Claims are the single claims that a request asks for (OpenID Connect Core
// §5.5), cut down to those that a user may have.
type Claims struct {
	Userinfo []string
	IDToken  []string
}

// Asked is what an authorization request asks for of a person.
type Asked struct {
	Scopes  []string // as they would be granted
	Claims  Claims
	Subject string   // the only user who may answer, or "" for anybody
	ACR     []string // one of these classes is demanded; empty: none is
}

// ReadAsked reads scope and claims of a request of the client.
func ReadAsked(c client.Client, params url.Values) (Asked, error) {
	a := Asked{Scopes: c.UserScopes(strings.Fields(params.Get("scope")))}
	raw := params.Get("claims")
	if raw == "" {
		return a, nil
	}
	var sent struct {
		Userinfo map[string]*demand `json:"userinfo"`
		IDToken  map[string]*demand `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(raw), &sent); err != nil {
		return a, fault.Wrap(fault.Invalid, err, "must be a JSON object as OpenID Connect Core §5.5 has it").On("claims")
	}
	a.Claims = Claims{Userinfo: known(sent.Userinfo), IDToken: known(sent.IDToken)}
	for _, place := range []map[string]*demand{sent.Userinfo, sent.IDToken} {
		if d := place["sub"]; d != nil && len(d.accepted()) > 0 {
			a.Subject = d.accepted()[0]
		}
	}
	if d := sent.IDToken["acr"]; d != nil && d.Essential {
		a.ACR = d.accepted()
	}
	return a, nil
}

// demand is what may be said of a claim (Core §5.5.1); null says nothing.
type demand struct {
	Essential bool              `json:"essential"`
	Value     json.RawMessage   `json:"value"`
	Values    []json.RawMessage `json:"values"`
}

// accepted lists the values that are texts; no claim that we act on is anything else.
func (d *demand) accepted() []string {
	var out []string
	for _, raw := range append([]json.RawMessage{d.Value}, d.Values...) {
		var text string
		if len(raw) > 0 && json.Unmarshal(raw, &text) == nil {
			out = append(out, text)
		}
	}
	return out
}

// known drops what no user has: unknown claims are ignored (Core §5.5).
func known(asked map[string]*demand) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(asked)), func(claim string) bool {
		_, ok := user.ScopeOf(claim)
		return !ok
	})
}

// Questions lists the scopes that a person must agree to: those granted, and
// those whose claims are asked for one by one. A client gets no claim past the
// consent page by another parameter.
func (a Asked) Questions() []string {
	out := slices.Clone(a.Scopes)
	for _, claim := range slices.Concat(a.Claims.Userinfo, a.Claims.IDToken) {
		if scope, ok := user.ScopeOf(claim); ok && !slices.Contains(out, scope) {
			out = append(out, scope)
		}
	}
	return out
}
