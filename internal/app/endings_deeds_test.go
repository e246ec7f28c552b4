package app_test

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/secret"
)

// What may happen in a step of the walk. Each does it to the issuer, then to the
// model, and checks what it was answered.

func (w *walk) signsIn() {
	b, _ := pick(w, w.browsers)
	who, _ := pick(w, w.people)
	if who.disabled {
		w.enables(who)
	}
	if w.disabled["orders"] {
		w.switches("orders")
	}
	w.tell("%s signs in", who.login)
	to := b.signIn(who.login, asks("orders", "prompt", "login")).location(w.t)
	if to.Query().Get("code") == "" {
		w.t.Fatalf("no code in %s", to)
	}
	if b.in != nil && b.in.who != who {
		w.endSitting(b.in)
	}
	if b.in == nil || b.in.over || b.in.who != who {
		b.in = &sitting{who: who}
		w.sittings = append(w.sittings, b.in)
	}
	w.redeems(b, "orders", to.Query().Get("code"), false, false)
}

func (w *walk) authorizes() {
	b, _ := pick(w, w.browsers)
	clientID, _ := pick(w, []string{"orders", "third", "brief"})
	if w.disabled[clientID] {
		w.switches(clientID)
	}
	speaks, offline := w.rng.IntN(2) == 0, clientID == "third" && w.rng.IntN(2) == 0
	scope := "openid"
	if speaks {
		scope += " roles"
	}
	if offline {
		scope += " offline_access"
	}
	to := b.get(authorize(asks(clientID, "scope", scope))).location(w.t)
	if b.in == nil || b.in.over {
		if to.Path != "/signin" {
			w.t.Errorf("nobody is signed in, and got %s", to)
		}
		return
	}
	w.tell("%s authorizes %s for %q", b.in.who.login, clientID, scope)
	if to.Path == "/consent" && clientID == "third" {
		page := b.get(to.String())
		done := b.post("/consent", url.Values{"journey": {hidden(w.t, page.body)}, "answer": {"accept"}})
		to = b.get(done.location(w.t).String()).location(w.t)
	}
	code := to.Query().Get("code")
	if code == "" {
		w.t.Fatalf("no code in %s", to)
	}
	b.in.who.consented = b.in.who.consented || clientID == "third"
	w.redeems(b, clientID, code, speaks, offline)
}

func (w *walk) redeems(b *seat, clientID, code string, speaks, offline bool) {
	got := w.token(clientID, redeem(code))
	if got.Status != http.StatusOK {
		w.t.Fatalf("redeeming: %+v", got)
	}
	p := &permit{who: b.in.who, in: b.in, clientID: clientID, offline: offline, speaks: speaks, code: code}
	if got.RefreshToken != "" {
		p.refresh = []string{got.RefreshToken}
	}
	b.hint = got.IDToken
	b.in.sid, _ = claims(w.t, got.IDToken)["sid"].(string)
	b.in.joins(clientID)
	w.permits = append(w.permits, p)
	w.got(got, clientID, p)
}

func (s *sitting) joins(clientID string) {
	if !slices.Contains(s.clients, clientID) {
		s.clients = append(s.clients, clientID)
	}
}

func (w *walk) refreshes() {
	p, ok := pick(w, w.permits)
	if !ok || len(p.refresh) == 0 {
		return
	}
	w.tell("a refresh of %s for %s, offline %t, over %t", p.clientID, p.who.login, p.offline, p.over)
	got := w.token(p.clientID, refresh(p.refresh[len(p.refresh)-1]))
	if works := w.works(p); works != (got.Status == http.StatusOK) {
		w.t.Errorf("it answered %+v, want tokens %t", got, works)
		return
	} else if !works {
		return
	}
	p.refresh = append(p.refresh, got.RefreshToken)
	w.got(got, p.clientID, p)
	if last := w.tokens[len(w.tokens)-1]; !w.alive(last) {
		w.t.Errorf("a fresh token has ended already: slot %d", last.at)
	}
}

// repeats presents the last token but one, whose answer was lost.
func (w *walk) repeats() {
	p, ok := pick(w, w.permits)
	if !ok || len(p.refresh) < 2 {
		return
	}
	w.tell("a refresh of %s for %s is repeated", p.clientID, p.who.login)
	got := w.token(p.clientID, refresh(p.refresh[len(p.refresh)-2]))
	if works := w.works(p); works != (got.Status == http.StatusOK) {
		w.t.Errorf("it answered %+v, want tokens %t", got, works)
	} else if works {
		if got.RefreshToken != p.refresh[len(p.refresh)-1] {
			w.t.Error("a repeated refresh has another successor")
		}
		w.got(got, p.clientID, p)
	}
}

// steals presents a refresh token that was rotated long ago.
func (w *walk) steals() {
	old := slices.DeleteFunc(slices.Clone(w.permits), func(p *permit) bool { return len(p.refresh) < 3 })
	p, ok := pick(w, old)
	if !ok {
		return
	}
	w.tell("a stolen refresh token of %s for %s, over %t", p.clientID, p.who.login, p.over)
	if got := w.token(p.clientID, refresh(p.refresh[0])); got.Status == http.StatusOK {
		w.t.Errorf("it is worth tokens: %+v", got)
	}
	if w.works(p) {
		w.endOne(p)
	}
}

