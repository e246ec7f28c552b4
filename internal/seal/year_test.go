package seal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store"
)

func TestAYearOfRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		a, b := openRing(t, s), openRing(t, s) // two nodes
		runRing(t, a)
		runRing(t, b)
		until := time.Now().Add(2 * 365 * day)
		type old struct {
			sealed string
			key    seal.KeyID
			mac    [32]byte
		}
		var kept []old
		ids := map[seal.KeyID]bool{}
		for range 366 {
			key := a.MACKey()
			mac, ok := a.MAC(key, "refresh", []byte("grant"))
			if !ok {
				t.Fatal("the active key makes no MAC")
			}
			kept = append(kept, old{sealText(t, a, "offline", "alice", until), key, mac})
			ids[key] = true
			time.Sleep(day)
		}
		for i, o := range kept {
			if plain, err := b.Open("offline", o.sealed); err != nil || string(plain) != "alice" {
				t.Errorf("day %d: the other node opens %q, %v", i, plain, err)
			}
			if !b.CheckMAC(o.key, "refresh", []byte("grant"), o.mac[:]) {
				t.Errorf("day %d: the MAC of an old grant does not check", i)
			}
		}
		// Each week a new key: 2³² random nonces under one are not far to reach
		// otherwise (NIST SP 800-38D §8.3).
		if len(ids) < 52 || len(ids) > 54 {
			t.Errorf("%d keys sealed in a year, want one a week", len(ids))
		}
		if doc, _ := readRing(t, s); len(doc.Keys) > len(ids)+1 {
			t.Errorf("two nodes made %d keys, want %d: each rotation happens once", len(doc.Keys), len(ids)+1)
		}
	})
}

func TestAKeyThatNobodyNeedsLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		r := openRing(t, s)
		runRing(t, r)
		first := r.MACKey()
		time.Sleep(400 * day)
		if _, ok := r.MAC(first, "refresh", nil); !ok {
			t.Error("after 400 days: the first key is gone already")
		}
		time.Sleep(8 * day)
		if _, ok := r.MAC(first, "refresh", nil); ok {
			t.Error("after 408 days: the first key is still there")
		}
		time.Sleep(800 * day)
		if doc, _ := readRing(t, s); len(doc.Keys) > 60 {
			t.Errorf("the ring has grown to %d keys", len(doc.Keys))
		}
	})
}

// A node that sealed with a key which the others have not read yet would send
// people to nodes that call their code forged.
func TestAKeySealsOnlyOnceEveryNodeKnowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		r := openRing(t, s)
		runRing(t, r)
		first := r.MACKey()
		time.Sleep(lifetime - publish + time.Second)
		synctest.Wait()
		doc, _ := readRing(t, s)
		if len(doc.Keys) != 2 {
			t.Fatalf("%d keys at rest, want the next one published", len(doc.Keys))
		}
		if r.MACKey() != first {
			t.Error("the new key seals at once")
		}
		time.Sleep(publish)
		if got := r.MACKey(); got != seal.KeyID(doc.Keys[1].ID) {
			t.Errorf("after %s: key %08x seals, want %08x", publish, got, doc.Keys[1].ID)
		}
	})
}

func TestARingThatSleptForAMonthGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		before := openRing(t, s)
		sealed := sealText(t, before, "code", "alice", time.Now().Add(60*day))
		old := before.MACKey()
		time.Sleep(30 * day) // nothing runs
		after := openRing(t, s)
		if got, err := after.Open("code", sealed); err != nil || string(got) != "alice" {
			t.Errorf("Open = %q, %v", got, err)
		}
		if after.MACKey() != old {
			t.Error("a new key seals before every node knows it")
		}
		time.Sleep(publish)
		if after.MACKey() == old {
			t.Error("the spent key still seals")
		}
	})
}

func TestAnotherKeyEncryptionKeyIsRefusedAndChangesNothing(t *testing.T) {
	for name, slept := range map[string]time.Duration{"at once": 0, "when a rotation is due": 2 * lifetime, "when keys would leave": 500 * day} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t)
				openRing(t, s)
				_, before := readRing(t, s)
				time.Sleep(slept)
				r, err := seal.OpenRing(t.Context(), s, newBox(t, 2), nil)
				if !errors.Is(err, seal.ErrWrongKey) {
					t.Errorf("OpenRing = %v, want ErrWrongKey", err)
				}
				if r != nil {
					r.Close()
					t.Error("OpenRing returned a ring")
				}
				_, after := readRing(t, s)
				if after.Version != before.Version || !bytes.Equal(after.Value, before.Value) {
					t.Error("the stored ring was changed")
				}
			})
		})
	}
}

// Who can write to the store but has no key must not bring back a key that was
// replaced, by putting it in another's place.
func TestKeysAtRestCanNotBeSwapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		openRing(t, s)
		time.Sleep(lifetime)
		openRing(t, s)
		doc, rec := readRing(t, s)
		if len(doc.Keys) != 2 {
			t.Fatalf("%d keys at rest, want 2", len(doc.Keys))
		}
		doc.Keys[0].Sealed, doc.Keys[1].Sealed = doc.Keys[1].Sealed, doc.Keys[0].Sealed
		value, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Commit(t.Context(), store.Put(ringKey, value).If(rec.Version)); err != nil {
			t.Fatal(err)
		}
		if r, err := seal.OpenRing(t.Context(), s, newBox(t, 1), nil); !errors.Is(err, seal.ErrWrongKey) {
			if r != nil {
				r.Close()
			}
			t.Errorf("OpenRing = %v, want ErrWrongKey", err)
		}
	})
}

func TestNoKeyIsAtRestInTheClear(t *testing.T) {
	s := newStore(t)
	openRing(t, s)
	doc, _ := readRing(t, s)
	for _, k := range doc.Keys {
		if len(k.Sealed) != 12+seal.KeySize+16 {
			t.Errorf("a key at rest has %d bytes, want nonce, sealed key and tag", len(k.Sealed))
		}
	}
}

// raced is a store in which another node is faster: meanwhile runs once, between
// the read of the ring and the Commit that follows from it.
type raced struct {
	store.Store
	meanwhile func()
}

func (r *raced) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	recs, err := r.Store.Get(ctx, keys...)
	if f := r.meanwhile; f != nil {
		r.meanwhile = nil
		f()
	}
	return recs, err
}

// The slower node must not replace a ring with which the faster has sealed.
func TestOfNodesThatStartTogetherOneMakesTheRingAndAllUseIt(t *testing.T) {
	s := newStore(t)
	var faster *seal.Ring
	var sealed string
	slower := openRing(t, &raced{s, func() {
		faster = openRing(t, s)
		sealed = sealText(t, faster, "code", "alice", time.Now().Add(time.Hour))
	}})
	if slower.MACKey() != faster.MACKey() {
		t.Errorf("key %08x and key %08x: the nodes made a ring each", slower.MACKey(), faster.MACKey())
	}
	if got, err := slower.Open("code", sealed); err != nil || string(got) != "alice" {
		t.Errorf("Open of what the faster node sealed = %q, %v", got, err)
	}
}

func TestOfNodesThatRotateTogetherOneDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		openRing(t, s)
		time.Sleep(lifetime)
		openRing(t, &raced{s, func() { openRing(t, s) }})
		if doc, _ := readRing(t, s); len(doc.Keys) != 2 {
			t.Errorf("%d keys at rest, want 2", len(doc.Keys))
		}
	})
}
