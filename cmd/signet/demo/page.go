package demo

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

//go:embed page.html demo.css orders.svg invoices.svg
var files embed.FS

// view is what the pages show. What is true of every page, render fills in.
type view struct {
	Service   Service
	Stock     stock
	PeerTitle string
	Title     string // the service's, if nothing else
	Reason    string // landing: why nobody is signed in
	Message   string // failure: what a person can do
	Person    person
	Token     token
	Answer    *answer  // of the peer, if it was asked
	Arrival   *arrival // on the first page after a sign-in
	Race      *race    // on the first page after a sign-out
}

type person struct {
	Name, Session string
	Roles         []string
}

// token is the access token, as far as a person needs to know.
type token struct {
	Verified time.Duration // how long that took
	Left     time.Duration // until it expires
	Heard    time.Duration // since the issuer last confirmed that it has not ended
	Stale    bool          // which is too long ago
	Renewed  bool          // for this page
}

func parsePages() (*template.Template, error) {
	t, err := template.New("").Funcs(template.FuncMap{"spoken": spoken, "clock": clock, "ordinal": ordinal}).ParseFS(files, "page.html")
	if err != nil {
		return nil, fmt.Errorf("demo: reading the pages: %w", err)
	}
	return t, nil
}

// home shows the page of whoever is signed in, or the way to do so.
func (d *desk) home(w http.ResponseWriter, r *http.Request) error {
	if l, left := d.hasLeft(r); left {
		return d.render(w, http.StatusOK, "landing", view{
			Reason: "You are signed out, here and at the issuer.", Race: l.watch.seen(r.Context()),
		})
	}
	v, err := d.visitor(r)
	if err != nil {
		return d.unvisited(w, err)
	}
	return d.welcome(w, v, nil)
}

// ask shows the same page with the peer's answer. It changes nothing, so it is a
// GET, which may be repeated.
func (d *desk) ask(w http.ResponseWriter, r *http.Request) error {
	v, err := d.visitor(r)
	if err != nil {
		return d.unvisited(w, err)
	}
	said, err := d.askPeer(r.Context(), v.raw)
	if err != nil {
		return err
	}
	return d.welcome(w, v, &said)
}

// unvisited shows the landing page to nobody, and leaves other errors be.
func (d *desk) unvisited(w http.ResponseWriter, err error) error {
	var n nobody
	if !errors.As(err, &n) {
		return err
	}
	d.give(w, d.sessionCookie(), "", 0)
	return d.landing(w, n.why)
}

func (d *desk) landing(w http.ResponseWriter, reason string) error {
	return d.render(w, http.StatusOK, "landing", view{Reason: reason})
}

func (d *desk) welcome(w http.ResponseWriter, v visit, said *answer) error {
	return d.render(w, http.StatusOK, "welcome", view{
		Person:  person{Name: v.name, Session: short(v.access.SessionID()), Roles: v.access.Roles()},
		Token:   token{Verified: v.verified, Left: time.Until(v.access.ExpiresAt()), Heard: v.access.Staleness(), Stale: v.access.Stale(), Renewed: v.renewed},
		Answer:  said,
		Arrival: v.arrived(),
	})
}

// render writes a page, whole or not at all.
func (d *desk) render(w http.ResponseWriter, status int, page string, v view) error {
	v.Service, v.Stock, v.PeerTitle = d.Service, d.stock, title(d.PeerName)
	if v.Title == "" {
		v.Title = title(d.Name)
	}
	var body bytes.Buffer
	if err := d.pages.ExecuteTemplate(&body, page, v); err != nil {
		return fmt.Errorf("rendering %s: %w", page, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := body.WriteTo(w); err != nil { // the browser has gone
		d.log.Info("writing a page", slog.Any("error", err))
	}
	return nil
}

// file answers with one of the embedded files.
func file(name, kind string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, files, name)
	})
}

// title is a service's name as a heading.
func title(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// short is the beginning of an identifier: enough to see that two are the same.
func short(id string) string {
	const shown = 10
	if len(id) <= shown {
		return id
	}
	return id[:shown] + "…"
}

// spoken is a duration with two figures that matter and one unit that fits, or
// two for long ones.
func spoken(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return "less than 1 µs"
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
}
