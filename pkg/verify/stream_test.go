package verify_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

func TestWithoutAStreamListsAreAskedForAtTheirTTL(t *testing.T) {
	for name, spoil := range map[string]func(*issuer, *journal){
		"none is offered": func(i *issuer, _ *journal) { delete(i.metadata, "status_stream_endpoint") },
		"404":             func(_ *issuer, j *journal) { j.status = http.StatusNotFound },
		"503":             func(_ *issuer, j *journal) { j.status = http.StatusServiceUnavailable },
		"no event stream": func(_ *issuer, j *journal) { j.status = http.StatusOK },
	} {
		t.Run(name, func(t *testing.T) {
			withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
				spoil(i, j)
				v := i.listening(t)
				raw := s.token(long())
				if tok := wantAccepted(t, v, raw); tok.Stale() {
					t.Errorf("staleness %v", tok.Staleness())
				}
				before := i.asked(pathOf3)
				for range 60 {
					time.Sleep(time.Minute)
					if tok := wantAccepted(t, v, raw); tok.Staleness() > time.Minute {
						t.Fatalf("staleness %v", tok.Staleness())
					}
				}
				if got := i.asked(pathOf3) - before; got < 60 || got > 90 {
					t.Errorf("%d requests in an hour, want about one per ttl", got)
				}
				if j.same < 55 {
					t.Errorf("%d answers were 304, want nearly all", j.same)
				}
				j.endOf(listURI, listIndex)
				time.Sleep(time.Minute)
				wantRefused(t, v, raw, verify.Ended)
				if got := v.Position(); got != 101 {
					t.Errorf("position %d, want 101", got)
				}
			})
		})
	}
}

func TestAListOutOfACacheIsAsOldAsItIs(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *signer, j *journal)
		want  time.Duration
	}{
		"it says so": {func(_ *signer, j *journal) { j.age = "50" }, 50 * time.Second},
		"it does not say so": {func(s *signer, j *journal) {
			old := s.list(listURI, nil)
			j.listBody = func(string) string { return old }
		}, 10 * time.Minute},
		"it is no cache at all": {func(*signer, *journal) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
				j.status = http.StatusNotFound
				c.spoil(s, j)
				time.Sleep(10 * time.Minute)
				if tok := wantAccepted(t, i.verifier(t), s.token(nil)); tok.Staleness() != c.want || tok.Stale() != (c.want > time.Minute) {
					t.Errorf("staleness %v, marked %v, want %v", tok.Staleness(), tok.Stale(), c.want)
				}
			})
		})
	}
}

func TestWhatHasExpiredIsNotConfirmedByNotModified(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		j.status = http.StatusNotFound
		v := i.listening(t)
		wantAccepted(t, v, s.token(long()))
		time.Sleep(10*time.Hour + time.Minute) // each list lives for one
		if full := i.asked(pathOf3) - j.same; full < 10 || full > 13 {
			t.Errorf("%d answers were the list itself, want one per hour", full)
		}
		if got := v.EndingsStaleness(); got > time.Minute {
			t.Errorf("staleness %v", got)
		}
	})
}

func TestAStreamThatComesBackIsFollowedAgain(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		j.status = http.StatusNotFound
		v := i.listening(t)
		raw := s.token(long())
		wantAccepted(t, v, raw)
		time.Sleep(10 * time.Minute)
		j.with(func(j *journal) { j.status = 0 })
		time.Sleep(31 * time.Second)
		j.end(listIndex)
		synctest.Wait()
		wantRefused(t, v, raw, verify.Ended)
	})
}

func TestWithoutAnyEndpointTheListOfATokenIsFollowedAllTheSame(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		delete(i.metadata, "status_stream_endpoint")
		delete(i.metadata, "status_list_aggregation_endpoint")
		v := i.verifier(t)
		raw := s.token(nil)
		if tok := wantAccepted(t, v, raw); tok.Staleness() != 0 {
			t.Errorf("staleness %v", tok.Staleness())
		}
		j.end(listIndex)
		time.Sleep(time.Minute)
		wantRefused(t, v, raw, verify.Ended)
		time.Sleep(time.Hour) // no token of the list is alive
		before := i.asked(pathOf3)
		time.Sleep(time.Hour)
		if got := i.asked(pathOf3); got != before {
			t.Errorf("%d requests for a list that nobody needs", got-before)
		}
	})
}

