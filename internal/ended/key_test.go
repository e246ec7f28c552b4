package ended_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/store"
)

const ring = "keys/ring"

// compromise is what a key ring does, over a storage that takes along what rides.
func (h *house) compromise(ctx context.Context) error {
	for {
		read := h.get(ring)[0]
		ops := append([]store.Op{store.Put(ring, []byte("without the key")).If(read.Version)}, ended.Riding(ctx)...)
		_, err := h.store.Commit(ctx, ops...)
		if store.ConflictOn(err) != ring {
			return err
		}
	}
}

func TestTheRecordOfACompromisedKeyRidesInTheCommitOfItsRing(t *testing.T) {
	h := open(t)
	h.store.before = func(n int64) error {
		if n == 1 { // the ring turns in this moment
			h.commit(store.Put(ring, []byte("turned")))
		}
		return nil
	}
	if err := h.Key(t.Context(), "kid-1", ended.ByOperator, h.compromise); err != nil {
		t.Fatal(err)
	}
	h.wantOne(ended.Ending{Kind: ended.KindKey, Cause: ended.ByOperator, KeyID: "kid-1"}, nil)
	if v := h.get(ring)[0].Version; v != h.journal()[0].Position {
		t.Errorf("the ring is of version %d, the record of %d: not one Commit", v, h.journal()[0].Position)
	}
}

func TestNothingRidesInACommitThatEndsNothing(t *testing.T) {
	if ops := ended.Riding(t.Context()); len(ops) != 0 {
		t.Errorf("%d ops ride along", len(ops))
	}
}

// What lives longest must be covered: a token issued right before its ending.
func TestTheJournalKeepsAnEndingUntilNothingOfItCanBeAlive(t *testing.T) {
	for lifetime, want := range map[time.Duration]time.Duration{
		time.Minute: 30 * time.Minute, 25 * time.Minute: 30 * time.Minute, time.Hour: 65 * time.Minute, 24 * time.Hour: 24*time.Hour + 5*time.Minute,
	} {
		if got := ended.Kept(lifetime); got != want {
			t.Errorf("with tokens of %s: %s, want %s", lifetime, got, want)
		}
	}
}

func TestARecordThatCannotBeReadIsHandedOverWithItsPosition(t *testing.T) {
	h := open(t)
	var (
		mu  sync.Mutex
		got []ended.Ending
	)
	tail, err := ended.Follow(t.Context(), h.store, func(e []ended.Ending) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, e...)
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	damaged, err := h.store.Commit(t.Context(), store.Put("ended/0-damaged", []byte(`{"k":"user","s":7}`)))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Token(t.Context(), "robot", 7, ended.ByRevocation); err != nil {
		t.Fatal(err)
	}
	if err := tail.Wait(t.Context(), h.known[0]); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 2 || got[0].Position != damaged || got[0].Kind != "" || len(got[0].Slots) != 0 || got[1].Kind != ended.KindToken {
		t.Errorf("handed over: %+v", got)
	}
}
