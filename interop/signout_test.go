package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/signet-id/signet/internal/client"
)

// shop is an application of one's own that hears of a sign-out in the browser, and
// asks whether somebody else has signed in.
type shop struct {
	url  string
	mu   sync.Mutex
	told []url.Values  // what its logout page was loaded with
	slow chan struct{} // when not nil, that page answers once it is closed
}

// shop registers and serves the application of that name.
func (is *issuer) shop(t *testing.T, id string, slow bool) *shop {
	t.Helper()
	s := &shop{}
	if slow {
		s.slow = make(chan struct{})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ended", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.told = append(s.told, r.URL.Query())
		s.mu.Unlock()
		if s.slow != nil {
			select {
			case <-s.slow:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, "signed out")
	})
	mux.HandleFunc("GET /bye", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "the shop says goodbye to "+r.URL.Query().Get("state"))
	})
	mux.HandleFunc("GET /cb", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, askingPage, is.url, id, r.URL.Query().Get("session_state"))
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	if slow {
		t.Cleanup(func() { close(s.slow) })
	}
	s.url = site.URL
	c := client.Client{
		ID: id, FirstParty: true, RedirectURIs: []string{site.URL + "/cb"}, PostLogoutRedirectURIs: []string{site.URL + "/bye"},
		FrontchannelLogoutURI: site.URL + "/ended?keep=1", FrontchannelLogoutSession: true,
	}
	c.Rotate(is.secret, time.Now())
	if _, err := is.Operator.Clients.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return s
}

// askingPage is the client's half of Session Management 1.0 §3.1.
const askingPage = `<!doctype html><body><p id="answer">nothing yet</p>
<iframe id="op" src="%s/session/check" hidden></iframe>
<script>
const op = document.getElementById("op"), origin = new URL(op.src).origin
let message = "%s %s"
function ask() { document.getElementById("answer").textContent = "asking"; op.contentWindow.postMessage(message, origin) }
addEventListener("message", function (e) { if (e.origin === origin) document.getElementById("answer").textContent = e.data })
op.addEventListener("load", ask)
</script>`

func (is *issuer) ask(s *shop, id string) string {
	return is.url + "/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {s.url + "/cb"}, "scope": {"openid"},
	}.Encode()
}

func (s *shop) heard() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]url.Values(nil), s.told...)
}

// wantAnswer waits until the page says what the frame answered.
func (c *chrome) wantAnswer(want string) {
	c.t.Helper()
	var got string
	for range 100 {
		if got = strings.TrimSpace(c.text()); got == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatalf("the frame answered %q, want %q", got, want)
}

// signInAt signs alice in at the shop, and returns the ID token that it got.
func (c *chrome) signInAt(is *issuer, s *shop, id string) string {
	c.t.Helper()
	c.visit(is.ask(s, id))
	if strings.HasPrefix(c.location(), is.url) {
		c.signIn("alice", password)
	}
	c.wantAt(s.url + "/cb")
	at, err := url.Parse(c.location())
	if err != nil {
		c.t.Fatal(err)
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "redirect_uri": {s.url + "/cb"},
	}
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, is.url+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, is.secret.Reveal())
	res, err := is.httpClient(c.t, false).Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var got struct {
		IDToken string `json:"id_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || got.IDToken == "" {
		c.t.Fatalf("the token endpoint answered %d (%v)", res.StatusCode, err)
	}
	return got.IDToken
}

// arrives waits until the browser has gone on by itself.
func (c *chrome) arrives(prefix string, within time.Duration) {
	c.t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if strings.HasPrefix(c.location(), prefix) {
			return
		}
	}
	c.wantAt(prefix)
}

func (is *issuer) signOut(s *shop, hint string) string {
	return is.url + "/logout?" + url.Values{
		"id_token_hint": {hint}, "post_logout_redirect_uri": {s.url + "/bye"}, "state": {"st-9"},
	}.Encode()
}

// Front-Channel Logout 1.0: every application of the session is told in the
// browser, and then it goes on.
func TestSigningOutTellsEveryApplicationInTheBrowser(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			is := serve(t, false)
			is.people(t)
			one, other := is.shop(t, "one", false), is.shop(t, "other", false)
			c := openChrome(t, scripts)
			c.signInAt(is, other, "other")
			hint := c.signInAt(is, one, "one")
			c.visit(is.signOut(one, hint))
			c.arrives(one.url+"/bye", 10*time.Second)
			c.wantText("the shop says goodbye to st-9")
			for name, s := range map[string]*shop{"the one that asked": one, "the other": other} {
				told := s.heard()
				if len(told) != 1 || told[0].Get("keep") != "1" || told[0].Get("iss") != is.url || len(told[0].Get("sid")) < 16 {
					t.Errorf("%s was told %v", name, told)
				}
			}
			c.visit(is.ask(one, "one"))
			c.wantAt(is.url + "/signin")
		})
	}
}

// An application that does not answer keeps nobody: a script does not wait for it,
// and without scripts there is a button.
func TestAnApplicationThatHangsKeepsNobodyFromLeaving(t *testing.T) {
	is := serve(t, false)
	is.people(t)
	one := is.shop(t, "one", true)
	c := openChrome(t, true)
	hint := c.signInAt(is, one, "one")
	began := time.Now()
	c.do(chromedp.Evaluate[chromedp.Void]("location.href = " + strconv.Quote(is.signOut(one, hint))))
	c.arrives(one.url+"/bye", 10*time.Second)
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("the browser went on after %v: it did not wait for the application at all", took)
	}

	plain := openChrome(t, false)
	hint = plain.signInAt(is, one, "one")
	plain.do(chromedp.Evaluate[chromedp.Void]("location.href = " + strconv.Quote(is.signOut(one, hint))))
	plain.arrives(is.url+"/logout", 10*time.Second)
	plain.do(chromedp.Click(chromedp.CSS("#onward")))
	plain.arrives(one.url+"/bye", 10*time.Second)
}

// Session Management 1.0 §3: the frame of ours answers the client's.
func TestAnApplicationLearnsThatTheSessionChanged(t *testing.T) {
	is := serve(t, false)
	is.people(t)
	one := is.shop(t, "one", false)
	c := openChrome(t, true)
	c.signInAt(is, one, "one")
	first := c.location()
	c.wantAnswer("unchanged")
	c.visit(strings.Replace(first, "session_state=", "session_state=x", 1))
	c.wantAnswer("changed")
	c.visit(one.url + "/cb?session_state=nonsense")
	c.wantAnswer("error")

	c.visit(is.url + "/logout")
	c.click("#logout-yes")
	c.visit(first)
	c.wantAnswer("changed")
	c.signInAt(is, one, "one")
	c.wantAnswer("unchanged")
	c.visit(first)
	c.wantAnswer("changed")
}

// Where the browser keeps the cookie from the frame, nobody can know; and an
// application that was told "changed" would ask again and again.
func TestAFrameWithoutItsCookieSaysThatItCannotKnow(t *testing.T) {
	is := serve(t, false)
	is.people(t)
	one := is.shop(t, "one", false)
	c := openChrome(t, true, "test-third-party-cookie-phaseout")
	c.signInAt(is, one, "one")
	c.wantAnswer("unchanged") // of one site
	c.visit(strings.Replace(c.location(), "127.0.0.1", "localhost", 1))
	c.wantAnswer("error")
}
