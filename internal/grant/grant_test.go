package grant_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/store"
)

func TestAGrantIsReadBackAsItWasWritten(t *testing.T) {
	s := newStore(t)
	g := newGrant(newRing(t, s)).Next(time.Now(), 7)
	put, err := g.Put(time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	version, err := s.Commit(t.Context(), put)
	if err != nil {
		t.Fatal(err)
	}
	recs, err := s.Get(t.Context(), g.Key())
	if err != nil {
		t.Fatal(err)
	}
	got, err := grant.Decode(recs[0])
	if err != nil {
		t.Fatal(err)
	}
	g.Version = version
	if diff := same(g, got); diff != "" {
		t.Errorf("the grant changed (-written +read):\n%s", diff)
	}
}

// Of two requests that rotate one token, one writes; the other finds out.
func TestTwoWritersOfOneGrantDoNotOverwriteEachOther(t *testing.T) {
	s := newStore(t)
	g := newGrant(newRing(t, s))
	commit := func(g grant.Grant) error {
		put, err := g.Put(time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Commit(t.Context(), put)
		return err
	}
	if err := commit(g); err != nil {
		t.Fatal(err)
	}
	if err := commit(g.Next(time.Now(), 1)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a grant of version 0 over another: Commit = %v, want ErrConflict", err)
	}
}

func TestTheGrantsOfASessionAreNeighboursAndThoseOfAUser(t *testing.T) {
	ref := grant.Ref{Subject: ident.New(), SessionID: ident.New(), ID: ident.New()}
	for _, prefix := range []string{grant.SessionPrefix(ref.Subject, ref.SessionID), grant.UserPrefix(ref.Subject)} {
		if !strings.HasPrefix(ref.Key(), prefix) || !strings.HasSuffix(prefix, "/") {
			t.Errorf("%q does not begin with the whole names %q", ref.Key(), prefix)
		}
	}
}

func TestARecordUnderAForeignKeyIsNoGrant(t *testing.T) {
	short := "grant/" + ident.New() + "/" + ident.New()
	for _, key := range []string{"grant/", short, short + "/x", short + "/" + ident.New() + "x"} {
		if got, err := grant.Decode(store.Record{Key: key, Value: recordOf(t, fixed()).Value, Version: 1}); err == nil {
			t.Errorf("Decode(%q) = %+v, want an error", key, got)
		}
	}
	good := short + "/" + ident.New()
	if _, err := grant.Decode(store.Record{Key: good, Value: []byte("{"), Version: 1}); err == nil {
		t.Error("a damaged record is a grant")
	}
}

func TestOnlyAnOfflineGrantSurvivesItsSession(t *testing.T) {
	for refresh, want := range map[client.Refresh]bool{
		client.RefreshOffline: true, client.RefreshSession: false, client.RefreshNone: false, "": false,
	} {
		if got := (grant.Grant{Refresh: refresh}).Offline(); got != want {
			t.Errorf("%q: Offline = %t, want %t", refresh, got, want)
		}
	}
}

func TestATokenIDNamesItsGrantAndIsNeverTheSameTwice(t *testing.T) {
	ref := grant.Ref{Subject: ident.New(), SessionID: ident.New(), ID: ident.New()}
	a, b := grant.TokenID(ref.ID), grant.TokenID(ref.ID)
	if a == b {
		t.Errorf("two tokens have the jti %q", a)
	}
	for _, jti := range []string{a, b} {
		if got, ok := grant.OfToken(ref.Subject, ref.SessionID, jti); !ok || got != ref {
			t.Errorf("OfToken = %+v, %t, want %+v", got, ok, ref)
		}
	}
}

func TestAMachinesTokenNamesNoGrant(t *testing.T) {
	id := grant.TokenID(ident.New())
	for name, tt := range map[string]struct{ sid, jti string }{
		"a machine's jti":  {ident.New(), ident.New()},
		"no session":       {"", id},
		"no jti":           {ident.New(), ""},
		"longer":           {ident.New(), id + "AAAA"},
		"a line break":     {ident.New(), id + "\n"},
		"not base64url":    {ident.New(), strings.Repeat("+", len(id))},
		"something padded": {ident.New(), base64.URLEncoding.EncodeToString(make([]byte, 23))},
	} {
		if got, ok := grant.OfToken("alice", tt.sid, tt.jti); ok {
			t.Errorf("%s: OfToken = %+v, want none", name, got)
		}
	}
}

func TestAConsentCoversWhatWasAgreedToAndNoMore(t *testing.T) {
	given := grant.Consent{}.Widen([]string{"openid", "email"}, time.Now())
	for _, tt := range []struct {
		consent grant.Consent
		scopes  []string
		want    bool
	}{
		{given, []string{"openid"}, true},
		{given, []string{"email", "openid"}, true},
		{given, nil, true},
		{given, []string{"openid", "phone"}, false},
		{given, []string{"open"}, false},
		{grant.Consent{}, nil, false}, // nobody was ever asked
		{grant.Consent{Scopes: []string{"openid"}}, []string{"openid"}, false},
	} {
		if got := tt.consent.Covers(tt.scopes); got != tt.want {
			t.Errorf("%v covers %v = %t, want %t", tt.consent.Scopes, tt.scopes, got, tt.want)
		}
	}
}

func TestAConsentGrowsAndIsRememberedPerPersonAndClient(t *testing.T) {
	s := newStore(t)
	now := time.Now()
	first := grant.Consent{}.Widen([]string{"openid", "openid"}, now)
	wider := first.Widen([]string{"openid", "email"}, now.Add(time.Minute))
	if len(first.Scopes) != 1 || !wider.Covers([]string{"openid", "email"}) || len(wider.Scopes) != 2 {
		t.Errorf("first %v, then %v", first.Scopes, wider.Scopes)
	}
	op, err := wider.Put("alice", "orders")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), op); err != nil {
		t.Fatal(err)
	}
	recs, err := s.Get(t.Context(),
		grant.ConsentKey("alice", "orders"), grant.ConsentKey("alice", "billing"), grant.ConsentKey("bob", "orders"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, false} {
		got, err := grant.DecodeConsent(recs[i], now)
		if err != nil || got.Covers([]string{"openid", "email"}) != want {
			t.Errorf("%s: %+v, %v, want covered %t", recs[i].Key, got, err, want)
		}
	}
	if got, err := grant.DecodeConsent(recs[0], wider.Given.Add(time.Second)); err != nil || got.Covers([]string{"openid"}) {
		t.Errorf("a consent to a client that was removed counts for its successor: %+v, %v", got, err)
	}
	if _, err := grant.DecodeConsent(store.Record{Key: "consent/alice/orders", Value: []byte("{"), Version: 1}, now); err == nil {
		t.Error("a damaged record is a consent")
	}
}
