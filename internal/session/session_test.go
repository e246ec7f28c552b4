package session_test

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

func newStore(t testing.TB) store.Store {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}

// policy is an idle hour within a working day.
var policy = session.Policy{Idle: time.Hour, Absolute: 10 * time.Hour}

func signIn(at time.Time) authn.Result { return authn.New(ident.New(), at, authn.AMRPassword) }

func put(t *testing.T, s store.Store, p session.Policy, sess session.Session) {
	t.Helper()
	op, err := p.Put(sess)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), op); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func get(t *testing.T, s store.Store, h session.Handle) (session.Session, bool) {
	t.Helper()
	recs, err := s.Get(t.Context(), h.Key())
	if err != nil {
		t.Fatal(err)
	}
	return h.Open(recs[0])
}

func TestTheCookieOpensTheSessionThatWasBegun(t *testing.T) {
	s := newStore(t)
	who := signIn(time.Now())
	begun, handle := policy.Begin(who, session.Origin{Address: "192.0.2.1", Agent: "Firefox"})
	put(t, s, policy, begun)
	returned, ok := session.ParseHandle(handle.Cookie())
	if !ok {
		t.Fatal("the cookie does not parse")
	}
	got, ok := get(t, s, returned)
	if !ok {
		t.Fatal("the cookie does not open its session")
	}
	if got.Subject != who.Subject || got.ID != begun.ID || !got.AuthTime.Equal(who.Time) ||
		got.ACR != who.ACR || !slices.Equal(got.AMR, who.AMR) || got.Address != "192.0.2.1" || got.Agent != "Firefox" {
		t.Errorf("got %+v, want %+v", got, begun)
	}
	if got.Version == 0 {
		t.Error("the session has no version: it can't be written back safely")
	}
}

// sid is public: it is in every ID token. Only the secret proves the browser.
func TestTheNameOfASessionIsNotItsProof(t *testing.T) {
	s := newStore(t)
	begun, handle := policy.Begin(signIn(time.Now()), session.Origin{})
	put(t, s, policy, begun)
	raw, err := base64.RawURLEncoding.DecodeString(handle.Cookie())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(secret []byte){
		"one bit is other":   func(secret []byte) { secret[31] ^= 1 },
		"the secret is zero": func(secret []byte) { clear(secret) },
		"the digest is sent": func(secret []byte) { copy(secret, begun.Digest[:]) },
	} {
		guess := slices.Clone(raw)
		change(guess[2*ident.Size:])
		h, ok := session.ParseHandle(base64.RawURLEncoding.EncodeToString(guess))
		if !ok {
			t.Fatal("the guess does not parse")
		}
		if got, ok := get(t, s, h); ok || got.ID != "" {
			t.Errorf("%s: Open = %+v, %t", name, got, ok)
		}
	}
}

func TestACookieOpensOnlyTheRecordItNames(t *testing.T) {
	s := newStore(t)
	alice, aliceHandle := policy.Begin(signIn(time.Now()), session.Origin{})
	_, malloryHandle := policy.Begin(signIn(time.Now()), session.Origin{})
	put(t, s, policy, alice)
	recs, err := s.Get(t.Context(), aliceHandle.Key())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := malloryHandle.Open(recs[0]); ok {
		t.Error("another session's cookie opens the record")
	}
	if _, ok := malloryHandle.Open(store.Record{Key: malloryHandle.Key()}); ok {
		t.Error("a cookie opens a session that is not there")
	}
	if _, ok := aliceHandle.Open(store.Record{Key: aliceHandle.Key(), Value: []byte("{"), Version: 1}); ok {
		t.Error("a cookie opens a damaged record")
	}
}

