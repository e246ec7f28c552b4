package client_test

import (
	"errors"
	"testing"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/store"
)

func register(t *testing.T, d *client.Directory) {
	t.Helper()
	create(t, d, client.Client{ID: "shop", Public: true, RedirectURIs: []string{"https://shop.example/cb"}})
}

func TestWhatMustHappenWithAClientsChangeHappensWithIt(t *testing.T) {
	s := newStore(t)
	d := open(t, s)
	register(t, d)
	c, err := d.Update(t.Context(), "shop", func(c *client.Client) error { c.TokenEpoch++; return nil }, store.Put("journal", nil).IfAbsent())
	if err != nil || c.TokenEpoch != 1 {
		t.Fatalf("Update = %+v, %v", c, err)
	}
	recs, err := s.Get(t.Context(), "journal", client.RecordKey("shop"))
	if err != nil || !recs[0].Exists() || recs[0].Version != recs[1].Version {
		t.Errorf("%+v, %v: not one Commit", recs, err)
	}
	// A guard of the others fails: nothing happens, and whoever asked learns which.
	again := store.Put("journal", nil).IfAbsent()
	if _, err := d.Update(t.Context(), "shop", rename("Shop"), again); store.ConflictOn(err) != "journal" {
		t.Errorf("Update = %v, want a conflict on the other key", err)
	}
	if err := d.Remove(t.Context(), "shop", again); store.ConflictOn(err) != "journal" {
		t.Errorf("Remove = %v, want a conflict on the other key", err)
	}
	if c, known := d.Find("shop"); !known || c.Title != "" || c.TokenEpoch != 1 {
		t.Errorf("the client became %+v", c)
	}
	if err := d.Remove(t.Context(), "shop", store.Delete("journal")); err != nil {
		t.Fatal(err)
	}
	if recs, err = s.Get(t.Context(), "journal"); err != nil || recs[0].Exists() {
		t.Errorf("%+v, %v: what was to go with the client is there", recs, err)
	}
}

func TestAChangeThatIsRefusedTakesNothingAlong(t *testing.T) {
	s := newStore(t)
	d := open(t, s)
	register(t, d)
	refused := errors.New("no")
	if _, err := d.Update(t.Context(), "shop", func(*client.Client) error { return refused }, store.Put("journal", nil)); !errors.Is(err, refused) {
		t.Errorf("Update = %v", err)
	}
	if recs, err := s.Get(t.Context(), "journal"); err != nil || recs[0].Exists() {
		t.Errorf("%+v, %v", recs, err)
	}
}
