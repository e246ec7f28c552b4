package keys_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/keys"
)

func TestRotateHasTheSuccessorSignOncePublishedLongEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, &storage{}, policy, keys.EdDSA, keys.ES256)
		stop := run(t, r)
		time.Sleep(time.Hour)
		old := keysOf(r, keys.EdDSA, keys.Active)[0]

		rotated, err := r.Rotate(t.Context(), keys.EdDSA)
		if err != nil || len(rotated) != 1 {
			t.Fatalf("Rotate = %v, %v", rotated, err)
		}
		k := rotated[0]
		if k.State != keys.Next || !k.Activates.Equal(time.Now().Add(policy.Publish)) {
			t.Errorf("Rotate = %v, want one that signs in %s", k, policy.Publish)
		}
		time.Sleep(policy.Publish / 2)
		again, err := r.Rotate(t.Context(), keys.EdDSA)
		if err != nil || again[0] != k {
			t.Errorf("rotating again = %v, %v; want the same %v", again, err, k)
		}
		time.Sleep(policy.Publish/2 - 1)
		if h, _, _ := r.Verify(sign(t, r, keys.EdDSA)); h.Kid != old.ID {
			t.Errorf("signed by %s before its time", h.Kid)
		}
		time.Sleep(1)
		synctest.Wait()
		if h, _, _ := r.Verify(sign(t, r, keys.EdDSA)); h.Kid != k.ID {
			t.Errorf("signed by %s, want %s", h.Kid, k.ID)
		}
		if n := len(r.List()); n != 3 {
			t.Errorf("%d keys, want the old one, the new one, and the other algorithm's", n)
		}
		time.Sleep(policy.Linger)
		synctest.Wait()
		if n := len(r.List()); n != 2 {
			t.Errorf("%d keys after Linger, want 2", n)
		}
		stop()
	})
}

func TestRotateWithoutAlgorithmsMeansThoseInUse(t *testing.T) {
	r := open(t, &storage{}, policy, keys.EdDSA)
	if err := r.Ensure(t.Context(), keys.ES256); err != nil {
		t.Fatal(err)
	}
	rotated, err := r.Rotate(t.Context())
	if err != nil || len(rotated) != 2 || rotated[0].Algorithm != keys.ES256 || rotated[1].Algorithm != keys.EdDSA {
		t.Errorf("Rotate = %v, %v; want a key of ES256 and of EdDSA", rotated, err)
	}
	if _, err := r.Rotate(t.Context(), "HS256"); !errors.Is(err, keys.ErrAlgorithm) {
		t.Errorf("Rotate HS256 = %v, want ErrAlgorithm", err)
	}
}

func TestRotateGivesAnUnusedAlgorithmItsFirstKey(t *testing.T) {
	r := open(t, &storage{}, policy)
	rotated, err := r.Rotate(t.Context(), keys.EdDSA)
	if err != nil || len(rotated) != 1 || rotated[0].State != keys.Active {
		t.Errorf("Rotate = %v, %v; want one active key", rotated, err)
	}
}

func TestRotatePullsForwardAKeyPlannedUnderAMorePatientPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &storage{}
		patient := policy
		patient.Publish = 6 * time.Hour
		r := open(t, s, patient, keys.EdDSA)
		planned, err := r.Rotate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		hasty := open(t, s, policy, keys.EdDSA)
		rotated, err := hasty.Rotate(t.Context())
		if err != nil || rotated[0].ID != planned[0].ID {
			t.Fatalf("Rotate = %v, %v; want the key that is there", rotated, err)
		}
		if want := planned[0].Created.Add(policy.Publish); !rotated[0].Activates.Equal(want) {
			t.Errorf("it signs at %s, want %s", rotated[0].Activates, want)
		}
		time.Sleep(time.Hour)
		if rotated, err = hasty.Rotate(t.Context()); err != nil || rotated[0].State != keys.Active {
			t.Errorf("after Publish: Rotate = %v, %v; want it active", rotated, err)
		}
	})
}

func TestACompromisedKeyIsDeadAtOnceAndAnotherSigns(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, r *keys.Ring){
		"alone":            func(*testing.T, *keys.Ring) {},
		"with a successor": func(t *testing.T, r *keys.Ring) { mustRotate(t, r) },
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, &storage{}, policy, keys.EdDSA)
			prepare(t, r)
			token := sign(t, r, keys.EdDSA)
			stolen := keysOf(r, keys.EdDSA, keys.Active)[0]
			got, err := r.Compromise(t.Context(), stolen.ID)
			if err != nil || got != stolen {
				t.Errorf("Compromise = %v, %v; want %v", got, err, stolen)
			}
			if n := len(keysOf(r, keys.EdDSA, keys.Active)); n != 1 {
				t.Errorf("%d active keys, want 1", n)
			}
			if _, _, err := r.Verify(token); !errors.Is(err, keys.ErrUnknownKey) {
				t.Errorf("what it signed: Verify = %v, want ErrUnknownKey", err)
			}
			if bytes.Contains(r.JWKS().Body, []byte(stolen.ID)) {
				t.Error("it is still published")
			}
			if _, _, err := r.Verify(sign(t, r, keys.EdDSA)); err != nil || len(r.List()) != 1 {
				t.Errorf("its successor: Verify = %v, with %d keys", err, len(r.List()))
			}
			if _, err := r.Compromise(t.Context(), stolen.ID); !errors.Is(err, keys.ErrUnknownKey) {
				t.Errorf("a second time: %v, want ErrUnknownKey", err)
			}
		})
	}
}