func TestTheStoreNeverKnowsTheSecret(t *testing.T) {
	begun, handle := policy.Begin(signIn(time.Now()), session.Origin{})
	op, err := policy.Put(begun)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(handle.Cookie())
	if err != nil {
		t.Fatal(err)
	}
	secret := raw[2*ident.Size:]
	for _, form := range []string{string(secret), base64.StdEncoding.EncodeToString(secret), fmt.Sprintf("%x", secret)} {
		if strings.Contains(string(op.Value), form) || strings.Contains(op.Key, form) {
			t.Error("the record holds the cookie's secret")
		}
	}
}

func TestAHandleNeverPrintsItsSecret(t *testing.T) {
	_, handle := policy.Begin(signIn(time.Now()), session.Origin{})
	raw, err := base64.RawURLEncoding.DecodeString(handle.Cookie())
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%o", "%b"} {
		for _, printed := range []string{fmt.Sprintf(verb, handle), fmt.Sprintf(verb, &handle)} {
			if want := "session " + handle.ID; printed != want {
				t.Errorf("%s prints %q, want %q", verb, printed, want)
			}
		}
	}
	if strings.Contains(handle.String(), string(raw[2*ident.Size:])) {
		t.Error("String shows the secret")
	}
}

// A cookie that was planted before the sign-in must not be signed in with it.
func TestSigningInAgainKillsTheOldCookieAndKeepsTheName(t *testing.T) {
	s := newStore(t)
	begun, old := policy.Begin(signIn(time.Now().Add(-time.Minute)), session.Origin{Agent: "Firefox"})
	put(t, s, policy, begun)
	read, ok := get(t, s, old)
	if !ok {
		t.Fatal("the first cookie does not open")
	}
	again := authn.New(begun.Subject, time.Now(), authn.AMRPassword, authn.AMROneTime)
	renewed, fresh := policy.Renew(read, again)
	put(t, s, policy, renewed)
	if _, ok := get(t, s, old); ok {
		t.Error("the old cookie still opens the session")
	}
	got, ok := get(t, s, fresh)
	if !ok {
		t.Fatal("the new cookie does not open the session")
	}
	if got.ID != begun.ID || !got.Created.Equal(begun.Created) || got.Agent != "Firefox" {
		t.Errorf("got %+v, want the same session as %+v", got, begun)
	}
	if !got.AuthTime.Equal(again.Time) || got.ACR != again.ACR || !slices.Equal(got.AMR, again.AMR) {
		t.Errorf("got %+v, want the new authentication %+v", got, again)
	}
}

func TestEverySignInHasItsOwnNameAndSecret(t *testing.T) {
	who := signIn(time.Now())
	names, cookies := map[string]bool{}, map[string]bool{}
	for range 64 {
		s, h := policy.Begin(who, session.Origin{})
		names[s.ID], cookies[h.Cookie()] = true, true
	}
	if len(names) != 64 || len(cookies) != 64 {
		t.Errorf("%d names and %d cookies of 64 sign-ins", len(names), len(cookies))
	}
}

func TestTwoWritersOfOneSessionDoNotOverwriteEachOther(t *testing.T) {
	s := newStore(t)
	begun, h := policy.Begin(signIn(time.Now()), session.Origin{})
	put(t, s, policy, begun)
	read, _ := get(t, s, h)
	put(t, s, policy, read)
	op, err := policy.Put(read) // its version is old now
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), op); err == nil {
		t.Error("a stale session was written")
	}
	op, err = policy.Put(begun)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), op); err == nil {
		t.Error("a new session replaced one of the same name")
	}
}

func TestASessionEndsWhenIdleAndAtItsAbsoluteEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		idle, idleHandle := policy.Begin(signIn(time.Now()), session.Origin{})
		busy, busyHandle := policy.Begin(signIn(time.Now()), session.Origin{})
		put(t, s, policy, idle)
		put(t, s, policy, busy)
		time.Sleep(time.Hour - time.Second)
		if _, ok := get(t, s, idleHandle); !ok {
			t.Error("the idle session ended too early")
		}
		for hour := 1; hour <= 10; hour++ {
			read, ok := get(t, s, busyHandle)
			if !ok {
				t.Fatalf("the session that was used ended in hour %d", hour)
			}
			touched, due := read.Touch(time.Now())
			if !due {
				t.Fatalf("hour %d: not due", hour)
			}
			put(t, s, policy, touched)
			time.Sleep(time.Hour - time.Second)
			if hour == 1 {
				if _, ok := get(t, s, idleHandle); ok {
					t.Error("the idle session did not end")
				}
			}
		}
		time.Sleep(time.Minute)
		if _, ok := get(t, s, busyHandle); ok {
			t.Error("the session outlived its absolute end because it was used")
		}
	})
}

