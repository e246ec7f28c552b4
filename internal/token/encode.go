package token

import (
	"strings"
	"time"

	"github.com/signet-id/signet/internal/object"
	"github.com/signet-id/signet/keys"
)

// The order of the claims is fixed, so a token is the same bytes each time; scan.go
// reads an access token in that order.

func (a Access) payload(issuer string) []byte {
	w := object.New(640)
	w.Text("iss", issuer)
	w.Text("sub", a.Subject)
	w.OneOrMore("aud", a.Audience)
	w.Time("exp", a.Expires)
	w.Time("iat", a.IssuedAt)
	w.Text("jti", a.ID)
	w.Text("client_id", a.ClientID)
	w.Optional("scope", strings.Join(a.Scopes, " "))
	authentication(&w, a.AuthTime, a.ACR, a.AMR, a.SessionID)
	w.Texts("roles", a.Roles)
	w.Texts("groups", a.Groups)
	w.Open("status")
	w.Open("status_list")
	w.Number("idx", int64(a.Slot.Index()))
	w.Text("uri", a.Slot.URI(issuer))
	w.Close()
	w.Close()
	return w.End()
}

func (id ID) payload(issuer string, alg keys.Algorithm, now, expires time.Time) []byte {
	w := object.New(512)
	w.Text("iss", issuer)
	w.Text("sub", id.Subject)
	w.Text("aud", id.ClientID)
	w.Time("exp", expires)
	w.Time("iat", now)
	w.Optional("nonce", id.Nonce)
	if id.AccessToken != "" {
		w.Text("at_hash", leftHash(alg, id.AccessToken))
	}
	authentication(&w, id.AuthTime, id.ACR, id.AMR, id.SessionID)
	w.Members(id.Claims)
	return w.End()
}

func authentication(w *object.Writer, at time.Time, acr string, amr []string, sid string) {
	w.Time("auth_time", at)
	w.Optional("acr", acr)
	w.Texts("amr", amr)
	w.Optional("sid", sid)
}