// A connection can die without either side being told.
func TestAStreamThatFallsSilentIsBegunAnew(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		raw := s.token(long())
		wantAccepted(t, v, raw)
		j.with(func(j *journal) { j.listeners = nil }) // what is said now goes nowhere
		j.end(listIndex)
		time.Sleep(44 * time.Second)
		if got := v.Stats().Connected; got != 1 {
			t.Errorf("%d connections after 44 s, want 1", got)
		}
		time.Sleep(2 * time.Second)
		wantRefused(t, v, raw, verify.Ended)
	})
}

func TestCommentsAloneDoNotKeepAStreamAlive(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		for range 10 {
			time.Sleep(10 * time.Second)
			j.with(func(j *journal) { j.send(": still here\n\nevent: other\ndata: x\n\n") })
		}
		if got := v.Stats(); got.Connected < 2 || got.EventsRefused != 0 {
			t.Errorf("%d connections, %d events refused", got.Connected, got.EventsRefused)
		}
	})
}

func TestAStreamThatIsRefusedIsAskedForLessAndLess(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		j.status = http.StatusServiceUnavailable
		i.listening(t)
		time.Sleep(time.Hour)
		if got := i.asked(streamAt); got < 120 || got > 400 {
			t.Errorf("%d requests in an hour, want one every 10 to 30 s", got)
		}
	})
}

func TestAStreamThatIsCutAtOnceIsNotBegunInALoop(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		i.listening(t)
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			j.cut("")
		}
		if got := i.asked(streamAt); got > 15 {
			t.Errorf("%d connections within a minute", got)
		}
	})
}

func TestAnEventBeyondAllMeasureEndsTheStream(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		j.with(func(j *journal) { j.send("data: " + strings.Repeat("x", 2<<20)) })
		time.Sleep(time.Second)
		if got := v.Stats(); got.Refetched != 2 {
			t.Errorf("%d refetches, want 2", got.Refetched)
		}
	})
}

func TestAClientsTimeLimitDoesNotEndTheStream(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t, verify.WithHTTPClient(&http.Client{Transport: i, Timeout: 5 * time.Second}))
		j.beat(t)
		time.Sleep(time.Hour)
		if got := v.Stats().Connected; got != 1 {
			t.Errorf("%d connections in an hour, want 1", got)
		}
	})
}

func TestKeysAreFetchedAtOnceWhenTheStreamSaysThatTheyChanged(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		i.cacheControl = "max-age=86400"
		stolen := newSigner(t, verify.ES256, "stolen")
		i.keys = append(i.keys, stolen)
		v := i.listening(t)
		raw := stolen.token(nil)
		wantAccepted(t, v, raw)
		time.Sleep(2 * time.Second)
		before := i.fetches()
		i.with(func(i *issuer) { i.keys = i.keys[:1] })
		j.say("ended", object{"keys": true})
		synctest.Wait()
		wantRefused(t, v, raw, verify.UnknownKey)
		for range 100 {
			j.say("ended", object{"keys": true})
			time.Sleep(100 * time.Millisecond)
		}
		if passed := i.read(&i.passedCaches); passed != i.fetches()-before {
			t.Errorf("%d of %d fetches passed by caches, which hold the old keys", passed, i.fetches()-before)
		}
		if got := i.fetches() - before; got < 8 || got > 12 {
			t.Errorf("%d fetches in 10 s of such news, want one per second", got)
		}
	})
}

