package grant_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store"
)

func newCode() grant.Code {
	c := grant.NewCode(ident.New(), ident.New())
	c.ClientID, c.RedirectURI = "orders", "https://orders.example.com/cb"
	c.Scopes, c.Audience = []string{"openid"}, []string{"https://orders.example.com"}
	c.Nonce, c.Challenge = "n-0S6_WzA2Mj", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	c.Authentication = grant.Authentication{Time: time.Now().UTC().Truncate(time.Second), ACR: "1", AMR: []string{"pwd"}}
	return c
}

func sealCode(t testing.TB, ring *seal.Ring, c grant.Code) string {
	t.Helper()
	code, err := c.Seal(ring, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestACodeSaysAllThatItWasIssuedFor(t *testing.T) {
	ring := newRing(t, newStore(t))
	c := newCode()
	got, err := grant.OpenCode(ring, sealCode(t, ring, c))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, got); diff != "" {
		t.Errorf("the code changed (-sealed +opened):\n%s", diff)
	}
}

// RFC 9700 and FAPI 2.0 §5.3.2.1: a minute at most.
func TestACodeIsWorthNothingAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newRing(t, newStore(t))
		code := sealCode(t, ring, newCode())
		time.Sleep(59 * time.Second)
		if _, err := grant.OpenCode(ring, code); err != nil {
			t.Errorf("after 59 s: %v", err)
		}
		time.Sleep(time.Second)
		if got, err := grant.OpenCode(ring, code); !errors.Is(err, grant.ErrNotACode) || got.ClientID != "" {
			t.Errorf("after 60 s: OpenCode = %+v, %v, want ErrNotACode", got, err)
		}
	})
}

func TestWhatWeDidNotSealAsACodeIsNoCode(t *testing.T) {
	ring := newRing(t, newStore(t))
	plain, err := json.Marshal(newCode())
	if err != nil {
		t.Fatal(err)
	}
	asJourney, err := ring.Seal("journey", plain, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	code := sealCode(t, ring, newCode())
	for name, text := range map[string]string{
		"nothing": "", "plain text": string(plain), "a journey": asJourney, "cut": code[:len(code)-4],
		"a refresh token": refreshToken(t, ring, newGrant(ring)),
		"another issuer":  sealCode(t, newRing(t, newStore(t)), newCode()),
	} {
		if got, err := grant.OpenCode(ring, text); !errors.Is(err, grant.ErrNotACode) || got.ClientID != "" {
			t.Errorf("%s: OpenCode = %+v, %v, want ErrNotACode", name, got, err)
		}
	}
}

// RFC 6749 §4.1.2: a code MUST NOT be used more than once.
func TestOfConcurrentRedemptionsOfOneCodeExactlyOneSucceeds(t *testing.T) {
	s := newStore(t)
	ring := newRing(t, s)
	code := sealCode(t, ring, newCode())
	var won, lost atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			g := newGrant(ring) // each caller's own: only the code is contended
			put, err := g.Put(time.Now().Add(time.Hour))
			if err != nil {
				t.Error(err)
				return
			}
			_, err = s.Commit(t.Context(), grant.Spend(code, g.Ref, time.Now()), put)
			var conflict *store.ConflictError
			switch {
			case err == nil:
				won.Add(1)
			case errors.As(err, &conflict) && conflict.Key == grant.SpentKey(code):
				lost.Add(1)
			default:
				t.Errorf("Commit = %v", err)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Errorf("%d callers redeemed the code and %d did not, want 1 and 15", won.Load(), lost.Load())
	}
}

// What is spent is remembered by the digest of its text: a second spelling of
// one code would be a second code.
func TestASpentCodeHasNoOtherSpelling(t *testing.T) {
	ring := newRing(t, newStore(t))
	code := sealCode(t, ring, newCode())
	for _, other := range []string{code + "\n", "\n" + code, code[:20] + "\r\n" + code[20:], code + "=", code + " "} {
		if _, err := grant.OpenCode(ring, other); !errors.Is(err, grant.ErrNotACode) {
			t.Errorf("OpenCode(%q) = %v, want ErrNotACode", other, err)
		}
	}
}

func TestASpentCodeIsRememberedLongerThanItCouldBeRedeemed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		ring := newRing(t, s)
		code, ref := sealCode(t, ring, newCode()), newGrant(ring).Ref
		if _, err := s.Commit(t.Context(), grant.Spend(code, ref, time.Now())); err != nil {
			t.Fatal(err)
		}
		// A node whose clock is a minute behind opens it for a minute more.
		time.Sleep(grant.CodeLifetime + time.Minute)
		if _, err := s.Commit(t.Context(), grant.Spend(code, ref, time.Now())); !errors.Is(err, store.ErrConflict) {
			t.Errorf("two minutes later: Commit = %v, want ErrConflict", err)
		}
		time.Sleep(10 * time.Minute)
		recs, err := s.Get(t.Context(), grant.SpentKey(code))
		if err != nil {
			t.Fatal(err)
		}
		if recs[0].Exists() {
			t.Error("the spent code is kept for ever")
		}
	})
}

func TestTheStoreKnowsASpentCodeByItsDigestOnly(t *testing.T) {
	ring := newRing(t, newStore(t))
	code, ref := sealCode(t, ring, newCode()), newGrant(ring).Ref
	op := grant.Spend(code, ref, time.Now())
	if strings.Contains(op.Key+string(op.Value), code) {
		t.Error("the record holds the code")
	}
	if string(op.Value) != ref.Key() {
		t.Errorf("the record says %q, want the grant's key %q", op.Value, ref.Key())
	}
}

func TestAReplayIsTheKindThatMeansConsumed(t *testing.T) {
	if got := fault.KindOf(grant.ErrReplayed()); got != fault.Consumed {
		t.Errorf("KindOf(ErrReplayed) = %v, want consumed", got)
	}
}

func TestEveryCodeBeginsAGrantOfItsOwn(t *testing.T) {
	a, b := grant.NewCode("subject", "session"), grant.NewCode("subject", "session")
	if a.Ref.ID == b.Ref.ID || a.Ref.ID == "" {
		t.Errorf("two codes name the grants %q and %q", a.Ref.ID, b.Ref.ID)
	}
	if a.Ref.Subject != "subject" || a.Ref.SessionID != "session" {
		t.Errorf("Ref = %+v", a.Ref)
	}
}
