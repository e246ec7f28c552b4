package signettest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/signettest"
	"github.com/signet-id/signet/pkg/verify"
)

// ends checks that a verifier accepts a token until end was called, and refuses it
// once it knows.
func ends(t *testing.T, iss *signettest.Issuer, v *verify.Verifier, token string, end func()) {
	t.Helper()
	wantReason(t, v, token, "")
	end()
	iss.Await(t, v)
	wantReason(t, v, token, verify.Ended)
}

func TestARevokedTokenIsRefusedAndNoOther(t *testing.T) {
	everywhere(t, func(t *testing.T, iss *signettest.Issuer) {
		v := iss.Verifier(t)
		robot := iss.Client(t, "robot", "")
		for name, options := range map[string][]signettest.TokenOption{
			"of a person":                              nil,
			"of a client that exists":                  {signettest.ClientID(robot.ID)},
			"of a person with the same session":        {signettest.SessionID("s1")},
			"of another person with that very session": {signettest.SessionID("s1"), signettest.Scope("orders:read")},
		} {
			t.Run(name, func(t *testing.T) {
				other := iss.Token(t, "alice", options...)
				token := iss.Token(t, "alice", options...)
				ends(t, iss, v, token, func() { iss.Revoke(t, token) })
				wantReason(t, v, other, "")
			})
		}
		machine, other := iss.Token(t, robot.ID, signettest.ClientID(robot.ID)), iss.Token(t, robot.ID, signettest.ClientID(robot.ID))
		ends(t, iss, v, machine, func() { iss.Revoke(t, machine) })
		wantReason(t, v, other, "")
	})
}

func TestATokenOfASignInIsRevokedWithItsGrant(t *testing.T) {
	everywhere(t, func(t *testing.T, iss *signettest.Issuer) {
		v := iss.Verifier(t)
		alice, web, public := iss.User(t, "alice"), iss.Client(t, "web", callback), iss.Client(t, "public", callback, signettest.Public())
		for _, c := range []signettest.Client{web, public} {
			byAccess, byRefresh, other := iss.SignIn(t, alice, c), iss.SignIn(t, alice, c), iss.SignIn(t, alice, c)
			ends(t, iss, v, byAccess.AccessToken, func() { iss.Revoke(t, byAccess.AccessToken) })
			ends(t, iss, v, byRefresh.AccessToken, func() { iss.Revoke(t, byRefresh.RefreshToken) })
			wantReason(t, v, other.AccessToken, "")
		}
	})
}

func TestAnEndedSessionEndsItsTokensAndNoOthers(t *testing.T) {
	everywhere(t, func(t *testing.T, iss *signettest.Issuer) {
		v := iss.Verifier(t)
		alice := iss.User(t, "alice")
		web, offline := iss.Client(t, "web", callback), iss.Client(t, "mail", callback, signettest.OfflineAccess())
		here, elsewhere := iss.SignIn(t, alice, web), iss.SignIn(t, alice, web)
		kept := iss.SignIn(t, alice, offline, "offline_access")
		ends(t, iss, v, here.AccessToken, func() { iss.EndSession(t, here.AccessToken) })
		iss.EndSession(t, kept.AccessToken)

		minted, sibling := iss.Token(t, "bob", signettest.SessionID("s1")), iss.Token(t, "bob", signettest.SessionID("s1"))
		stranger := iss.Token(t, "carol", signettest.SessionID("s1"))
		ends(t, iss, v, sibling, func() { iss.EndSession(t, minted) })
		wantReason(t, v, minted, verify.Ended)
		for _, alive := range []string{elsewhere.AccessToken, kept.AccessToken, stranger} {
			wantReason(t, v, alive, "")
		}
	})
}

func TestAUserIsEndedAndMaySignInAgain(t *testing.T) {
	everywhere(t, func(t *testing.T, iss *signettest.Issuer) {
		v := iss.Verifier(t)
		alice, bob, web := iss.User(t, "alice"), iss.User(t, "bob"), iss.Client(t, "web", callback)
		hers, his := iss.SignIn(t, alice, web), iss.SignIn(t, bob, web)
		minted := iss.Token(t, alice.Subject)
		ends(t, iss, v, hers.AccessToken, func() { iss.EndUser(t, alice) })
		wantReason(t, v, minted, verify.Ended)
		wantReason(t, v, his.AccessToken, "")

		again := iss.SignIn(t, alice, web)
		ends(t, iss, v, again.AccessToken, func() { iss.DisableUser(t, alice) })
		iss.EnableUser(t, alice)
		wantReason(t, v, iss.SignIn(t, alice, web).AccessToken, "")
		wantReason(t, v, again.AccessToken, verify.Ended)
	})
}

func TestADisabledClientsTokensEndAndItsNextOnesLive(t *testing.T) {
	everywhere(t, func(t *testing.T, iss *signettest.Issuer) {
		v := iss.Verifier(t)
		alice, web, other := iss.User(t, "alice"), iss.Client(t, "web", callback), iss.Client(t, "other", callback)
		real, alive := iss.SignIn(t, alice, web), iss.SignIn(t, alice, other)
		minted := iss.Token(t, "bob", signettest.ClientID(web.ID))
		ends(t, iss, v, real.AccessToken, func() { iss.DisableClient(t, web) })
		wantReason(t, v, minted, verify.Ended)
		wantReason(t, v, alive.AccessToken, "")
		iss.EnableClient(t, web)
		wantReason(t, v, iss.SignIn(t, alice, web).AccessToken, "")
		wantReason(t, v, iss.Token(t, "bob", signettest.ClientID(web.ID)), "")
		wantReason(t, v, real.AccessToken, verify.Ended)
	})
}

func TestAwaitWaitsForEveryVerifierWhetherOrNotItWasUsed(t *testing.T) {
	iss := signettest.Start(t)
	used, fresh := iss.Verifier(t), iss.Verifier(t)
	token := iss.Token(t, "alice")
	wantReason(t, used, token, "")
	iss.Revoke(t, token)
	iss.Await(t, used, fresh)
	wantReason(t, used, token, verify.Ended)
	wantReason(t, fresh, token, verify.Ended)
}

func TestInABubbleAnEndingTravelsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := signettest.Start(t)
		v := iss.Verifier(t)
		token := iss.Token(t, "alice")
		wantReason(t, v, token, "")
		time.Sleep(8 * time.Minute) // the stream lives on
		began := time.Now()
		iss.Revoke(t, token)
		iss.Await(t, v)
		if took := time.Since(began); took > 50*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		wantReason(t, v, token, verify.Ended)
	})
}
