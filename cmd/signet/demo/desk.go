package demo

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

const (
	maxSessions = 1000
	maxAttempts = 1000
	workday     = 12 * time.Hour   // how long a session here lasts at most
	attemptLife = 10 * time.Minute // how long somebody may take to sign in
)

// desk is a Service at work.
type desk struct {
	Service

	stock    stock
	client   *http.Client
	verifier *verify.Verifier
	issuer   *issuer
	pages    *template.Template
	log      *slog.Logger

	sessions *shelf[*session] // by the session cookie
	attempts *shelf[attempt]  // by state
	leavings *shelf[leaving]  // by state

	watching chan struct{}   // holds one for each watch
	life     context.Context // of the service; it begins nothing after it, and says nothing
	end      context.CancelFunc
	work     sync.WaitGroup // of watches
}

// leaving is a sign-out under way.
type leaving struct {
	binding string // the browser
	watch   *watch // nil if nothing is watched
}

func newDesk(s Service) (*desk, error) {
	goods, known := stockOf(s.Name)
	if !known {
		return nil, fmt.Errorf("demo: there is no service %q", s.Name)
	}
	life, end := context.WithCancel(context.Background())
	log := slog.New(until{life, slog.Default().Handler()}).With(slog.String("service", s.Name))
	verifier, err := verify.New(s.Issuer, s.URL, verify.WithLogger(log))
	if err != nil {
		end()
		return nil, fmt.Errorf("demo: %s: %w", s.Name, err)
	}
	pages, err := parsePages()
	if err != nil {
		verifier.Close()
		end()
		return nil, err
	}
	// Nobody that this service calls has a reason to send it elsewhere, and a
	// token must not follow a redirect.
	client := &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(), Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &desk{
		Service: s, stock: goods, client: client, verifier: verifier, pages: pages,
		issuer: &issuer{service: s, client: client},
		log:    log,

		sessions: newShelf[*session](maxSessions, workday),
		attempts: newShelf[attempt](maxAttempts, attemptLife),
		leavings: newShelf[leaving](maxAttempts, attemptLife),

		watching: make(chan struct{}, maxWatches), life: life, end: end,
	}, nil
}

// until is a log that falls silent when ctx ends: whoever stops sees others stop,
// and has nothing to report of it.
type until struct {
	ctx context.Context
	slog.Handler
}

func (u until) Enabled(ctx context.Context, l slog.Level) bool {
	return u.ctx.Err() == nil && u.Handler.Enabled(ctx, l)
}

func (u until) WithAttrs(a []slog.Attr) slog.Handler { return until{u.ctx, u.Handler.WithAttrs(a)} }
func (u until) WithGroup(name string) slog.Handler   { return until{u.ctx, u.Handler.WithGroup(name)} }

// close ends what the service does by itself.
func (d *desk) close() {
	d.end()
	d.work.Wait()
	d.verifier.Close()
	d.client.CloseIdleConnections()
}

// routes is all that the service answers.
func (d *desk) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", d.page(d.home))
	mux.Handle("GET /ask", d.page(d.ask))
	mux.Handle("GET /signin", d.page(d.signIn))
	mux.Handle("GET /callback", d.page(d.callback))
	mux.Handle("POST /signout", d.page(d.signOut))
	mux.Handle("GET /api/"+d.Name, d.verifier.Require(d.Name+":read")(http.HandlerFunc(d.list)))
	mux.Handle("GET /demo.css", file("demo.css", "text/css; charset=utf-8"))
	mux.Handle("GET /favicon.svg", file(d.Name+".svg", "image/svg+xml"))
	mux.Handle("/", d.page(nothing))

	// All demo services and their issuer are one site to a browser, which knows
	// hosts and not ports: SameSite=Lax alone would let one sign a person out of
	// the other.
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(d.page(foreign))
	return d.harden(origin.Handler(mux))
}

// harden sets what every answer carries. The pages have no script at all.
func (d *desk) harden(next http.Handler) http.Handler {
	policy := strings.Join([]string{
		"default-src 'none'", "style-src 'self'",
		"img-src 'self' data:", // the engraving in the style sheet
		// Browsers hold a form's redirects against form-action too, and signing
		// out goes on to the issuer.
		"form-action 'self' " + originOf(d.Issuer),
		"base-uri 'none'", "frame-ancestors 'none'",
	}, "; ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// originOf is scheme, host and port of an address.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// failure is an error that a person can read. The cause is for the log.
type failure struct {
	status         int
	title, message string
	cause          error
}

func (f *failure) Error() string {
	if f.cause == nil {
		return f.message
	}
	return f.message + ": " + f.cause.Error()
}

func (f *failure) Unwrap() error { return f.cause }

func nothing(http.ResponseWriter, *http.Request) error {
	return &failure{status: http.StatusNotFound, title: "There is nothing here", message: "This service has no page at this address."}
}

func foreign(http.ResponseWriter, *http.Request) error {
	return &failure{status: http.StatusForbidden, title: "That came from elsewhere", message: "Another site sent this form. Nothing was done."}
}

// page makes a handler of a function that may fail, and shows the failure.
func (d *desk) page(show func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := show(w, r)
		if err == nil {
			return
		}
		var f *failure
		if !errors.As(err, &f) {
			f = &failure{status: http.StatusInternalServerError, title: "That did not work", message: "Something went wrong in this service.", cause: err}
		}
		if f.cause != nil {
			d.log.WarnContext(r.Context(), "showing a failure", slog.String("path", r.URL.Path), slog.Any("error", f))
		}
		if err := d.render(w, f.status, "failure", view{Title: f.title, Message: f.message}); err != nil {
			d.log.ErrorContext(r.Context(), "rendering a failure", slog.Any("error", err))
			http.Error(w, f.message, f.status)
		}
	})
}
