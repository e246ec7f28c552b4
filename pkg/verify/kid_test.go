package verify_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

func TestATokenWithAKeyJustPublishedIsAcceptedAfterOneFetch(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		time.Sleep(11 * time.Second)
		next := newSigner(t, verify.ES256, "k2")
		i.with(func(i *issuer) { i.keys = append(i.keys, next) })
		wantAccepted(t, v, next.token(nil))
		if got := i.fetches(); got != 2 {
			t.Errorf("%d fetches, want 2", got)
		}
	})
}

func TestUnknownKidsCauseAtMostOneFetchPerTenSeconds(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.cacheControl = "max-age=86400"
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		for n := range 6000 { // 100 a second, for a minute
			wantRefused(t, v, s.tokenWithHeader(object{"kid": fmt.Sprint("made-up-", n)}), verify.UnknownKey)
			time.Sleep(10 * time.Millisecond)
		}
		if got := i.fetches(); got < 2 || got > 7 {
			t.Errorf("%d fetches within a minute, want at most 1 + 6, and some", got)
		}
	})
}

func TestAnUnknownKidIsRememberedAsUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.cacheControl = "max-age=86400"
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		for range 9 {
			time.Sleep(time.Minute)
			wantRefused(t, v, s.tokenWithHeader(object{"kid": "k9"}), verify.UnknownKey)
		}
		if got := i.fetches(); got != 2 {
			t.Errorf("%d fetches, want 2: the first, and one for k9", got)
		}
	})
}

func TestATokenWithAnUnknownKidWaitsTwoSecondsAtMostAndNobodyElseDoes(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		time.Sleep(11 * time.Second)
		i.with(func(i *issuer) { i.delay = 9 * time.Second })
		var wg sync.WaitGroup
		start := time.Now()
		wg.Go(func() {
			wantRefused(t, v, s.tokenWithHeader(object{"kid": "k9"}), verify.UnknownKey)
			if waited := time.Since(start); waited != 2*time.Second {
				t.Errorf("the token with an unknown kid waited %v, want 2s", waited)
			}
		})
		synctest.Wait()
		wantAccepted(t, v, s.token(nil))
		if waited := time.Since(start); waited != 0 {
			t.Errorf("another token waited %v", waited)
		}
		wg.Wait()
	})
}

func TestATokenWithoutAKidCausesNoFetch(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		time.Sleep(11 * time.Second)
		wantRefused(t, v, s.tokenWithHeader(object{"kid": nil}), verify.UnknownKey)
		if got := i.fetches(); got != 1 {
			t.Errorf("%d fetches, want 1", got)
		}
	})
}

func TestABadSignatureUnderAKnownKidNeverCausesAFetch(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.cacheControl = "max-age=86400"
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		foreign := newSigner(t, verify.EdDSA, s.kid)
		for range 60 {
			time.Sleep(time.Minute)
			wantRefused(t, v, foreign.token(nil), verify.BadSignature)
		}
		if got := i.fetches(); got != 1 {
			t.Errorf("%d fetches, want 1", got)
		}
	})
}

func TestARefusalBeforeTheKeyIsNeededCausesNoFetch(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.delay = time.Second
		v := i.verifier(t)
		start := time.Now()
		wantRefused(t, v, "x.y.z", verify.Malformed)
		wantRefused(t, v, s.tokenWithHeader(object{"typ": "JWT"}), verify.WrongType)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v for keys that play no part", waited)
		}
	})
}
