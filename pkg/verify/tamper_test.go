package verify_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// ends is the content of a message that would end the token of goodClaims.
func ends() object { return object{"ended": []object{{"uri": listURI, "idx": []int{listIndex}}}} }

// Each of these would end a token that is alive, were it believed.
func TestAnEventThatIsNotGenuineIsIgnoredAndTheListsAreFetchedAnew(t *testing.T) {
	foreign := newSigner(t, verify.ES256, "k1")
	unknown := newSigner(t, verify.ES256, "k9")
	retired := newSigner(t, verify.ES256, "k0")
	for name, forge := range map[string]func(s *signer, j *journal) told{
		"signed by another key under the same kid": func(_ *signer, j *journal) told { return j.signedBy(foreign, ends()) },
		"signed by a key nobody knows":             func(_ *signer, j *journal) told { return j.signedBy(unknown, ends()) },
		"signed by a key that was retired":         func(_ *signer, j *journal) told { return j.signedBy(retired, ends()) },
		"the typ of a token":                       func(_ *signer, j *journal) told { return j.typed("at+jwt", ends()) },
		"the typ of a list":                        func(_ *signer, j *journal) told { return j.typed("statuslist+jwt", ends()) },
		"the typ in capitals":                      func(_ *signer, j *journal) told { return j.typed("STATUS-EVENT+JWT", ends()) },
		"no typ":                                   func(_ *signer, j *journal) told { return j.typed("", ends()) },
		"another issuer": func(_ *signer, j *journal) told {
			return j.sign("ended", with(ends(), object{"iss": "https://evil.example"}))
		},
		"no iat": func(_ *signer, j *journal) told { return j.sign("ended", with(ends(), object{"iat": nil})) },
		"the chain of another message": func(_ *signer, j *journal) told {
			return j.sign("ended", with(ends(), object{"chain": chainOf("x")}))
		},
		"no chain": func(_ *signer, j *journal) told { return j.sign("ended", with(ends(), object{"chain": nil})) },
		"a position that goes back": func(_ *signer, j *journal) told {
			return j.sign("ended", with(ends(), object{"position": uint64(99)}))
		},
		"a list elsewhere beside ours": func(_ *signer, j *journal) told {
			return j.sign("ended", object{"ended": []object{ends()["ended"].([]object)[0], {"uri": "https://evil.example/status/3", "idx": []int{1}}}})
		},
		"a list opened elsewhere": func(_ *signer, j *journal) told {
			return j.sign("ended", with(ends(), object{"opened": []string{"https://evil.example/4"}}))
		},
		"an index beyond the list": func(_ *signer, j *journal) told {
			return j.sign("ended", object{"ended": []object{{"uri": listURI, "idx": []int{listIndex, 1 << 20}}}})
		},
		"a range beyond the list": func(_ *signer, j *journal) told {
			return j.sign("ended", object{"ended": []object{{"uri": listURI, "idx": []int{listIndex}, "ranges": [][]int{{1<<20 - 1, 2}}}}})
		},
		"a range of one number": func(_ *signer, j *journal) told {
			return j.sign("ended", object{"ended": []object{{"uri": listURI, "idx": []int{listIndex}, "ranges": [][]int{{1}}}}})
		},
		"an id of another position": func(_ *signer, j *journal) told {
			m := j.sign("ended", ends())
			m.position = 5000
			return m
		},
		"a byte flipped": func(_ *signer, j *journal) told {
			m := j.sign("ended", ends())
			m.text = m.text[:len(m.text)-9] + "AAAA" + m.text[len(m.text)-5:]
			return m
		},
		"a payload of another message": func(_ *signer, j *journal) told {
			m, parts := j.sign("ended", ends()), strings.Split(j.sign("beat", nil).text, ".")
			m.text = parts[0] + "." + strings.Split(m.text, ".")[1] + "." + parts[2]
			return m
		},
		"no JWS at all": func(_ *signer, j *journal) told { return told{position: 100, kind: "ended", text: `{"ended":[]}`} },
	} {
		t.Run(name, func(t *testing.T) {
			withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
				i.keys = append(i.keys, retired)
				v := i.listening(t)
				i.with(func(i *issuer) { i.keys = i.keys[:1] })
				time.Sleep(15 * time.Minute) // the keys were fetched anew: k0 is gone
				raw := s.token(nil)
				wantAccepted(t, v, raw)
				before := v.Stats()
				j.with(func(j *journal) { j.send(forge(s, j).wire()) })
				time.Sleep(5 * time.Second)
				wantAccepted(t, v, raw)
				after := v.Stats()
				if after.EventsRefused != before.EventsRefused+1 || after.Endings != 0 || after.Refetched != before.Refetched+1 {
					t.Errorf("%d events refused, %d endings, %d refetches", after.EventsRefused-before.EventsRefused, after.Endings, after.Refetched-before.Refetched)
				}
				j.end(listIndex)
				synctest.Wait()
				wantRefused(t, v, raw, verify.Ended) // and the stream is followed again
			})
		})
	}
}

