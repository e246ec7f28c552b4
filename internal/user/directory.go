package user

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

const (
	prefix      = "user/"
	loginPrefix = "login/"
	// nobody is no subject (too short), and so the key of no record.
	nobody = "nobody"
)

// Directory keeps the users. It is safe for concurrent use.
type Directory struct{ store store.Store }

// NewDirectory keeps users in s.
func NewDirectory(s store.Store) *Directory { return &Directory{store: s} }

// Create adds u and returns it as kept. The subject is made here, unless u
// brings one from another issuer. A login that is taken is fault.Conflict.
// also is committed with it, all or nothing.
func (d *Directory) Create(ctx context.Context, u User, also ...store.Op) (User, error) {
	if u.Subject == "" {
		u.Subject = newSubject()
	}
	u.Created = now()
	u.Updated = u.Created
	u.PasswordChanged = time.Time{}
	if u.Password.IsSet() {
		u.PasswordChanged = u.Created
	}
	u.emailStated, u.phoneStated = false, false
	if err := u.settle(); err != nil {
		return User{}, err
	}
	ops := []store.Op{
		store.Put(loginKey(u.Login), []byte(u.Subject)).IfAbsent(),
		store.Put(Key(u.Subject), u.encode()).IfAbsent(),
	}
	if _, err := d.store.Commit(ctx, append(ops, also...)...); err != nil {
		switch store.ConflictOn(err) {
		case loginKey(u.Login):
			return User{}, loginTaken(u.Login)
		case Key(u.Subject):
			return User{}, fault.New(fault.Conflict, "the subject %q is taken", u.Subject).On("subject")
		}
		return User{}, fmt.Errorf("adding user %q: %w", u.Login, err)
	}
	return u, nil
}

// Get returns the user with this subject, and the version read.
func (d *Directory) Get(ctx context.Context, sub string) (User, store.Version, error) {
	if !validSubject(sub) {
		return User{}, 0, notFound(sub)
	}
	records, err := d.store.Get(ctx, Key(sub))
	if err != nil {
		return User{}, 0, fmt.Errorf("reading user %s: %w", sub, err)
	}
	return decodeFound(records[0], sub)
}

// ByLogin returns the user with this login, in any spelling. It asks the store
// twice whether or not there is one: a sign-in must not tell by its time.
func (d *Directory) ByLogin(ctx context.Context, login string) (User, store.Version, error) {
	normal, err := NormaliseLogin(login)
	if err != nil {
		return User{}, 0, notFound(login)
	}
	index, err := d.store.Get(ctx, loginKey(normal))
	if err != nil {
		return User{}, 0, fmt.Errorf("looking up a login: %w", err)
	}
	sub := nobody
	if index[0].Exists() {
		sub = string(index[0].Value)
	}
	records, err := d.store.Get(ctx, Key(sub))
	if err != nil {
		return User{}, 0, fmt.Errorf("reading user %s: %w", sub, err)
	}
	u, version, err := decodeFound(records[0], login)
	if err == nil && u.Login != normal { // renamed between the two reads
		return User{}, 0, notFound(login)
	}
	return u, version, err
}

// ByRef returns the user that an operator named, by subject or by login. A
// subject wins, so that nobody can stand before another by choosing a login.
func (d *Directory) ByRef(ctx context.Context, ref string) (User, store.Version, error) {
	u, version, err := d.Get(ctx, ref)
	if fault.KindOf(err) == fault.NotFound {
		return d.ByLogin(ctx, ref)
	}
	return u, version, err
}