func (w *walk) replays() {
	p, ok := pick(w, w.permits)
	if !ok {
		return
	}
	w.tell("a code of %s for %s is replayed, over %t", p.clientID, p.who.login, p.over)
	if got := w.token(p.clientID, redeem(p.code)); got.Status == http.StatusOK {
		w.t.Errorf("it is worth tokens: %+v", got)
	}
	if !w.disabled[p.clientID] {
		w.endOne(p)
	}
}

func (w *walk) mints() {
	w.tell("the robot gets a token")
	got := w.machine()
	if w.disabled["robot"] != (got.Status != http.StatusOK) {
		w.t.Errorf("client credentials: %+v", got)
	}
	if got.AccessToken != "" {
		w.got(got, "robot", nil)
	}
}

// logsOut is a logout that a client asks for, with a hint (RP-Initiated Logout §2).
func (w *walk) logsOut() {
	b, _ := pick(w, w.browsers)
	if b.hint == "" || w.badKeys[kidOf(w.t, b.hint)] {
		return
	}
	w.tell("a client signs somebody out")
	b.get("/logout?" + url.Values{"id_token_hint": {b.hint}}.Encode())
	w.leaves(b)
}

func (w *walk) signsOut() {
	b, _ := pick(w, w.browsers)
	field := b.field("/logout")
	if here := b.in != nil && !b.in.over; here != (field != "") {
		w.t.Errorf("somebody is signed in %t, and the page asks %t", here, field != "")
	}
	if field == "" {
		return
	}
	w.tell("%s signs out", b.in.who.login)
	b.post("/logout", signOut(field))
	w.leaves(b)
}

func (w *walk) leaves(b *seat) {
	if b.in != nil {
		w.endSitting(b.in)
	}
	b.in, b.hint = nil, ""
}

func (w *walk) revokes() {
	i, ok := pick(w, w.tokens)
	if !ok || w.disabled[i.clientID] {
		return
	}
	if i.of != nil && len(i.of.refresh) > 0 && w.rng.IntN(2) == 0 {
		w.tell("%s revokes a refresh token, over %t", i.clientID, i.of.over)
		which, _ := pick(w, i.of.refresh)
		w.about("/revoke", i.clientID, which)
		w.endOne(i.of)
		return
	}
	w.tell("%s revokes an access token, alive %t", i.clientID, w.alive(i))
	w.about("/revoke", i.clientID, i.access)
	w.endToken(i)
}

func (w *walk) withdraws() {
	b, _ := pick(w, w.browsers)
	if b.in == nil || b.in.over {
		return
	}
	w.tell("%s withdraws a consent", b.in.who.login)
	if done := b.withdraw("third", b.field("/account/password")); done.StatusCode != http.StatusSeeOther {
		w.t.Errorf("withdrawing: %d", done.StatusCode)
	}
	w.endConsent(b.in.who)
}

func (w *walk) endsSession() {
	s, ok := pick(w, w.sittings)
	if !ok {
		return
	}
	w.tell("the operator ends a session of %s, over %t", s.who.login, s.over)
	err := w.Operator.EndSession(w.t.Context(), s.who.login, s.sid)
	if s.over != (fault.KindOf(err) == fault.NotFound) {
		w.t.Errorf("EndSession = %v", err)
	}
	w.endSitting(s)
}

func (w *walk) endsSessions() {
	who, _ := pick(w, w.people)
	w.tell("the operator ends all of %s", who.login)
	if err := w.Operator.EndSessions(w.t.Context(), who.login); err != nil {
		w.t.Error(err)
	}
	w.endPerson(who)
}

func (w *walk) disables() {
	who, _ := pick(w, w.people)
	w.tell("%s is disabled, or enabled again: %t", who.login, who.disabled)
	if who.disabled {
		w.enables(who)
		return
	}
	must[admin.UserView](w.t)(w.Operator.DisableUser(w.t.Context(), who.login))
	w.endPerson(who)
	who.disabled = true
}

func (w *walk) enables(who *person) {
	must[admin.UserView](w.t)(w.Operator.EnableUser(w.t.Context(), who.login))
	who.disabled = false
}

func (w *walk) setsPassword() {
	who, _ := pick(w, w.people)
	w.tell("%s has a new password", who.login)
	must[admin.UserView](w.t)(w.Operator.SetPassword(w.t.Context(), who.login, secret.New(password)))
	w.endPerson(who)
}

func (w *walk) changesRoles() {
	who, _ := pick(w, w.people)
	roles := [][]string{{"clerk"}, {"clerk", "admin"}, {"admin"}, {}}[w.rng.IntN(4)]
	w.tell("%s has the roles %v after %v", who.login, roles, who.roles)
	w.setRoles(who.login, roles...)
	if slices.ContainsFunc(who.roles, func(r string) bool { return !slices.Contains(roles, r) }) {
		w.endRoles(who)
	}
	who.roles = roles
}

func (w *walk) switchesClient() {
	id, _ := pick(w, []string{"orders", "third", "brief", "robot"})
	w.switches(id)
}

func (w *walk) switches(id string) {
	w.tell("%s is disabled, or enabled again: %t", id, w.disabled[id])
	w.setClient(id, w.disabled[id])
	if !w.disabled[id] {
		w.endClient(id)
	}
	w.disabled[id] = !w.disabled[id]
}

func (w *walk) compromises() {
	kid := w.activeKey()
	w.tell("the key %s is compromised", kid)
	must[admin.KeyView](w.t)(w.Operator.CompromiseKey(w.t.Context(), kid))
	w.badKeys[kid] = true
	w.endings++
}
