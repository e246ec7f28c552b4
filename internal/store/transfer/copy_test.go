package transfer_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/transfer"
)

func copyTo(t *testing.T, source, target store.Store, o transfer.CopyOptions) transfer.Copied {
	t.Helper()
	o.Journals = journals()
	done, err := transfer.Copy(t.Context(), source, target, o)
	if err != nil {
		t.Fatalf("Copy: %v", err)
	}
	return done
}

func TestACopyHoldsWhatTheSourceDoesAndInItsOrder(t *testing.T) {
	source, target := open(t), open(t)
	fill(t, source, 3500)
	// Journals whose keys are in another order than their versions, some together.
	put(t, source, store.Put("j/z", []byte("first")), store.Put("k/a", []byte("with it")))
	put(t, source, store.Put("j/a", []byte("second")))
	done := copyTo(t, source, target, transfer.CopyOptions{Alone: true})
	wantSame(t, contents(t, source), contents(t, target))
	if want := len(contents(t, source)); done.Records != want {
		t.Errorf("%d records were compared, want %d", done.Records, want)
	}
	if !done.Frozen.IsZero() {
		t.Error("a source that nobody else uses was frozen")
	}
}

func TestACopyUnderLoadIsOfOneMomentAndNothingComesAfterIt(t *testing.T) {
	engine, target := open(t), open(t)
	fill(t, engine, 3000)
	source, err := transfer.OpenGate(t.Context(), engine, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Shut()
	at := remember(t, engine)
	stop := load(t, source, 2*time.Millisecond)
	time.Sleep(50 * time.Millisecond)
	done := copyTo(t, engine, target, transfer.CopyOptions{Freeze: time.Minute})
	if commits := stop(); commits == 0 || done.Changes == 0 {
		t.Fatalf("%d commits were made, %d changes carried over: nothing was proved", commits, done.Changes)
	}
	got := contents(t, target)
	wantSame(t, at(done.Version), got)
	wantSame(t, contents(t, engine), got) // nothing came after it
	if time.Until(done.Frozen) < 30*time.Second {
		t.Errorf("the freeze ends at %s", done.Frozen)
	}
	t.Logf("frozen for %s, %d changes carried over", done.Held, done.Changes)
}

func TestAFrozenStoreTakesNoChangesAndSaysWhenToComeBack(t *testing.T) {
	engine := open(t)
	gate, err := transfer.OpenGate(t.Context(), engine, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Shut()
	put(t, gate, store.Put("a", nil))
	frozen := func() bool {
		_, err := gate.Commit(t.Context(), store.Put("a", nil))
		if err != nil && (fault.KindOf(err) != fault.Unavailable || fault.RetryAfter(err) < time.Second) {
			t.Fatalf("Commit = %v, retry after %s", err, fault.RetryAfter(err))
		}
		return err != nil
	}
	await := func(want bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); frozen() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("frozen is not %v", want)
			}
		}
	}
	freeze := func(d time.Duration) {
		t.Helper()
		if err := transfer.Freeze(t.Context(), engine, time.Now().Add(d)); err != nil {
			t.Fatal(err)
		}
	}
	freeze(time.Minute)
	await(true)
	if _, err := gate.Get(t.Context(), "a"); err != nil {
		t.Errorf("a frozen store is not read: %v", err)
	}
	if err := transfer.Thaw(t.Context(), engine); err != nil {
		t.Fatal(err)
	}
	await(false)
	freeze(200 * time.Millisecond)
	await(true)
	await(false) // by itself
	if err := transfer.Freeze(t.Context(), engine, time.Now().Add(transfer.MaxFreeze+time.Minute)); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a freeze without an end: %v", err)
	}
}

func TestACopyIsRepeatedAndBringsTheTargetUpToDate(t *testing.T) {
	source, target := open(t), open(t)
	fill(t, source, 500)
	copyTo(t, source, target, transfer.CopyOptions{Alone: true})
	counted := &counting{Store: target}
	copyTo(t, source, counted, transfer.CopyOptions{Alone: true})
	if n := counted.ops.Load(); n > 3 { // the copy's own records
		t.Errorf("a repeated copy wrote %d records again", n)
	}
	put(t, source, store.Delete("r/2"), store.Put("r/3", []byte("new")), store.Put("j/0", []byte("a late one")))
	put(t, source, store.Put("r/4", []byte("with an end")).Until(time.Now().Add(time.Hour)))
	put(t, target, store.Put("r/nowhere-else", nil), store.Put("r/5", []byte("not what the source has")), store.Delete("r/6"), store.Put("j/nowhere-else", nil))
	copyTo(t, source, target, transfer.CopyOptions{Alone: true})
	wantSame(t, contents(t, source), contents(t, target))
}

// counting counts what is written, and fails when it is told to.
type counting struct {
	store.Store
	ops    atomic.Int64
	allows int64 // ops; 0: any number
}

