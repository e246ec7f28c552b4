package verify_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// long is a token that outlives what the test is about.
func long() object { return object{"exp": time.Now().Add(100 * time.Hour).Unix()} }

func TestAnEndedTokenIsRefusedAsSoonAsTheStreamSaysSo(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		remembered := s.token(nil)
		other := s.token(object{"status": statusAt(listURI, listIndex+1)})
		wantAccepted(t, v, remembered)
		wantAccepted(t, v, other)
		j.end(listIndex)
		synctest.Wait()
		wantRefused(t, v, remembered, verify.Ended)
		wantRefused(t, v, s.token(nil), verify.Ended)
		wantAccepted(t, v, other)
		w := ask(v.Require()(&seen{}), "/", "Bearer "+remembered)
		want := `Bearer realm="https://orders.example.com", error="invalid_token", error_description="the token has been revoked"`
		if got := w.Header().Get("WWW-Authenticate"); w.Code != http.StatusUnauthorized || got != want {
			t.Errorf("%d %s", w.Code, got)
		}
	})
}

func TestAWholeRangeEnds(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		j.with(func(j *journal) { j.position++ })
		j.say("ended", object{"ended": []object{{"uri": listURI, "ranges": [][]int{{4090, 70}, {1<<20 - 1, 1}}}}})
		synctest.Wait()
		for index, want := range map[int]verify.Reason{4089: "", 4090: verify.Ended, 4159: verify.Ended, 4160: "", 1<<20 - 1: verify.Ended} {
			_, err := v.Verify(t.Context(), s.token(object{"status": statusAt(listURI, index)}))
			if (want == "") != (err == nil) || want != "" && !errors.Is(err, want) {
				t.Errorf("%d: %v, want %q", index, err, want)
			}
		}
		if got := v.Stats().Endings; got != 71 {
			t.Errorf("%d endings were heard of, want 71", got)
		}
	})
}

func TestWhatEndedBeforeTheVerifierBeganIsRefused(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		j.end(listIndex)
		wantRefused(t, i.verifier(t), s.token(nil), verify.Ended) // its very first token
	})
}

func TestATokenOfAHeldListCausesNoRequest(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		j.beat(t)
		before := i.asked(pathOf3)
		for n := range 100 {
			tok := wantAccepted(t, v, s.token(object{"status": statusAt(listURI, n)}))
			if tok.Staleness() > 15*time.Second || tok.Stale() {
				t.Fatalf("staleness %v, stale %v", tok.Staleness(), tok.Stale())
			}
			time.Sleep(time.Minute)
		}
		if got := i.asked(pathOf3); got != before {
			t.Errorf("%d requests for the list, want none", got-before)
		}
	})
}

func TestAListThatIsOpenedIsHeldWithoutAFetch(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		j.open(issuerURL + "/status/4")
		synctest.Wait()
		raw := s.token(object{"status": statusAt(issuerURL+"/status/4", 7)})
		if tok := wantAccepted(t, v, raw); tok.Staleness() != 0 {
			t.Errorf("staleness %v", tok.Staleness())
		}
		j.endOf(issuerURL+"/status/4", 7)
		synctest.Wait()
		wantRefused(t, v, raw, verify.Ended)
		if got := i.asked("/status/4"); got != 0 {
			t.Errorf("%d requests for the list, want none", got)
		}
	})
}

func TestATokenWithoutAStatusClaimIsNeverStale(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		j.status, j.lists404 = http.StatusNotFound, true
		v := i.verifier(t, verify.WithMaxStaleness(time.Second, verify.RefuseStale))
		for _, status := range []any{nil, object{}, object{"other": object{"uri": 7}}} {
			if tok := wantAccepted(t, v, s.token(object{"status": status})); tok.Staleness() != 0 || tok.Stale() {
				t.Errorf("%v: %v, %v", status, tok.Staleness(), tok.Stale())
			}
		}
	})
}

func TestAMalformedStatusClaimIsRefused(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, _ *journal) {
		v := i.verifier(t)
		list := func(uri, index any) object { return object{"status_list": object{"uri": uri, "idx": index}} }
		for name, status := range map[string]any{
			"a string":               "x",
			"a list that is none":    object{"status_list": 7},
			"no uri":                 object{"status_list": object{"idx": 7}},
			"no idx":                 object{"status_list": object{"uri": listURI}},
			"an empty uri":           list("", 7),
			"a uri that is a number": list(7, 7),
			"an idx below 0":         list(listURI, -1),
			"an idx that is text":    list(listURI, "7"),
			"an idx with a fraction": list(listURI, 7.5),
			"an idx beyond the list": list(listURI, 1<<20),
			"a huge idx":             list(listURI, 1<<40),
			"a list elsewhere":       list("https://evil.example/status/3", 7),
			"a list of a host that begins like the issuer": list(issuerURL+".evil.example/status/3", 7),
			"the issuer itself":                            list(issuerURL+"/", 7),
			"a uri without end":                            list(issuerURL+"/"+strings.Repeat("x", 512), 7),
		} {
			_, err := v.Verify(t.Context(), s.token(object{"status": status}))
			var refusal *verify.Error
			if !errors.As(err, &refusal) || refusal.Reason != verify.MalformedClaim || refusal.Claim != "status" {
				t.Errorf("%s: %v, want malformed_claim (status)", name, err)
			}
		}
	})
}

