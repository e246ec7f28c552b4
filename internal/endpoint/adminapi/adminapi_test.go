package adminapi_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/endpoint/adminapi"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/keys"
)

// house is the API over a real store.
type house struct {
	http.Handler
	t        *testing.T
	operator *admin.Operator
	store    *broken
}

// broken is a store whose Get can be made to fail.
type broken struct {
	store.Store
	get error
}

func (b *broken) Get(ctx context.Context, names ...string) ([]store.Record, error) {
	if b.get != nil {
		return nil, b.get
	}
	return b.Store.Get(ctx, names...)
}

// keyring is a keys.Storage for one ring.
type keyring struct{ store.Store }

func (k keyring) Load(ctx context.Context) ([]byte, uint64, error) {
	recs, err := k.Get(ctx, "keys/ring")
	if err != nil {
		return nil, 0, err
	}
	return recs[0].Value, uint64(recs[0].Version), nil
}

func (k keyring) Save(ctx context.Context, doc []byte, version uint64) (uint64, error) {
	ring := store.Put("keys/ring", doc).If(store.Version(version))
	v, err := k.Commit(ctx, append(ended.Riding(ctx), ring)...)
	return uint64(v), err
}

func (keyring) Changes(context.Context) (<-chan struct{}, error) { return nil, nil }

func newHouse(t *testing.T) *house {
	t.Helper()
	bolt, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bolt.Close() })
	kek := make([]byte, seal.KeySize)
	_, _ = rand.Read(kek)
	box, err := seal.NewBox(kek)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(t.Context(), keyring{bolt}, box, keys.DefaultPolicy(), nil, keys.ES256)
	if err != nil {
		t.Fatal(err)
	}
	s := &broken{Store: bolt}
	clients, err := client.Open(t.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(clients.Close)
	hasher, err := password.New(password.Options{Memory: 8, Time: 1})
	if err != nil {
		t.Fatal(err)
	}
	users := user.NewDirectory(s)
	op := &admin.Operator{Store: s, Clients: clients, Users: users, Passwords: hasher, Keys: ring, Ended: &ended.Endings{
		Store: s, Users: users, Clients: clients, Lifetime: 10 * time.Minute, Audit: time.Hour,
		Blocks: func(context.Context, string) ([]slot.Range, error) { return nil, nil },
		Known:  func(context.Context, store.Version) error { return nil },
	}}
	return &house{adminapi.Handler(op, "v1.2.3"), t, op, s}
}

// ask sends a request as the command line would, and returns status and body.
func (h *house) ask(method, path, body string) (int, string) {
	return h.askWith("application/json", method, path, body)
}

