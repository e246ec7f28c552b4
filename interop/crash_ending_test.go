package interop

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// issued is an access token that somebody got.
type issued struct {
	raw       string
	client    relying
	family    *family // nil when a client got it for itself: then it ends alone
	slot      place
	sid       string
	revoking, // sent, and nobody knows
	revoked bool // acknowledged
}

// place is where a token's end is told.
type place struct {
	List  string `json:"uri"`
	Index uint32 `json:"idx"`
}

// over reports whether the token has ended. What was under way must have been
// settled.
func (i *issued) over() bool {
	if i.family != nil {
		return i.family.ended
	}
	return i.revoked
}

// doubtful reports whether nobody can say.
func (i *issued) doubtful() bool {
	return i.revoking || i.family != nil && i.family.ending
}

// payload reads the claims of a JWT into out.
func payload(raw string, out any) error {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return fmt.Errorf("no JWT: %q", raw)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// keep notes an access token. Its slot must be nobody else's, in any life of the
// server: what ends one of them would end the other.
func (l *ledger) keep(raw string, c relying, f *family) *issued {
	var claims struct {
		SessionID string `json:"sid"`
		Status    struct {
			List place `json:"status_list"`
		} `json:"status"`
	}
	if err := payload(raw, &claims); err != nil || claims.Status.List.List == "" {
		l.broken("an access token without a slot: %v %s", err, raw)
		return nil
	}
	i := &issued{raw: raw, client: c, family: f, slot: claims.Status.List, sid: claims.SessionID}
	l.mu.Lock()
	defer l.mu.Unlock()
	if before := l.slots[i.slot]; before != nil && (f == nil || before.family != f) {
		l.broken("slot %v was handed out twice", i.slot)
	}
	if l.slots == nil {
		l.slots = map[place]*issued{}
	}
	l.slots[i.slot] = i
	l.access = append(l.access, i)
	if f != nil {
		f.session.sid = i.sid
	}
	return i
}

// machine gets tokens for a client itself, and revokes some. It reports whether
// the server still answers.
func (l *ledger) machine(ctx context.Context) bool {
	l.mu.Lock()
	c := l.clients[rand.IntN(2)]
	l.mu.Unlock()
	got, err := c.token(ctx, url.Values{"grant_type": {"client_credentials"}})
	if !l.known("getting a machine's token", err) {
		return false
	}
	if got.status != http.StatusOK {
		l.broken("getting a machine's token: %s", got)
		return false
	}
	i := l.keep(got.Access, c, nil)
	if i == nil || rand.IntN(2) == 0 {
		return i != nil
	}
	i.revoking = true
	said, err := c.post(ctx, "/revoke", i.raw)
	if !l.known("revoking a machine's token", err) {
		return false
	}
	if said.status != http.StatusOK {
		l.broken("revoking a machine's token: %s", said)
	}
	i.revoking, i.revoked = false, true
	return true
}

// follow begins a verifier that lives through the round's crash.
func (l *ledger) follow() *verify.Verifier {
	v, err := verify.New(crashIssuer, crashAudience,
		verify.WithHTTPClient(&http.Client{Transport: l.victim.http}), verify.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		l.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); !v.Ready() || !v.Stats().Streaming; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("the stream is not heard: %+v", v.Stats())
		}
	}
	for range min(sample, len(l.access)) { // which it then remembers
		_, _ = v.Verify(l.t.Context(), l.access[rand.IntN(len(l.access))].raw)
	}
	return v
}

