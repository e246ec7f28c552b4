package interop

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store/storetest"
)

// envNode makes the test binary a node of a cluster, and says which.
const envNode = "SIGNET_TEST_NODE"

// turning is how signing keys turn, so fast that it is seen within a test.
type turning struct {
	Cache time.Duration // of the JWKS, by a verifier
	Sign  time.Duration // by one key
}

// publish is how long a key is published before it signs. A node that was cut off
// must have heard of it by then, or it takes what the key signed for forged.
func (k turning) publish() time.Duration { return k.Cache + k.Cache/2 }

func soonTurning() turning { return turning{Cache: 4 * time.Second, Sign: 9 * time.Second} }

// nodeSpec is what a node is told. All nodes of a cluster are told the same but
// for Dir, where its socket is, and the way to the engine in Store.
type nodeSpec struct {
	Dir   string
	Key   string // the file of the key-encryption key
	Store string
	Keys  turning
}

// serveNode serves until it is killed, or until its parent is gone.
func serveNode(text string) error {
	var spec nodeSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return err
	}
	cfg := crashConfig(spec.Dir)
	cfg.Store, cfg.Keys.EncryptionKeyFile = spec.Store, spec.Key
	cfg.Admin.Socket = filepath.Join(spec.Dir, "signet.sock")
	cfg.Keys.JWKSMaxAge, cfg.Keys.Lifetime = spec.Keys.Cache, spec.Keys.Sign
	if _, err := config.ParseEngine(spec.Store); err != nil {
		return err
	}
	ctx := context.Background()
	a, err := app.New(ctx, cfg, app.Options{Log: os.Stderr, AwaitEngine: true})
	if err != nil {
		return err
	}
	return announce(ctx, a)
}

// node is one process of a cluster.
type node struct {
	*victim
	name string
	ways []*storetest.Proxy // to each address of the engine
	// What the verifiers say that follow it.
	heard record
	// What the processes said that were killed.
	earlier strings.Builder

	mu    sync.Mutex
	calm  time.Time // since then nothing is wrong with it; zero: something is
	wrong int       // how many things
	out   bool      // the balancer found that it does not answer
}

// newNode prepares a node; start runs it.
func newNode(t *testing.T, e engine, name, folder, key string, k turning) *node {
	t.Helper()
	n := &node{name: name}
	var through []string
	for _, address := range e.addresses() {
		p := storetest.NewProxy(t, address)
		n.ways, through = append(n.ways, p), append(through, p.Address())
	}
	dir := filepath.Join(folder, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	spec, err := json.Marshal(nodeSpec{Dir: dir, Key: key, Store: e.url(through), Keys: k})
	if err != nil {
		t.Fatal(err)
	}
	n.victim = newVictim(t, dir)
	n.role = envNode + "=" + string(spec)
	n.http.ResponseHeaderTimeout = answerWithin
	n.admin.ResponseHeaderTimeout = answerWithin
	return n
}

// answerWithin is how long anybody waits for a node to answer before it is taken
// for dead. It is longer than a node waits for its engine.
const answerWithin = 15 * time.Second

// trouble says that something is wrong with the node until it is healed as often.
func (n *node) trouble() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wrong++
	n.calm = time.Time{}
}

func (n *node) healed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wrong--; n.wrong == 0 {
		n.calm = time.Now()
	}
}

// calmSince says since when nothing is wrong with the node; zero is now.
func (n *node) calmSince() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calm
}

// log is what its processes said, of which none runs any more.
func (n *node) log() string { return n.earlier.String() + n.said.String() }

// operator speaks to this node.
func (n *node) operator(logoutURI string) crashOperator {
	return crashOperator{newVisitor(n.admin), logoutURI}
}

// newKeyFile makes the key-encryption key that all nodes share.
func newKeyFile(t *testing.T, folder string) string {
	t.Helper()
	path := filepath.Join(folder, "signet.key")
	if _, _, err := seal.LoadOrMakeKey(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// via goes to one node at a time, which the test chooses.
type via struct{ node *node }

func (v *via) RoundTrip(r *http.Request) (*http.Response, error) { return v.node.http.RoundTrip(r) }
