package keys_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/signet-id/signet/keys"
)

const (
	day   = 24 * time.Hour
	month = 30 * day
)

// yearly rotates monthly and signs tokens that live for an hour.
var yearly = keys.Policy{Publish: 15 * time.Minute, Lifetime: month, Linger: time.Hour, MaxAge: 10 * time.Minute}

// verifier is a service with somebody else's JOSE library. It fetches the JWKS
// once in each period and never for any other reason, unknown keys included.
type verifier struct {
	period, phase time.Duration
	slot          time.Duration
	set           jwk.Set
}

func (v *verifier) accepts(t *testing.T, r *keys.Ring, since time.Duration, token string) bool {
	t.Helper()
	if slot := (since - v.phase).Truncate(v.period); v.set == nil || slot != v.slot {
		set, err := jwk.Parse(r.JWKS().Body)
		if err != nil {
			t.Fatal(err)
		}
		v.set, v.slot = set, slot
	}
	_, err := jws.Verify([]byte(token), jws.WithKeySet(v.set, jws.WithRequireKid(true)))
	return err == nil
}

// issued is a token out there.
type issued struct {
	token string
	at    time.Duration
}

// live lets ten verifiers, out of step with one another, check tokens for
// a while: fresh ones and ones about to expire, each minute when the ring is about
// to change or just has, else now and then. It returns how many were refused.
func live(t *testing.T, signer, publisher *keys.Ring, cache, span time.Duration) (refused, checked int) {
	t.Helper()
	verifiers := make([]*verifier, 10)
	for i := range verifiers {
		verifiers[i] = &verifier{period: cache, phase: time.Duration(i) * cache / 10}
	}
	began, lastDue := time.Now(), time.Time{}
	var outstanding []issued
	for step := 0; ; step++ {
		since := time.Since(began)
		if since >= span {
			return refused, checked
		}
		for len(outstanding) > 0 && since-outstanding[0].at >= yearly.Linger {
			outstanding = outstanding[1:]
		}
		alg := []keys.Algorithm{keys.ES256, keys.EdDSA}[step%2]
		outstanding = append(outstanding, issued{sign(t, signer, alg), since})
		for _, tok := range []issued{outstanding[0], outstanding[len(outstanding)-1]} {
			checked++
			if !verifiers[(step/2)%10].accepts(t, publisher, since, tok.token) {
				refused++
			}
		}
		due := keys.NextDue(publisher.List(), nil, yearly, time.Now())
		pause := time.Minute
		if time.Until(due) > 20*time.Minute && time.Since(lastDue) > 70*time.Minute {
			pause = min(6*time.Hour, time.Until(due)-20*time.Minute)
		} else if time.Until(due) <= pause {
			lastDue = due
		}
		time.Sleep(pause)
		synctest.Wait()
	}
}

func TestForAYearNoTokenIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &storage{}
		made := make(map[string]bool)
		s.saved = func(doc []byte) {
			for _, k := range parseDoc(t, doc).Keys {
				made[k.ID] = true
			}
		}
		r := open(t, s, yearly, keys.ES256, keys.EdDSA)
		stop := run(t, r)
		refused, checked := live(t, r, r, yearly.MaxAge, 365*day)
		stop()
		if refused != 0 {
			t.Errorf("%d of %d tokens were refused", refused, checked)
		}
		// Born on day 0, then one each month: 13 keys of each algorithm.
		if len(made) != 26 {
			t.Errorf("%d keys were made, want 26", len(made))
		}
		// The ring sleeps until something is due: three steps a month, and the
		// news of its own change after each.
		if n := s.loads.Load(); n > 12*3*2+10 {
			t.Errorf("the storage was read %d times in a year", n)
		}
	})
}

func TestTheYearWouldNoticeAKeyThatSignsTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, &storage{}, yearly, keys.ES256, keys.EdDSA)
		stop := run(t, r)
		refused, _ := live(t, r, r, 2*time.Hour, 2*month)
		stop()
		if refused == 0 {
			t.Error("verifiers that cache for longer than Publish refused no token")
		}
	})
}

func TestTwoNodesMakeOneKeyForOneStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &storage{}
		made := make(map[string]bool)
		s.saved = func(doc []byte) {
			signing := make(map[string]int)
			for _, k := range parseDoc(t, doc).Keys {
				made[k.ID] = true
				if slot := fmt.Sprint(k.Algorithm, k.Activated.IsZero()); k.Retired.IsZero() {
					signing[slot]++
					if signing[slot] > 1 {
						t.Errorf("two keys of %s in one state", k.Algorithm)
					}
				}
			}
		}
		opened := make(chan *keys.Ring, 2)
		for range 2 {
			go func() { opened <- open(t, s, yearly, keys.ES256, keys.EdDSA) }()
		}
		a, b := <-opened, <-opened
		stopA, stopB := run(t, a), run(t, b)
		refused, checked := live(t, a, b, yearly.MaxAge, 100*day)
		if refused != 0 {
			t.Errorf("%d of %d tokens that one node signed were refused by verifiers who ask the other", refused, checked)
		}
		if got, want := string(b.JWKS().Body), string(a.JWKS().Body); got != want || b.JWKS().ETag != a.JWKS().ETag {
			t.Errorf("the nodes publish different sets:\n%s\n%s", got, want)
		}
		stopA()
		stopB()
		if len(made) != 2*4 {
			t.Errorf("%d keys were made in 100 days, want 8", len(made))
		}
	})
}
