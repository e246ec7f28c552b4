package ended

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

const journal = "ended/"

// Kind says what an ending ended.
type Kind string

// The kinds. A KindRoles ending ends what tokens say of a person's roles: the
// live access tokens, while sessions and grants go on.
const (
	KindGrant   Kind = "grant"
	KindSession Kind = "session"
	KindConsent Kind = "consent" // what one client may do for one user
	KindUser    Kind = "user"
	KindRoles   Kind = "roles"
	KindClient  Kind = "client"
	KindToken   Kind = "token"
	KindKey     Kind = "key"
)

// Cause says why.
type Cause string

// The causes.
const (
	BySignOut         Cause = "sign-out"          // the person, in the browser
	ByAccountPage     Cause = "account-page"      // the person, about another browser or a client
	ByRelyingParty    Cause = "relying-party"     // RP-initiated logout
	ByRevocation      Cause = "revocation"        // RFC 7009
	ByOperator        Cause = "operator"          //
	ByPasswordChange  Cause = "password-change"   //
	ByRoleLoss        Cause = "role-loss"         //
	ByTokenReuse      Cause = "token-reuse"       // a refresh token in two hands
	ByCodeReplay      Cause = "code-replay"       //
	ByAnotherPerson   Cause = "another-person"    // signed in with the same browser
	ByTooManySessions Cause = "too-many-sessions" //
)

// Ending is one record of the journal.
type Ending struct {
	// Position is where in the journal the record stands, Expires when nothing
	// that it ended could be alive any more.
	Position store.Version `json:"-"`
	Expires  time.Time     `json:"-"`

	Time  time.Time `json:"t"`
	Kind  Kind      `json:"k"`
	Cause Cause     `json:"c"`
	// What ended, as far as the kind has it.
	Subject   string `json:"sub,omitempty"`
	SessionID string `json:"sid,omitempty"`
	GrantID   string `json:"grant,omitempty"`
	ClientID  string `json:"client,omitempty"`
	KeyID     string `json:"kid,omitempty"`
	// Slots are those of all access tokens that ended with it.
	Slots []slot.Range `json:"s,omitempty"`
}

// op writes e into the journal. The keys are in order of time, so that a reader
// finds what is young together; the order that counts is that of the versions.
func (e Ending) op() (store.Op, error) {
	value, err := json.Marshal(e)
	if err != nil {
		return store.Op{}, fmt.Errorf("writing an ending: %w", err)
	}
	key := fmt.Sprintf("%s%012x-%s", journal, e.Time.UnixMilli(), ident.New())
	return store.Put(key, value).Until(e.Expires).IfAbsent(), nil
}

// Follow hands every ending that still matters to take, in the order of the
// journal, and each new one as it is committed, by whatever node. It returns
// when take has had all there is. take is never called twice at once. A record
// that can't be read is logged, and handed over with nothing but its Position.
func Follow(ctx context.Context, s store.Store, take func([]Ending), log *slog.Logger) (*store.Tail, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return store.OpenTail(ctx, s, journal, func(records []store.Record) {
		endings := make([]Ending, len(records))
		for i, r := range records {
			if err := json.Unmarshal(r.Value, &endings[i]); err != nil {
				log.ErrorContext(ctx, "an ending can't be read", slog.String("key", r.Key), slog.Any("error", err))
				endings[i] = Ending{}
			}
			endings[i].Position, endings[i].Expires = r.Version, r.Expires
		}
		take(endings)
	}, log)
}
