package demo

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/secret"
)

// town is both services and their real issuer, on loopback sockets.
type town struct {
	t                *testing.T
	issuer           *app.App
	issuerURL        string
	issuerServer     *httptest.Server
	down             atomic.Bool // the issuer breaks every connection
	orders, invoices *desk
	subject          string // of alice
	terminal         terminal
}

func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // a server closed it before
	return l, "http://" + l.Addr().String()
}

// serve answers on l until the test ends.
func serve(t *testing.T, l net.Listener, h http.Handler) *httptest.Server {
	t.Helper()
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func newTown(t *testing.T) *town {
	t.Helper()
	town := &town{t: t}
	issuerAt, issuerURL := listen(t)
	ordersAt, ordersURL := listen(t)
	invoicesAt, invoicesURL := listen(t)
	town.issuerURL = issuerURL
	town.issuer = newIssuer(t, issuerURL)
	town.issuerServer = serve(t, issuerAt, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if town.down.Load() {
			panic(http.ErrAbortHandler)
		}
		town.issuer.Handler().ServeHTTP(w, r)
	}))
	alice, err := town.issuer.Operator.AddUser(t.Context(), admin.UserSettings{
		Login: new("alice"), Name: new("Alice <Adler>"), Roles: &[]string{"clerk"},
	}, secret.Value{})
	if err != nil {
		t.Fatal(err)
	}
	town.subject = alice.Subject
	orders := Service{
		Name: "orders", Listener: ordersAt, URL: ordersURL, ClientID: "demo-orders", Issuer: issuerURL,
		PeerName: "invoices", PeerURL: invoicesURL,
	}
	invoices := Service{
		Name: "invoices", Listener: invoicesAt, URL: invoicesURL, ClientID: "demo-invoices", Issuer: issuerURL,
		PeerName: "orders", PeerURL: ordersURL,
	}
	town.orders, town.invoices = town.open(orders), town.open(invoices)
	return town
}

