package verify

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Require returns middleware that lets a request through when it carries a
// token with all of scopes, and answers with a challenge otherwise. The handler
// finds the token with [FromContext]. Without scopes any good token will do.
//
// Like a pattern that http.ServeMux cannot read, a scope that no token can have
// (empty, or with a space in it) is a mistake in the program: Require panics.
func (v *Verifier) Require(scopes ...string) func(http.Handler) http.Handler {
	mustBeTokens("Require", scopes)
	return v.middleware(func(r *http.Request) (Token, error) { return v.Authenticate(r, scopes...) })
}

// RequireFresh returns middleware that asks for a sign-in no longer ago than
// maxAge, and else tells the client to sign the user in again (RFC 9470). It
// verifies the token itself when no Require did before it.
func (v *Verifier) RequireFresh(maxAge time.Duration) func(http.Handler) http.Handler {
	return v.stepUp(func(t Token) error { return t.SignedInWithin(maxAge) })
}

// RequireACR returns middleware that asks for a sign-in of one of the kinds in
// acr, and else tells the client which would do (RFC 9470). It verifies the
// token itself when no Require did before it. Like Require it panics at a value
// that cannot be one.
func (v *Verifier) RequireACR(acr ...string) func(http.Handler) http.Handler {
	mustBeTokens("RequireACR", acr)
	return v.stepUp(func(t Token) error { return t.SignedInBy(acr...) })
}

func (v *Verifier) stepUp(check func(Token) error) func(http.Handler) http.Handler {
	return v.middleware(func(r *http.Request) (Token, error) {
		tok, ok := FromContext(r.Context())
		// A token that another verifier let through, or this one with more
		// patience about endings, was not judged by our rules.
		if !ok || tok.claims.by.keys != v.keys || tok.staleness > v.patience.limit {
			var err error
			if tok, err = v.Authenticate(r); err != nil {
				return Token{}, err
			}
		}
		return tok, check(tok)
	})
}

func (v *Verifier) middleware(judge func(*http.Request) (Token, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tok, err := judge(r)
			if err != nil {
				Refuse(w, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), tok)))
		})
	}
}

// Authenticate judges the token of a request and whether it has all of scopes.
// The error is an [*Error], ready to be answered with [Refuse].
//
// The token must come in one Authorization header. One in the query is refused
// even if nobody needs it: it would end in logs and in browser histories (OAuth
// 2.1 §5.1.1, RFC 9700 §4.3.2).
func (v *Verifier) Authenticate(r *http.Request, scopes ...string) (Token, error) {
	tok, err := v.authenticate(r)
	if err == nil && !hasAll(tok, scopes) {
		v.tally.refuse(InsufficientScope)
		err = &Error{Reason: InsufficientScope, place: v.place}
	}
	var refusal *Error
	if errors.As(err, &refusal) {
		refusal.Scopes = slices.Clone(scopes)
		return Token{}, refusal
	}
	return tok, err
}

func (v *Verifier) authenticate(r *http.Request) (Token, error) {
	raw, refusal := bearer(r)
	if refusal != nil {
		v.tally.refuse(refusal.Reason)
		refusal.place = v.place
		return Token{}, refusal
	}
	return v.Verify(r.Context(), raw)
}

// mustBeTokens panics unless all values can stand in a list that spaces separate.
func mustBeTokens(caller string, values []string) {
	for _, value := range values {
		if !isScope(value) {
			panic("verify: " + caller + ": not one value: " + strconv.QuoteToASCII(value))
		}
	}
}

func hasAll(tok Token, scopes []string) bool {
	for _, s := range scopes {
		if !tok.HasScope(s) {
			return false
		}
	}
	return true
}

// bearer takes the token out of a request (RFC 6750 §2.1).
func bearer(r *http.Request) (string, *Error) {
	if r.URL.RawQuery != "" && r.URL.Query().Has("access_token") {
		return "", fail(InvalidRequest)
	}
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return "", fail(NoToken)
	}
	// Of two headers, a proxy may have judged the other one.
	if len(values) > 1 {
		return "", fail(InvalidRequest)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") { // RFC 9110 §11.1: schemes ignore case
		return "", fail(NoToken)
	}
	token = strings.Trim(token, " ")
	if !isToken68(token) {
		return "", fail(InvalidRequest)
	}
	return token, nil
}

// isToken68 reports whether s is a b64token of RFC 6750 §2.1. Two headers that
// a proxy has joined with a comma are not.
func isToken68(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("-._~+/", c) < 0 {
			return false
		}
	}
	return s != ""
}

// Refuse answers a request with the status and challenge of err, which came
// from [Verifier.Authenticate], [Token.SignedInWithin] or [Token.SignedInBy].
// Any other error is answered as our own fault, and nothing of it is shown.
func Refuse(w http.ResponseWriter, err error) {
	var refusal *Error
	if !errors.As(err, &refusal) {
		refusal = fail(KeysUnavailable)
	}
	for name, value := range refusal.Header() {
		w.Header()[name] = value
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(refusal.Status())
	_ = json.NewEncoder(w).Encode(refusal.Body()) // the client is gone, nobody to tell
}
