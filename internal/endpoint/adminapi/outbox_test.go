package adminapi_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/store"
)

type callPage struct {
	Calls []admin.CallView
	Next  string
}

func TestWhatWaitsInTheOutboxIsListedAndRetried(t *testing.T) {
	h := newHouse(t)
	h.operator.Outbox = outbox.New(outbox.Options{Store: h.store, Clients: h.operator.Clients, Log: slog.New(slog.DiscardHandler)})
	ops, err := outbox.Ops([]outbox.Call{
		{ClientID: "shop", Subject: "alice", SessionID: "s1"}, {ClientID: "blog", Subject: "alice"}, {ClientID: "wiki", Subject: "bob", SessionID: "s2"},
	}, time.Now(), 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // as the outbox keeps what it gave up
		row := fmt.Sprintf(`{"calls":[{"client_id":"dead","sub":"carol","sid":"s%d"}],"created":"2026-01-01T00:00:00Z","attempts":450,`+
			`"given_up":"2026-01-04T00:00:00Z","error":"it answered 500"}`, i)
		ops = append(ops, store.Put(fmt.Sprintf("outbox/dead/given-up-%d", i), []byte(row)))
	}
	if _, err := h.store.Commit(t.Context(), ops...); err != nil {
		t.Fatal(err)
	}

	var page callPage
	h.want(200, "GET", "/outbox", "", &page)
	if len(page.Calls) != 6 || page.Next != "" {
		t.Fatalf("got %+v", page)
	}
	first := page.Calls[0]
	if first.ID != "given-up-0" || first.ClientID != "dead" || first.Attempts != 450 || first.Error != "it answered 500" || first.GivenUp.IsZero() || !first.Next.IsZero() {
		t.Errorf("got %+v", first)
	}
	subjects := map[string]string{}
	for _, c := range page.Calls[3:] {
		if subjects[c.ClientID] = c.Subject; c.Next.IsZero() || !c.GivenUp.IsZero() {
			t.Errorf("got %+v", c)
		}
	}
	if subjects["shop"] != "alice" || subjects["blog"] != "alice" || subjects["wiki"] != "bob" {
		t.Errorf("got %v", subjects)
	}

	after, seen := "", 0
	for {
		h.want(200, "GET", "/outbox?given_up=true&limit=2&after="+after, "", &page)
		seen += len(page.Calls)
		if after = page.Next; after == "" {
			break
		}
		page.Next = ""
	}
	if seen != 3 {
		t.Errorf("%d are listed as given up, want 3", seen)
	}

	var out struct{ Retried int }
	h.want(200, "POST", "/outbox/retry", `{"ids":["given-up-1"]}`, &out)
	if out.Retried != 1 {
		t.Errorf("retried %d, want 1", out.Retried)
	}
	h.want(404, "POST", "/outbox/retry", `{"ids":["given-up-9"]}`, nil)
	h.want(200, "POST", "/outbox/retry", `{"all":true}`, &out)
	if out.Retried != 2 {
		t.Errorf("retried %d, want the other two", out.Retried)
	}
	page = callPage{}
	h.want(200, "GET", "/outbox?given_up=true", "", &page)
	if len(page.Calls) != 0 {
		t.Errorf("still given up: %+v", page.Calls)
	}
	for body, field := range map[string]string{`{}`: "ids", `{"ids":[]}`: "ids", `{"ids":["x"],"all":true}`: "ids", `{"ids":[""]}`: "id"} {
		var r refusal
		h.want(400, "POST", "/outbox/retry", body, &r)
		if r.Field != field {
			t.Errorf("%s: refused on %q, want %q", body, r.Field, field)
		}
	}
	h.want(400, "GET", "/outbox?given_up=perhaps", "", nil)
	h.want(400, "GET", "/outbox?limit=0", "", nil)
}
