package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/signet-id/signet/internal/cookie"
)

// signingIn is how many people sign in at once: a hash keeps one core busy for
// as long as thousands of other requests take.
const signingIn = 4

// errand is one row: a request of docs/architecture.md's table of costs.
type errand struct {
	name  string
	few   int                  // connections at most; 0: all
	begin func(*visitor) error // once, before anything is measured
	stock func(*visitor) error // again and again, for as long as step will be, before it
	step  func(*visitor) error // what is measured
}

func errands() []errand {
	member := func(v *visitor) error { return v.signIn(clientShop) }
	return []errand{
		{name: "sign-in page (2 requests)", step: (*visitor).page},
		{name: "sign-in with a password", few: signingIn, begin: (*visitor).page, step: (*visitor).password},
		{name: "authorize, signed in", step: func(v *visitor) error { return v.authorize(clientShop) }},
		{name: "code → tokens", stock: (*visitor).keepCode, step: (*visitor).redeemKept},
		{name: "refresh", begin: member, step: func(v *visitor) error { return v.renew(clientShop) }},
		{name: "client credentials", step: func(v *visitor) error {
			return v.token(clientRobot, "grant_type=client_credentials&scope="+scope)
		}},
		{name: "userinfo", begin: member, step: func(v *visitor) error {
			return v.do(http.StatusOK, http.MethodGet, "/userinfo", "Authorization: Bearer "+v.access+"\r\n", "")
		}},
		{name: "introspection", begin: member, step: (*visitor).introspect},
		{name: "discovery", step: func(v *visitor) error {
			return v.do(http.StatusOK, http.MethodGet, "/.well-known/openid-configuration", "", "")
		}},
	}
}

// stranger is the browser before anybody has signed in.
func (v *visitor) stranger() string {
	for one := range strings.SplitSeq(v.cookies, "; ") {
		if strings.Contains(one, string(cookie.Journey)+"=") {
			return "Accept: text/html\r\nCookie: " + one + "\r\n"
		}
	}
	return ""
}

// page is what a service sets off when nobody has signed in.
func (v *visitor) page() error {
	if err := v.do(http.StatusSeeOther, http.MethodGet, asking(clientShop), v.stranger(), ""); err != nil {
		return err
	}
	at, err := url.Parse(v.location)
	if err != nil || at.Query().Get("journey") == "" {
		return fmt.Errorf("no sign-in page in %s", v.location)
	}
	v.journey = at.Query().Get("journey")
	return v.do(http.StatusOK, http.MethodGet, at.RequestURI(), v.stranger(), "")
}

// password signs in on the page. The browser forgets that it did, so the next
// time is like the first.
func (v *visitor) password() error {
	form := url.Values{"journey": {v.journey}, "login": {v.login}, "password": {password}, "action": {"signin"}}
	return v.do(http.StatusSeeOther, http.MethodPost, "/signin", v.stranger(), form.Encode())
}

func (v *visitor) keepCode() error {
	if err := v.authorize(clientShop); err != nil {
		return err
	}
	v.codes = append(v.codes, v.code)
	return nil
}

// redeemKept redeems a code that was kept. There are enough, for making one is
// quicker; should there be none, making it is measured as well.
func (v *visitor) redeemKept() error {
	if len(v.codes) == 0 {
		return v.signIn(clientShop)
	}
	v.code, v.codes = v.codes[len(v.codes)-1], v.codes[:len(v.codes)-1]
	return v.redeem(clientShop)
}

func (v *visitor) introspect() error {
	header := v.basic(clientGateway)
	if err := v.do(http.StatusOK, http.MethodPost, "/introspect", header, "token="+v.access); err != nil {
		return err
	}
	if !strings.Contains(v.body.String(), `"active":true`) {
		return fmt.Errorf("the token is not active: %s", v.body.String())
	}
	return nil
}
