package app_test

import (
	"bytes"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/client"
)

// underRace reports whether the race detector is built in, which allocates too.
func underRace() bool {
	build, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(build.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// What is allocated must be collected: on these paths the collector takes a good
// part of the time. Each bound is what was measured and a little more; the engine's
// part of it, which grows with the store, is in it too. Of a signature 45 are Go's.
func TestRequestsThatComeAgainAndAgainAllocateLittle(t *testing.T) {
	if underRace() {
		t.Skip("the race detector allocates too")
	}
	h := quiet(t)
	token := func(clientID string) *hot {
		call := newHot(t, http.MethodPost, "/token")
		call.request.SetBasicAuth(clientID, h.secret.Reveal())
		return call
	}
	const runs = 100
	allocates := func(name string, most float64, call *hot, request func()) {
		t.Helper()
		if got := testing.AllocsPerRun(runs, request); got > most {
			t.Errorf("%s: %.0f allocations, want at most %.0f", name, got, most)
		} else {
			t.Logf("%s: %.0f allocations of %.0f", name, got, most)
		}
		if call.status != http.StatusOK && call.status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", name, call.status, call.answer.String())
		}
	}

	robot := token("robot")
	allocates("client credentials", 92, robot, func() {
		robot.ask(h.Handler(), "grant_type=client_credentials&scope=orders%3Aread")
	})

	ask, codes := signedIn(t, h), make([]string, 0, runs+1)
	allocates("authorize, signed in", 70, ask, func() {
		ask.ask(h.Handler(), "")
		_, after, _ := strings.Cut(ask.header.Get("Location"), "code=")
		code, _, _ := strings.Cut(after, "&")
		codes = append(codes, code)
	})

	orders, form := token("orders"), redeem("")
	form.Del("code")
	rest := "&" + form.Encode()
	allocates("code to tokens", 370, orders, func() {
		orders.ask(h.Handler(), "code="+codes[0]+rest)
		codes = codes[1:]
	})
	access, next := orders.member("access_token"), orders.member("refresh_token")
	allocates("refresh", 310, orders, func() {
		orders.ask(h.Handler(), "grant_type=refresh_token&refresh_token="+next)
		next = orders.member("refresh_token")
	})

	userinfo := newHot(t, http.MethodGet, "/userinfo")
	userinfo.request.Header.Set("Authorization", "Bearer "+access)
	allocates("userinfo, of a token that was seen", 50, userinfo, func() { userinfo.ask(h.Handler(), "") })

	h.client(client.Client{ID: "gate", Grants: []string{client.GrantCredentials}, Introspects: true, Audience: []string{"https://orders.example"}})
	gate := newHot(t, http.MethodPost, "/introspect")
	gate.request.SetBasicAuth("gate", h.secret.Reveal())
	allocates("introspection, of a token that was seen", 48, gate, func() { gate.ask(h.Handler(), "token="+access) })
	if !bytes.Contains(gate.answer.Bytes(), []byte(`"active":true`)) {
		t.Error(gate.answer.String())
	}
}

// signedIn is an authorization request in a browser where alice is signed in.
func signedIn(t testing.TB, h *house) *hot {
	t.Helper()
	alice := h.browser()
	alice.code("alice", "orders")
	here, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	ask := newHot(t, http.MethodGet, authorize(asks("orders")))
	for _, c := range alice.jar.Cookies(here) {
		ask.request.AddCookie(c)
	}
	return ask
}
