package user

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// layout is the version of the record. It rises only when an older release
// would misread the newer record; a new member alone is no reason.
const layout = 1

// record is a User as it is stored.
type record struct {
	Layout          int       `json:"v"`
	Subject         string    `json:"sub"`
	Login           string    `json:"login"`
	Email           string    `json:"email,omitempty"`
	EmailVerified   bool      `json:"email_verified,omitempty"`
	Name            string    `json:"name,omitempty"`
	GivenName       string    `json:"given_name,omitempty"`
	FamilyName      string    `json:"family_name,omitempty"`
	Profile         Profile   `json:"profile,omitzero"`
	Roles           []string  `json:"roles,omitempty"`
	Groups          []string  `json:"groups,omitempty"`
	Disabled        bool      `json:"disabled,omitempty"`
	Password        string    `json:"password,omitempty"`
	Created         time.Time `json:"created"`
	Updated         time.Time `json:"updated"`
	PasswordChanged time.Time `json:"password_changed,omitzero"`
	Epoch           uint32    `json:"epoch,omitempty"`
	TokenEpoch      uint32    `json:"token_epoch,omitempty"`
}

// Key is where the user's record lies, for a Get that also reads other rooms'.
func Key(sub string) string { return prefix + sub }

// Decode reads what a Get of Key returned. An absent record is fault.NotFound.
func Decode(r store.Record) (User, error) {
	if !r.Exists() {
		return User{}, fault.New(fault.NotFound, "there is no such user")
	}
	var raw record
	strict := json.NewDecoder(bytes.NewReader(r.Value))
	strict.DisallowUnknownFields()
	var unknown map[string]json.RawMessage
	if err := strict.Decode(&raw); err != nil {
		raw = record{}
		if err := json.Unmarshal(r.Value, &raw); err != nil {
			return User{}, fmt.Errorf("reading the record %q: %w", r.Key, err)
		}
		if unknown, err = unknownMembers(r.Value); err != nil {
			return User{}, fmt.Errorf("reading the record %q: %w", r.Key, err)
		}
	}
	if raw.Layout != layout {
		return User{}, fmt.Errorf("reading the record %q: layout %d is not ours (%d)", r.Key, raw.Layout, layout)
	}
	return User{
		Subject: raw.Subject, Login: raw.Login, Email: raw.Email, EmailVerified: raw.EmailVerified,
		Name: raw.Name, GivenName: raw.GivenName, FamilyName: raw.FamilyName, Profile: raw.Profile,
		Roles: raw.Roles, Groups: raw.Groups, Disabled: raw.Disabled, Password: NewPasswordHash(raw.Password),
		Created: raw.Created, Updated: raw.Updated, PasswordChanged: raw.PasswordChanged,
		Epoch: raw.Epoch, TokenEpoch: raw.TokenEpoch,
		unknown: unknown,
	}, nil
}

// Replace is the op that writes u over the version that was read: for callers
// that change a password hash in a Commit of their own. It does not settle u
// and must not change Subject or Login; for all else there is Update.
func Replace(u User, read store.Version) (store.Op, error) {
	value, err := encode(u)
	if err != nil {
		return store.Op{}, err
	}
	return store.Put(Key(u.Subject), value).If(read), nil
}

func encode(u User) ([]byte, error) {
	value, err := json.Marshal(record{
		Layout: layout, Subject: u.Subject, Login: u.Login, Email: u.Email, EmailVerified: u.EmailVerified,
		Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName, Profile: u.Profile,
		Roles: u.Roles, Groups: u.Groups, Disabled: u.Disabled, Password: u.Password.Reveal(),
		Created: u.Created, Updated: u.Updated, PasswordChanged: u.PasswordChanged,
		Epoch: u.Epoch, TokenEpoch: u.TokenEpoch,
	})
	if err != nil {
		return nil, fmt.Errorf("writing user %s: %w", u.Subject, err)
	}
	if len(u.unknown) == 0 {
		return value, nil
	}
	more, err := json.Marshal(u.unknown)
	if err != nil {
		return nil, fmt.Errorf("writing user %s: %w", u.Subject, err)
	}
	// Two objects become one: {"a":1} and {"b":2} → {"a":1,"b":2}.
	return append(append(value[:len(value)-1], ','), more[1:]...), nil
}

// unknownMembers returns the top-level members that record does not have.
func unknownMembers(value []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(value, &members); err != nil {
		return nil, err
	}
	for f := range reflect.TypeFor[record]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		delete(members, name)
	}
	if len(members) == 0 {
		return nil, nil
	}
	return members, nil
}
