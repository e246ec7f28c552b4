package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"
)

// Ring holds an issuer's keys. All methods are safe for concurrent use. [Ring.Sign],
// [Ring.Verify], [Ring.JWKS] and [Ring.List] read one immutable snapshot: they
// take no lock and, once an algorithm has a key, never wait for the Storage.
//
// Make one with [Open], and keep [Ring.Run] running beside it: without that
// nothing rotates, and other nodes' changes go unseen.
type Ring struct {
	storage    Storage
	sealer     Sealer
	policy     Policy
	logger     *slog.Logger
	algorithms []Algorithm

	current atomic.Pointer[snapshot] // never nil
	asked   time.Time                // when Refresh last began to load; of whoever has the turn
	turn    chan struct{}            // holds one token while a load or change is under way
	running atomic.Bool
}

// Open loads the ring from storage and makes what is missing: the first key of
// each of the given algorithms, and whatever else [Plan] finds due. Other
// algorithms get their first key when somebody needs one (see [Ring.Ensure]). Of
// any number of nodes that open an empty storage together, one makes the
// keys and all use them. A nil logger is silence.
//
// The error wraps [ErrSealed] when a stored key does not open, [ErrDamaged] when
// the document is no ring and [ErrAlgorithm] for an unknown algorithm; in these
// cases nothing has been changed. Else it wraps the Storage's own.
func Open(
	ctx context.Context, storage Storage, sealer Sealer, policy Policy,
	logger *slog.Logger, algorithms ...Algorithm,
) (*Ring, error) {
	if err := policy.Validate(); err != nil {
		return nil, err
	}
	if err := known(algorithms); err != nil {
		return nil, err
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	r := &Ring{
		storage: storage, sealer: sealer, policy: policy, logger: logger,
		algorithms: slices.Clone(algorithms),
		turn:       make(chan struct{}, 1),
	}
	empty, err := newSnapshot(nil, 0, policy.MaxAge)
	if err != nil {
		return nil, err
	}
	r.current.Store(empty)
	if err := r.advance(ctx); err != nil {
		return nil, fmt.Errorf("opening the key ring: %w", err)
	}
	return r, nil
}

// List returns all keys, by algorithm, the oldest first.
func (r *Ring) List() []Key { return r.current.Load().list() }

// Ensure makes the first key of alg if it has none, and returns when alg can
// sign. Of concurrent calls, on one node or many, one makes the key. An
// RSA key takes some 0.1 to 1 s of CPU, which ctx cannot cut short.
//
// Verifiers that cached the JWKS do not have this key yet; one that follows
// OpenID Connect Core §10.1.1 fetches the JWKS again when it meets the unknown ID.
func (r *Ring) Ensure(ctx context.Context, alg Algorithm) error {
	if err := known([]Algorithm{alg}); err != nil {
		return err
	}
	if r.current.Load().active[alg] != nil {
		return nil
	}
	release, err := r.takeTurn(ctx)
	if err != nil {
		return fmt.Errorf("making a key for %s: %w", alg, err)
	}
	defer release()
	if r.current.Load().active[alg] != nil { // by whoever had the turn before us
		return nil
	}
	err = r.change(ctx, func(d *draft) error { return d.carryOut(d.dueFor(alg)) })
	if err != nil {
		return fmt.Errorf("making a key for %s: %w", alg, err)
	}
	return nil
}

// Rotate is the operator's rotation: each of the given algorithms (none means
// all that have keys) gets a next key now, or has the one that it has brought
// forward, and that key signs as soon as it has been published for
// Policy.Publish. It returns those keys, in the order asked; their Activates
// says when. Rotating again before that changes nothing. An algorithm without
// any key gets its first, active at once. Run, on any node, carries out the
// activation.
func (r *Ring) Rotate(ctx context.Context, algorithms ...Algorithm) ([]Key, error) {
	if err := known(algorithms); err != nil {
		return nil, err
	}
	var rotated []Key
	err := r.changeInTurn(ctx, func(d *draft) error {
		asked := algorithms
		if len(asked) == 0 {
			asked = inUse(d.list(), nil)
		}
		rotated = rotated[:0]
		for _, alg := range asked {
			k, err := d.rotate(alg)
			if err != nil {
				return err
			}
			rotated = append(rotated, k)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("rotating: %w", err)
	}
	return rotated, nil
}

// rotate makes or hastens the successor of alg's active key, and returns it.
func (d *draft) rotate(alg Algorithm) (Key, error) {
	active, next := standingOf(d.list(), alg)
	if next != nil {
		d.bringForward(next.ID)
	} else if active != nil {
		step := Step{Action: Create, Algorithm: alg, Due: d.now, Activates: d.now.Add(d.policy.Publish)}
		if err := d.carryOut([]Step{step}); err != nil {
			return Key{}, err
		}
	}
	if err := d.carryOut(d.dueFor(alg)); err != nil {
		return Key{}, err
	}
	active, next = standingOf(d.list(), alg)
	if next != nil {
		return *next, nil
	}
	return *active, nil
}

// Compromise removes the key with that ID at once, whatever its state, and returns
// it as it was: a verifier that fetches the JWKS from now on refuses all that
// the key signed, and so does [Ring.Verify]. If it was the active key its successor
// signs immediately, published long enough or not: for up to MaxAge some verifiers
// will have to fetch the JWKS again. The error wraps [ErrUnknownKey] when there is
// no such key.
func (r *Ring) Compromise(ctx context.Context, id string) (Key, error) {
	var removed Key
	err := r.changeInTurn(ctx, func(d *draft) error {
		at := slices.IndexFunc(d.keys, func(k held) bool { return k.ID == id })
		if at < 0 {
			return fmt.Errorf("%w: %q", ErrUnknownKey, id)
		}
		removed = d.keys[at].Key
		step := Step{Action: Remove, Algorithm: removed.Algorithm, ID: id, Due: d.now}
		if err := d.carryOut([]Step{step}); err != nil {
			return err
		}
		if removed.State == Retiring {
			return nil
		}
		return d.carryOut(d.dueFor(removed.Algorithm))
	})
	if err != nil {
		return Key{}, fmt.Errorf("removing a compromised key: %w", err)
	}
	return removed, nil
}

// advance reads the ring anew and carries out what is due.
func (r *Ring) advance(ctx context.Context) error {
	return r.changeInTurn(ctx, func(d *draft) error { return d.carryOut(d.due(r.algorithms)) })
}

// takeTurn waits until nobody else in this process loads or changes the ring,
// so that an older load never replaces a newer one.
func (r *Ring) takeTurn(ctx context.Context) (release func(), err error) {
	select {
	case r.turn <- struct{}{}:
		return func() { <-r.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (r *Ring) changeInTurn(ctx context.Context, edit func(*draft) error) error {
	release, err := r.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	return r.change(ctx, edit)
}

// maxAttempts bounds the retries of one change. Each conflict is somebody
// else's success, after which there is mostly nothing left to do.
const maxAttempts = 32

// change loads the ring, edits it and saves it, anew until no other node
// changed it in between. The caller has the turn. edit may run many times, and
// what it edits counts only when change returns nil.
func (r *Ring) change(ctx context.Context, edit func(*draft) error) error {
	for range maxAttempts {
		err := r.attempt(ctx, edit)
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("saving the ring: other nodes changed it %d times in between", maxAttempts)
}

func (r *Ring) attempt(ctx context.Context, edit func(*draft) error) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	from := r.current.Load()
	d := &draft{keys: slices.Clone(from.keys), now: time.Now().UTC().Round(0), policy: r.policy, sealer: r.sealer}
	if err := edit(d); err != nil || !d.edited {
		return err
	}
	to, err := newSnapshot(d.keys, from.version, r.policy.MaxAge)
	if err != nil {
		return err
	}
	doc, err := encode(to.keys)
	if err != nil {
		return err
	}
	if to.version, err = r.storage.Save(ctx, doc, from.version); err != nil {
		return fmt.Errorf("saving the ring: %w", err)
	}
	r.current.Store(to)
	r.report(ctx, d.done)
	return nil
}

// Refresh reads the ring anew, unless a Refresh did so at most age ago; it fails with
// the Storage's error. It is for who met an unknown key and must not take it for
// nobody's: a node that was cut off may have missed a rotation. age bounds what
// strangers can set off.
func (r *Ring) Refresh(ctx context.Context, age time.Duration) error {
	release, err := r.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	began := time.Now()
	if began.Sub(r.asked) < age {
		return nil
	}
	if err := r.load(ctx); err != nil {
		return err
	}
	r.asked = began
	return nil
}

// load makes the stored ring current.
func (r *Ring) load(ctx context.Context) error {
	doc, version, err := r.storage.Load(ctx)
	if err != nil {
		return fmt.Errorf("loading the ring: %w", err)
	}
	from := r.current.Load()
	if version == from.version {
		return nil
	}
	// To begin anew here would end every token that the lost keys signed.
	if version == 0 {
		return fmt.Errorf("%w: it vanished while in use", ErrDamaged)
	}
	keys, err := decode(doc, r.sealer, from.byID)
	if err != nil {
		return err
	}
	to, err := newSnapshot(keys, version, r.policy.MaxAge)
	if err != nil {
		return err
	}
	r.current.Store(to)
	return nil
}

func (r *Ring) report(ctx context.Context, steps []Step) {
	for _, s := range steps {
		attrs := []slog.Attr{
			slog.String("action", string(s.Action)), slog.String("alg", string(s.Algorithm)), slog.String("kid", s.ID),
		}
		if s.Action == Create {
			attrs = append(attrs, slog.Time("activates", s.Activates))
		}
		r.logger.LogAttrs(ctx, slog.LevelInfo, "key ring changed", attrs...)
	}
}

// known returns an error naming the first algorithm that is not one of ours.
func known(algorithms []Algorithm) error {
	for _, a := range algorithms {
		if _, err := ParseAlgorithm(string(a)); err != nil {
			return err
		}
	}
	return nil
}
