package client_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

func newStore(t testing.TB) store.Store {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}

// open opens the directory of one node.
func open(t testing.TB, s store.Store) *client.Directory {
	t.Helper()
	d, err := client.Open(context.Background(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func create(t testing.TB, d *client.Directory, c client.Client) client.Client {
	t.Helper()
	made, err := d.Create(context.Background(), c)
	if err != nil {
		t.Fatalf("Create(%q): %v", c.ID, err)
	}
	return made
}

func rename(title string) func(*client.Client) error {
	return func(c *client.Client) error { c.Title = title; return nil }
}

// eventually waits a second at most: that soon every node must know.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Errorf("after a second: %s", what)
}

func TestAClientIsFoundTheMomentItWasCreated(t *testing.T) {
	d := open(t, newStore(t))
	made := create(t, d, client.Client{ID: "orders", RedirectURIs: []string{"https://orders.example.com/cb"}})
	if made.AuthMethod != client.AuthBasic || made.Created.IsZero() || !made.Updated.Equal(made.Created) {
		t.Errorf("Create = %+v, want it completed and dated", made)
	}
	got, ok := d.Find("orders")
	if !ok || got.AuthMethod != made.AuthMethod || !slices.Equal(got.Grants, made.Grants) {
		t.Errorf("Find = %+v, %t", got, ok)
	}
	for _, id := range []string{"", "Orders", "order", "orders/"} {
		if got, ok := d.Find(id); ok {
			t.Errorf("Find(%q) = %+v", id, got)
		}
	}
}

func TestAnInvalidClientIsNotWritten(t *testing.T) {
	d := open(t, newStore(t))
	_, err := d.Create(t.Context(), client.Client{ID: "no/slash"})
	wantInvalid(t, err, "client_id")
	create(t, d, client.Client{ID: "orders"})
	_, err = d.Update(t.Context(), "orders", func(c *client.Client) error { c.AuthMethod = "magic"; return nil })
	wantInvalid(t, err, "auth_method")
	if got, _ := d.Find("orders"); got.AuthMethod != client.AuthBasic || len(d.All()) != 1 {
		t.Errorf("the directory has %+v", d.All())
	}
}

func TestACreatedClientNeverReplacesAnother(t *testing.T) {
	s := newStore(t)
	a, b := open(t, s), open(t, s)
	create(t, a, client.Client{ID: "orders", Title: "the first"})
	_, err := b.Create(t.Context(), client.Client{ID: "orders", Title: "the second"})
	if field, _ := fault.Public(err); fault.KindOf(err) != fault.Conflict || field != "client_id" {
		t.Errorf("Create = %v, want fault.Conflict on client_id", err)
	}
	if got, _ := a.Find("orders"); got.Title != "the first" {
		t.Errorf("Find = %q", got.Title)
	}
}

func TestAnUpdateIsSeenHereAtOnceAndElsewhereWithinASecond(t *testing.T) {
	s := newStore(t)
	here, there := open(t, s), open(t, s)
	create(t, here, client.Client{ID: "orders"})
	eventually(t, "the other node does not know the client", func() bool { _, ok := there.Find("orders"); return ok })
	for i := range 20 {
		title := fmt.Sprintf("Orders %d", i)
		if _, err := here.Update(t.Context(), "orders", rename(title)); err != nil {
			t.Fatal(err)
		}
		if got, _ := here.Find("orders"); got.Title != title {
			t.Errorf("here: Title = %q, want %q at once", got.Title, title)
		}
	}
	eventually(t, "the other node does not know the last title", func() bool { got, _ := there.Find("orders"); return got.Title == "Orders 19" })
	if _, err := here.Update(t.Context(), "orders", func(c *client.Client) error { c.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other node does not know that the client is disabled", func() bool { got, _ := there.Find("orders"); return got.Disabled })
}

// Two operators at two nodes: neither change may be lost.
func TestConcurrentUpdatesAllCount(t *testing.T) {
	s := newStore(t)
	nodes := []*client.Directory{open(t, s), open(t, s)}
	create(t, nodes[0], client.Client{ID: "orders"})
	const each = 8
	var group sync.WaitGroup
	for n, d := range nodes {
		for i := range each {
			group.Go(func() {
				_, err := d.Update(t.Context(), "orders", func(c *client.Client) error {
					c.Scopes = append(c.Scopes, fmt.Sprintf("scope:%d:%d", n, i))
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	for n, d := range nodes {
		eventually(t, fmt.Sprintf("node %d lacks changes", n), func() bool {
			got, _ := d.Find("orders")
			return len(got.Scopes) == len(nodes)*each
		})
	}
}

func TestAnUpdateCanNotRenameAClientNorChangeWhatDoesNotExist(t *testing.T) {
	d := open(t, newStore(t))
	made := create(t, d, client.Client{ID: "orders"})
	got, err := d.Update(t.Context(), "orders", func(c *client.Client) error { c.ID = "billing"; return nil })
	if err != nil || got.ID != "orders" || !got.Created.Equal(made.Created) || got.Updated.Before(made.Updated) {
		t.Errorf("Update = %+v, %v", got, err)
	}
	if _, err := d.Update(t.Context(), "billing", rename("x")); fault.KindOf(err) != fault.NotFound {
		t.Errorf("Update of nobody = %v, want fault.NotFound", err)
	}
	refused := errors.New("the operator thought better of it")
	if _, err := d.Update(t.Context(), "orders", func(*client.Client) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("Update = %v, want the change's own error", err)
	}
}

func TestARemovedClientIsGoneHereAtOnceAndElsewhereWithinASecond(t *testing.T) {
	s := newStore(t)
	here, there := open(t, s), open(t, s)
	create(t, here, client.Client{ID: "orders"})
	eventually(t, "the other node does not know the client", func() bool { _, ok := there.Find("orders"); return ok })
	if err := here.Remove(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	if _, ok := here.Find("orders"); ok {
		t.Error("here: a removed client is found")
	}
	eventually(t, "the other node still finds the client", func() bool { _, ok := there.Find("orders"); return !ok })
	if err := here.Remove(t.Context(), "orders"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("removing it twice = %v, want fault.NotFound", err)
	}
}

func TestADirectoryKnowsTheClientsOfBefore(t *testing.T) {
	s := newStore(t)
	first := open(t, s)
	for _, id := range []string{"c", "a", "b"} {
		create(t, first, client.Client{ID: id})
	}
	var ids []string
	for _, c := range open(t, s).All() {
		ids = append(ids, c.ID)
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(ids, want) {
		t.Errorf("All = %v, want %v", ids, want)
	}
}

// A record that a newer version wrote, or that is damaged, must not be a client
// that may do anything.
func TestADamagedRecordIsNoClient(t *testing.T) {
	s := newStore(t)
	if _, err := s.Commit(t.Context(), store.Put("client/orders", []byte(`{"client_id":`))); err != nil {
		t.Fatal(err)
	}
	d := open(t, s)
	if got, ok := d.Find("orders"); ok {
		t.Errorf("Find = %+v", got)
	}
	if _, err := d.Update(t.Context(), "orders", rename("x")); err == nil {
		t.Error("Update of a damaged record succeeded")
	}
}

func BenchmarkFind(b *testing.B) {
	d := open(b, newStore(b))
	for i := range 1000 {
		create(b, d, client.Client{ID: fmt.Sprintf("client-%d", i)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := d.Find("client-500"); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkCheckSecret(b *testing.B) {
	var c client.Client
	s := client.NewSecret()
	c.Rotate(s, time.Now())
	c.Rotate(client.NewSecret(), time.Now())
	plain := s.Reveal()
	b.ReportAllocs()
	for b.Loop() {
		if !c.CheckSecret(plain) {
			b.Fatal("refused")
		}
	}
}
