package signettest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// mostSteps bounds a walk: the longest way that a person has is half of it.
const mostSteps = 12

// browser is one person's, without scripts: it keeps cookies, follows redirects
// and fills in forms.
type browser struct {
	client *http.Client
	issuer *url.URL
	who    User
}

func newBrowser(iss *Issuer, who User) (*browser, error) {
	at, err := url.Parse(iss.URL)
	if err != nil {
		return nil, fmt.Errorf("reading the issuer's URL: %w", err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("making a cookie jar: %w", err)
	}
	c := iss.HTTPClient()
	c.Jar = jar
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{c, at, who}, nil
}

// walk goes from page to page until the issuer sends the browser elsewhere, and
// returns where.
func (b *browser) walk(ctx context.Context, address string) (*url.URL, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("reading the authorization URL: %w", err)
	}
	if !b.atIssuer(at) {
		return nil, fmt.Errorf("%s is not an address of the issuer %s", address, b.issuer)
	}
	var form url.Values
	for range mostSteps {
		if at, form, err = b.step(ctx, at, form); err != nil {
			return nil, err
		}
		if !b.atIssuer(at) {
			return at, nil
		}
	}
	return nil, fmt.Errorf("it did not end after %d pages, the last of them %s", mostSteps, at.Path)
}

func (b *browser) atIssuer(u *url.URL) bool {
	return u.Scheme == b.issuer.Scheme && u.Host == b.issuer.Host
}

// step makes one request, a post when there is a form, and returns what the
// person's next one is.
func (b *browser) step(ctx context.Context, at *url.URL, form url.Values) (*url.URL, url.Values, error) {
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, fmt.Errorf("making a request: %w", err)
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(r)
	if err != nil {
		return nil, nil, err // a *url.Error, which says method and address itself
	}
	defer resp.Body.Close()
	if to, err := resp.Location(); err == nil {
		return to, nil, nil
	}
	page, err := html.Parse(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the page %s: %w", at.Path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s answered %d: %s", at.Path, resp.StatusCode, textOf(page))
	}
	action, filled, err := b.fill(page)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", at.Path, err)
	}
	return resp.Request.URL.ResolveReference(action), filled, nil
}

// fill finds the form that the page is about and fills it in as a person does who
// wants to go on.
func (b *browser) fill(page *html.Node) (*url.URL, url.Values, error) {
	for n := range page.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" {
			continue
		}
		values, ok := b.answer(n)
		if !ok {
			continue
		}
		action, err := url.Parse(attribute(n, "action"))
		if err != nil {
			return nil, nil, fmt.Errorf("reading where the form goes: %w", err)
		}
		return action, values, nil
	}
	return nil, nil, errors.New("a page that asks neither for a password nor for consent: " + textOf(page))
}

// answer returns what the form posts, hidden fields included; ok is false for a
// form that is neither of sign-in nor of consent.
func (b *browser) answer(form *html.Node) (values url.Values, ok bool) {
	values = url.Values{}
	for n := range form.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		name, value := attribute(n, "name"), attribute(n, "value")
		switch {
		case n.Data == "input" && attribute(n, "type") == "hidden":
			values.Set(name, value)
		case n.Data == "input" && name == "login":
			values.Set(name, b.who.Login)
		case n.Data == "input" && name == "password":
			values.Set(name, b.who.Password)
			ok = true
		case n.Data == "button" && name == "action" && value == "signin":
			values.Set(name, value)
		case n.Data == "button" && name == "answer" && value == "accept":
			values.Set(name, value)
			ok = true
		}
	}
	return values, ok
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// textOf is what a person reads in the page, on one line.
func textOf(page *html.Node) string {
	var words []string
	for n := range page.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" && n.Parent.Data != "title" {
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	return strings.Join(words, " ")
}