// The three answers, through a gap in which the token ends: before the gap is
// closed the token is judged as the route says, and afterwards it is refused.
func TestAfterAGapAnEndedTokenPassesOnlyAsTheRouteSays(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		refuse := v.MaxStaleness(20*time.Second, verify.RefuseStale)
		accept := v.MaxStaleness(20*time.Second, verify.AcceptStale)
		mark := v.MaxStaleness(20*time.Second, verify.MarkStale)
		raw := s.token(long())
		wantAccepted(t, v, raw)
		time.Sleep(15 * time.Second)
		j.say("beat", nil)
		synctest.Wait()
		i.with(func(i *issuer) { i.down = true })
		j.cut("")
		j.end(listIndex) // nobody hears of it

		time.Sleep(20 * time.Second)
		for _, route := range []*verify.Verifier{refuse, accept, mark} {
			if tok := wantAccepted(t, route, raw); tok.Stale() || tok.Staleness() != 20*time.Second {
				t.Errorf("after exactly its limit: %v, marked %v", tok.Staleness(), tok.Stale())
			}
		}
		time.Sleep(time.Second)
		for range 60 { // an hour
			wantRefused(t, refuse, raw, verify.EndingsStale)
			if tok := wantAccepted(t, accept, raw); tok.Stale() {
				t.Error("marked where it is to be accepted as it is")
			}
			if tok := wantAccepted(t, mark, raw); !tok.Stale() || tok.Staleness() <= 20*time.Second {
				t.Errorf("marked %v with %v", tok.Stale(), tok.Staleness())
			}
			time.Sleep(time.Minute)
		}
		if got := v.EndingsStaleness(); got < time.Hour {
			t.Errorf("EndingsStaleness = %v after an hour", got)
		}
		if w := ask(refuse.Require()(&seen{}), "/", "Bearer "+raw); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%d %v, want 503 and when to come back", w.Code, w.Header())
		}
		i.with(func(i *issuer) { i.down = false })
		time.Sleep(31 * time.Second)
		for _, route := range []*verify.Verifier{refuse, accept, mark} {
			wantRefused(t, route, raw, verify.Ended)
		}
		if got := v.EndingsStaleness(); got > 31*time.Second {
			t.Errorf("EndingsStaleness = %v after the issuer is back", got)
		}
	})
}

func TestAShortCutIsClosedByResuming(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		raw := s.token(long())
		wantAccepted(t, v, raw)
		time.Sleep(12 * time.Second)
		before := i.asked(pathOf3)
		wire := func() string {
			j.mu.Lock()
			defer j.mu.Unlock()
			return j.history[len(j.history)-1].wire()
		}
		j.with(func(j *journal) { j.mute = true })
		j.end(listIndex)
		text := wire()
		j.cut(text[:len(text)-1]) // all but the very end of it
		j.with(func(j *journal) { j.mute = false })
		wantAccepted(t, v, raw)
		time.Sleep(300 * time.Millisecond) // the longest first retry
		synctest.Wait()
		wantRefused(t, v, raw, verify.Ended)
		if got := i.asked(pathOf3); got != before {
			t.Errorf("%d lists were fetched, though the stream could be resumed", got-before)
		}
		if last := j.asked[len(j.asked)-1]; !strings.HasPrefix(last, "100-") {
			t.Errorf("it resumed from %q, want position 100", last)
		}
		stats := v.Stats()
		if stats.Connected != 2 || stats.Refetched != 1 {
			t.Errorf("%d connections, %d of them from anew, want 2 and 1", stats.Connected, stats.Refetched)
		}
	})
}

func TestAPositionThatIsTooOldMakesTheListsFetchedAnew(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t, verify.WithMaxStaleness(20*time.Second, verify.RefuseStale))
		raw := s.token(long())
		wantAccepted(t, v, raw)
		time.Sleep(12 * time.Second)
		j.with(func(j *journal) { j.forgotten = true })
		j.cut("")
		j.end(listIndex)
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		wantRefused(t, v, raw, verify.Ended)
		if v.Stats().Refetched != 2 || v.Position() != 101 {
			t.Errorf("%d refetches, position %d", v.Stats().Refetched, v.Position())
		}
	})
}