// with is o with these members too, nil ones included.
func with(o, more object) object {
	o = maps.Clone(o)
	maps.Copy(o, more)
	return o
}

func (j *journal) signedBy(s *signer, changes object) told {
	own := j.signer
	j.signer = s
	defer func() { j.signer = own }()
	return j.sign("ended", changes)
}

func (j *journal) typed(typ string, changes object) told {
	own := j.header
	j.header = object{"typ": typ}
	if typ == "" {
		j.header = object{"typ": nil}
	}
	defer func() { j.header = own }()
	return j.sign("ended", changes)
}

// Whoever stands between could answer a verifier that comes back with any other
// message of the issuer. None of them closes the gap.
func TestAGapIsClosedByNothingButTheHelloThatBelongsToIt(t *testing.T) {
	for name, hello := range map[string]object{
		"a hello for somebody who had heard more":   {"ended": nil, "from": 101},
		"a hello of before the gap":                 {"ended": nil, "position": uint64(99)},
		"a message that is none":                    {"ended": nil, "next": nil, "chain": "x"},
		"a hello that is chained":                   {"ended": nil, "chain": "x"},
		"a hello without the chain that follows it": {"ended": nil, "next": nil},
	} {
		t.Run(name, func(t *testing.T) {
			withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
				v := i.listening(t, verify.WithMaxStaleness(20*time.Second, verify.RefuseStale))
				raw := s.token(long())
				wantAccepted(t, v, raw)
				time.Sleep(12 * time.Second)
				old := s.list(listURI, object{"position": 100})
				j.with(func(j *journal) { j.hello, j.listBody = hello, func(string) string { return old } })
				j.cut("")
				j.end(listIndex)
				time.Sleep(10 * time.Second) // 22 s after the last that was heard
				wantRefused(t, v, raw, verify.EndingsStale)
				j.with(func(j *journal) { j.hello, j.listBody = nil, nil })
				time.Sleep(time.Minute)
				wantRefused(t, v, raw, verify.Ended)
			})
		})
	}
}

func TestAStreamThatIsPlayedAgainDoesNotLookFresh(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t, verify.WithMaxStaleness(time.Minute, verify.RefuseStale))
		raw := s.token(long())
		wantAccepted(t, v, raw)
		old := time.Now().Unix()
		j.with(func(j *journal) { j.lists404 = true })
		for range 20 { // recorded now, played for ever
			time.Sleep(15 * time.Second)
			j.say("beat", object{"iat": old})
		}
		synctest.Wait()
		wantRefused(t, v, raw, verify.EndingsStale)
		if got := v.EndingsStaleness(); got < 150*time.Second {
			t.Errorf("EndingsStaleness = %v after five minutes of one old beat", got)
		}
		j.say("beat", nil)
		synctest.Wait()
		wantAccepted(t, v, raw)
	})
}

