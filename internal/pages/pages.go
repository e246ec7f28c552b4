// Package pages owns what a person sees: it fills the templates, sets the
// headers that keep a page safe, and serves the style sheet.
//
//	endpoint ──SignIn{…}──▶ Render ──template──▶ buffer ──headers──▶ browser
//	browser ──/assets/signet-<hash>.css──▶ Assets
//
// It never reads a request, decides a step or checks a form: endpoints do, and
// hand over a value that holds all the page shows. A page is rendered in full
// before its first byte is sent, so nobody ever gets half of one.
//
// Text is escaped by html/template. Addresses that strangers registered become
// links only when their scheme cannot run code; see links.go.
package pages

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/templates"
)

// Options say where the pages live and in whose name they speak.
type Options struct {
	Base     string // the path of the issuer: "" or, for example, "/auth"
	Name     string // the deployment's name for people; "" means Signet
	Loopback bool   // the issuer is on this machine: logos may come by plain http
}

// Pages renders. It is made once and safe for concurrent use.
type Pages struct {
	opts   Options
	sheets map[string]*template.Template
	assets assets
}

// sheetFiles are the pages of the templates folder; layout.html surrounds each.
func sheetFiles() []string {
	return []string{
		"signin.html", "consent.html", "signout.html", "signedout.html",
		"home.html", "account.html", "password.html", "changed.html", "failure.html", "formpost.html", "check.html",
	}
}

// New parses every template, so that a broken one stops the start, not a sign-in.
func New(opts Options) (*Pages, error) {
	if opts.Base != "" && (!strings.HasPrefix(opts.Base, "/") || strings.HasPrefix(opts.Base, "//") ||
		strings.HasSuffix(opts.Base, "/") || strings.ContainsAny(opts.Base, `?#\"'<> `)) {
		return nil, fault.New(fault.Invalid, "must be empty or a path such as /auth, got %q", opts.Base).On("base")
	}
	if opts.Name == "" {
		opts.Name = "Signet"
	}
	files := templates.Files()
	assets, err := loadAssets(files, opts.Base+"/assets/")
	if err != nil {
		return nil, err
	}
	p := &Pages{opts: opts, sheets: map[string]*template.Template{}, assets: assets}
	for _, file := range sheetFiles() {
		if p.sheets[file], err = p.parse(files, file); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Pages) parse(files fs.FS, file string) (*template.Template, error) {
	sheet, err := template.New(file).Option("missingkey=error").Funcs(template.FuncMap{
		"again":   again,
		"frame":   frame,
		"image":   p.image,
		"initial": initial,
		"link":    link,
		"must":    mustOnward,
		"onward":  onward,
	}).ParseFS(files, "layout.html", file)
	if err != nil {
		return nil, fmt.Errorf("parsing template %s: %w", file, err)
	}
	return sheet, nil
}

// sight is what the layout sees: the frame, and the page within it.
type sight struct {
	Base, Name, Style, Icon string
	Nonce                   string // set only when the page has an inline block
	Page                    Page
}

// Render answers r with page. When it returns an error before the first byte
// (a template failed, or the page holds an address that must not be followed),
// nothing has been written and the caller can still answer otherwise.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, page Page) error {
	if page == nil {
		return fault.New(fault.Internal, "rendering: no page")
	}
	t := page.traits()
	s := sight{
		Base: p.opts.Base, Name: p.opts.Name,
		Style: p.assets.style, Icon: p.assets.icon, Page: page,
	}
	if t.script {
		s.Nonce = rand.Text() // 128 bits, fresh per response (CSP 3 §7.1)
	}
	var body bytes.Buffer
	if err := p.sheets[t.file].ExecuteTemplate(&body, "layout", s); err != nil {
		return fmt.Errorf("rendering %s: %w", t.file, err)
	}
	p.head(w.Header(), t, s.Nonce)
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := body.WriteTo(w); err != nil {
		return fmt.Errorf("sending %s: %w", t.file, err)
	}
	return nil
}
