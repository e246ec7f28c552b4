package app_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/keys"
)

// Whatever people, clients, operators and thieves do in whatever order: each
// ending leaves exactly one record, and every token ever issued is good exactly as
// long as nothing ended it: to introspection, and on the published lists.
//
// SIGNET_SEED repeats a walk, SIGNET_STEPS takes a longer one.
func TestEveryTokenIsGoodExactlyUntilSomethingEndsIt(t *testing.T) {
	seed, steps := uint64(time.Now().UnixNano()), 800
	if given, err := strconv.ParseUint(os.Getenv("SIGNET_SEED"), 10, 64); err == nil {
		seed = given
	}
	if given, err := strconv.Atoi(os.Getenv("SIGNET_STEPS")); err == nil {
		steps = given
	}
	t.Logf("SIGNET_SEED=%d", seed)
	w := newWalk(t, seed)
	for n := 1; n <= steps && !t.Failed(); n++ {
		w.step()
		w.wantRecords()
		if n%20 == 0 || n == steps || t.Failed() {
			w.wantAll()
		}
	}
	if t.Failed() {
		t.Logf("the last steps:\n%s", strings.Join(w.told[max(0, len(w.told)-25):], "\n"))
	}
	t.Logf("%d tokens of %d grants in %d sessions, %d endings, %d calls", len(w.tokens), len(w.permits), len(w.sittings), w.endings, len(w.model.calls))
}

// walk drives the composed issuer and the model side by side.
type walk struct {
	*house
	model
	rng      *rand.Rand
	browsers []*seat
	told     []string // what was done
}

// seat is a browser, and what the model knows of it.
type seat struct {
	*browser
	in   *sitting
	hint string // the newest ID token of the session
}

func newWalk(t *testing.T, seed uint64) *walk {
	w := &walk{house: open(t), rng: rand.New(rand.NewPCG(seed, 0))}
	w.disabled, w.covered, w.badKeys = map[string]bool{}, map[slot.Slot]bool{}, map[string]bool{}
	w.gate()
	w.client(client.Client{ID: "brief", FirstParty: true, RedirectURIs: []string{callback}, Grants: []string{client.GrantCode}})
	change := func(id string, change func(*client.Client)) {
		if _, err := w.Operator.Clients.Update(t.Context(), id, func(c *client.Client) error { change(c); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	change("orders", func(c *client.Client) { c.BackchannelLogoutURI = "https://app.example/out" })
	change("third", func(c *client.Client) {
		c.BackchannelLogoutURI, c.BackchannelLogoutSession = "https://third.example/out", true
	})
	for _, u := range []struct{ login, subject string }{
		{"alice", w.alice.Subject}, {"bob", w.bob.Subject}, {"carol", w.user("carol").Subject},
	} {
		w.people = append(w.people, &person{login: u.login, subject: u.subject, roles: []string{"clerk"}})
	}
	for range 4 {
		w.browsers = append(w.browsers, &seat{browser: w.browser()})
	}
	return w
}

// step does one thing of all that may happen; the rare ones end much.
func (w *walk) step() {
	deeds := []struct {
		weight int
		do     func()
	}{
		{12, w.signsIn}, {25, w.authorizes}, {25, w.refreshes}, {4, w.repeats}, {3, w.steals}, {3, w.replays}, {10, w.mints},
		{3, w.logsOut}, {3, w.signsOut}, {5, w.revokes}, {3, w.withdraws}, {2, w.endsSession}, {1, w.endsSessions},
		{2, w.disables}, {1, w.setsPassword}, {5, w.changesRoles}, {4, w.switchesClient}, {1, w.compromises},
	}
	total := 0
	for _, d := range deeds {
		total += d.weight
	}
	at := w.rng.IntN(total)
	for _, d := range deeds {
		if at -= d.weight; at < 0 {
			d.do()
			return
		}
	}
}

func (w *walk) tell(format string, args ...any) {
	w.told = append(w.told, fmt.Sprintf("%3d records: ", w.endings)+fmt.Sprintf(format, args...))
}

func pick[T any](w *walk, of []T) (one T, ok bool) {
	if len(of) == 0 {
		return one, false
	}
	return of[w.rng.IntN(len(of))], true
}

// wantRecords checks that the journal has what the model says and nothing more,
// and that the audit log and the outbox agree with it.
func (w *walk) wantRecords() {
	w.t.Helper()
	journal, story := w.journal(), w.story()
	if len(journal) != w.endings || len(story) != w.endings {
		w.t.Errorf("%d records and %d audit events, want %d", len(journal), len(story), w.endings)
		return
	}
	events := map[string]int{}
	for _, e := range story {
		events[fmt.Sprint(e.What, e.Cause, e.Subject, e.SessionID, e.GrantID, e.ClientID, e.KeyID)]++
	}
	for _, e := range journal {
		what := fmt.Sprint(string(e.Kind)+" ended", e.Cause, e.Subject, e.SessionID, e.GrantID, e.ClientID, e.KeyID)
		if events[what]--; events[what] < 0 {
			w.t.Errorf("the audit log does not know of %s", what)
		}
	}
	byText := func(a, b outbox.Call) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	got, want := slices.SortedFunc(slices.Values(w.house.calls()), byText), slices.SortedFunc(slices.Values(w.model.calls), byText)
	if !slices.Equal(got, want) {
		w.t.Errorf("the outbox holds %d calls, want %d", len(got), len(want))
	}
}

// wantAll asks about every token that ever was.
func (w *walk) wantAll() {
	w.t.Helper()
	published := w.lists()
	for n, i := range w.tokens {
		if got, want := w.active(i.access), w.alive(i); got != want {
			w.t.Errorf("token %d (%s, slot %d): active %t, want %t", n, i.clientID, i.at, got, want)
		}
		if got, want := published.set(i.at), w.covered[i.at]; got != want {
			w.t.Errorf("token %d (%s): the bit of %d is set %t, want %t", n, i.clientID, i.at, got, want)
		}
	}
}

// got takes an access token into the model.
func (w *walk) got(answer tokens, clientID string, of *permit) {
	w.t.Helper()
	i := &issued{access: answer.AccessToken, at: slotOf(w.t, answer.AccessToken), of: of, clientID: clientID, kid: kidOf(w.t, answer.AccessToken)}
	if of == nil {
		for _, other := range w.tokens {
			if other.at == i.at {
				w.t.Errorf("slot %d was given before", i.at)
			}
		}
	} else if !slices.Contains(of.slots, i.at) {
		of.slots = append(of.slots, i.at)
	}
	w.tokens = append(w.tokens, i)
}

func kidOf(t testing.TB, compact string) string {
	t.Helper()
	header, _, _ := strings.Cut(compact, ".")
	kid, _ := claims(t, "."+header+".")["kid"].(string)
	if kid == "" {
		t.Fatalf("no kid in %s", compact)
	}
	return kid
}

// active keys, as the operator sees them.
func (w *walk) activeKey() string {
	for _, k := range w.Operator.ListKeys() {
		if k.State == keys.Active && k.Algorithm == keys.ES256 {
			return k.ID
		}
	}
	w.t.Fatal("no key is active")
	return ""
}

// field is the hidden field of a page of the browser, or "" when nobody is signed in.
func (s *seat) field(path string) string {
	page := s.get(path)
	if m := hiddenField.FindStringSubmatch(page.body); m != nil {
		return m[2]
	}
	return ""
}

func signOut(field string) url.Values { return url.Values{"request": {field}, "answer": {"yes"}} }
