package keys_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/keys"
)

func TestOpenMakesOneActiveKeyOfEachAlgorithmAndAReopenedRingHasTheSame(t *testing.T) {
	s := &storage{}
	first := open(t, s, policy, keys.EdDSA, keys.ES256)
	var got []string
	for _, k := range first.List() {
		got = append(got, fmt.Sprint(k.Algorithm, " ", k.State))
	}
	if want := []string{"ES256 active", "EdDSA active"}; !slices.Equal(got, want) {
		t.Fatalf("List = %v, want %v", got, want)
	}
	second := open(t, s, policy, keys.EdDSA, keys.ES256)
	if !slices.Equal(second.List(), first.List()) {
		t.Errorf("reopened: %v, want %v", second.List(), first.List())
	}
	if _, _, err := second.Verify(sign(t, first, keys.ES256)); err != nil {
		t.Errorf("the reopened ring refuses what was signed before: %v", err)
	}
}

func TestTheWrongKeyEncryptionKeyIsAClearErrorAndChangesNothing(t *testing.T) {
	s := &storage{}
	open(t, s, policy, keys.ES256)
	doc, version, _ := s.Load(t.Context())
	// RS256 is missing, so that Open would have something to make.
	_, err := keys.Open(t.Context(), s, sealerOf(t, 2), policy, nil, keys.ES256, keys.RS256)
	if !errors.Is(err, keys.ErrSealed) {
		t.Errorf("Open = %v, want ErrSealed", err)
	}
	after, now, _ := s.Load(t.Context())
	if now != version || !bytes.Equal(after, doc) {
		t.Error("the stored ring was changed")
	}
}

func TestPrivateKeysRestSealed(t *testing.T) {
	s := &storage{}
	open(t, s, policy, keys.Algorithms()...)
	doc, _, _ := s.Load(t.Context())
	for _, alg := range keys.Algorithms() {
		_, private := privateKey(t, s, alg)
		plain, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		forms := [][]byte{plain}
		if k, ok := private.(*ecdsa.PrivateKey); ok {
			scalar, err := k.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			forms = append(forms, scalar)
		}
		resting := doc
		for _, k := range s.read(t).Keys {
			resting = append(resting, k.Sealed...)
		}
		for _, secret := range forms {
			tail := secret[len(secret)-24:] // whatever precedes it in an encoding
			encoded := base64.StdEncoding.EncodeToString(secret)
			if bytes.Contains(resting, tail) || bytes.Contains(resting, []byte(encoded)) {
				t.Errorf("the stored ring shows the private key of %s", alg)
			}
		}
	}
}

func TestASealedKeyCannotTakeThePlaceOfAnother(t *testing.T) {
	s := &storage{}
	open(t, s, policy, keys.RS256, keys.PS256)
	doc := s.read(t)
	doc.Keys[0].Sealed, doc.Keys[1].Sealed = doc.Keys[1].Sealed, doc.Keys[0].Sealed
	s.write(t, doc)
	if _, err := keys.Open(t.Context(), s, sealerOf(t, 1), policy, nil); !errors.Is(err, keys.ErrSealed) {
		t.Errorf("Open = %v, want ErrSealed", err)
	}
}

// careless ignores the purpose, as a Sealer must not.
type careless struct{ aesSealer }

func (c careless) Seal(_ string, plain []byte) ([]byte, error)  { return c.aesSealer.Seal("", plain) }
func (c careless) Open(_ string, sealed []byte) ([]byte, error) { return c.aesSealer.Open("", sealed) }

func TestAKeyThatIsNotTheOneItsIDNamesIsRefused(t *testing.T) {
	s, sealer := &storage{}, careless{sealerOf(t, 1)}
	if _, err := keys.Open(t.Context(), s, sealer, policy, nil, keys.RS256, keys.PS256); err != nil {
		t.Fatal(err)
	}
	doc := s.read(t)
	doc.Keys[0].Sealed, doc.Keys[1].Sealed = doc.Keys[1].Sealed, doc.Keys[0].Sealed
	s.write(t, doc)
	if _, err := keys.Open(t.Context(), s, sealer, policy, nil); !errors.Is(err, keys.ErrDamaged) {
		t.Errorf("Open = %v, want ErrDamaged", err)
	}
}