func (h *house) askWith(contentType, method, path, body string) (int, string) {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// want asks and demands a status; the answer is decoded into out, if any.
func (h *house) want(status int, method, path, body string, out any) {
	h.t.Helper()
	got, text := h.ask(method, path, body)
	if got != status {
		h.t.Fatalf("%s %s: got %d %s, want %d", method, path, got, text, status)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), out); err != nil {
		h.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
}

type refusal struct{ Kind, Field, Message string }

func TestAClientLivesThroughTheAPI(t *testing.T) {
	h := newHouse(t)
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	h.want(201, "POST", "/clients", `{"client_id":"shop","redirect_uris":["https://shop.example.com/cb"]}`, &made)
	if kept, _ := h.operator.Clients.Find("shop"); made.ID != "shop" || !kept.CheckSecret(made.Secret) {
		t.Errorf("got %+v", made)
	}
	var view admin.ClientView
	h.want(200, "PATCH", "/clients/shop", `{"client_name":"The shop","first_party":true}`, &view)
	if view.Title != "The shop" || !view.FirstParty {
		t.Errorf("got %+v", view)
	}
	h.want(200, "POST", "/clients/shop/secret", `{"revoke_old":true}`, &made)
	if kept, _ := h.operator.Clients.Find("shop"); !kept.CheckSecret(made.Secret) || len(kept.Secrets) != 1 {
		t.Error("the rotated secret is not the client's only one")
	}
	h.want(200, "POST", "/clients/shop/disable", "", &view)
	if !view.Disabled {
		t.Error("not disabled")
	}
	h.want(200, "POST", "/clients/shop/enable", "", &view)
	var all struct{ Clients []admin.ClientView }
	h.want(200, "GET", "/clients", "", &all)
	if len(all.Clients) != 1 || all.Clients[0].Disabled {
		t.Errorf("got %+v", all)
	}
	h.want(204, "DELETE", "/clients/shop", "", nil)
	h.want(404, "GET", "/clients/shop", "", nil)
}

func TestAUserLivesThroughTheAPI(t *testing.T) {
	h := newHouse(t)
	var u admin.UserView
	h.want(201, "POST", "/users", `{"login":"o'brien+x@example.com","roles":["admin"],"password":"a long walk by the river"}`, &u)
	if !u.HasPassword || u.Subject == "" {
		t.Errorf("got %+v", u)
	}
	const path = "/users/o%27brien+x%40example.com"
	h.want(200, "GET", path, "", &u)
	h.want(200, "GET", "/users/"+u.Subject, "", &u)
	h.want(200, "PATCH", path, `{"roles":[],"name":"O’Brien"}`, &u)
	if u.Name != "O’Brien" {
		t.Errorf("got %+v", u)
	}
	h.want(200, "POST", path+"/password", `{"password":"another walk, in the rain"}`, &u)
	h.want(200, "POST", path+"/disable", "", &u)
	if !u.Disabled {
		t.Error("not disabled")
	}
	h.want(200, "POST", path+"/enable", "", &u)
	h.want(204, "DELETE", path, "", nil)
	h.want(404, "GET", path, "", nil)
}

func TestALoginInAnyScriptIsFoundByItsEscapedPath(t *testing.T) {
	h := newHouse(t)
	var u admin.UserView
	h.want(201, "POST", "/users", `{"login":"зоя"}`, &u)
	h.want(200, "GET", "/users/%D0%B7%D0%BE%D1%8F", "", &u)
	if u.Login != "зоя" {
		t.Errorf("got %+v", u)
	}
}

func TestUsersComeInPages(t *testing.T) {
	h := newHouse(t)
	for _, login := range []string{"alice", "bob", "carol"} {
		h.want(201, "POST", "/users", `{"login":"`+login+`"}`, nil)
	}
	type page struct {
		Users []admin.UserView
		Next  string
	}
	var first, second page
	h.want(200, "GET", "/users?limit=2", "", &first)
	h.want(200, "GET", "/users?limit=2&after="+first.Next, "", &second)
	if len(first.Users) != 2 || first.Next == "" || len(second.Users) != 1 || second.Next != "" {
		t.Errorf("got %+v, then %+v", first, second)
	}
	h.want(400, "GET", "/users?limit=0", "", nil)
	h.want(400, "GET", "/users?limit=many", "", nil)
}

func TestKeysAndStatusAreShown(t *testing.T) {
	h := newHouse(t)
	var ring struct{ Keys []admin.KeyView }
	h.want(200, "POST", "/keys/rotate", `{"algs":["ES256"]}`, &ring)
	if len(ring.Keys) != 1 || ring.Keys[0].State != keys.Next {
		t.Errorf("got %+v", ring)
	}
	h.want(200, "GET", "/keys", "", &ring)
	if len(ring.Keys) != 2 {
		t.Errorf("got %+v", ring)
	}
	var status struct{ Version string }
	h.want(200, "GET", "/status", "", &status)
	if status.Version != "v1.2.3" {
		t.Errorf("got %+v", status)
	}
}

func TestWhatIsWrongIsSaidByKindFieldAndMessage(t *testing.T) {
	h := newHouse(t)
	h.want(201, "POST", "/clients", `{"client_id":"shop","redirect_uris":["https://shop.example.com/cb"]}`, nil)
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		want                     refusal
	}{
		{"a rule", "POST", "/clients", `{"client_id":"x","redirect_uris":["http://x.example/cb"]}`, 400, refusal{"invalid", "redirect_uri", "must use https"}},
		{"taken", "POST", "/clients", `{"client_id":"shop"}`, 409, refusal{"conflict", "client_id", "exists already"}},
		{"absent", "GET", "/clients/nope", "", 404, refusal{"not_found", "client_id", `no client is named "nope"`}},
		{"a misspelt member", "PATCH", "/clients/shop", `{"first_prty":true}`, 400, refusal{"invalid", "", `there is no member "first_prty"`}},
		{"a wrong type", "PATCH", "/clients/shop", `{"redirect_uris":"https://x"}`, 400, refusal{"invalid", "redirect_uris", "must be a list, not string"}},
		{"two objects", "PATCH", "/clients/shop", `{} {}`, 400, refusal{"invalid", "", "something follows"}},
		{"half an object", "PATCH", "/clients/shop", `{"client_name":`, 400, refusal{"invalid", "", "ends too early"}},
		{"no JSON", "PATCH", "/clients/shop", `client_name=x`, 400, refusal{"invalid", "", "not JSON"}},
		{"too much", "PATCH", "/clients/shop", `{"client_name":"` + strings.Repeat("x", 1<<20) + `"}`, 413, refusal{"invalid", "", "larger than 256 KiB"}},
		{"no such place", "GET", "/nothing", "", 404, refusal{"not_found", "", "there is nothing at /nothing"}},
		{"no such method", "PUT", "/clients/shop", "", 405, refusal{"invalid", "", "does not answer PUT; it answers "}},
	} {
		status, body := h.ask(c.method, c.path, c.body)
		var got refusal
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Errorf("%s: %v in %s", c.name, err, body)
		}
		if status != c.status || got.Kind != c.want.Kind || got.Field != c.want.Field || !strings.Contains(got.Message, c.want.Message) {
			t.Errorf("%s: got %d %+v, want %d %+v", c.name, status, got, c.status, c.want)
		}
	}
	if c, _ := h.operator.Clients.Find("shop"); c.Title != "" || c.FirstParty {
		t.Error("a refused request changed the client")
	}
}

