// Command zitadel is zitadel/oidc as an issuer beside Signet: the same clients
// over the same requests, everything kept in memory by the storage of the
// library's own example. Whoever comes to its sign-in page is signed in, and
// there is no page to render.
//
//	stdin: {issuer, audience, scope, callback, algorithm, clients} ──▶ its address on stdout
//
// It ends when stdin does.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// task is what the issuer is to be.
type task struct {
	Issuer    string                  `json:"issuer"`
	Audience  string                  `json:"audience"`
	Scope     string                  `json:"scope"`
	Callback  string                  `json:"callback"`
	Algorithm jose.SignatureAlgorithm `json:"algorithm"` // of access tokens, and so of ID tokens
	Clients   []struct {
		ID      string `json:"id"`
		Secret  string `json:"secret"`
		Machine bool   `json:"machine"`
	} `json:"clients"`
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "zitadel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	// What goes wrong is told; requests that go well are not.
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	input := json.NewDecoder(os.Stdin)
	var t task
	if err := input.Decode(&t); err != nil {
		return fmt.Errorf("reading the task: %w", err)
	}
	handler, err := serve(t)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: handler}
	go func() { _ = server.Serve(listener) }() // until Close
	fmt.Println(listener.Addr())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return fmt.Errorf("waiting for the end: %w", err)
	}
	return server.Close()
}

// serve is the library's issuer, at the paths that the bench knows, with the
// sign-in that it leaves to others.
func serve(t task) (http.Handler, error) {
	store, err := newStore(t)
	if err != nil {
		return nil, err
	}
	config := &op.Config{CryptoKeyId: "bench", CodeMethodS256: true, GrantTypeRefreshToken: true}
	rand.Read(config.CryptoKey[:])
	provider, err := op.NewProvider(config, store, op.StaticIssuer(t.Issuer),
		op.WithCustomTokenEndpoint(op.NewEndpoint("token")),
		op.WithCustomKeysEndpoint(op.NewEndpoint("jwks")),
		op.WithAccessTokenVerifierOpts(op.WithSupportedAccessTokenSigningAlgorithms(string(t.Algorithm))),
	)
	if err != nil {
		return nil, fmt.Errorf("setting up the issuer: %w", err)
	}
	desk := &desk{store: store, callback: op.AuthCallbackURL(provider)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login/username", op.NewIssuerInterceptor(provider.IssuerFromRequest).HandlerFunc(desk.signIn))
	mux.Handle("/", provider)
	return mux, nil
}

// desk is the sign-in: the library brings none.
type desk struct {
	store    *store
	callback func(ctx context.Context, id string) string
	sessions sync.Map // by the value of their cookie
}

const sessionCookie = "_session"

// signIn sends the browser back at once, with a session if it has none.
func (d *desk) signIn(w http.ResponseWriter, r *http.Request) {
	known := false
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		_, known = d.sessions.Load(cookie.Value)
	}
	if !known {
		value := rand.Text()
		d.sessions.Store(value, true)
		http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	id := r.FormValue("authRequestID")
	if err := d.store.CheckUsernamePassword(somebody.Username, somebody.Password, id); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, d.callback(r.Context(), id), http.StatusFound)
}
