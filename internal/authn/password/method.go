package password

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/authn/throttle"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

// UserFinder is all that this package needs of the directory. An unknown login
// is fault.NotFound, and takes as long as a known one.
type UserFinder interface {
	ByLogin(ctx context.Context, login string) (user.User, store.Version, error)
}

// Method signs people in with a password.
type Method struct {
	Users    UserFinder
	Hasher   *Hasher
	Throttle *throttle.Throttle
}

// SignedIn is a sign-in that succeeded.
type SignedIn struct {
	authn.Result
	User    user.User
	Version store.Version // of the user's record, as it was read
	// Rehash means that the password was kept under other costs than ours: the
	// caller should put Hasher.Hash of it into the Commit of the sign-in, by
	// user.Replace.
	Rehash bool
}

// SignIn checks a login and password that came from addr. Whatever is wrong
// with them, the failure is the same fault.Unauthenticated, in the same time.
// fault.TooMany means to wait: the account or the address had many failures, or
// the queue is full.
func (m *Method) SignIn(ctx context.Context, login, pw string, addr netip.Addr) (SignedIn, error) {
	login = strings.TrimSpace(login) // keyboards that complete a word add one
	attempt, err := m.Throttle.Begin(ctx, account(login), addr)
	if err != nil {
		return SignedIn{}, err
	}
	defer attempt.Abandon()

	u, version, err := m.Users.ByLogin(ctx, login)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return SignedIn{}, fmt.Errorf("finding the user who signs in: %w", err)
	}
	// Of a user who was not found the hash is not set, and Check is never right.
	ok, rehash, err := m.Hasher.Check(ctx, u.Password, pw)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return SignedIn{}, fmt.Errorf("checking the password: %w", err)
	}
	if !ok || u.Disabled {
		attempt.Failed()
		// The cause, if there is one, is for the log: a broken record must not
		// tell a stranger that there is a record.
		return SignedIn{}, fault.Wrap(fault.Unauthenticated, err, "The login or password is not right.")
	}
	attempt.Succeeded()
	return SignedIn{
		Result: authn.New(u.Subject, time.Now(), authn.AMRPassword),
		User:   u, Version: version, Rehash: rehash,
	}, nil
}

// account is the name under which the throttle counts: the normal form, so that
// Alice and alice are one, or what was typed, if nobody can have such a login.
func account(login string) string {
	normal, err := user.NormaliseLogin(login)
	if err != nil {
		return login
	}
	return normal
}
