package interop

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/signet-id/signet/internal/client"
)

// gallery is a third-party application: it shows what it was answered.
func (is *issuer) gallery(t *testing.T) string {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "gallery got "+strings.Join([]string{
			"error=" + r.URL.Query().Get("error"), "state=" + r.URL.Query().Get("state"), "iss=" + r.URL.Query().Get("iss"),
		}, " ")+" code="+r.URL.Query().Get("code")[:min(4, len(r.URL.Query().Get("code")))])
	}))
	t.Cleanup(site.Close)
	c := client.Client{
		ID: "gallery", Title: "The Gallery", RedirectURIs: []string{site.URL + "/cb"}, IDTokenAlg: "ES256",
		PolicyURI: site.URL + "/privacy", TermsURI: site.URL + "/terms",
	}
	c.Rotate(is.secret, time.Now())
	if _, err := is.Operator.Clients.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return is.url + "/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"gallery"}, "redirect_uri": {site.URL + "/cb"},
		"scope": {"openid profile email"}, "state": {"st-1"},
	}.Encode()
}

// The pages work alike with scripts and without (the browser runs none then).
func TestAPersonWalksThePages(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			is := serve(t, false)
			is.people(t)
			ask := is.gallery(t)
			c := openChrome(t, scripts)

			// A third party's sign-in page names it and links what it registered.
			c.visit(ask)
			c.wantAt(is.url + "/signin")
			c.wantText("The Gallery")
			if !c.has(`a[href$="/privacy"]`) || !c.has(`a[href$="/terms"]`) {
				t.Error("privacy policy and terms are not linked")
			}

			// A wrong password is said so, and what was typed as login is kept.
			if status := c.signIn("alice", "not my password"); status != http.StatusUnprocessableEntity {
				t.Errorf("wrong password answered %d", status)
			}
			c.wantText("not right")
			if !c.has(`input[name=login][value=alice]`) || !c.has(`[role=alert]`) {
				t.Error("the login is lost, or the problem is not announced")
			}

			// The right one leads to the consent page; no leads back with an error.
			c.goes(chromedp.SendKeys(chromedp.CSS("input[name=password]"), password+"\r"))
			c.wantAt(is.url + "/consent")
			c.wantText("e-mail address")
			c.click("#consent-deny")
			c.wantText("gallery got error=access_denied state=st-1 iss=" + is.url)

			// Signed in already: only the question is asked again, and yes answers it.
			c.visit(ask)
			c.wantAt(is.url + "/consent")
			c.click("#consent-accept")
			c.wantText("gallery got error= state=st-1")
			if strings.HasSuffix(c.text(), "code=") {
				t.Error("no code came")
			}

			// The answer is remembered.
			c.visit(ask)
			c.wantText("gallery got error= state=st-1")

			// Signing out asks, does it, and the back button shows nothing of it.
			c.visit(is.url + "/logout")
			c.wantText("Alice")
			c.click("#logout-yes")
			c.wantText("You are signed out")
			c.do(chromedp.NavigateBack())
			c.visit(ask)
			c.wantAt(is.url + "/signin")

			// Cancel needs no password and answers the client.
			c.click("button[name=action][value=cancel]")
			c.wantText("gallery got error=access_denied")
		})
	}
}

func TestAnErrorPageNamesTheParameter(t *testing.T) {
	is := serve(t, false)
	is.people(t)
	ask := is.gallery(t)
	c := openChrome(t, true)
	if status := c.visit(strings.Replace(ask, "%2Fcb", "%2Fevil", 1)); status != http.StatusBadRequest {
		t.Errorf("status %d", status)
	}
	c.wantAt(is.url + "/authorize")
	c.wantText("redirect_uri")
}
