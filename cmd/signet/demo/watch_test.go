package demo

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSigningOutShowsHowSoonThePeerRefusesTheVerySameToken(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	raw, _ := sessionOf(t, town.orders).ticket()
	out := b.do(http.MethodPost, town.orders.URL+"/signout", nil, nil)
	out.wants(t, http.StatusOK, "You are signed out", `id="race"`, "Invoices refused your token", "accepted", "the token has been revoked",
		"the issuer ends the session")
	if !strings.Contains(out.textOf(t, "race-took"), "s") {
		t.Errorf("took %q", out.textOf(t, "race-took"))
	}
	with := http.Header{"Authorization": {"Bearer " + raw}}
	newBrowser(t).do(http.MethodGet, town.invoices.URL+"/api/invoices", nil, with).wants(t, http.StatusUnauthorized, "revoked")
	// Each service hears of it by itself, and the page waited for the other one only.
	ours := func() page { return newBrowser(t).do(http.MethodGet, town.orders.URL+"/api/orders", nil, with) }
	for deadline := time.Now().Add(time.Minute); ours().StatusCode == http.StatusOK && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	ours().wants(t, http.StatusUnauthorized, "revoked")
	b.get(town.orders.URL+"/").lacks(t, `id="race"`) // said once

	for deadline := time.Now().Add(time.Minute); town.terminal.String() == "" && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	for _, want := range []string{"Somebody signed out at orders", "Sign out is clicked", "accepted, for the ", "the issuer ends the session", "refused: the token has been revoked", " after the session ended."} {
		if got := town.terminal.String(); !strings.Contains(got, want) {
			t.Errorf("the terminal lacks %q:\n%s", want, got)
		}
	}
}

// The other service never heard of the sign-out from anybody but the issuer.
func TestSigningOutAtOneServiceEndsTheSessionAtTheOtherOnItsNextPage(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	b.get(town.invoices.URL+"/signin").wants(t, http.StatusOK, "Hello")
	b.do(http.MethodPost, town.orders.URL+"/signout", nil, nil).wants(t, http.StatusOK, `id="race"`)
	b.get(town.invoices.URL+"/").wants(t, http.StatusOK, "was ended at the issuer", `href="/signin"`)
}

func TestAPageSaysWhenTheIssuerLastSpokeOfTheToken(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	b.get(town.orders.URL+"/").wants(t, http.StatusOK, `id="heard"`, "ago the issuer said that it is not")
}

func TestWhoSignsOutWhileThePeerIsAwayIsSignedOutAllTheSame(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	town.orders.PeerURL = "http://127.0.0.1:1"
	got := b.do(http.MethodPost, town.orders.URL+"/signout", nil, nil)
	got.wants(t, http.StatusOK, "You are signed out")
	got.lacks(t, `id="race"`)
}

func TestNotEverybodyWhoSignsOutIsWatched(t *testing.T) {
	d := lone(t)
	for range maxWatches {
		d.watching <- struct{}{}
	}
	if w := d.observe(t.Context(), &session{last: "t"}); w != nil {
		t.Error("one more is watched than there is room for")
	}
	for range maxWatches {
		<-d.watching
	}
	if d.observe(t.Context(), &session{last: "t"}); len(d.watching) != 0 {
		t.Error("a watch that did not begin takes room")
	}
}

func TestAPageDoesNotWaitLongForAPeerThatGoesOnAccepting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, began := &watch{done: make(chan struct{})}, time.Now()
		if got := w.seen(t.Context()); got != nil || time.Since(began) != curiosity {
			t.Errorf("saw %v after %s", got, time.Since(began))
		}
	})
}

// yes is a peer that accepts every token.
func yes(t *testing.T) string {
	t.Helper()
	peer := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(peer.Close)
	return peer.URL
}

func TestAWatchEndsWithItsService(t *testing.T) {
	d := lone(t)
	d.PeerURL = yes(t)
	w := d.observe(t.Context(), &session{last: "t"})
	if w == nil {
		t.Fatal("nothing is watched")
	}
	d.close()
	select {
	case <-w.done:
	default:
		t.Error("it goes on")
	}
	if !w.race.Refused.IsZero() || w.race.Asked == 0 {
		t.Errorf("saw %+v", w.race)
	}
}

func TestWhatNobodyTellsIsCountedFromTheClick(t *testing.T) {
	clicked := time.Now()
	r := race{Clicked: clicked, Refused: clicked.Add(9 * time.Millisecond)}
	if r.Took() != 9*time.Millisecond || r.since() != "the click" {
		t.Errorf("%s after %s", r.Took(), r.since())
	}
	r.Ended = clicked.Add(7 * time.Millisecond)
	if r.Took() != 2*time.Millisecond || r.since() != "the session ended" {
		t.Errorf("%s after %s", r.Took(), r.since())
	}
}

func TestAWatchWithoutALogTellsOfTheRefusalAllTheSame(t *testing.T) {
	d := lone(t)
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(peer.Close)
	d.PeerURL = peer.URL
	for name, log := range map[string]func(context.Context, string) (time.Time, error){
		"none": nil, "one that says nothing": func(context.Context, string) (time.Time, error) { return time.Time{}, errors.New("lost") },
	} {
		d.Ended = log
		w := &watch{clicked: time.Now()}
		err := d.follow(t.Context(), w, "t", "sid")
		if w.race.Refused.IsZero() || (err != nil) != (log != nil) {
			t.Errorf("%s: saw %+v, %v", name, w.race, err)
		}
	}
}

func TestANumberInARowReadsAsOne(t *testing.T) {
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 21: "21st", 111: "111th", 122: "122nd"} {
		if got := ordinal(n); got != want {
			t.Errorf("%d is the %s, want %s", n, got, want)
		}
	}
}

func TestWhatAWatchHasSeenIsToldInTheOrderOfTime(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	kinds := func(r race) (out string) {
		for _, m := range r.Moments() {
			out += m.Kind + " "
		}
		return out
	}
	r := race{Clicked: at(1), Ended: at(2), Accepted: at(3), Refused: at(4)}
	if got := kinds(r); got != "clicked ended accepted refused " {
		t.Errorf("told %s", got)
	}
	r.Ended = time.Time{}
	if got := kinds(r); got != "clicked accepted refused " {
		t.Errorf("told %s", got)
	}
}

func TestAServiceThatStopsComplainsOfNothing(t *testing.T) {
	var said terminal
	ctx, stop := context.WithCancel(t.Context())
	log := slog.New(until{ctx, slog.NewTextHandler(&said, nil)}).With("service", "orders")
	log.Warn("before")
	stop()
	log.WithGroup("g").Warn("after")
	if got := said.String(); !strings.Contains(got, "before") || strings.Contains(got, "after") {
		t.Errorf("logged %q", got)
	}
}