func newIssuer(t *testing.T, address string) *app.App {
	t.Helper()
	cfg := config.Default()
	cfg.Issuer, cfg.Store, cfg.Metrics.Address = address, "bolt:"+filepath.Join(t.TempDir(), "signet.db"), config.Off
	config.LoopbackHTTP(&cfg)
	a, err := app.New(t.Context(), cfg, app.Options{
		NoSync: true, Log: io.Discard, Personas: []pages.Persona{{Login: "alice", Name: "Alice Adler"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	turned := make(chan error, 1)
	go func() { turned <- a.RunRings(ctx) }() // the stream, among others
	t.Cleanup(func() {
		stop()
		if err := <-turned; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// sessionEnded reads in the issuer's log when a session ended.
func (town *town) sessionEnded(ctx context.Context, sid string) (time.Time, error) {
	events, err := town.issuer.Operator.ListAudit(ctx, "", 10)
	if err != nil {
		return time.Time{}, err
	}
	for _, e := range events {
		if e.SessionID == sid {
			return e.Time, nil
		}
	}
	return time.Time{}, errors.New("it has not ended")
}

// terminal keeps what services tell.
type terminal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (t *terminal) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

func (t *terminal) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// open registers a service at the issuer and starts it.
func (town *town) open(s Service) *desk {
	town.t.Helper()
	made, err := town.issuer.Operator.AddClient(town.t.Context(), s.ClientID, admin.ClientSettings{
		FirstParty: new(true), RedirectURIs: &[]string{s.URL + "/callback"}, PostLogoutRedirectURIs: &[]string{s.URL + "/"},
		Scope: new("orders:read invoices:read"), Audience: &[]string{s.URL, s.PeerURL},
	})
	if err != nil {
		town.t.Fatal(err)
	}
	s.ClientSecret, s.Ended, s.Terminal = made.Secret.Reveal(), town.sessionEnded, &town.terminal
	d, err := newDesk(s)
	if err != nil {
		town.t.Fatal(err)
	}
	d.log = slog.New(slog.DiscardHandler)
	serve(town.t, s.Listener, d.routes())
	town.t.Cleanup(d.close)
	return d
}

// lone is a service whose issuer and peer don't answer.
func lone(t *testing.T) *desk {
	t.Helper()
	at, address := listen(t)
	gone, goneURL := listen(t)
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := newDesk(Service{
		Name: "orders", Listener: at, URL: address, ClientID: "demo-orders", ClientSecret: "s", Issuer: goneURL,
		PeerName: "invoices", PeerURL: goneURL,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.log = slog.New(slog.DiscardHandler)
	serve(t, at, d.routes())
	t.Cleanup(d.close)
	return d
}

// browser is a person's browser: it keeps cookies by host, whatever the port,
// and follows redirects when told.
type browser struct {
	t      *testing.T
	client *http.Client
}

// page is one answer, whole.
type page struct {
	*http.Response
	body string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, client: &http.Client{Jar: jar}}
}

func (b *browser) do(method, address string, form url.Values, header http.Header) page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range header {
		r.Header[name] = values
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		b.t.Fatal(err)
	}
	return page{response, string(body)}
}

func (b *browser) get(address string) page {
	b.t.Helper()
	return b.do(http.MethodGet, address, nil, nil)
}

// stay makes a browser that shows redirects instead of following them, with the
// same cookies.
func (b *browser) stay() *browser {
	return &browser{t: b.t, client: &http.Client{
		Jar:           b.client.Jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

var journeyField = regexp.MustCompile(`name="journey" value="([^"]+)"`)

// signIn goes the whole way at d, as alice with one click at the issuer, and
// returns the page that she lands on.
func (b *browser) signIn(d *desk) page {
	b.t.Helper()
	asked := b.get(d.URL + "/signin")
	return b.pick(d, asked, b.client)
}

// pick chooses alice on the issuer's sign-in page.
func (b *browser) pick(d *desk, asked page, client *http.Client) page {
	b.t.Helper()
	journey := journeyField.FindStringSubmatch(asked.body)
	if journey == nil {
		b.t.Fatalf("no sign-in page but %s: %s", asked.Status, asked.body)
	}
	with := &browser{t: b.t, client: client}
	return with.do(http.MethodPost, d.Issuer+"/signin", url.Values{"journey": {journey[1]}, "persona": {"alice"}}, nil)
}

// answerFor goes the way to the callback of d and stops before it: the address
// is the issuer's answer.
func (b *browser) answerFor(d *desk) *url.URL {
	b.t.Helper()
	asked := b.get(d.URL + "/signin")
	var at *url.URL
	client := &http.Client{Jar: b.client.Jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/callback" {
			at = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	b.pick(d, asked, client)
	if at == nil {
		b.t.Fatal("the issuer did not answer")
	}
	return at
}

// sessionOf is the only session at d.
func sessionOf(t *testing.T, d *desk) *session {
	t.Helper()
	d.sessions.mu.Lock()
	defer d.sessions.mu.Unlock()
	if len(d.sessions.places) != 1 {
		t.Fatalf("%d sessions at %s, want 1", len(d.sessions.places), d.Name)
	}
	for _, p := range d.sessions.places {
		return p.value
	}
	return nil
}

// tamper changes every attempt at d.
func tamper(d *desk, change func(*attempt)) {
	d.attempts.mu.Lock()
	defer d.attempts.mu.Unlock()
	for state, p := range d.attempts.places {
		change(&p.value)
		d.attempts.places[state] = p
	}
}

func (p page) wants(t *testing.T, status int, texts ...string) {
	t.Helper()
	if p.StatusCode != status {
		t.Errorf("status = %d, want %d\n%s", p.StatusCode, status, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Errorf("the page lacks %q:\n%s", text, p.body)
		}
	}
}

func (p page) lacks(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(p.body, text) {
			t.Errorf("the page has %q:\n%s", text, p.body)
		}
	}
}
