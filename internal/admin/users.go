package admin

import (
	"context"
	"errors"
	"slices"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/internal/user"
)

// UserSettings is what may be said of a user. What is nil stays as it is.
type UserSettings struct {
	Login         *string   `json:"login,omitempty"`
	Email         *string   `json:"email,omitempty"`
	EmailVerified *bool     `json:"email_verified,omitempty"`
	Name          *string   `json:"name,omitempty"`
	GivenName     *string   `json:"given_name,omitempty"`
	FamilyName    *string   `json:"family_name,omitempty"`
	Roles         *[]string `json:"roles,omitempty"`
	Groups        *[]string `json:"groups,omitempty"`
	ProfileSettings
}

// AddUser adds a user. Without a password nobody signs in as them until one is
// set.
func (o *Operator) AddUser(ctx context.Context, s UserSettings, password secret.Value) (UserView, error) {
	var u user.User
	if err := s.apply(&u); err != nil {
		return UserView{}, err
	}
	if !password.Absent() {
		var err error
		if u.Password, err = o.Passwords.Choose(ctx, u, password.Reveal()); err != nil {
			return UserView{}, err
		}
	}
	u, err := o.Users.Create(ctx, u)
	if err != nil {
		return UserView{}, err
	}
	return viewUser(u), nil
}

// ListUsers returns up to limit users in the order of their subjects, beginning
// after the subject named (when not empty). Fewer than limit means the end.
func (o *Operator) ListUsers(ctx context.Context, after string, limit int) ([]UserView, error) {
	users, err := o.Users.List(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	views := make([]UserView, 0, len(users))
	for _, u := range users {
		views = append(views, viewUser(u))
	}
	return views, nil
}

// ShowUser returns the user whom ref names, by login or subject.
func (o *Operator) ShowUser(ctx context.Context, ref string) (UserView, error) {
	u, err := o.find(ctx, ref)
	if err != nil {
		return UserView{}, err
	}
	return viewUser(u), nil
}

// SetUser changes what s names. When a role or a group is taken away, the access
// tokens that speak of them end with it; sessions go on, and the next tokens say
// what is true.
func (o *Operator) SetUser(ctx context.Context, ref string, s UserSettings) (UserView, error) {
	u, err := o.find(ctx, ref)
	if err != nil {
		return UserView{}, err
	}
	changed, err := o.Users.Update(ctx, u.Subject, func(u *user.User) error {
		before := *u
		if err := s.apply(u); err != nil {
			return err
		}
		if loses(before.Roles, u.Roles) || loses(before.Groups, u.Groups) {
			return errLoses
		}
		return nil
	})
	if errors.Is(err, errLoses) {
		changed, err = o.Ended.Roles(ctx, u.Subject, ended.ByRoleLoss, s.apply)
	}
	if err != nil {
		return UserView{}, err
	}
	return viewUser(changed), nil
}

// errLoses turns a change that takes roles away to the way on which tokens end.
var errLoses = errors.New("the change takes roles or groups away")

func loses(before, after []string) bool {
	return slices.ContainsFunc(before, func(name string) bool { return !slices.Contains(after, name) })
}

// SetPassword gives a user another password and ends every session and grant of
// theirs: it is what one does when somebody else may know the old one.
func (o *Operator) SetPassword(ctx context.Context, ref string, password secret.Value) (UserView, error) {
	u, err := o.find(ctx, ref)
	if err != nil {
		return UserView{}, err
	}
	hash, err := o.Passwords.Choose(ctx, u, password.Reveal())
	if err != nil {
		return UserView{}, err
	}
	return o.endUser(ctx, u, ended.ByPasswordChange, func(u *user.User) error { u.Password = hash; return nil })
}

// DisableUser keeps a user from signing in and ends every session and grant of
// theirs.
func (o *Operator) DisableUser(ctx context.Context, ref string) (UserView, error) {
	u, err := o.find(ctx, ref)
	if err != nil {
		return UserView{}, err
	}
	return o.endUser(ctx, u, ended.ByOperator, disable)
}

// EnableUser lets a disabled user sign in again. What ended stays ended.
func (o *Operator) EnableUser(ctx context.Context, ref string) (UserView, error) {
	u, err := o.find(ctx, ref)
	if err != nil {
		return UserView{}, err
	}
	u, err = o.Users.Update(ctx, u.Subject, func(u *user.User) error { u.Disabled = false; return nil })
	if err != nil {
		return UserView{}, err
	}
	return viewUser(u), nil
}

// RemoveUser ends every session and grant of a user and removes them for good.
// The record goes last: had it gone first and the ending failed, nobody could
// name the user any more to end the rest.
func (o *Operator) RemoveUser(ctx context.Context, ref string) error {
	u, err := o.find(ctx, ref)
	if err != nil {
		return err
	}
	if _, err := o.endUser(ctx, u, ended.ByOperator, disable); err != nil {
		return err
	}
	return o.Users.Remove(ctx, u.Subject)
}

func (o *Operator) endUser(ctx context.Context, u user.User, cause ended.Cause, change func(*user.User) error) (UserView, error) {
	u, err := o.Ended.User(ctx, u.Subject, cause, change)
	if err != nil {
		return UserView{}, err
	}
	return viewUser(u), nil
}

func disable(u *user.User) error {
	u.Disabled = true
	return nil
}

func (o *Operator) find(ctx context.Context, ref string) (user.User, error) {
	u, _, err := o.Users.ByRef(ctx, ref)
	if fault.KindOf(err) == fault.NotFound {
		return user.User{}, fault.Wrap(fault.NotFound, err, "there is no user %q; see: signet user list", ref).On("user")
	}
	return u, err
}

// apply may run several times on different records, so it changes no slice in
// place.
func (s UserSettings) apply(u *user.User) error {
	set(&u.Login, s.Login)
	set(&u.Name, s.Name)
	set(&u.GivenName, s.GivenName)
	set(&u.FamilyName, s.FamilyName)
	if s.Roles != nil {
		u.Roles = slices.Clone(*s.Roles)
	}
	if s.Groups != nil {
		u.Groups = slices.Clone(*s.Groups)
	}
	if err := s.ProfileSettings.apply(u); err != nil {
		return err
	}
	switch {
	case s.EmailVerified == nil:
		set(&u.Email, s.Email)
	case s.Email != nil:
		u.SetEmail(*s.Email, *s.EmailVerified)
	case u.Email == "" && *s.EmailVerified:
		return invalid("email_verified", "there is no e-mail address to be verified")
	default:
		u.SetEmail(u.Email, *s.EmailVerified)
	}
	return nil
}
