package interop

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// sample is how many things of earlier rounds are looked at after each restart.
const sample = 40

// audit compares what the clients know with what the restarted server says.
// Families and access tokens from the given ones on are those of the last round,
// of which all are judged; follower is a verifier that lived through it.
func (l *ledger) audit(fresh, freshAccess int, follower *verify.Verifier) {
	ctx := l.t.Context()
	families, sessions := l.families[fresh:], l.sessions
	if fresh > 0 {
		for range sample {
			families = append(families[:len(families):len(families)], l.families[rand.IntN(fresh)])
		}
	}
	if len(sessions) > 3*sample {
		sessions = sessions[len(sessions)-2*sample:]
	}
	l.auditRecords(ctx)
	l.auditSessions(ctx, sessions)
	l.auditFamilies(ctx, families)
	l.auditEndings(ctx, l.chosen(freshAccess), follower)
}

// auditAll looks at everything once more.
func (l *ledger) auditAll() {
	follower := l.follow()
	defer follower.Close()
	l.auditRecords(l.t.Context())
	l.auditSessions(l.t.Context(), l.sessions)
	l.auditFamilies(l.t.Context(), l.families)
	l.auditEndings(l.t.Context(), l.chosen(0), follower)
	l.auditParty()
}

// inParallel calls f for each distinct item, some at a time.
func inParallel[T comparable](items []T, f func(T)) {
	var all sync.WaitGroup
	room, seen := make(chan struct{}, 8), map[T]bool{}
	for _, item := range items {
		if seen[item] {
			continue
		}
		seen[item] = true
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			f(item)
		})
	}
	all.Wait()
}

// auditRecords looks for every user, client and key.
func (l *ledger) auditRecords(ctx context.Context) {
	op := l.operator()
	logins, err1 := op.logins(ctx)
	clients, err2 := op.clientIDs(ctx)
	kids, err3 := op.keyIDs(ctx)
	if err1 != nil || err2 != nil || err3 != nil {
		l.broken("listing what there is: %v, %v, %v", err1, err2, err3)
		return
	}
	ids := make([]string, 0, len(l.clients))
	for _, c := range l.clients {
		ids = append(ids, c.id)
	}
	l.violations.Add(int64(wantAllOf(l.t, "user", logins, l.logins) + wantAllOf(l.t, "client", clients, ids) + wantAllOf(l.t, "key", kids, l.kids)))
	l.auditDoubtful(ctx, op)
	for range min(sample/4, len(l.clients)) {
		c := l.clients[rand.IntN(len(l.clients))]
		if got, err := c.token(ctx, url.Values{"grant_type": {"client_credentials"}}); err != nil || got.status != http.StatusOK {
			l.broken("client %s can't authenticate any more: %v %s", c.id, err, got)
		}
	}
}

// auditDoubtful makes the users anew whose making was cut: each is there in
// full, or not at all.
func (l *ledger) auditDoubtful(ctx context.Context, op crashOperator) {
	for _, login := range l.maybe {
		got, err := op.addUser(ctx, login)
		if err != nil || (got.status != http.StatusCreated && got.status != http.StatusConflict) {
			l.broken("making %s again: %v %s", login, err, got)
			continue
		}
		if status, err := op.do(ctx, http.MethodGet, "/users/"+login, nil, nil); err != nil || status != http.StatusOK {
			l.broken("%s is there by half: %d, %v", login, status, err)
		}
		l.logins = append(l.logins, login)
	}
	l.maybe = nil
}

// auditTokens lets a verifier that has only just fetched the keys judge tokens of
// before.
func (l *ledger) auditTokens(ctx context.Context) {
	v, err := verify.New(crashIssuer, crashAudience, verify.WithHTTPClient(&http.Client{Transport: l.victim.http}))
	if err != nil {
		l.t.Fatal(err)
	}
	defer v.Close()
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	for range min(sample, len(l.access)) {
		i := l.access[rand.IntN(len(l.access))]
		if _, err := v.Verify(ctx, i.raw); !i.over() && !i.doubtful() && err != nil {
			l.broken("a token of before does not verify: %v", err)
		}
	}
}

// auditSessions asks for each browser, without a page, who is signed in.
func (l *ledger) auditSessions(ctx context.Context, sessions []*signedIn) {
	inParallel(sessions, func(s *signedIn) {
		got, err := s.get(ctx, askCode(l.clients[0].id, "prompt", "none"))
		if err != nil {
			l.broken("asking who is signed in: %v", err)
			return
		}
		in := got.location().Get("code") != ""
		switch {
		case s.leaving:
			s.leaving, s.over = false, !in
		case in == s.over:
			l.broken("%s, signed out %v, is signed in %v: %s", s.login, s.over, in, got)
		case !in && got.location().Get("error") != "login_required":
			l.broken("%s: %s", s.login, got)
		}
	})
}