func TestADamagedRingIsRefusedAndLeftAsItIs(t *testing.T) {
	for name, damage := range map[string]func(d *atRest){
		"a format of the future": func(d *atRest) { d.Format++ },
		"two active keys":        func(d *atRest) { d.Keys[1].Activated = time.Now() },
		"one key twice":          func(d *atRest) { d.Keys[1] = d.Keys[0]; d.Keys[1].Retired = time.Now() },
		"an unknown algorithm":   func(d *atRest) { d.Keys[0].Algorithm = "HS256" },
		"a key of another kind":  func(d *atRest) { d.Keys[0].Algorithm = keys.EdDSA },
		"retired, never active":  func(d *atRest) { d.Keys[0].Retired = time.Now(); d.Keys[0].Activated = time.Time{} },
		"made at no time":        func(d *atRest) { d.Keys[0].Created = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			s := &storage{}
			if _, err := open(t, s, policy, keys.ES256).Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
			doc := s.read(t)
			damage(&doc)
			s.write(t, doc)
			before, _, _ := s.Load(t.Context())
			if _, err := keys.Open(t.Context(), s, sealerOf(t, 1), policy, nil, keys.ES256); !errors.Is(err, keys.ErrDamaged) {
				t.Errorf("Open = %v, want ErrDamaged", err)
			}
			if after, _, _ := s.Load(t.Context()); !bytes.Equal(after, before) {
				t.Error("the stored ring was changed")
			}
		})
	}
	s := &storage{memory: memory{doc: []byte("no JSON"), version: 1}}
	if _, err := keys.Open(t.Context(), s, sealerOf(t, 1), policy, nil, keys.ES256); !errors.Is(err, keys.ErrDamaged) {
		t.Errorf("no JSON: Open = %v, want ErrDamaged", err)
	}
}

func TestARingThatVanishesWhileInUseIsNotReplaced(t *testing.T) {
	s := &storage{}
	r := open(t, s, policy, keys.EdDSA)
	s.memory = memory{}
	if _, err := r.Rotate(t.Context()); !errors.Is(err, keys.ErrDamaged) || !strings.Contains(err.Error(), "vanished") {
		t.Errorf("Rotate = %v, want ErrDamaged", err)
	}
	if s.version != 0 {
		t.Error("a new ring was stored over the lost one")
	}
	sign(t, r, keys.EdDSA) // goes on
}

func TestAStorageThatIsAwayIsNoReasonToMakeKeys(t *testing.T) {
	s := &storage{}
	s.away.Store(true)
	if _, err := keys.Open(t.Context(), s, sealerOf(t, 1), policy, nil, keys.ES256); !errors.Is(err, errAway) {
		t.Errorf("Open = %v, want the storage's error", err)
	}
}

