package signettest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/signettest"
	"github.com/signet-id/signet/pkg/verify"
)

func TestInABubbleATokenExpiresAndCostsNoTime(t *testing.T) {
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		iss := signettest.Start(t) // no option: the bubble is noticed
		if !strings.HasSuffix(iss.URL, ".signet.test") {
			t.Fatalf("it listens at %s, and time would never pass", iss.URL)
		}
		v, token := iss.Verifier(t), iss.Token(t, "alice")
		wantReason(t, v, token, "")
		time.Sleep(11 * time.Minute)
		wantReason(t, v, token, verify.Expired)
	})
	if took := time.Since(began); took >= 11*time.Minute {
		t.Errorf("took %s, as long as it pretends to", took)
	}
}

// The whole promise of rotation: a service that follows the keys, whatever it
// has cached, never refuses a token that is alive.
func TestThroughARotationAVerifierRefusesNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := signettest.Start(t)
		follows, idle := iss.Verifier(t), iss.Verifier(t)
		signed := map[any]int{}
		takesOver := iss.RotateKeys(t)
		before := ""
		for end := takesOver.Add(2 * time.Hour); time.Now().Before(end) && !t.Failed(); time.Sleep(9 * time.Minute) {
			token := iss.Token(t, "alice")
			kid := part(t, token, 0)["kid"]
			signed[kid]++
			wantReason(t, follows, token, "")
			if before != "" { // issued nine minutes ago, perhaps by the key before
				wantReason(t, follows, before, "")
			}
			if len(signed) == 2 && signed[kid] == 1 {
				wantReason(t, idle, token, "") // asked for the first time
			}
			before = token
		}
		if len(signed) != 2 {
			t.Errorf("%d keys signed, want 2: %v", len(signed), signed)
		}
	})
}

func TestARotatedKeyIsPublishedBeforeItSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := signettest.Start(t)
		v, old := iss.Verifier(t), iss.Token(t, "alice", signettest.ExpiresIn(time.Hour))
		wantReason(t, v, old, "")
		kid := part(t, old, 0)["kid"]
		takesOver := iss.RotateKeys(t)
		if wait := time.Until(takesOver); wait != 15*time.Minute {
			t.Errorf("takes over in %s", wait)
		}
		if again := iss.RotateKeys(t); !again.Equal(takesOver) {
			t.Errorf("rotating again moved it from %s to %s", takesOver, again)
		}
		time.Sleep(time.Until(takesOver) - time.Second)
		if now := part(t, iss.Token(t, "alice"), 0)["kid"]; now != kid {
			t.Error("the successor signs too early")
		}
		time.Sleep(2 * time.Second)
		token := iss.Token(t, "alice")
		if part(t, token, 0)["kid"] == kid {
			t.Error("the successor does not sign")
		}
		wantReason(t, v, token, "")
		wantReason(t, v, old, "")
	})
}

func TestACompromisedKeySignsNoMoreAndItsTokensDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := signettest.Start(t)
		v, stolen := iss.Verifier(t), iss.Token(t, "alice", signettest.ExpiresIn(time.Hour))
		wantReason(t, v, stolen, "")
		kid := iss.CompromiseKey(t)
		if kid != part(t, stolen, 0)["kid"] {
			t.Errorf("removed %q", kid)
		}
		token := iss.Token(t, "alice")
		if part(t, token, 0)["kid"] == kid {
			t.Fatal("the stolen key signs on")
		}
		time.Sleep(2 * time.Second)
		wantReason(t, v, stolen, verify.UnknownKey)
		wantReason(t, v, token, "")
	})
}

func TestOnAPortACompromisedKeyIsReplacedAtOnce(t *testing.T) {
	iss := signettest.Start(t)
	stolen := iss.Token(t, "alice")
	iss.CompromiseKey(t)
	v := iss.Verifier(t)
	wantReason(t, v, iss.Token(t, "alice"), "")
	wantReason(t, v, stolen, verify.UnknownKey)
}

func TestPeopleSignInThroughoutAYear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := signettest.Start(t)
		alice, web := iss.User(t, "alice"), iss.Client(t, "web", callback)
		signed := map[any]bool{}
		const day = 24 * time.Hour
		for end := time.Now().Add(365 * day); time.Now().Before(end); time.Sleep(30 * day) {
			token := iss.SignIn(t, alice, web).AccessToken
			if status, body := get(t, iss, "/userinfo", token); status != http.StatusOK {
				t.Errorf("%s: userinfo answered %d %s", time.Now(), status, body)
			}
			signed[part(t, token, 0)["kid"]] = true
		}
		if len(signed) < 12 {
			t.Errorf("%d keys signed in a year", len(signed))
		}
	})
}