func mustRotate(t *testing.T, r *keys.Ring) keys.Key {
	t.Helper()
	rotated, err := r.Rotate(t.Context(), keys.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	return rotated[0]
}

func TestWhileTheStorageIsAwayTheRingSignsOnAndLateStepsKeepTheirNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &storage{}
		r, err := keys.Open(t.Context(), s, sealerOf(t, 1), policy, slog.New(slog.NewTextHandler(&log, nil)), keys.EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, r)
		synctest.Wait()
		first := r.List()[0]
		s.away.Store(true)
		s.cutOff()
		time.Sleep(5 * 24 * time.Hour) // four days beyond the end of its life
		synctest.Wait()
		if h, _, err := r.Verify(sign(t, r, keys.EdDSA)); err != nil || h.Kid != first.ID {
			t.Errorf("signed by %s, %v; want the key it had", h.Kid, err)
		}
		if n := bytes.Count(log.Bytes(), []byte("cut off")); n < 5*24*45 || n > 5*24*65 {
			t.Errorf("%d attempts in 5 days, want about one a minute", n)
		}
		s.away.Store(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		late := keysOf(r, keys.EdDSA, keys.Next)
		if len(late) != 1 || late[0].Activates.Sub(late[0].Created) != policy.Publish {
			t.Fatalf("next keys = %v, want one that signs %s after it was made", late, policy.Publish)
		}
		time.Sleep(policy.Publish)
		synctest.Wait()
		if h, _, err := r.Verify(sign(t, r, keys.EdDSA)); err != nil || h.Kid != late[0].ID {
			t.Errorf("signed by %s, %v; want %s", h.Kid, err, late[0].ID)
		}
		stop()
	})
}

func TestANodeFollowsWhatAnotherChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &storage{}
		a, b := open(t, s, policy, keys.EdDSA), open(t, s, policy, keys.EdDSA)
		stop := run(t, b)
		synctest.Wait()
		k := mustRotate(t, a)
		synctest.Wait() // no time passes
		if got := keysOf(b, keys.EdDSA, keys.Next); len(got) != 1 || got[0] != k {
			t.Errorf("the other node's next keys = %v, want %v", got, k)
		}
		// A lost subscription costs a moment, and what happened in it is found.
		s.cutOff()
		if _, err := a.Compromise(t.Context(), k.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := keysOf(b, keys.EdDSA, keys.Next); len(got) != 0 {
			t.Errorf("after a lost subscription the other node's next keys = %v, want none", got)
		}
		stop()
	})
}

func TestARingIsRunOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, &storage{}, policy, keys.EdDSA)
		stop := run(t, r)
		synctest.Wait()
		if err := r.Run(t.Context()); !errors.Is(err, keys.ErrRunning) {
			t.Errorf("Run = %v, want ErrRunning", err)
		}
		stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Run(ctx); err != nil {
			t.Errorf("once the first has stopped: Run = %v", err)
		}
	})
}

func TestAWrongStoredRingDoesNotDisturbTheOneInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, other := &storage{}, &storage{}
		r := open(t, s, policy, keys.EdDSA)
		if _, err := keys.Open(t.Context(), other, sealerOf(t, 9), policy, nil, keys.EdDSA); err != nil {
			t.Fatal(err)
		}
		stop := run(t, r)
		synctest.Wait()
		s.write(t, other.read(t)) // sealed under a key-encryption key that this ring lacks
		s.cutOff()
		time.Sleep(time.Hour)
		if _, _, err := r.Verify(sign(t, r, keys.EdDSA)); err != nil {
			t.Error(err)
		}
		if got, want := s.read(t).Keys[0].ID, other.read(t).Keys[0].ID; got != want {
			t.Error("it was written over")
		}
		stop()
	})
}

// hanging never answers a Load while it hangs.
type hanging struct {
	*storage
	hangs atomic.Bool
}

func (h *hanging) Load(ctx context.Context) ([]byte, uint64, error) {
	if h.hangs.Load() {
		<-ctx.Done()
		return nil, 0, ctx.Err()
	}
	return h.storage.Load(ctx)
}

func TestAStorageThatHangsIsGivenUpAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hanging{storage: &storage{}}
		r := open(t, h, policy, keys.EdDSA)
		stop := run(t, r)
		synctest.Wait()
		h.hangs.Store(true)
		time.Sleep(policy.Lifetime) // the successor's time comes and goes
		h.hangs.Store(false)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if got := keysOf(r, keys.EdDSA, keys.Next); len(got) != 1 {
			t.Errorf("next keys = %v, want one", got)
		}
		stop()
	})
}
