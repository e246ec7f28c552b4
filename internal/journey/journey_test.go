package journey_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/journey"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store/boltstore"
)

func newRing(t testing.TB) *seal.Ring {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	box, err := seal.NewBox(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.OpenRing(context.Background(), s, box, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ring.Close()
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return ring
}

func sealed(t testing.TB, ring *seal.Ring, j journey.Journey) string {
	t.Helper()
	text, err := j.Seal(ring)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// wantRefused checks that the person is told what to do, and sees no cause.
func wantRefused(t *testing.T, got journey.Journey, err error) {
	t.Helper()
	field, message := fault.Public(err)
	if fault.KindOf(err) != fault.Invalid || field != "journey" || message == "" {
		t.Errorf("Open = %+v, %v, want fault.Invalid on journey", got, err)
	}
}

func TestAJourneyComesBackAsItLeft(t *testing.T) {
	ring := newRing(t)
	j := journey.Begin(url.Values{"client_id": {"orders"}, "state": {"ü \x00"}, "resource": {"a", "b"}}, "binding", time.Now())
	j.SignedIn, j.Refused = "alice", "access_denied"
	j.Agreed = &journey.Agreement{Subject: "alice", Scopes: []string{"openid"}}
	got, err := journey.Open(ring, sealed(t, ring, j), "binding")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(j, got); diff != "" {
		t.Errorf("the journey changed on its way (-left +returned):\n%s", diff)
	}
	if got.ClientID() != "orders" {
		t.Errorf("ClientID = %q", got.ClientID())
	}
}

// The journey is its own CSRF token: an attacker can begin one and post it from
// the victim's browser, but not with the attacker's cookie.
func TestAJourneyOpensOnlyInTheBrowserItBeganIn(t *testing.T) {
	ring := newRing(t)
	text := sealed(t, ring, journey.Begin(nil, "binding", time.Now()))
	for _, binding := range []string{"", "another", "binding ", "Binding"} {
		got, err := journey.Open(ring, text, binding)
		wantRefused(t, got, err)
	}
}

func TestWithoutACookieNoJourneyOpensNotEvenOneBegunWithoutOne(t *testing.T) {
	ring := newRing(t)
	got, err := journey.Open(ring, sealed(t, ring, journey.Begin(nil, "", time.Now())), "")
	wantRefused(t, got, err)
}

func TestAJourneyEndsAfterAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newRing(t)
		j := journey.Begin(nil, "binding", time.Now())
		time.Sleep(50 * time.Minute)
		j.SignedIn = "alice"
		text := sealed(t, ring, j) // a step on the way gives no new hour
		time.Sleep(9 * time.Minute)
		if _, err := journey.Open(ring, text, "binding"); err != nil {
			t.Errorf("after 59 minutes: %v", err)
		}
		time.Sleep(time.Minute)
		got, err := journey.Open(ring, text, "binding")
		wantRefused(t, got, err)
		if !errors.Is(err, seal.ErrExpired) {
			t.Errorf("the cause for the log is %v, want ErrExpired", err)
		}
	})
}

// Whoever could make a journey would be signed in as anybody, on paper.
func TestWhatWeDidNotSealAsAJourneyIsNone(t *testing.T) {
	ring := newRing(t)
	plain := fmt.Appendf(nil, `{"r":{},"t":%q,"b":"","s":"alice"}`, time.Now().Format(time.RFC3339))
	code, err := ring.Seal("code", plain, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":         "",
		"plain text":      string(plain),
		"a code":          code,
		"one letter more": sealed(t, ring, journey.Begin(nil, "binding", time.Now())) + "A",
		"a line break":    sealed(t, ring, journey.Begin(nil, "binding", time.Now())) + "\n",
		"another issuer":  sealed(t, newRing(t), journey.Begin(nil, "binding", time.Now())),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := journey.Open(ring, text, "binding")
			wantRefused(t, got, err)
			if got.SignedIn != "" {
				t.Errorf("SignedIn = %q", got.SignedIn)
			}
		})
	}
}