func TestAnAlgorithmNobodyNeededGetsItsKeyWhenSomebodyDoes(t *testing.T) {
	s := &storage{}
	r := open(t, s, policy, keys.ES256)
	if got := len(r.List()); got != 1 {
		t.Fatalf("%d keys, want 1", got)
	}
	before := s.loads.Load()
	var all sync.WaitGroup
	for range 8 { // at once, and yet one key
		all.Go(func() {
			if _, err := r.Sign(t.Context(), keys.RS256, "JWT", []byte("{}")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := len(keysOf(r, keys.RS256, keys.Active)); got != 1 || len(s.read(t).Keys) != 2 {
		t.Errorf("%d keys of RS256, %d at rest; want 1 and 2", got, len(s.read(t).Keys))
	}
	if got := s.loads.Load() - before; got != 1 {
		t.Errorf("the storage was read %d times for one key", got)
	}
	for _, alg := range []keys.Algorithm{"HS256", "none", ""} {
		if _, err := r.Sign(t.Context(), alg, "JWT", nil); !errors.Is(err, keys.ErrAlgorithm) {
			t.Errorf("Sign with %q = %v, want ErrAlgorithm", alg, err)
		}
		if err := r.Ensure(t.Context(), alg); !errors.Is(err, keys.ErrAlgorithm) {
			t.Errorf("Ensure %q = %v, want ErrAlgorithm", alg, err)
		}
	}
}

func TestSigningNeverAsksTheStorage(t *testing.T) {
	s := &storage{}
	r := open(t, s, policy, keys.EdDSA)
	before := s.loads.Load()
	s.away.Store(true)
	if _, _, err := r.Verify(sign(t, r, keys.EdDSA)); err != nil {
		t.Error(err)
	}
	if got := s.loads.Load(); got != before {
		t.Errorf("%d loads", got-before)
	}
}

func TestWhoeverWaitsForTheStorageCanGiveUp(t *testing.T) {
	r := open(t, &storage{}, policy, keys.EdDSA)
	ctx, cancel := context.WithCancel(t.Context())
	release, err := r.TakeTurn(ctx) // somebody else's storage call hangs
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	cancel()
	if err := r.Ensure(ctx, keys.ES256); !errors.Is(err, context.Canceled) {
		t.Errorf("Ensure = %v, want canceled", err)
	}
}

// contested lets another node win the first n races.
type contested struct {
	*storage
	n int
}

func (c *contested) Save(ctx context.Context, doc []byte, version uint64) (uint64, error) {
	if c.n--; c.n >= 0 {
		return 0, fmt.Errorf("saving: %w", keys.ErrConflict)
	}
	return c.storage.Save(ctx, doc, version)
}

func TestAConflictIsRetriedButNotForEver(t *testing.T) {
	if r := open(t, &contested{&storage{}, 3}, policy, keys.EdDSA); len(r.List()) != 1 {
		t.Errorf("%d keys, want 1", len(r.List()))
	}
	_, err := keys.Open(t.Context(), &contested{&storage{}, 1000}, sealerOf(t, 1), policy, nil, keys.EdDSA)
	if err == nil || errors.Is(err, keys.ErrConflict) {
		t.Errorf("Open = %v, want an error that is no ErrConflict", err)
	}
}

func TestNothingOfTheRingPrintsASecret(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	s := &storage{}
	r, err := keys.Open(t.Context(), s, sealerOf(t, 1), policy, logger, keys.EdDSA, keys.ES256)
	if err != nil {
		t.Fatal(err)
	}
	logger.Info("all", "ring", r, "list", r.List(), "held", r.Held())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb, r, r.List(), r.Held())
	}
	if !strings.Contains(log.String(), "action=create alg=EdDSA") {
		t.Error("the log does not tell that a key was made")
	}
	for _, alg := range []keys.Algorithm{keys.EdDSA, keys.ES256} {
		_, private := privateKey(t, s, alg)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			if form := fmt.Sprintf(verb, private); strings.Contains(log.String(), strings.Trim(form, "[]&{}")) {
				t.Errorf("the log shows the private key of %s as %s", alg, verb)
			}
		}
	}
}

// A node that heard nothing of a rotation finds the key when it looks for it.
func TestARefreshedRingKnowsTheKeysThatOthersMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &storage{}
		ours, theirs := open(t, s, policy, keys.ES256), open(t, s, policy, keys.ES256)
		if err := ours.Refresh(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		all, err := theirs.Rotate(t.Context(), keys.ES256)
		if err != nil {
			t.Fatal(err)
		}
		made := all[0]
		if ours.Holds(made.ID) {
			t.Fatal("the ring follows by itself")
		}
		if err := ours.Refresh(t.Context(), time.Second); err != nil || ours.Holds(made.ID) {
			t.Errorf("Refresh = %v, and it read again what is no second old", err)
		}
		time.Sleep(time.Second)
		if err := ours.Refresh(t.Context(), time.Second); err != nil || !ours.Holds(made.ID) {
			t.Errorf("Refresh = %v, and the ring does not hold the key", err)
		}
	})
}
