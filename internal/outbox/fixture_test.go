package outbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/keys"
)

// plain signs nothing: a token is its type and its claims.
type plain struct{}

func (plain) Sign(_ context.Context, alg keys.Algorithm, typ string, claims []byte) (string, error) {
	return string(alg) + "." + typ + "." + string(claims), nil
}

func (plain) Verify(string) (keys.Header, []byte, error) {
	return keys.Header{}, nil, errors.New("not here")
}

func (plain) Holds(string) bool { return false }

func (plain) Refresh(context.Context, time.Duration) error { return nil }

// told is one logout token as a client got it.
type told struct {
	at              time.Time
	alg, typ        string
	Issuer          string `json:"iss"`
	Audience        string `json:"aud"`
	Subject         string `json:"sub"`
	SessionID       string `json:"sid"`
	ID              string `json:"jti"`
	IssuedAt        int64  `json:"iat"`
	Events          map[string]struct{}
	Nonce           *string
	formOtherThanIt int
}

// world is the clients as the network has them: each does what it does.
type world struct {
	t  *testing.T
	mu sync.Mutex
	// how a client answers; 200 when it is not named
	does map[string]func(context.Context) (int, error)
	// poison is what a client answers to a session whose sid begins with "poison"
	poison int
	got    map[string][]told
	tried  map[string]int
	most   map[string]int // at once, by client; "" is all
	now    map[string]int
}

func (w *world) Post(ctx context.Context, to string, form url.Values) (int, error) {
	id := strings.TrimSuffix(strings.TrimPrefix(to, "https://"), ".example.com/logout")
	w.mu.Lock()
	w.tried[id]++
	for _, k := range []string{id, ""} {
		w.now[k]++
		w.most[k] = max(w.most[k], w.now[k])
	}
	do := w.does[id]
	if w.poison != 0 && strings.Contains(form.Get("logout_token"), `"sid":"poison`) {
		do = status(w.poison)
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.now[id]--
		w.now[""]--
	}()
	code, err := 200, error(nil)
	if do != nil {
		code, err = do(ctx)
	}
	if err == nil && (code == 200 || code == 204) {
		w.note(id, form)
	}
	return code, err
}

func (w *world) note(id string, form url.Values) {
	got := told{at: time.Now(), formOtherThanIt: len(form) - 1}
	parts := strings.SplitN(form.Get("logout_token"), ".", 3)
	if len(parts) != 3 || json.Unmarshal([]byte(parts[2]), &got) != nil {
		w.t.Errorf("%s was told %v", id, form)
		return
	}
	got.alg, got.typ = parts[0], parts[1]
	w.mu.Lock()
	w.got[id] = append(w.got[id], got)
	w.mu.Unlock()
}

// atMost is how many attempts ran at once, of one client or of all.
func (w *world) atMost(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most[id]
}

func (w *world) running(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now[id]
}

// answers sets what a client does from now on.
func (w *world) answers(id string, do func(context.Context) (int, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.does[id] = do
}

func (w *world) told(id string) []told {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.got[id]
}

func (w *world) tries(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tried[id]
}

func status(code int) func(context.Context) (int, error) {
	return func(context.Context) (int, error) { return code, nil }
}

// silent never answers.
func silent(ctx context.Context) (int, error) {
	<-ctx.Done()
	return 0, fault.Wrap(fault.Unavailable, ctx.Err(), "nothing came")
}

func slow(d time.Duration) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		select {
		case <-time.After(d):
			return 200, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// broken is a store that can be made to fail.
type broken struct {
	store.Store
	deletes atomic.Int32 // how many Commits of one Delete fail from now on
}

func (b *broken) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if len(ops) == 1 && ops[0].Delete && strings.HasPrefix(ops[0].Key, "outbox/") && b.deletes.Add(-1) >= 0 {
		return 0, fault.New(fault.Unavailable, "the disk is full")
	}
	return b.Store.Commit(ctx, ops...)
}

// house is an outbox, its clients, and one node or more.
type house struct {
	*outbox.Delivery
	t       *testing.T
	store   *broken
	clients *client.Directory
	world   *world
	log     *lockedBuffer
	counted func(outcome string) int
	options outbox.Options
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newHouse(t *testing.T, clients ...string) *house {
	t.Helper()
	bolt, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bolt.Close() })
	h := &house{t: t, store: &broken{Store: bolt}, log: &lockedBuffer{}, world: &world{
		t: t, does: map[string]func(context.Context) (int, error){}, got: map[string][]told{},
		tried: map[string]int{}, most: map[string]int{}, now: map[string]int{},
	}}
	logger := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if h.clients, err = client.Open(t.Context(), bolt, logger); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.clients.Close)
	for _, id := range clients {
		h.register(id)
	}
	var mu sync.Mutex
	counts := map[string]int{}
	h.counted = func(outcome string) int { mu.Lock(); defer mu.Unlock(); return counts[outcome] }
	h.options = outbox.Options{
		Store: h.store, Clients: h.clients, Mint: &token.Mint{Issuer: "https://id.example.com", Keys: plain{}}, Fetch: h.world,
		Node: "a", Log: logger, Count: func(outcome string) { mu.Lock(); defer mu.Unlock(); counts[outcome]++ },
	}
	h.Delivery = outbox.New(h.options)
	return h
}

func (h *house) register(id string) {
	h.t.Helper()
	_, err := h.clients.Create(h.t.Context(), client.Client{
		ID: id, RedirectURIs: []string{"https://" + id + ".example.com/cb"}, IDTokenAlg: "ES256",
		BackchannelLogoutURI: "https://" + id + ".example.com/logout",
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// run lets a node deliver until the test, or stop, ends it.
func (h *house) run(d *outbox.Delivery) (stop func()) {
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := d.Run(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrClosed) {
			h.t.Errorf("Run: %v", err)
		}
	}()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-done }) }
	h.t.Cleanup(stop)
	return stop
}

// end writes what must be told.
func (h *house) end(limit int, calls ...outbox.Call) {
	h.t.Helper()
	ops, err := outbox.Ops(calls, time.Now(), limit)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(ops) > limit {
		h.t.Fatalf("%d calls became %d rows, want at most %d", len(calls), len(ops), limit)
	}
	for len(ops) > 0 {
		n := min(len(ops), store.MaxOps)
		if _, err := h.store.Commit(h.t.Context(), ops[:n]...); err != nil {
			h.t.Fatal(err)
		}
		ops = ops[n:]
	}
}

func call(clientID, sid string) outbox.Call {
	return outbox.Call{ClientID: clientID, Subject: "alice", SessionID: sid}
}

func (h *house) list(givenUp bool) []outbox.Entry {
	h.t.Helper()
	var all []outbox.Entry
	for after := ""; ; {
		page, next, err := h.List(h.t.Context(), givenUp, after, 100)
		if err != nil {
			h.t.Fatalf("List: %v", err)
		}
		if all = append(all, page...); next == "" {
			return all
		}
		after = next
	}
}

func (h *house) wantEmpty() {
	h.t.Helper()
	if rows := h.list(false); len(rows) != 0 {
		h.t.Errorf("%d rows are left: %+v", len(rows), rows[0])
	}
}

func (h *house) wantCounts(want map[string]int) {
	h.t.Helper()
	for _, outcome := range outbox.Outcomes() {
		if got := h.counted(outcome); got != want[outcome] {
			h.t.Errorf("%s: %d, want %d", outcome, got, want[outcome])
		}
	}
}

// virtual is a test in virtual time.
func virtual(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}