func (l *ledger) auditFamilies(ctx context.Context, families []*family) {
	inParallel(families, func(f *family) {
		if len(f.tokens) == 0 && !l.auditCode(ctx, f) {
			return
		}
		if f.ended || f.ending {
			l.auditEnded(ctx, f)
			return
		}
		l.auditLive(ctx, f)
	})
}

// auditCode redeems a code that was never redeemed, or of which nobody knows,
// from several sides at once: at most one gets tokens. It reports whether there
// is a family to look at.
func (l *ledger) auditCode(ctx context.Context, f *family) bool {
	if f.ended || !soon(f.issued) {
		return false
	}
	if !f.redeeming {
		if got, err := f.client.redeem(ctx, f.code); err != nil || got.status != http.StatusOK {
			l.broken("a code that nobody redeemed: %v %s", err, got)
		} else {
			f.tokens = []string{got.Refresh}
			l.keep(got.Access, f.client, f)
		}
		return len(f.tokens) > 0
	}
	won := 0
	var mu sync.Mutex
	inParallel([]int{0, 1, 2, 3}, func(int) {
		got, err := f.client.redeem(ctx, f.code)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil && got.status == http.StatusOK:
			won++
			f.tokens = append(f.tokens, got.Refresh)
			l.keep(got.Access, f.client, f)
		case err != nil || got.Error != "invalid_grant":
			l.broken("a code again: %v %s", err, got)
		}
	})
	if won > 1 {
		l.broken("one code worked %d times", won)
	}
	// In several hands: whoever won, the grant has ended (RFC 6749 §4.1.2).
	f.redeeming, f.ended = false, true
	return won == 1
}

// auditEnded expects that nothing of the family works. If its ending was under
// way it may have happened or not, but not by half.
func (l *ledger) auditEnded(ctx context.Context, f *family) {
	got, err := f.client.refresh(ctx, f.current())
	if err == nil && f.ending && got.status == http.StatusOK {
		f.ending = false
		f.succeed(got.Refresh)
		l.keep(got.Access, f.client, f)
		return
	}
	f.ending, f.ended = false, true
	if err != nil || got.Error != "invalid_grant" {
		l.broken("a grant that had ended: %v %s", err, got)
	}
	if got, err := f.client.redeem(ctx, f.code); err != nil || got.Error != "invalid_grant" {
		l.broken("the code of a grant that had ended: %v %s", err, got)
	}
}

// auditLive expects one live successor, whoever asks and however often; and
// for some families that the rules about theft hold after the restart.
func (l *ledger) auditLive(ctx context.Context, f *family) {
	if n := len(f.tokens); n > 1 && !f.refreshing && soon(f.rotated) && rand.IntN(2) == 0 {
		// The one before, which may be repeated: its answer is what was acknowledged.
		if got, err := f.client.refresh(ctx, f.tokens[n-2]); err != nil || got.Refresh != f.current() {
			l.broken("the token before the last has another successor: %v %s", err, got)
			return
		}
	}
	successor := l.onlySuccessor(ctx, f)
	if successor == "" {
		return
	}
	f.refreshing = false
	f.succeed(successor)
	if rand.IntN(4) > 0 {
		return
	}
	var got tokenReply
	var err error
	switch n := len(f.tokens); {
	case n > 2:
		got, err = f.client.refresh(ctx, f.tokens[n-3]) // stolen
	case soon(f.issued):
		got, err = f.client.redeem(ctx, f.code) // replayed
	default:
		return
	}
	if err != nil || got.Error != "invalid_grant" {
		l.broken("what was used before: %v %s", err, got)
	}
	f.ended = true
	l.auditEnded(ctx, f)
}

// onlySuccessor presents the current token from several sides at once.
func (l *ledger) onlySuccessor(ctx context.Context, f *family) string {
	found := map[string]bool{}
	var mu sync.Mutex
	inParallel([]int{0, 1, 2}, func(int) {
		got, err := f.client.refresh(ctx, f.current())
		mu.Lock()
		defer mu.Unlock()
		if err != nil || got.status != http.StatusOK {
			l.broken("the refresh token that is current (a refresh was under way: %v): %v %s", f.refreshing, err, got)
			return
		}
		found[got.Refresh] = true
		l.keep(got.Access, f.client, f)
	})
	if len(found) != 1 {
		l.broken("%d live successors of one refresh token", len(found))
		return ""
	}
	for token := range found {
		return token
	}
	return ""
}
