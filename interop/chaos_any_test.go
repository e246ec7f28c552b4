package interop

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/pkg/verify"
)

// Whatever one node has begun, any other goes on with.
func TestAnyNodeAnswersAnyRequest(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts an engine and three servers")
	}
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, e engine) {
		c := newCluster(t, e, 3, soonTurning())
		c.start(t)
		w := &walk{c: c, t: t, party: newParty(t), way: new(via)}
		w.ledger = c.ledger(t, w.party)
		w.register()
		w.signIn()
		w.redeem()
		w.refresh()
		w.machine()
		w.leave()
		w.turned()
		w.told()
	})
}

// walk is one person, a client that is a third party, and verifiers at every node.
type walk struct {
	*ledger
	c     *cluster
	t     *testing.T
	party *party

	way       *via // to the node that is next
	client    relying
	browser   *signedIn
	family    *family
	access    *issued
	verifiers []*verify.Verifier
}

func (w *walk) at(i int) *walk { w.way.node = w.c.nodes[i]; return w }

// register has the person made at the first node and the client at the second,
// and waits until the third knows the client.
func (w *walk) register() {
	ctx := w.t.Context()
	if got, err := w.c.nodes[0].operator("").addUser(ctx, "alice"); err != nil || got.status != http.StatusCreated {
		w.t.Fatalf("adding a user: %v %s", err, got)
	}
	var made struct {
		Secret string `json:"client_secret"`
	}
	status, err := w.c.nodes[1].operator("").do(ctx, http.MethodPost, "/clients", map[string]any{
		"client_id": "third", "require_pkce": false, "redirect_uris": []string{callback},
		"grant_types": []string{"authorization_code", "refresh_token", "client_credentials"},
		"audience":    []string{crashAudience}, "introspection": true, "backchannel_logout_uri": w.party.uri(), "backchannel_logout_session_required": true,
	}, &made)
	if err != nil || status != http.StatusCreated {
		w.t.Fatalf("adding a client: %d, %v", status, err)
	}
	begun := time.Now()
	w.client = relying{newVisitor(w.way), "third", secret.New(made.Secret)}
	for i := range w.c.nodes {
		for {
			got, err := w.at(i).client.token(ctx, url.Values{"grant_type": {"client_credentials"}})
			if err == nil && got.status == http.StatusOK {
				break
			}
			if err != nil || w.c.strain.passed(begun, knownWithin) {
				w.t.Fatalf("node %d does not know the client after %s: %v %s", i+1, time.Since(begun), err, got)
			}
		}
	}
	w.t.Logf("a client was known at every node after %s", time.Since(begun).Round(time.Millisecond))
	for _, n := range w.c.nodes {
		v := n.follow(w.t)
		w.t.Cleanup(v.Close)
		w.verifiers = append(w.verifiers, v)
	}
}

// signIn asks at the first node, shows the page at the second, takes the password
// at the third and the consent at the second.
func (w *walk) signIn() {
	ctx := w.t.Context()
	w.browser = &signedIn{visitor: newVisitor(w.way), login: "alice"}
	step := func(node int, what string, got reply, err error) reply {
		w.t.Helper()
		if err != nil || got.status >= http.StatusBadRequest {
			w.t.Fatalf("%s at node %d: %v %s", what, node+1, err, got)
		}
		return got
	}
	get := func(node int, what, target string) reply {
		w.t.Helper()
		got, err := w.at(node).browser.get(ctx, strings.TrimPrefix(target, crashIssuer))
		return step(node, what, got, err)
	}
	post := func(node int, what, target string, form url.Values) reply {
		w.t.Helper()
		got, err := w.at(node).browser.post(ctx, target, form)
		return step(node, what, got, err)
	}
	journey := func(page reply) string {
		w.t.Helper()
		m := journeyField.FindStringSubmatch(page.body)
		if m == nil {
			w.t.Fatalf("no journey: %s", page)
		}
		return m[1]
	}
	got := get(0, "asking", askCode("third"))
	got = get(1, "the sign-in page", got.header.Get("Location"))
	got = post(2, "the password", "/signin", url.Values{"journey": {journey(got)}, "login": {"alice"}, "password": {password}})
	got = get(0, "resuming", got.header.Get("Location"))
	got = get(1, "the consent page", got.header.Get("Location"))
	got = post(1, "the consent", "/consent", url.Values{"journey": {journey(got)}, "answer": {"accept"}})
	got = get(2, "resuming", got.header.Get("Location"))
	w.family = &family{session: w.browser, client: w.client, code: got.location().Get("code"), issued: time.Now()}
	if w.family.code == "" {
		w.t.Fatalf("no code: %s", got)
	}
	if got := get(0, "asking again", askCode("third", "prompt", "none")); got.location().Get("code") == "" {
		w.t.Errorf("another node does not know who is signed in, or what was agreed to: %s", got)
	}
}

func (w *walk) redeem() {
	got, err := w.at(2).client.redeem(w.t.Context(), w.family.code)
	if err != nil || got.status != http.StatusOK {
		w.t.Fatalf("redeeming at node 3: %v %s", err, got)
	}
	w.family.tokens = []string{got.Refresh}
	w.access = w.keep(got.Access, w.client, w.family)
	info, err := w.info(0, got.Access)
	if err != nil || info.status != http.StatusOK {
		w.t.Errorf("userinfo at node 1: %v %s", err, info)
	}
}

func (w *walk) info(node int, access string) (reply, error) {
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, crashIssuer+"/userinfo", nil)
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Authorization", "Bearer "+access)
	return newVisitor(w.c.nodes[node].http).do(r)
}

