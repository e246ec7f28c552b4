package assertion_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/assertion"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
)

// publishing is a client that has its keys at its jwks_uri.
func publishing(t testing.TB) client.Client {
	t.Helper()
	c := client.Client{ID: "orders", AuthMethod: client.AuthKeyJWT, JWKSURI: jwksURI}.Complete()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// house is a client, its web server and its judge.
type house struct {
	*web
	t *testing.T
	a *assertion.Authenticator
	c client.Client
}

func newHouse(t *testing.T, signers ...signer) *house {
	w := &web{body: jwks(t, signers...), age: 10 * time.Minute}
	return &house{web: w, t: t, a: newAuthenticator(w), c: publishing(t)}
}

func (h *house) judge(s signer) error {
	h.t.Helper()
	_, err := h.a.Judge(h.t.Context(), h.c, s.assert(h.t, h.c.ID, time.Now(), nil), time.Now())
	return err
}

func (h *house) want(s signer, accepted bool, fetches int) {
	h.t.Helper()
	err := h.judge(s)
	if accepted && err != nil {
		h.t.Errorf("%s: %v", s.kid, err)
	}
	if !accepted {
		wantRefused(h.t, err)
	}
	h.wantAsked(h.t, fetches)
}

func TestPublishedKeysAreFetchedOnceAndKeptAsLongAsTheyMayBe(t *testing.T) {
	for age, kept := range map[time.Duration]time.Duration{
		0: time.Minute, time.Second: time.Minute, 10 * time.Minute: 10 * time.Minute, 365 * 24 * time.Hour: 24 * time.Hour,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSigner(t, "k", "ES256")
			h := newHouse(t, s)
			h.age = age
			h.want(s, true, 1)
			time.Sleep(kept - time.Second)
			h.want(s, true, 1)
			time.Sleep(time.Second)
			h.want(s, true, 2)
		})
	}
}

func TestANewKeyIsFoundAtOnceAndARemovedOneIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := newSigner(t, "old", "ES256"), newSigner(t, "new", "EdDSA")
		h := newHouse(t, old)
		h.want(old, true, 1)
		time.Sleep(time.Minute)
		h.publish(jwks(t, fresh), nil)
		h.want(fresh, true, 2)
		h.want(old, false, 2) // asked for a moment ago
	})
}

// A kid costs nothing to invent.
func TestAnUnknownKidCausesOneFetchInTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, "k", "ES256")
		h := newHouse(t, s)
		h.want(s, true, 1)
		for i := range 100 { // 100 requests in 50 seconds
			unknown := s
			unknown.kid = fmt.Sprint("x", i)
			wantRefused(t, h.judge(unknown))
			if err := h.judge(s); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond)
		}
		h.wantAsked(t, 5) // at 0, 10, 20, 30 and 40 seconds
	})
}

func TestABadSignatureUnderAKnownKidCausesNoFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, thief := newSigner(t, "k", "ES256"), newSigner(t, "k", "ES256")
		h := newHouse(t, s)
		h.want(s, true, 1)
		time.Sleep(time.Minute)
		h.want(thief, false, 1)
	})
}

func TestThoseWhoWaitShareOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, "k", "ES256")
		h := newHouse(t, s)
		h.hold = make(chan struct{})
		// The first one goes away; those behind it still get the keys.
		gone, cancel := context.WithCancel(t.Context())
		raw := s.assert(t, "orders", time.Now(), nil)
		done := make(chan error, 17)
		go func() { _, err := h.a.Judge(gone, h.c, raw, time.Now()); done <- err }()
		synctest.Wait()
		for range 15 {
			go func() { _, err := h.a.Judge(t.Context(), h.c, raw, time.Now()); done <- err }()
		}
		impatient, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { _, err := h.a.Judge(impatient, h.c, raw, time.Now()); left <- err }()
		synctest.Wait()
		cancel()
		leave()
		wantRefused(t, <-left)
		synctest.Wait()
		close(h.hold)
		for range 16 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		h.wantAsked(t, 1)
	})
}