func TestAuthenticatingAgainBeginsANewDay(t *testing.T) {
	begun := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	short := session.Policy{Idle: 20 * time.Hour, Absolute: 10 * time.Hour}
	s, _ := short.Begin(signIn(begun), session.Origin{})
	if got, want := short.Expires(s), begun.Add(10*time.Hour); !got.Equal(want) {
		t.Errorf("Expires = %s, want %s", got, want)
	}
	s, _ = short.Renew(s, authn.New(s.Subject, begun.Add(9*time.Hour), authn.AMRPassword))
	if got, want := short.Expires(s), begun.Add(19*time.Hour); !got.Equal(want) {
		t.Errorf("after a renewal: Expires = %s, want %s", got, want)
	}
}

func TestMostRequestsWriteNothing(t *testing.T) {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	s, _ := policy.Begin(signIn(at), session.Origin{})
	if touched, due := s.Touch(at.Add(59 * time.Second)); due || !touched.Seen.Equal(at) {
		t.Errorf("after 59 s: Touch = %s, %t", touched.Seen, due)
	}
	if touched, due := s.Touch(at.Add(time.Minute)); !due || !touched.Seen.Equal(at.Add(time.Minute)) {
		t.Errorf("after a minute: Touch = %s, %t", touched.Seen, due)
	}
}

func TestAStrangersUserAgentIsCutToMeasure(t *testing.T) {
	s, _ := policy.Begin(signIn(time.Now()), session.Origin{Agent: strings.Repeat("ü", 5000)})
	if len(s.Agent) > 200 || !utf8.ValidString(s.Agent) {
		t.Errorf("%d bytes are kept, valid %t", len(s.Agent), utf8.ValidString(s.Agent))
	}
	if s, _ = policy.Begin(signIn(time.Now()), session.Origin{Agent: "a" + strings.Repeat("ü", 5000)}); !utf8.ValidString(s.Agent) {
		t.Error("a character was cut in two")
	}
}

func TestARecordUnderAForeignKeyIsNoSession(t *testing.T) {
	for _, key := range []string{"session/", "session/alice/1", "session/" + ident.New(), "session/" + ident.New() + "/" + ident.New() + "x"} {
		if got, err := session.Decode(store.Record{Key: key, Value: []byte("{}"), Version: 1}); err == nil {
			t.Errorf("Decode(%q) = %+v, want an error", key, got)
		}
	}
}

// Whatever a browser sends as its cookie, it is spelled as we would spell it, and
// names a key of the one form that sessions have.
func FuzzACookieHasOneSpelling(f *testing.F) {
	_, h := policy.Begin(signIn(time.Now()), session.Origin{})
	cookie := h.Cookie()
	for _, seed := range []string{
		"", cookie, cookie + "\n", cookie[:40] + "\r" + cookie[40:], cookie + "=", cookie[1:], " " + cookie, cookie + "A",
		cookie[:len(cookie)-1] + "+", strings.Repeat("A", len(cookie)), strings.Repeat("_", len(cookie)),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, ok := session.ParseHandle(text)
		if !ok {
			return
		}
		if h.Cookie() != text {
			t.Errorf("%q is read as %q", text, h.Cookie())
		}
		if parts := strings.Split(h.Key(), "/"); len(parts) != 3 || len(parts[1]) != ident.Length || len(parts[2]) != ident.Length {
			t.Errorf("%q names the key %q", text, h.Key())
		}
	})
}