// refresh rotates at one node after another, then at all at once.
func (w *walk) refresh() {
	ctx := w.t.Context()
	for i := range w.c.nodes {
		got, err := w.at(i).client.refresh(ctx, w.family.current())
		if err != nil || got.status != http.StatusOK {
			w.t.Fatalf("refreshing at node %d: %v %s", i+1, err, got)
		}
		w.keep(got.Access, w.client, w.family)
		again, err := w.at((i+1)%3).client.refresh(ctx, w.family.current())
		if err != nil || again.Refresh != got.Refresh {
			w.t.Fatalf("the same token at the next node has another successor: %v %s", err, again)
		}
		w.family.succeed(got.Refresh)
	}
	var mu sync.Mutex
	found := map[string]bool{}
	inParallel(w.c.nodes, func(n *node) {
		got, err := relying{newVisitor(n.http), w.client.id, w.client.secret}.refresh(ctx, w.family.current())
		mu.Lock()
		defer mu.Unlock()
		if err != nil || got.status != http.StatusOK {
			w.t.Errorf("refreshing at every node at once: %v %s", err, got)
		}
		found[got.Refresh] = true
	})
	if len(found) != 1 {
		w.t.Errorf("%d successors of one refresh token", len(found))
	}
	for token := range found {
		w.family.succeed(token)
	}
}

// machine gets tokens at every node, no two with one slot, and revokes one
// elsewhere.
func (w *walk) machine() {
	ctx := w.t.Context()
	for i := range 30 {
		got, err := w.at(i%3).client.token(ctx, url.Values{"grant_type": {"client_credentials"}})
		if err != nil || got.status != http.StatusOK {
			w.t.Fatalf("a machine's token at node %d: %v %s", i%3+1, err, got)
		}
		issued := w.keep(got.Access, w.client, nil)
		if issued == nil || i < 27 {
			continue
		}
		w.wantAccepted(issued.raw)
		if got, err := w.at((i+1)%3).client.post(ctx, "/revoke", issued.raw); err != nil || got.status != http.StatusOK {
			w.t.Fatalf("revoking: %v %s", err, got)
		}
		w.wantRefused("a machine's token that was revoked", issued.raw)
	}
}

func (w *walk) wantAccepted(raw string) {
	w.t.Helper()
	for i, v := range w.verifiers {
		if _, err := v.Verify(w.t.Context(), raw); err != nil {
			w.t.Errorf("the verifier at node %d: %v", i+1, err)
		}
	}
}

// wantRefused measures how long it takes until the verifiers of every node
// refuse what ended just now.
func (w *walk) wantRefused(what, raw string) {
	w.t.Helper()
	begun := time.Now()
	for i, v := range w.verifiers {
		for {
			_, err := v.Verify(w.t.Context(), raw)
			if errors.Is(err, verify.Ended) {
				break
			}
			if w.c.strain.passed(begun, knownWithin) {
				w.t.Fatalf("%s: the verifier at node %d says %v after %s", what, i+1, err, time.Since(begun))
			}
			time.Sleep(time.Millisecond)
		}
	}
	w.t.Logf("%s was refused at every node after %s", what, time.Since(begun).Round(time.Millisecond))
}

// leave signs out at the second node.
func (w *walk) leave() {
	w.wantAccepted(w.access.raw)
	if !w.ledger.leave(w.t.Context(), w.at(1).family) {
		w.t.FailNow()
	}
	w.wantRefused("a token of somebody who signed out", w.access.raw)
	for i := range w.c.nodes {
		if got, err := w.at(i).client.refresh(w.t.Context(), w.family.current()); err != nil || got.Error != "invalid_grant" {
			w.t.Errorf("refreshing at node %d after the sign-out: %v %s", i+1, err, got)
		}
		if got, err := w.browser.get(w.t.Context(), askCode("third", "prompt", "none")); err != nil || got.location().Get("error") != "login_required" {
			w.t.Errorf("asking at node %d after the sign-out: %v %s", i+1, err, got)
		}
	}
}

// turned waits until the signing keys have turned, and expects that the nodes
// turned them together: each step once, and known everywhere.
func (w *walk) turned() {
	ctx := w.t.Context()
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		ring, err := w.c.nodes[0].ring(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		if activated(ring) > 1 {
			break
		}
		if w.c.strain.passed(begun, 2*w.c.keys.Sign) {
			w.t.Fatalf("the keys do not turn: %+v", ring)
		}
	}
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		rings := w.rings(ctx)
		same := reflect.DeepEqual(rings[0], rings[1]) && reflect.DeepEqual(rings[1], rings[2])
		if same {
			if err := w.c.keys.once(rings[0]); err != nil {
				w.t.Error(err)
			}
			return
		}
		if w.c.strain.passed(begun, knownWithin) {
			w.t.Fatalf("the nodes have different keys: %+v", rings)
		}
	}
}

func (w *walk) rings(ctx context.Context) (rings [3][]ringKey) {
	for i, n := range w.c.nodes {
		ring, err := n.ring(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		rings[i] = ring
	}
	return rings
}

func activated(ring []ringKey) (n int) {
	for _, k := range ring {
		if k.Algorithm == "ES256" && !k.Activated.IsZero() {
			n++
		}
	}
	return n
}

// told expects that the relying party was told of the sign-out once, although
// every node could have done it.
func (w *walk) told() {
	sid := w.access.sid
	for begun := time.Now(); w.party.missing(map[string]bool{sid: true}) > 0 && !w.c.strain.passed(begun, 5*time.Second); {
		time.Sleep(10 * time.Millisecond)
	}
	w.party.mu.Lock()
	defer w.party.mu.Unlock()
	if w.party.told[sid] != 1 || len(w.party.wrong) > 0 {
		w.t.Errorf("the relying party was told %d times, and wrongly %q, want once", w.party.told[sid], w.party.wrong)
	}
}