func TestAKnownKeyDoesNotWaitForSomebodysUnknownOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, "k", "ES256")
		h := newHouse(t, s)
		h.want(s, true, 1)
		time.Sleep(time.Minute)
		h.hold = make(chan struct{})
		unknown := s
		unknown.kid = "x"
		done := make(chan error)
		go func() { done <- h.judge(unknown) }()
		synctest.Wait()
		h.want(s, true, 2)
		close(h.hold)
		wantRefused(t, <-done)
	})
}

// The client's own web server is away: its keys are good for another hour, and no
// longer, and nobody is asked more often.
func TestKeysOutliveTheirServerForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, "k", "ES256")
		h := newHouse(t, s)
		h.want(s, true, 1)
		for _, broken := range []struct {
			body []byte
			err  error
		}{{nil, errors.New("away")}, {[]byte("<html>"), nil}, {[]byte(`{"keys":[]}`), nil}} {
			h.publish(broken.body, broken.err)
			time.Sleep(10 * time.Minute)
			if err := h.judge(s); err != nil {
				t.Errorf("%s, %v: %v", broken.body, broken.err, err)
			}
		}
		h.wantAsked(t, 4)
		h.want(s, true, 4)
		time.Sleep(40 * time.Minute) // 70 minutes after the only good answer
		h.want(s, false, 5)
		h.publish(jwks(t, s), nil)
		h.want(s, false, 5)
		time.Sleep(10 * time.Second)
		h.want(s, true, 6)
	})
}

func TestAServerThatNeverAnsweredIsAskedOnceInTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, "k", "ES256")
		h := newHouse(t, s)
		h.publish(nil, fault.New(fault.Denied, "a private address"))
		h.want(s, false, 1)
		time.Sleep(9 * time.Second)
		h.want(s, false, 1)
		time.Sleep(time.Second)
		h.want(s, false, 2)
	})
}

func TestAClientThatMovesItsKeysIsFollowedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, "k", "ES256")
		h := newHouse(t, s)
		h.want(s, true, 1)
		h.c.JWKSURI = "https://orders.example.com/elsewhere"
		h.want(s, false, 2)
		h.c.JWKSURI = jwksURI
		h.want(s, true, 3)
	})
}

func TestOneClientsKeysAreNotAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, other := newSigner(t, "k", "ES256"), newSigner(t, "k", "ES256")
		h := newHouse(t, s)
		h.want(s, true, 1)
		h.publish(jwks(t, other), nil)
		h.c.ID = "billing"
		h.want(other, true, 2)
		h.want(s, false, 2)
		h.c.ID = "orders"
		h.want(other, false, 2)
	})
}

// A set that gives a private key away is nobody's proof any more.
func TestASetWithAPrivateKeyIsRefusedWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, leaked := newSigner(t, "k", "ES256"), newSigner(t, "leaked", "ES256")
		h := newHouse(t, s)
		h.publish(mustJSON(t, object{"keys": []object{s.public(t, nil), leaked.public(t, object{"d": "AAAA"})}}), nil)
		h.want(s, false, 1)
	})
}

func TestAFetchThatPanicsLeavesNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, "k", "ES256")
		a := assertion.New(assertion.Options{Audience: []string{issuer}, Fetch: panicking{}, Box: box{}})
		raw := s.assert(t, "orders", time.Now(), nil)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is swallowed")
				}
			}()
			_, err := a.Judge(t.Context(), publishing(t), raw, time.Now())
			t.Errorf("Judge = %v", err)
		}()
		_, err := a.Judge(t.Context(), publishing(t), raw, time.Now())
		wantRefused(t, err)
	})
}

type panicking struct{}

func (panicking) Fetch(context.Context, string) ([]byte, time.Duration, error) { panic("a bug") }