// Update changes the user with fn and returns the result. fn may be called
// several times, each time with what is stored by then; an error of fn ends the
// update and is returned as it is. also is committed with the change, all or
// nothing. When fn changes nothing and there is no also, nothing is written.
func (d *Directory) Update(ctx context.Context, sub string, fn func(*User) error, also ...store.Op) (User, error) {
	// Each lost round means that another's change was kept, so the loop ends.
	for {
		before, version, err := d.Get(ctx, sub)
		if err != nil {
			return User{}, err
		}
		after, err := change(before, fn)
		if err != nil {
			return User{}, err
		}
		ops, err := updateOps(before, &after, version)
		if err != nil {
			return User{}, err
		}
		if ops == nil && len(also) == 0 {
			return before, nil
		}
		_, err = d.store.Commit(ctx, append(ops, also...)...)
		switch key := store.ConflictOn(err); {
		case err == nil:
			return after, nil
		case key == Key(sub):
			continue
		case key == loginKey(after.Login):
			return User{}, loginTaken(after.Login)
		default:
			return User{}, fmt.Errorf("changing user %s: %w", sub, err)
		}
	}
}

// change applies fn to a copy of before, and the rules to what came of it.
func change(before User, fn func(*User) error) (User, error) {
	after := before.clone()
	if err := fn(&after); err != nil {
		return User{}, err
	}
	if after.Subject != before.Subject {
		return User{}, bad("subject", "never changes: services know the user by it")
	}
	after.Created, after.Updated, after.PasswordChanged = before.Created, before.Updated, before.PasswordChanged
	if !after.Password.Equal(before.Password) {
		after.PasswordChanged = now()
		// What the old password opened is worth nothing, whoever made the change.
		after.Epoch = max(after.Epoch, before.Epoch+1)
	}
	after.settleVerification(before)
	return after, after.settle()
}

// updateOps returns the ops that make after of before, none if they are equal,
// and dates after if they are not.
func updateOps(before User, after *User, version store.Version) ([]store.Op, error) {
	if bytes.Equal(before.encode(), after.encode()) {
		return nil, nil
	}
	after.Updated = now()
	op, err := Replace(*after, version)
	if err != nil {
		return nil, err
	}
	ops := []store.Op{op}
	if after.Login != before.Login {
		// The old index needs no guard of its own: it belongs to this record as
		// long as the record has the version that op demands.
		ops = append(ops,
			store.Put(loginKey(after.Login), []byte(after.Subject)).IfAbsent(),
			store.Delete(loginKey(before.Login)))
	}
	return ops, nil
}

// List returns up to limit users in the order of their subjects, beginning
// after the subject named (when not empty). Fewer than limit means the end.
func (d *Directory) List(ctx context.Context, after string, limit int) ([]User, error) {
	if limit < 1 || limit > store.MaxList {
		return nil, bad("limit", "must be from 1 to %d", store.MaxList)
	}
	if after != "" {
		if !validSubject(after) {
			return nil, bad("after", "must be the subject of a user")
		}
		after = Key(after)
	}
	records, err := d.store.List(ctx, prefix, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	users := make([]User, 0, len(records))
	for _, r := range records {
		u, err := Decode(r)
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, nil
}

// Remove deletes the user and frees the login. The subject is random, so it
// is never given to another. also is committed with it, all or nothing.
func (d *Directory) Remove(ctx context.Context, sub string, also ...store.Op) error {
	for {
		u, version, err := d.Get(ctx, sub)
		if err != nil {
			return err
		}
		ops := []store.Op{store.Delete(Key(sub)).If(version), store.Delete(loginKey(u.Login))}
		_, err = d.store.Commit(ctx, append(ops, also...)...)
		switch {
		case err == nil:
			return nil
		case store.ConflictOn(err) == Key(sub):
			continue // changed meanwhile, perhaps its login
		default:
			return fmt.Errorf("removing user %s: %w", sub, err)
		}
	}
}

func decodeFound(r store.Record, ref string) (User, store.Version, error) {
	if !r.Exists() {
		return User{}, 0, notFound(ref)
	}
	u, err := Decode(r)
	if err != nil {
		return User{}, 0, err
	}
	return u, r.Version, nil
}

func loginKey(login string) string { return loginPrefix + login }

func loginTaken(login string) error {
	return fault.New(fault.Conflict, "the login %q is taken", login).On("login")
}

func notFound(ref string) error { return fault.New(fault.NotFound, "there is no user %q", ref) }

// now is the time as the record keeps it, in UTC and without the monotonic clock,
// so that what Create returns equals what Get will read.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
