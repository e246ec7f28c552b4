package grant_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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

func openCode(t testing.TB, ring *seal.Ring, code string) grant.Code {
	t.Helper()
	c, err := grant.OpenCode(ring, code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACodeSaysAllThatItWasIssuedFor(t *testing.T) {
	ring := newRing(t, newStore(t))
	c := newCode()
	got := openCode(t, ring, sealCode(t, ring, c))
	if diff := cmp.Diff(c, got, cmpopts.IgnoreUnexported(grant.Code{})); diff != "" {
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
	const plain = "\x08\x01\x10\xff\xff\xff\xff\x0f\x3a\x06orders"
	asJourney, err := ring.Seal("journey", []byte(plain), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	code := sealCode(t, ring, newCode())
	for name, text := range map[string]string{
		"nothing": "", "plain text": plain, "a journey": asJourney, "cut": code[:len(code)-4],
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
	code := openCode(t, ring, sealCode(t, ring, newCode()))
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
			_, err = s.Commit(t.Context(), code.Spend(), put)
			var conflict *store.ConflictError
			switch {
			case err == nil:
				won.Add(1)
			case errors.As(err, &conflict) && conflict.Key == code.SpentKey():
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

// What is sealed has one spelling, so that no log or filter that compares texts
// takes a second one for another code.
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
		code := openCode(t, ring, sealCode(t, ring, newCode()))
		if _, err := s.Commit(t.Context(), code.Spend()); err != nil {
			t.Fatal(err)
		}
		// A node whose clock is a minute behind opens it for a minute more.
		time.Sleep(grant.CodeLifetime + time.Minute)
		if _, err := s.Commit(t.Context(), code.Spend()); !errors.Is(err, store.ErrConflict) {
			t.Errorf("two minutes later: Commit = %v, want ErrConflict", err)
		}
		time.Sleep(10 * time.Minute)
		recs, err := s.Get(t.Context(), code.SpentKey())
		if err != nil {
			t.Fatal(err)
		}
		if recs[0].Exists() {
			t.Error("the spent code is kept for ever")
		}
	})
}

// A node that is elsewhere, with another ring in memory and another clock, must
// meet what this one wrote: the key follows from the code alone.
func TestACodeIsSpentUnderOneKeyWhereverAndWheneverItIsOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		ring := newRing(t, s)
		code := sealCode(t, ring, newCode())
		first, other := openCode(t, ring, code), openCode(t, ring, sealCode(t, ring, newCode()))
		time.Sleep(grant.CodeLifetime - time.Second)
		later := openCode(t, newRing(t, s), code)
		if first.SpentKey() != later.SpentKey() || first.SpentKey() == "" {
			t.Errorf("the code is spent under %q, and later under %q", first.SpentKey(), later.SpentKey())
		}
		a, b := first.Spend(), later.Spend()
		if !a.Expires.Equal(b.Expires) || !a.Guarded || a.Must != 0 {
			t.Errorf("the ops differ: %+v and %+v", a, b)
		}
		if other.SpentKey() == first.SpentKey() {
			t.Error("two codes are spent under one key")
		}
	})
}

// What is written at about the same time lies together and leaves together, so
// that redeeming touches few pages of a store that has millions of codes.
func TestCodesAreSpentSideBySideInTheOrderOfTheirMaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newRing(t, newStore(t))
		const moment = len("code/0123456789ab")
		last, leave := "", map[time.Time]bool{}
		for range 200 {
			ours := newCode()
			op, beside := openCode(t, ring, sealCode(t, ring, ours)).Spend(), newCode()
			over := time.Now().Truncate(time.Second).Add(grant.CodeLifetime)
			if margin := op.Expires.Sub(over); margin < 4*time.Minute || margin >= 5*time.Minute {
				t.Errorf("a code that is over at %v is remembered for %v more", over, margin)
			}
			other := openCode(t, ring, sealCode(t, ring, beside)).SpentKey()
			if op.Key[:moment] != other[:moment] || op.Key == other {
				t.Errorf("codes of one moment are spent under %q and %q", op.Key, other)
			}
			if op.Key <= last {
				t.Errorf("%q comes after %q", op.Key, last)
			}
			last, leave[op.Expires] = op.Key, true
			time.Sleep(1700 * time.Millisecond)
		}
		// 200 codes over 340 seconds.
		if len(leave) < 6 || len(leave) > 7 {
			t.Errorf("the codes of six minutes leave at %d times", len(leave))
		}
	})
}

// Without its time a code would be spent somewhere for no time at all, and could
// be redeemed again.
func TestACodeThatDoesNotSayWhenItIsOverIsNotOpened(t *testing.T) {
	ring := newRing(t, newStore(t))
	for name, plain := range map[string]string{
		"no time": "\x08\x01\x3a\x01c", "a time too far": "\x08\x01\x10\xff\xff\xff\xff\xff\xff\x01", "JSON": `{"c":"orders"}`, "nothing": "",
	} {
		sealed, err := ring.Seal("code", []byte(plain), time.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if c, err := grant.OpenCode(ring, sealed); err == nil || c.ClientID != "" {
			t.Errorf("%s: OpenCode = %+v, %v, want an error", name, c, err)
		}
	}
}

func TestACodeThatNamesNoGrantIsNotOpened(t *testing.T) {
	ring := newRing(t, newStore(t))
	for _, id := range []string{"", "short", ident.New() + "A"} {
		c := newCode()
		c.Ref.ID = id
		if got, err := grant.OpenCode(ring, sealCode(t, ring, c)); err == nil || got.ClientID != "" {
			t.Errorf("%q: OpenCode = %+v, %v, want an error", id, got, err)
		}
	}
}

// A code that was not opened names no place: spending it must not succeed.
func TestACodeThatWasNotOpenedIsNotSpent(t *testing.T) {
	if _, err := newStore(t).Commit(t.Context(), newCode().Spend()); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Commit = %v, want a refusal", err)
	}
}

func TestTheStoreKnowsASpentCodeByItsGrantOnly(t *testing.T) {
	ring, ours := newRing(t, newStore(t)), newCode()
	code := sealCode(t, ring, ours)
	op := openCode(t, ring, code).Spend()
	if strings.Contains(op.Key+string(op.Value), code) {
		t.Error("the record holds the code")
	}
	if string(op.Value) != ours.Ref.Key() {
		t.Errorf("the record says %q, want the grant's key %q", op.Value, ours.Ref.Key())
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