func TestAnEventOfAKeyJustPublishedIsBelievedAfterOneFetch(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		i.cacheControl = "max-age=86400"
		v := i.listening(t)
		raw := s.token(nil)
		wantAccepted(t, v, raw)
		time.Sleep(11 * time.Second)
		next := newSigner(t, verify.ES256, "k2")
		i.with(func(i *issuer) { i.keys = append(i.keys, next) })
		j.with(func(j *journal) { j.signer = next })
		j.end(listIndex)
		synctest.Wait()
		wantRefused(t, v, raw, verify.Ended)
		if got := v.Stats(); got.EventsRefused != 0 || got.Connected != 1 {
			t.Errorf("%d events refused, %d connections", got.EventsRefused, got.Connected)
		}
	})
}

func TestAListThatTheIssuerHasRetiredIsForgotten(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		j.beat(t)
		raw := s.token(object{"exp": time.Now().Add(3 * time.Hour).Unix()})
		wantAccepted(t, v, raw)
		j.open(issuerURL + "/status/4")
		synctest.Wait()
		j.with(func(j *journal) { delete(j.lists, listURI) })
		time.Sleep(150 * time.Minute)
		if got := v.Stats().ListsHeld; got != 2 {
			t.Errorf("%d lists are held while a token of each may be alive, want 2", got)
		}
		if tok := wantAccepted(t, v, raw); tok.Staleness() > 15*time.Second {
			t.Errorf("staleness %v", tok.Staleness())
		}
		time.Sleep(150 * time.Minute)
		if got := v.Stats(); got.ListsHeld != 1 || got.EndingsStaleness > 15*time.Second {
			t.Errorf("%d lists are held, staleness %v, want 1 and fresh", got.ListsHeld, got.EndingsStaleness)
		}
	})
}

func TestAnAggregationThatNamesListsElsewhereCausesNoRequestThere(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		j.with(func(j *journal) { j.lists["https://evil.example/status/66"] = nil })
		i.listening(t)
		time.Sleep(time.Minute)
		if got := i.asked("/status/66"); got != 0 {
			t.Errorf("%d requests", got)
		}
	})
}

func TestManyListsAreFetchedFourAtATime(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		for n := range 30 {
			j.lists[fmt.Sprint(issuerURL, "/status/", 1000+n)] = nil
		}
		i.delay = 100 * time.Millisecond
		v := i.listening(t)
		if most := i.read(&i.most); most > 5 || v.Stats().ListsHeld != 31 {
			t.Errorf("%d requests at once, want 4 and the stream; %d lists held", most, v.Stats().ListsHeld)
		}
	})
}

func TestStatsCountWhatHappened(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		raw := s.token(nil)
		for range 3 {
			wantAccepted(t, v, raw)
		}
		h := v.Require("orders:admin")(&seen{})
		ask(h, "/", "Bearer "+raw)
		ask(h, "/")
		ask(v.RequireFresh(time.Second)(&seen{}), "/", "Bearer "+raw)
		wantRefused(t, v, "x.y.z", verify.Malformed)
		j.end(listIndex)
		synctest.Wait()
		wantRefused(t, v, raw, verify.Ended)
		time.Sleep(7 * time.Second)
		got := v.Stats()
		if got.Verified != 5 || got.Remembered != 4 || got.Marked != 0 {
			t.Errorf("verified %d, remembered %d, marked %d, want 5, 4, 0", got.Verified, got.Remembered, got.Marked)
		}
		once := []verify.Reason{verify.InsufficientScope, verify.NoToken, verify.NotFresh, verify.Malformed, verify.Ended}
		for reason, n := range got.Refused {
			if (n == 1) != slices.Contains(once, reason) || n > 1 {
				t.Errorf("refused because %s: %d", reason, n)
			}
		}
		if len(got.Refused) != 22 {
			t.Errorf("%d reasons are counted, want all 22", len(got.Refused))
		}
		if !got.Streaming || got.Endings != 1 || got.Events != 2 || got.Connected != 1 || got.ListsHeld != 1 || got.ListsFetched == 0 ||
			got.Position != 101 || got.EndingsStaleness != 7*time.Second || got.KeysStaleness < 7*time.Second {
			t.Errorf("%+v", got)
		}
	})
}
