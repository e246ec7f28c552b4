package interop

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

const renewed = "seven herons over the marsh"

// A person looks after their account, with scripts and without.
func TestAPersonLooksAfterTheirAccount(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			is := serve(t, false)
			is.people(t)
			ask := is.gallery(t)
			c := openChrome(t, scripts)

			// The account asks for a sign-in, and is where that leads.
			c.visit(is.url + "/account")
			c.wantAt(is.url + "/signin")
			c.signIn("alice", password)
			c.wantAt(is.url + "/account")
			c.wantText("None.")
			c.wantText("This browser")

			// Another browser stands beside this one, and can be signed out from here.
			far := openChrome(t, scripts)
			far.visit(is.url + "/account")
			far.signIn("alice", password)
			far.wantAt(is.url + "/account")
			c.visit(is.url + "/account")
			c.wantText("Chrome on Linux")
			c.click("button[name=sid]")
			c.wantAt(is.url + "/account")
			if c.has("button[name=sid]") {
				t.Error("the ended session is still listed")
			}
			far.visit(is.url + "/account")
			far.wantAt(is.url + "/signin")

			// What a third party is allowed stands there, and can be taken back.
			c.visit(ask)
			c.click("#consent-accept")
			c.wantText("gallery got error= state=st-1")
			c.visit(is.url + "/")
			c.click(`a[href="/account"]`)
			c.wantText("The Gallery")
			c.wantText("See your e-mail address")
			c.click("button[name=client][value=gallery]")
			c.wantAt(is.url + "/account")
			c.wantText("None.")
			c.visit(ask)
			c.wantAt(is.url + "/consent")

			// A password is changed by whom a password store would send here.
			c.visit(is.url + "/.well-known/change-password")
			c.wantAt(is.url + "/account/password")
			if status := c.changePassword("not my password", renewed); status != http.StatusUnprocessableEntity {
				t.Errorf("a wrong current password answered %d", status)
			}
			c.wantText("not your current password")
			if status := c.changePassword(password, "alice@example.com"); status != http.StatusUnprocessableEntity {
				t.Errorf("a password that everybody knows answered %d", status)
			}
			c.wantText("must not be the login")
			if status := c.changePassword(password, renewed); status != http.StatusOK {
				t.Errorf("the change answered %d", status)
			}
			c.wantText("Your password is changed")

			// This browser is still signed in; the old password is worth nothing.
			c.click(`a[href="/account"]`)
			c.wantText("Your account")
			c.click(`a[href="/logout"]`)
			c.click("#logout-yes")
			c.visit(is.url + "/signin")
			if status := c.signIn("alice", password); status != http.StatusUnprocessableEntity {
				t.Errorf("the old password answered %d", status)
			}
			c.goes(chromedp.SendKeys(chromedp.CSS("input[name=password]"), renewed+"\r"))
			c.wantText("Hello, Alice")
		})
	}
}

// changePassword fills the page and presses Enter, as people do.
func (c *chrome) changePassword(current, next string) int {
	c.t.Helper()
	c.fill("input[name=current]", current)
	return c.goes(chromedp.SendKeys(chromedp.CSS("input[name=password]"), next+"\r"))
}