// auditEndings asks everybody who can be asked whether tokens have ended: the
// issuer, its lists, a verifier that begins now, and one that followed the stream
// through the crash. All must say what was acknowledged; about what was cut short
// they must agree.
func (l *ledger) auditEndings(ctx context.Context, tokens []*issued, follower *verify.Verifier) {
	ctx, stop := context.WithTimeout(ctx, 60*time.Second)
	defer stop()
	l.settleDoubts(ctx, tokens)
	lists := map[string]statusList{}
	position := uint64(0)
	for _, i := range tokens {
		if _, ok := lists[i.slot.List]; !ok {
			list, err := l.list(ctx, i.slot.List)
			if err != nil {
				l.broken("list %s: %v", i.slot.List, err)
				return
			}
			lists[i.slot.List], position = list, max(position, list.Position)
		}
	}
	fresh, err := verify.New(crashIssuer, crashAudience, verify.WithHTTPClient(&http.Client{Transport: l.victim.http}))
	if err != nil {
		l.t.Fatal(err)
	}
	defer fresh.Close()
	if err := follower.Await(ctx, position); err != nil {
		l.broken("the verifier that lived through it: %v: %+v", err, follower.Stats())
		return
	}
	if got := follower.Stats(); got.Refetched != 1 || got.EventsRefused != 0 {
		l.broken("the verifier that lived through it could not resume: %+v", got)
	}
	for _, i := range tokens {
		if i.doubtful() {
			continue // its audit has failed, and was told
		}
		if got := lists[i.slot.List].ended(i.slot.Index); got != i.over() {
			l.broken("%s has ended: the list says %v", i, got)
		}
		for who, v := range map[string]*verify.Verifier{"a verifier that begins now": fresh, "one that lived through it": follower} {
			if _, err := v.Verify(ctx, i.raw); (err != nil) != i.over() || err != nil && !errors.Is(err, verify.Ended) {
				l.broken("%s has ended: %s says %v", i, who, err)
			}
		}
	}
	inParallel(tokens[:min(len(tokens), 2*sample)], func(i *issued) {
		active, err := i.client.introspect(ctx, i.raw)
		if err != nil || active == i.over() {
			l.broken("%s has ended: introspection says it is active %v, %v", i, active, err)
		}
	})
}

func (i *issued) String() string {
	whose := "a machine's token"
	if i.family != nil {
		whose = "a token of " + i.family.session.login
	}
	return fmt.Sprintf("that %s at %v, of which we know %v,", whose, i.slot, i.over())
}

// settleDoubts asks what became of the revocations that were cut short.
func (l *ledger) settleDoubts(ctx context.Context, tokens []*issued) {
	for _, i := range tokens {
		if !i.revoking {
			continue
		}
		active, err := i.client.introspect(ctx, i.raw)
		if err != nil {
			l.broken("introspection: %v", err)
			continue
		}
		i.revoking, i.revoked = false, !active
	}
}

// chosen are the tokens from the given one on, and some before.
func (l *ledger) chosen(fresh int) []*issued {
	tokens := append([]*issued(nil), l.access[fresh:]...)
	if fresh > 0 {
		for range 3 * sample {
			tokens = append(tokens, l.access[rand.IntN(fresh)])
		}
	}
	rand.Shuffle(len(tokens), func(i, k int) { tokens[i], tokens[k] = tokens[k], tokens[i] })
	return tokens
}

// statusList is a list as a stranger to our code reads it.
type statusList struct {
	Position uint64 `json:"position"`
	List     struct {
		Bits int    `json:"bits"`
		Text string `json:"lst"`
	} `json:"status_list"`
	bytes []byte
}

func (s statusList) ended(index uint32) bool { return s.bytes[index/8]>>(index%8)&1 == 1 }

func (l *ledger) list(ctx context.Context, uri string) (s statusList, err error) {
	got, err := newVisitor(l.victim.http).get(ctx, strings.TrimPrefix(uri, crashIssuer))
	if err != nil {
		return s, err
	}
	if got.status != http.StatusOK {
		return s, errors.New(got.String())
	}
	if err := payload(got.body, &s); err != nil || s.List.Bits != 1 {
		return s, fmt.Errorf("%d bits, %w", s.List.Bits, err)
	}
	packed, err := base64.RawURLEncoding.DecodeString(s.List.Text)
	if err != nil {
		return s, err
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return s, err
	}
	s.bytes, err = io.ReadAll(z)
	return s, err
}

// post sends a token to an endpoint that is asked about tokens.
func (c relying) post(ctx context.Context, path, token string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, crashIssuer+path, strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.id, c.secret.Reveal())
	return c.visitor.do(r)
}

func (c relying) introspect(ctx context.Context, token string) (active bool, err error) {
	got, err := c.post(ctx, "/introspect", token)
	if err != nil {
		return false, err
	}
	var out struct {
		Active *bool `json:"active"`
	}
	if err := json.Unmarshal([]byte(got.body), &out); err != nil || got.status != http.StatusOK || out.Active == nil {
		return false, fmt.Errorf("%s: %w", got, err)
	}
	return *out.Active, nil
}
