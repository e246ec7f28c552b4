package adminapi_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/audit"
	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/keys"
)

// signIn adds a user who is signed in with some browsers, and returns the names of
// their sessions.
func (h *house) signIn(login string, browsers int) []string {
	h.t.Helper()
	var u admin.UserView
	h.want(201, "POST", "/users", `{"login":"`+login+`"}`, &u)
	sids := make([]string, browsers)
	policy := session.Policy{Idle: time.Hour, Absolute: time.Hour}
	for i := range sids {
		s, _ := policy.Begin(authn.Result{Subject: u.Subject, Time: time.Now()}, session.Origin{})
		op, err := policy.Put(s)
		if err != nil {
			h.t.Fatal(err)
		}
		if _, err := h.store.Commit(h.t.Context(), op); err != nil {
			h.t.Fatal(err)
		}
		sids[i] = s.ID
	}
	return sids
}

// left is how many sessions a user has.
func (h *house) left(login string) int {
	h.t.Helper()
	var list struct{ Sessions []admin.SessionView }
	h.want(200, "GET", "/users/"+login+"/sessions", "", &list)
	return len(list.Sessions)
}

func TestSessionsAreListedAndEndedThroughTheAPI(t *testing.T) {
	h := newHouse(t)
	sids := h.signIn("alice", 3)
	h.signIn("bob", 1)
	if n := h.left("alice"); n != 3 {
		t.Fatalf("%d sessions are listed, want 3", n)
	}
	h.want(204, "DELETE", "/users/alice/sessions/"+url.PathEscape(sids[0]), "", nil)
	if n := h.left("alice"); n != 2 {
		t.Errorf("%d sessions are left, want 2", n)
	}
	var why refusal
	h.want(404, "DELETE", "/users/alice/sessions/"+sids[0], "", &why)
	if why.Field != "sid" {
		t.Errorf("got %+v", why)
	}
	h.want(204, "DELETE", "/users/alice/sessions", "", nil)
	if h.left("alice") != 0 || h.left("bob") != 1 {
		t.Errorf("%d of hers and %d of his are left, want none and one", h.left("alice"), h.left("bob"))
	}
	for _, missing := range []string{"/users/nobody/sessions", "/users/nobody/sessions/x"} {
		h.want(404, "DELETE", missing, "", nil)
	}
	h.want(404, "GET", "/users/nobody/sessions", "", nil)
}

// A script whose variable is empty means one session, never all of them.
func TestAnEmptyNameEndsNoSession(t *testing.T) {
	h := newHouse(t)
	h.signIn("alice", 2)
	h.want(404, "DELETE", "/users/alice/sessions/", "", nil)
	if n := h.left("alice"); n != 2 {
		t.Errorf("%d sessions are left, want both", n)
	}
}

func TestACompromisedKeyIsRemovedThroughTheAPI(t *testing.T) {
	h := newHouse(t)
	stolen := h.operator.ListKeys()[0]
	var left struct {
		Compromised admin.KeyView
		Keys        []admin.KeyView
	}
	h.want(200, "POST", "/keys/"+stolen.ID+"/compromise", "", &left)
	if left.Compromised != stolen || len(left.Keys) != 1 || left.Keys[0].State != keys.Active || left.Keys[0].ID == stolen.ID {
		t.Errorf("got %+v, want the key that is gone, and another that signs", left)
	}
	h.want(404, "POST", "/keys/"+stolen.ID+"/compromise", "", nil)
}

func TestTheAuditLogComesInPages(t *testing.T) {
	h := newHouse(t)
	for _, sid := range h.signIn("alice", 3) {
		h.want(204, "DELETE", "/users/alice/sessions/"+sid, "", nil)
	}
	type page struct {
		Events []audit.Event
		Next   string
	}
	var first, second page
	h.want(200, "GET", "/audit?limit=2", "", &first)
	h.want(200, "GET", "/audit?limit=2&after="+first.Next, "", &second)
	if len(first.Events) != 2 || first.Next == "" || len(second.Events) != 1 || second.Next != "" {
		t.Errorf("got %+v, then %+v", first, second)
	}
	for _, wrong := range []string{"limit=0", "limit=many", "limit=1001", "after=yesterday"} {
		h.want(400, "GET", "/audit?"+wrong, "", nil)
	}
}