func TestAListThatIsNotGenuineIsIgnored(t *testing.T) {
	foreign := newSigner(t, verify.ES256, "k1")
	unknown := newSigner(t, verify.ES256, "k9")
	pos := object{"position": 100}
	bomb := encode(deflate(make([]byte, 16<<20)))
	lst := func(bits any, lst string) object {
		return with(pos, object{"status_list": object{"bits": bits, "lst": lst}})
	}
	for name, forge := range map[string]func(s *signer, uri string) string{
		"another key under the same kid": func(_ *signer, uri string) string { return foreign.list(uri, pos, listIndex) },
		"a key nobody knows":             func(_ *signer, uri string) string { return unknown.list(uri, pos, listIndex) },
		"the typ of an event": func(s *signer, uri string) string {
			return s.listOf(object{"typ": "status-event+jwt"}, uri, pos, listIndex)
		},
		"the typ of a token": func(s *signer, uri string) string { return s.listOf(nil, uri, pos, listIndex) },
		"another issuer": func(s *signer, uri string) string {
			return s.list(uri, with(pos, object{"iss": "https://evil.example"}), listIndex)
		},
		"another list": func(s *signer, uri string) string { return s.list(uri+"0", pos, listIndex) },
		"expired": func(s *signer, uri string) string {
			return s.list(uri, with(pos, object{"exp": time.Now().Unix() - 31}), listIndex)
		},
		"no exp":        func(s *signer, uri string) string { return s.list(uri, with(pos, object{"exp": nil}), listIndex) },
		"no iat":        func(s *signer, uri string) string { return s.list(uri, with(pos, object{"iat": nil}), listIndex) },
		"3 bits":        func(s *signer, uri string) string { return s.list(uri, lst(3, encode(deflate([]byte{255})))) },
		"no bits":       func(s *signer, uri string) string { return s.list(uri, lst(nil, encode(deflate([]byte{255})))) },
		"empty":         func(s *signer, uri string) string { return s.list(uri, lst(1, encode(deflate(nil)))) },
		"not base64url": func(s *signer, uri string) string { return s.list(uri, lst(1, "+/")) },
		"not zlib":      func(s *signer, uri string) string { return s.list(uri, lst(1, encode([]byte("xxxxxxxx")))) },
		"zlib cut short": func(s *signer, uri string) string {
			return s.list(uri, lst(1, encode(deflate(make([]byte, 1000))[:9])))
		},
		"too many entries": func(s *signer, uri string) string { return s.list(uri, lst(1, encode(deflate(make([]byte, 1<<17+1))))) },
		"too few entries":  func(s *signer, uri string) string { return s.list(uri, lst(1, encode(deflate(make([]byte, 1<<17-1))))) },
		"a bomb":           func(s *signer, uri string) string { return s.list(uri, lst(8, bomb)) },
		"beyond 1 MiB": func(s *signer, uri string) string {
			return s.list(uri, with(pos, object{"x": strings.Repeat("x", 1<<20)}))
		},
		"the aggregation": func(*signer, string) string { return `{"status_lists":[]}` },
	} {
		t.Run(name, func(t *testing.T) {
			withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
				j.listBody = func(uri string) string { return forge(s, uri) }
				v := i.verifier(t)
				tok := wantAccepted(t, v, s.token(nil))
				if !tok.Stale() || tok.Staleness() < 1000*time.Hour {
					t.Errorf("marked %v, staleness %v, want never", tok.Stale(), tok.Staleness())
				}
				time.Sleep(time.Minute)
				stats := v.Stats()
				if stats.ListsRefused == 0 || stats.Endings != 0 || stats.ListsHeld != 0 || stats.Position != 0 {
					t.Errorf("%d refused, %d endings, %d held, position %d", stats.ListsRefused, stats.Endings, stats.ListsHeld, stats.Position)
				}
				j.with(func(j *journal) { j.listBody = nil })
				time.Sleep(30 * time.Second)
				if tok := wantAccepted(t, v, s.token(nil)); tok.Staleness() > time.Minute {
					t.Errorf("staleness %v after the list is good again", tok.Staleness())
				}
			})
		})
	}
}

func TestAListSignedByAKeyThatWasRetiredIsIgnored(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		j.status = http.StatusNotFound
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		successor := newSigner(t, verify.ES256, "k2")
		i.with(func(i *issuer) { i.keys = []*signer{successor} }) // j goes on with the old key, and with 304
		time.Sleep(15 * time.Minute)
		tok := wantAccepted(t, v, successor.token(nil))
		if !tok.Stale() {
			t.Errorf("staleness %v on the word of a retired key", tok.Staleness())
		}
		j.with(func(j *journal) { j.signer = successor })
		time.Sleep(time.Minute)
		if tok := wantAccepted(t, v, successor.token(nil)); tok.Stale() {
			t.Errorf("staleness %v after a list of the new key", tok.Staleness())
		}
	})
}