// A cache between us and the issuer answers with the list as it was before the
// gap: that says nothing about the gap.
func TestAListOfBeforeTheGapIsNotBelieved(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t, verify.WithMaxStaleness(20*time.Second, verify.RefuseStale))
		raw := s.token(long())
		wantAccepted(t, v, raw)
		time.Sleep(12 * time.Second)
		old := s.list(listURI, object{"position": 100})
		j.with(func(j *journal) { j.forgotten, j.listBody = true, func(string) string { return old } })
		j.cut("")
		j.end(listIndex)
		j.beat(t)
		time.Sleep(30 * time.Second)
		wantRefused(t, v, raw, verify.EndingsStale) // and not accepted on the word of beats
		if got := v.Position(); got != 100 {
			t.Errorf("position %d, want 100", got)
		}
		if j.noCache < 3 {
			t.Errorf("%d requests passed by caches, want several", j.noCache)
		}
		j.with(func(j *journal) { j.listBody = nil })
		time.Sleep(10 * time.Second)
		wantRefused(t, v, raw, verify.Ended)
	})
}

func TestAnEndingToldWhileListsAreFetchedIsNotLost(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.verifier(t)
		old := s.list(listURI, object{"position": 100})
		j.with(func(j *journal) { j.listBody = func(string) string { return old } }) // from before the ending
		i.with(func(i *issuer) { i.delay = time.Second })
		go func() { _ = v.Ready() }()
		time.Sleep(3500 * time.Millisecond) // the stream is there, the list on its way
		j.end(listIndex)
		time.Sleep(10 * time.Second)
		wantRefused(t, v, s.token(nil), verify.Ended)
	})
}

func TestARouteThatIsLessPatientJudgesAgain(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, _ *journal) {
		v := i.listening(t)
		i.with(func(i *issuer) { i.down = true })
		strict := v.MaxStaleness(20*time.Second, verify.RefuseStale)
		h := v.Require()(strict.RequireFresh(time.Hour)(&seen{}))
		bearer := "Bearer " + s.token(nil)
		if w := ask(h, "/", bearer); w.Code != http.StatusOK {
			t.Errorf("%d, want 200", w.Code)
		}
		time.Sleep(30 * time.Second)
		if w := ask(h, "/", bearer); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%d, want 503", w.Code)
		}
	})
}

func TestMaxStalenessWantsATimeAndAnAnswer(t *testing.T) {
	for _, c := range []struct {
		limit time.Duration
		then  verify.Stale
	}{{0, verify.MarkStale}, {-1, verify.RefuseStale}, {time.Second, 7}} {
		if _, err := verify.New(issuerURL, audience, verify.WithMaxStaleness(c.limit, c.then)); err == nil {
			t.Errorf("%v, %d was accepted", c.limit, c.then)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v, %d did not cause a panic", c.limit, c.then)
				}
			}()
			newIssuer().verifier(t).MaxStaleness(c.limit, c.then)
		}()
	}
}

func TestTheFirstTokensOfAListShareOneFetchAndWaitTwoSecondsAtMost(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		j.with(func(j *journal) { j.lists[issuerURL+"/status/9"] = []int{7} })
		var wg sync.WaitGroup
		i.with(func(i *issuer) { i.delay = 1500 * time.Millisecond })
		for range 20 {
			wg.Go(func() { wantRefused(t, v, s.token(object{"status": statusAt(issuerURL+"/status/9", 7)}), verify.Ended) })
		}
		wg.Wait()
		if got := i.asked("/status/9"); got != 1 {
			t.Errorf("%d fetches, want 1", got)
		}
		i.with(func(i *issuer) { i.delay = 9 * time.Second })
		start := time.Now()
		tok := wantAccepted(t, v, s.token(object{"status": statusAt(issuerURL+"/status/10", 7)}))
		if waited := time.Since(start); waited != 2*time.Second || !tok.Stale() {
			t.Errorf("waited %v, want 2s; marked %v", waited, tok.Stale())
		}
	})
}

func TestAListThatCannotBeHadIsAskedForSeldomAndNobodyWaits(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		strict := v.MaxStaleness(time.Hour, verify.RefuseStale)
		j.with(func(j *journal) { j.lists404 = true })
		for range 600 {
			start := time.Now()
			raw := s.token(object{"status": statusAt(issuerURL+"/status/9", 7)})
			wantRefused(t, strict, raw, verify.EndingsStale)
			if tok := wantAccepted(t, v, raw); !tok.Stale() || tok.Staleness() < 1000*time.Hour {
				t.Fatalf("marked %v, staleness %v, want never", tok.Stale(), tok.Staleness())
			}
			if waited := time.Since(start); waited != 0 {
				t.Fatalf("waited %v", waited)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := i.asked("/status/9"); got < 3 || got > 7 {
			t.Errorf("%d fetches within a minute, want at most 1 + 6, and some", got)
		}
	})
}