var errCrash = errors.New("the power is gone")

func (c *counting) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if n := c.ops.Add(int64(len(ops))); c.allows > 0 && n > c.allows {
		return 0, errCrash
	}
	return c.Store.Commit(ctx, ops...)
}

func TestACopyThatWasInterruptedIsNotUsedAndIsFinishedByAnother(t *testing.T) {
	source, target := open(t), open(t)
	fill(t, source, 2000)
	for _, allows := range []int64{1, 100, 500, 1000} {
		_, err := transfer.Copy(t.Context(), source, &counting{Store: target, allows: allows}, transfer.CopyOptions{Journals: journals(), Alone: true})
		if !errors.Is(err, errCrash) {
			t.Fatalf("Copy = %v", err)
		}
		if err := transfer.Admit(t.Context(), target); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "half filled") {
			t.Errorf("a server is let onto half a copy: %v", err)
		}
	}
	copyTo(t, source, target, transfer.CopyOptions{Alone: true})
	wantSame(t, contents(t, source), contents(t, target))
	if err := transfer.Admit(t.Context(), target); err != nil {
		t.Errorf("a server is not let onto a whole copy: %v", err)
	}
}

func TestWhatIsInUseIsNotCopiedOver(t *testing.T) {
	source, target := open(t), open(t)
	put(t, source, store.Put("r/1", nil))
	copyTo(t, source, target, transfer.CopyOptions{Alone: true})
	if err := transfer.Admit(t.Context(), target); err != nil { // a server was started
		t.Fatal(err)
	}
	o := transfer.CopyOptions{Journals: journals(), Alone: true}
	if _, err := transfer.Copy(t.Context(), source, target, o); fault.KindOf(err) != fault.Conflict {
		t.Errorf("Copy onto a store in use = %v", err)
	}
	if err := transfer.Admit(t.Context(), target); err != nil {
		t.Errorf("a copy that was refused has left its mark: %v", err)
	}
	put(t, target, store.Put("r/2", nil))
	o.Force = true
	copyTo(t, source, target, o)
	wantSame(t, contents(t, source), contents(t, target))
}

func TestACopyThatFailsThawsTheSource(t *testing.T) {
	engine, target := open(t), open(t)
	fill(t, engine, 100)
	// The last write into the target is what says that it is whole.
	failing := &failAfter{Store: target, frozen: func() bool { r, err := engine.Get(t.Context(), "transfer/freeze"); return err == nil && r[0].Exists() }}
	late := &writesLate{Store: engine, when: failing.frozen}
	_, err := transfer.Copy(t.Context(), late, failing, transfer.CopyOptions{Journals: journals(), Freeze: time.Minute})
	if !errors.Is(err, errCrash) {
		t.Fatalf("Copy = %v", err)
	}
	if failing.frozen() {
		t.Error("the source is still frozen")
	}
}

// failAfter fails to write once the source is frozen.
type failAfter struct {
	store.Store
	frozen func() bool
}

func (f *failAfter) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if f.frozen() {
		return 0, errCrash
	}
	return f.Store.Commit(ctx, ops...)
}

// writesLate has a node that had not heard of the freeze.
type writesLate struct {
	store.Store
	when func() bool
	once sync.Once
}

func (w *writesLate) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if w.when() {
		var err error
		w.once.Do(func() { _, err = w.Store.Commit(ctx, store.Put("r/late", []byte("late"))) })
		if err != nil {
			return 0, err
		}
	}
	return w.Store.Commit(ctx, ops...)
}

func TestAChangeThatSlipsThroughTheFreezeIsCarriedOver(t *testing.T) {
	engine, target := open(t), open(t)
	fill(t, engine, 100)
	late := &writesLate{Store: engine, when: func() bool { r, err := engine.Get(t.Context(), "transfer/freeze"); return err == nil && r[0].Exists() }}
	copyTo(t, late, target, transfer.CopyOptions{Freeze: time.Minute})
	wantSame(t, contents(t, engine), contents(t, target))
}

// garbles writes something else than it was given.
type garbles struct{ store.Store }

func (g garbles) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	for i := range ops {
		if ops[i].Key == "r/2" {
			ops[i].Value = []byte("garbled")
		}
	}
	return g.Store.Commit(ctx, ops...)
}

func TestACopyThatIsNotTheSameIsNotCalledWhole(t *testing.T) {
	source, target := open(t), open(t)
	fill(t, source, 100)
	_, err := transfer.Copy(t.Context(), source, garbles{target}, transfer.CopyOptions{Journals: journals(), Alone: true})
	if err == nil || !strings.Contains(err.Error(), `"r/2"`) {
		t.Errorf("Copy = %v, want it to name the record", err)
	}
	if err := transfer.Admit(t.Context(), target); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a server is let onto a copy that differs: %v", err)
	}
}
