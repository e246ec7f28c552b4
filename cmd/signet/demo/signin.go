package demo

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// attempt is a sign-in under way. It stays here; the browser carries only its
// name (state) and the binding that says it is the same browser.
type attempt struct {
	binding, nonce, verifier string
	began                    time.Time
}

// signIn starts the flow: /signin is also where the peer's link leads, so that
// whoever is signed in at the issuer comes through without a question.
func (d *desk) signIn(w http.ResponseWriter, r *http.Request) error {
	known, err := d.issuer.discovered(r.Context())
	if err != nil {
		return err
	}
	a := attempt{binding: d.bind(w, r), nonce: rand.Text(), verifier: oauth2.GenerateVerifier(), began: time.Now()}
	target, err := known.authorizeURL(d.attempts.add(a), a, d.URL, d.PeerURL)
	if err != nil {
		return err
	}
	redirect(w, r, target)
	return nil
}

// bind returns what an answer to this browser's request will be known by: a
// cookie. Two tabs share it, so that neither undoes the other.
func (d *desk) bind(w http.ResponseWriter, r *http.Request) string {
	binding := cookieOf(r, d.attemptCookie())
	if binding == "" {
		binding = rand.Text()
	}
	d.give(w, d.attemptCookie(), binding, attemptLife)
	return binding
}

// callback takes the issuer's answer.
func (d *desk) callback(w http.ResponseWriter, r *http.Request) error {
	a, err := d.attemptOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	switch {
	case q.Get("error") == "access_denied":
		return d.landing(w, "You chose not to sign in.")
	case q.Has("error"):
		return stray(fmt.Errorf("the issuer answered %q: %q", q.Get("error"), q.Get("error_description")))
	}
	s, err := d.redeem(r.Context(), a, q.Get("code"))
	if err != nil {
		return err
	}
	// A new session has a new name: one that somebody planted in this browser is
	// worth nothing (no session fixation).
	d.sessions.take(cookieOf(r, d.sessionCookie()))
	d.give(w, d.sessionCookie(), d.sessions.add(s), workday)
	redirect(w, r, "/")
	return nil
}

// attemptOf finds the attempt that an answer belongs to, once.
func (d *desk) attemptOf(r *http.Request) (attempt, error) {
	q := r.URL.Query()
	a, known := d.attempts.take(q.Get("state"))
	if !known {
		return a, stray(errors.New("the state is unknown, used or too old"))
	}
	// The answer to another browser's attempt would sign this person in as
	// somebody else (RFC 9700 §4.7).
	if !same(a.binding, cookieOf(r, d.attemptCookie())) {
		return a, stray(errors.New("the state belongs to another browser"))
	}
	// RFC 9207 §2.4: an answer of another issuer is not looked at any further.
	if q.Get("iss") != d.Issuer {
		return a, stray(fmt.Errorf("the answer is from the issuer %q", q.Get("iss")))
	}
	return a, nil
}

// stray is an answer that fits no question of ours.
func stray(cause error) error {
	return &failure{
		status: http.StatusBadRequest, title: "This sign-in can’t go on", cause: cause,
		message: "It was not begun in this browser, was finished already, or took too long. Begin again.",
	}
}

// redeem turns a code into a session, and checks whatever comes with it.
func (d *desk) redeem(ctx context.Context, a attempt, code string) (*session, error) {
	known, err := d.issuer.discovered(ctx)
	if err != nil {
		return nil, err
	}
	ctx = d.issuer.context(ctx)
	tokens, err := known.Exchange(ctx, code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		return nil, stray(fmt.Errorf("redeeming the code: %w", err))
	}
	idToken, _ := tokens.Extra("id_token").(string)
	id, err := known.idTokens.Verify(ctx, idToken) // signature, iss, aud, exp
	if err != nil {
		return nil, stray(fmt.Errorf("verifying the ID token: %w", err))
	}
	if !same(id.Nonce, a.nonce) {
		return nil, stray(errors.New("the ID token answers another request: its nonce differs"))
	}
	name, err := known.nameOf(ctx, id.Subject, tokens)
	if err != nil {
		return nil, err
	}
	access, err := d.verifier.Verify(ctx, tokens.AccessToken)
	if err != nil {
		return nil, stray(fmt.Errorf("verifying the access token: %w", err))
	}
	s := &session{
		name: name, sid: access.SessionID(), idToken: idToken, last: tokens.AccessToken, renewable: tokens.RefreshToken != "",
		// It refreshes long after this request is over.
		source: known.TokenSource(context.WithoutCancel(ctx), tokens),
	}
	var claims struct {
		AuthTime int64 `json:"auth_time"`
	}
	if err := id.Claims(&claims); err != nil {
		return nil, fmt.Errorf("reading the ID token: %w", err)
	}
	s.arrival = &arrival{
		// auth_time counts whole seconds.
		Silent: claims.AuthTime < a.began.Unix(),
		Took:   time.Since(a.began), Since: time.Since(time.Unix(claims.AuthTime, 0)),
	}
	return s, nil
}

// nameOf asks the issuer, once per sign-in, what to call the person.
func (m *metadata) nameOf(ctx context.Context, subject string, tokens *oauth2.Token) (string, error) {
	who, err := m.provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return "", fmt.Errorf("asking who signed in: %w", err)
	}
	return nameIn(who, subject)
}

// nameIn picks the name, if the answer is about that very person (OpenID Connect
// Core §5.3.2).
func nameIn(who *oidc.UserInfo, subject string) (string, error) {
	if who.Subject != subject {
		return "", stray(errors.New("userinfo is about somebody else"))
	}
	var claims struct {
		Name  string `json:"name"`
		Login string `json:"preferred_username"`
	}
	if err := who.Claims(&claims); err != nil {
		return "", fmt.Errorf("reading userinfo: %w", err)
	}
	for _, name := range []string{claims.Name, claims.Login, subject} {
		if name != "" {
			return name, nil
		}
	}
	return "", stray(errors.New("the ID token has no subject"))
}

// signOut ends the session here, then sends the browser to end it everywhere.
func (d *desk) signOut(w http.ResponseWriter, r *http.Request) error {
	s, known := d.sessions.take(cookieOf(r, d.sessionCookie()))
	d.give(w, d.sessionCookie(), "", 0)
	if !known {
		redirect(w, r, "/")
		return nil
	}
	issuer, err := d.issuer.discovered(r.Context())
	if err != nil {
		return err
	}
	state := d.leavings.add(leaving{binding: d.bind(w, r), watch: d.observe(r.Context(), s)})
	target, err := issuer.endSessionURL(s.idToken, d.URL+"/", state)
	if err != nil {
		return err
	}
	redirect(w, r, target)
	return nil
}

// hasLeft reports whether this request is the browser coming back from signing
// out at the issuer.
func (d *desk) hasLeft(r *http.Request) (leaving, bool) {
	l, known := d.leavings.take(r.URL.Query().Get("state"))
	return l, known && same(l.binding, cookieOf(r, d.attemptCookie()))
}

// same compares what only one browser knows.
func same(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// redirect goes on with GET. What is in these addresses is no cache's business.
func redirect(w http.ResponseWriter, r *http.Request, target string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, target, http.StatusSeeOther)
}