// A browser that somebody's proxy lets through can send forms, not JSON.
func TestABodyThatIsNotDeclaredJSONIsRefused(t *testing.T) {
	h := newHouse(t)
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "", "application/json-seq"} {
		status, body := h.askWith(kind, "POST", "/clients", `{"client_id":"robot"}`)
		if status != 415 {
			t.Errorf("%q: got %d %s, want 415", kind, status, body)
		}
	}
	if _, made := h.operator.Clients.Find("robot"); made {
		t.Error("the client was made")
	}
	if status, body := h.askWith("application/json; charset=utf-8", "POST", "/clients", `{"client_id":"robot"}`); status != 201 {
		t.Errorf("got %d %s", status, body)
	}
}

func TestAnInternalErrorIsToldInFullAndAnAwayStoreIsNot(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct {
		err    error
		status int
		want   string
		never  string
	}{
		{errors.New("a page is torn"), 500, "a page is torn", "something went wrong"},
		{fault.Wrap(fault.Unavailable, errors.New("ENOSPC"), "the disk is full"), 503, "the disk is full", "ENOSPC"},
	} {
		h.store.get = c.err
		status, body := h.ask("GET", "/users/alice", "")
		if status != c.status || !strings.Contains(body, c.want) || strings.Contains(body, c.never) {
			t.Errorf("got %d %s", status, body)
		}
	}
}

func TestNoAnswerButTheOneThatMadeItHoldsASecret(t *testing.T) {
	h := newHouse(t)
	var made struct {
		Secret string `json:"client_secret"`
	}
	h.want(201, "POST", "/clients", `{"client_id":"shop","redirect_uris":["https://shop.example.com/cb"]}`, &made)
	h.want(201, "POST", "/users", `{"login":"alice","password":"a long walk by the river"}`, nil)
	for _, path := range []string{"/clients", "/clients/shop", "/users", "/users/alice", "/keys", "/status"} {
		_, body := h.ask("GET", path, "")
		for _, hidden := range []string{made.Secret, `"client_secret"`, "sha256", "argon2", "river", `"d":`} {
			if strings.Contains(body, hidden) {
				t.Errorf("GET %s shows %s", path, hidden)
			}
		}
	}
}
