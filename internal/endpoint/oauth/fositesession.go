package oauth

import (
	"maps"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"
)

// requestSession is what fosite carries through one request in place of its own
// session. What a token says comes from the unit of work; this only answers the
// questions that fosite's handlers ask on the way.
type requestSession struct {
	claims  jwt.IDTokenClaims
	headers jwt.Headers
	expires map[fosite.TokenType]time.Time
}

var _ openid.Session = (*requestSession)(nil)

func newRequestSession(subject string, authTime, requestedAt time.Time) *requestSession {
	return &requestSession{
		claims:  jwt.IDTokenClaims{Subject: subject, AuthTime: authTime, RequestedAt: requestedAt},
		expires: map[fosite.TokenType]time.Time{},
	}
}

func (s *requestSession) IDTokenClaims() *jwt.IDTokenClaims { return &s.claims }
func (s *requestSession) IDTokenHeaders() *jwt.Headers      { return &s.headers }
func (s *requestSession) GetUsername() string               { return "" }
func (s *requestSession) GetSubject() string                { return s.claims.Subject }

func (s *requestSession) SetExpiresAt(key fosite.TokenType, t time.Time) { s.expires[key] = t }
func (s *requestSession) GetExpiresAt(key fosite.TokenType) time.Time    { return s.expires[key] }

// Clone is by hand: fosite's own is a deep copy by reflection.
func (s *requestSession) Clone() fosite.Session {
	c := *s
	c.expires = maps.Clone(s.expires)
	return &c
}
