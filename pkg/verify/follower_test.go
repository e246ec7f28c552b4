package verify_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// bubble runs f in virtual time with an issuer of one key.
func bubble(t *testing.T, f func(t *testing.T, i *issuer, s *signer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, verify.EdDSA, "k1")
		f(t, newIssuer(s), s)
	})
}

func TestNewAsksTheIssuerNothing(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, _ *signer) {
		i.verifier(t)
		time.Sleep(time.Hour)
		if len(i.requests) != 0 {
			t.Errorf("requests: %v, want none", i.requests)
		}
	})
}

func TestAServiceStartsWithoutTheIssuerAndServesOnceItIsBack(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.down = true
		v := i.verifier(t)
		wantRefused(t, v, s.token(nil), verify.KeysUnavailable)
		if v.Ready() {
			t.Error("Ready without keys")
		}
		time.Sleep(time.Hour)
		i.with(func(i *issuer) { i.down = false })
		time.Sleep(30 * time.Second) // the longest back-off
		if !v.Ready() {
			t.Error("not Ready half a minute after the issuer is back")
		}
		wantAccepted(t, v, s.token(nil))
	})
}

func TestReadinessProbesAloneGetTheKeysFetched(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, _ *signer) {
		i.delay = time.Second
		v := i.verifier(t)
		if v.Ready() {
			t.Error("Ready before anything was fetched")
		}
		if got := v.Staleness(); got < 1000*time.Hour {
			t.Errorf("Staleness = %v before any key was heard of, want forever", got)
		}
		time.Sleep(5 * time.Second) // two documents
		if !v.Ready() {
			t.Error("not Ready after the fetch")
		}
		time.Sleep(time.Minute - 3*time.Second)
		if got := v.Staleness(); got != time.Minute {
			t.Errorf("Staleness = %v, want 1m", got)
		}
	})
}

func TestTheFirstRequestsShareOneFetch(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.delay = time.Second
		v := i.verifier(t)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { wantAccepted(t, v, s.token(nil)) })
		}
		wg.Wait()
		if most := i.read(&i.most); i.fetches() != 1 || most != 1 {
			t.Errorf("%d fetches, %d at once, want 1 and 1", i.fetches(), most)
		}
	})
}

func TestTheFirstRequestWaitsNoLongerThanItsContext(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.delay = 5 * time.Second
		v := i.verifier(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := v.Verify(ctx, s.token(nil))
		if !errors.Is(err, verify.KeysUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Verify: %v, want KeysUnavailable because of the deadline", err)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v, want 1s", waited)
		}
	})
}

func TestBetweenFailedFetchesRequestsDoNotWait(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.down = true
		v := i.verifier(t)
		wantRefused(t, v, s.token(nil), verify.KeysUnavailable)
		time.Sleep(10 * time.Millisecond)
		start := time.Now()
		wantRefused(t, v, s.token(nil), verify.KeysUnavailable)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v, want not at all", waited)
		}
	})
}

func TestARequestNeverWaitsForARefresh(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		i.with(func(i *issuer) { i.delay = 9 * time.Second })
		for range 2000 {
			time.Sleep(time.Second)
			start := time.Now()
			wantAccepted(t, v, s.token(nil))
			if waited := time.Since(start); waited != 0 {
				t.Fatalf("waited %v", waited)
			}
		}
		if got := i.fetches(); got < 3 {
			t.Errorf("%d fetches in 33 minutes: the refreshes did not happen", got)
		}
	})
}

func TestKeysServeStaleForADayAndNoLonger(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		v := i.verifier(t)
		remembered := s.token(object{"exp": time.Now().Add(100 * time.Hour).Unix()})
		wantAccepted(t, v, remembered)
		i.with(func(i *issuer) { i.down = true })
		time.Sleep(24 * time.Hour)
		wantAccepted(t, v, s.token(nil))
		wantAccepted(t, v, remembered)
		if !v.Ready() {
			t.Error("not Ready while stale keys serve")
		}
		time.Sleep(time.Second)
		wantRefused(t, v, s.token(nil), verify.KeysUnavailable)
		wantRefused(t, v, remembered, verify.KeysUnavailable)
		if v.Ready() {
			t.Error("Ready with keys too stale to serve")
		}
		i.with(func(i *issuer) { i.down = false })
		time.Sleep(30 * time.Second)
		wantAccepted(t, v, remembered)
	})
}