func TestOfManyMessagesAtOnceTheLastVouchesForTheOthers(t *testing.T) {
	for _, n := range []int{1, 2, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
				v := i.listening(t)
				var all strings.Builder
				for index := range n {
					j.with(func(j *journal) { j.mute = true })
					j.end(index)
					m := j.history[len(j.history)-1]
					if index < n-1 { // its signature is worth nothing, and its digest is chained all the same
						m.text = m.text[:strings.LastIndexByte(m.text, '.')] + ".AAAA"
						j.chain = chainOf(m.text)
					}
					all.WriteString(m.wire())
				}
				j.with(func(j *journal) { j.send(all.String()) })
				synctest.Wait()
				if got := v.Stats(); got.Endings != uint64(n) || got.EventsRefused != 0 || got.Position != 100+uint64(n) {
					t.Errorf("%d endings, %d events refused, position %d", got.Endings, got.EventsRefused, got.Position)
				}
			})
		})
	}
}

func TestOfManyMessagesOneBadOneDoesNotTakeTheEarlierOnesDown(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		j.with(func(j *journal) { j.mute = true })
		j.end(1)
		j.end(2)
		j.end(3)
		good := j.history[0].wire() + j.history[1].wire()
		bad := j.history[2]
		bad.text = bad.text[:len(bad.text)-8] + "AAAAAAAA"
		i.with(func(i *issuer) { i.delay = time.Hour }) // so that nothing is fetched anew
		j.with(func(j *journal) { j.send(good + bad.wire()) })
		synctest.Wait()
		if got := v.Stats(); got.Endings != 2 || got.EventsRefused != 1 || got.Position != 102 {
			t.Errorf("%d endings, %d events refused, position %d, want 2, 1, 102", got.Endings, got.EventsRefused, got.Position)
		}
	})
}

// The last one vouches for those before it, but only as it knew them.
func TestOfManyMessagesOnlyThoseInTheChainAreBelieved(t *testing.T) {
	for name, c := range map[string]struct {
		tamper func(j *journal, wires []told) []told
		want   uint64 // endings of the three that are heard
	}{
		"one is exchanged": {func(j *journal, all []told) []told {
			parts := strings.Split(all[1].text, ".")
			all[1].text = parts[0] + "." + encode(mustJSON(with(ends(), object{"iss": issuerURL, "iat": time.Now().Unix(), "position": 102, "chain": chainOf(all[0].text)}))) + "." + parts[2]
			return all
		}, 1},
		"one is left out":             {func(_ *journal, all []told) []told { return []told{all[0], all[2]} }, 1},
		"the first is left out":       {func(_ *journal, all []told) []told { return all[1:] }, 0},
		"two change places":           {func(_ *journal, all []told) []told { return []told{all[1], all[0], all[2]} }, 0},
		"one is there twice":          {func(_ *journal, all []told) []told { return []told{all[0], all[0], all[1]} }, 1},
		"the last is not ours at all": {func(_ *journal, all []told) []told { all[2].text = "x.y.z"; return all }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
				v := i.listening(t)
				j.with(func(j *journal) { j.mute = true })
				for index := range 3 {
					j.end(index)
				}
				i.with(func(i *issuer) { i.delay = time.Hour }) // so that nothing is fetched anew
				var text strings.Builder
				for _, m := range c.tamper(j, slices.Clone(j.history)) {
					text.WriteString(m.wire())
				}
				j.with(func(j *journal) { j.send(text.String()) })
				synctest.Wait()
				if got := v.Stats(); got.Endings != c.want || got.EventsRefused != 1 {
					t.Errorf("%d endings, %d events refused, want %d and 1", got.Endings, got.EventsRefused, c.want)
				}
				wantAccepted(t, v, s.token(nil))
			})
		})
	}
}

func TestPositionsDoNotGoBackWithinABatchEither(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		j.with(func(j *journal) { j.mute, j.position = true, 110 })
		j.say("beat", nil)
		j.with(func(j *journal) { j.position = 105 })
		j.say("beat", nil)
		i.with(func(i *issuer) { i.delay = time.Hour })
		j.with(func(j *journal) { j.send(j.history[0].wire() + j.history[1].wire()) })
		synctest.Wait()
		if got := v.Stats(); got.Position != 110 || got.EventsRefused != 1 {
			t.Errorf("position %d, %d events refused, want 110 and 1", got.Position, got.EventsRefused)
		}
	})
}
