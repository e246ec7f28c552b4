package status_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/status"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

const (
	issuer   = "https://id.example.com"
	lifetime = 10 * time.Minute
	keep     = 30 * time.Minute
)

func newStore(t testing.TB) store.Store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "signet.db"))
}

func openStore(t testing.TB, path string) store.Store {
	t.Helper()
	s, err := boltstore.Open(path, boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}

// counting counts what reaches the engine.
type counting struct {
	store.Store
	commits atomic.Int64
	// before, if set, is called before each Commit.
	before func(ops []store.Op)
}

func (c *counting) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	c.commits.Add(1)
	if c.before != nil {
		c.before(ops)
	}
	return c.Store.Commit(ctx, ops...)
}

// signer makes what looks like a JWS, and counts.
type signer struct {
	lists, events atomic.Int64
	err           atomic.Pointer[error]
}

func (s *signer) sign(_ context.Context, typ string, claims []byte) (string, error) {
	if err := s.err.Load(); err != nil {
		return "", *err
	}
	if typ == status.TypeList {
		s.lists.Add(1)
	} else {
		s.events.Add(1)
	}
	n := s.lists.Load() + s.events.Load()
	return fmt.Sprintf("%s.%s.%x", base64.RawURLEncoding.EncodeToString([]byte(typ)), base64.RawURLEncoding.EncodeToString(claims), n), nil
}

// node is one server over a store.
type node struct {
	*status.Status
	clients *client.Directory
	signer  *signer
}

func start(t testing.TB, s store.Store, change ...func(*status.Options)) *node {
	t.Helper()
	clients, err := client.Open(context.Background(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{clients: clients, signer: &signer{}}
	o := status.Options{Store: s, Clients: clients, Sign: n.signer.sign, Issuer: issuer, Lifetime: lifetime, Keep: keep}
	for _, c := range change {
		c(&o)
	}
	if n.Status, err = status.Open(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close(); clients.Close() })
	return n
}

// run makes the stream's messages until the test is over.
func (n *node) run(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = n.Run(ctx, nil) }()
	t.Cleanup(func() { cancel(); <-done })
}

// register makes a client that may take slots.
func (n *node) register(t testing.TB, id string) {
	t.Helper()
	_, err := n.clients.Create(context.Background(), client.Client{ID: id, Scopes: []string{"x"}, Audience: []string{"https://a.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
}

func (n *node) take(t testing.TB, id string) slot.Slot {
	t.Helper()
	s, until, err := n.Slots.Take(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(until); left <= 0 || left > status.Term {
		t.Fatalf("the slot may be used for %v", left)
	}
	return s
}

var positions sync.Mutex // orders the endings of one test

// end writes an ending, as package ended does, and waits until n knows it.
func (n *node) end(t testing.TB, s store.Store, e ended.Ending) store.Version {
	t.Helper()
	v := journal(t, s, e)
	if err := n.Wait(context.Background(), v); err != nil {
		t.Fatal(err)
	}
	return v
}

func journal(t testing.TB, s store.Store, e ended.Ending) store.Version {
	t.Helper()
	positions.Lock()
	defer positions.Unlock()
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if e.Kind == "" {
		e.Kind, e.Cause = ended.KindToken, ended.ByRevocation
	}
	value, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("ended/%012x-%s", e.Time.UnixMilli(), ident.New())
	v, err := s.Commit(context.Background(), store.Put(key, value).Until(e.Time.Add(keep)).IfAbsent())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func only(s slot.Slot) ended.Ending { return ended.Ending{Slots: []slot.Range{slot.Only(s)}} }

// payload takes the claims out of what signer made.
func payload[T any](t testing.TB, jws string) T {
	t.Helper()
	var out T
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		t.Fatalf("%.80q is no JWS", jws)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return out
}

type listClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	TTL      int64  `json:"ttl"`
	Position uint64 `json:"position"`
	List     struct {
		Bits int    `json:"bits"`
		Lst  string `json:"lst"`
	} `json:"status_list"`
}

func inflate(t testing.TB, lst string) []byte {
	t.Helper()
	z, err := base64.RawURLEncoding.DecodeString(lst)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(z))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (n *node) list(t testing.TB, number uint64) (*status.Published, listClaims) {
	t.Helper()
	p, err := n.Board.List(context.Background(), number)
	if err != nil {
		t.Fatal(err)
	}
	return p, payload[listClaims](t, string(p.JWT))
}

func isSet(raw []byte, s slot.Slot) bool { return raw[s.Index()/8]&(1<<(s.Index()%8)) != 0 }

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within 5 s: %s", what)
}

// leaseOp is the lease of a block that begins at first.
func leaseOp(first slot.Slot) store.Op {
	value := fmt.Sprintf(`{"first":%d,"count":64}`, first)
	return store.Put(fmt.Sprintf("slots/lease/robot/%020d", first), []byte(value)).Until(time.Now().Add(time.Hour))
}