func TestARemovedKeyIsDeadAndSoAreItsRememberedTokens(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, old *signer) {
		v := i.verifier(t)
		raw := old.token(object{"exp": time.Now().Add(time.Hour).Unix()})
		wantAccepted(t, v, raw)
		successor := newSigner(t, verify.ES256, "k2")
		i.with(func(i *issuer) { i.keys = []*signer{successor} })
		time.Sleep(10 * time.Minute)
		wantRefused(t, v, raw, verify.UnknownKey)
		wantRefused(t, v, old.token(nil), verify.UnknownKey)
		wantAccepted(t, v, successor.token(nil))
	})
}

func TestAKeyReplacedUnderItsNameIsDead(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, old *signer) {
		v := i.verifier(t)
		raw := old.token(object{"exp": time.Now().Add(time.Hour).Unix()})
		wantAccepted(t, v, raw)
		i.with(func(i *issuer) { i.keys = []*signer{newSigner(t, verify.EdDSA, old.kid)} })
		time.Sleep(10 * time.Minute)
		wantRefused(t, v, raw, verify.BadSignature)
	})
}

func TestAKeyRepublishedForAnotherAlgorithmIsAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := newSigner(t, verify.RS256, "k1")
		after := &signer{kid: "k1", alg: verify.PS256, key: before.key}
		i := newIssuer(before)
		v := i.verifier(t)
		raw := before.token(object{"exp": time.Now().Add(time.Hour).Unix()})
		wantAccepted(t, v, raw)
		i.with(func(i *issuer) { i.keys = []*signer{after} })
		time.Sleep(10 * time.Minute)
		wantRefused(t, v, raw, verify.AlgorithmRefused)
		wantAccepted(t, v, after.token(nil))
	})
}

func TestAnEmptyKeySetKillsEveryToken(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		i.with(func(i *issuer) { i.keys = nil })
		time.Sleep(10 * time.Minute)
		wantRefused(t, v, s.token(nil), verify.UnknownKey)
	})
}

func TestCloseEndsTheGoroutineAndEveryTokenIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		v := i.verifier(t)
		raw := s.token(nil)
		wantAccepted(t, v, raw)
		v.Close()
		v.Close()
		before := i.fetches()
		time.Sleep(time.Hour) // synctest itself fails the test if a goroutine is left
		if i.fetches() != before {
			t.Error("fetches go on after Close")
		}
		wantRefused(t, v, raw, verify.KeysUnavailable)
		if v.Ready() {
			t.Error("Ready after Close")
		}
	})
}

func TestCloseReleasesWhoWaitsForTheFirstFetch(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.delay = time.Hour
		v := i.verifier(t)
		var wg sync.WaitGroup
		wg.Go(func() { wantRefused(t, v, s.token(nil), verify.KeysUnavailable) })
		synctest.Wait()
		start := time.Now()
		v.Close()
		wg.Wait()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Close took %v", waited)
		}
	})
}

func TestCloseBeforeTheFirstUseIsFine(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		v := i.verifier(t)
		v.Close()
		wantRefused(t, v, s.token(nil), verify.KeysUnavailable)
		if len(i.requests) != 0 {
			t.Error("a closed verifier asks the issuer")
		}
	})
}

func TestAVirtualYearOfRotationsIsCheap(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.etags = true
		v := i.verifier(t)
		start := time.Now()
		for day := range 365 {
			if day%30 == 0 {
				i.with(func(i *issuer) {
					s = newSigner(t, verify.EdDSA, fmt.Sprint("day-", day))
					i.keys = append(i.keys[max(0, len(i.keys)-1):], s)
				})
				time.Sleep(10 * time.Minute)
			}
			wantAccepted(t, v, s.token(nil))
			time.Sleep(24 * time.Hour)
		}
		if got := time.Since(start); got < 365*24*time.Hour {
			t.Errorf("only %v have passed", got)
		}
	})
}
