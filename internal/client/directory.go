package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

const prefix = "client/"

// Directory is every registered client, in memory, the same on every node.
// Safe for concurrent use.
type Directory struct {
	store  store.Store
	mirror *store.Mirror[Client]
}

// RecordKey is where the record of a client is, for a Commit of another room that
// demands that it has not changed.
func RecordKey(id string) string { return prefix + id }

// Open reads all clients and follows their changes until Close.
func Open(ctx context.Context, s store.Store, log *slog.Logger) (*Directory, error) {
	m, err := store.OpenMirror(ctx, s, prefix, decode, log)
	if err != nil {
		return nil, fmt.Errorf("reading the clients: %w", err)
	}
	return &Directory{s, m}, nil
}

// Close stops following the store.
func (d *Directory) Close() { d.mirror.Close() }

// Find returns the client named id, disabled or not. The result shares its
// slices with other callers, who must not change them.
func (d *Directory) Find(id string) (Client, bool) { return d.mirror.Get(RecordKey(id)) }

// All returns every client, by id.
func (d *Directory) All() []Client {
	out := make([]Client, 0, d.mirror.Len())
	for _, c := range d.mirror.All() {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Client) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out
}

// Create registers c, completed. A client of that id must not exist.
func (d *Directory) Create(ctx context.Context, c Client) (Client, error) {
	c.Created = time.Now().UTC()
	c.Updated = c.Created
	c = c.Complete()
	if err := c.Validate(); err != nil {
		return Client{}, err
	}
	err := d.commit(ctx, c, 0)
	if errors.Is(err, store.ErrConflict) {
		return Client{}, fault.Wrap(fault.Conflict, err, "a client named %q exists already; change it with: signet client set %s", c.ID, c.ID).On("client_id")
	}
	return c, err
}

// Update changes the client named id by one compare-and-swap. change may be
// called several times, each time with a fresh copy. also is committed with it,
// all or nothing; a guard of its that fails is returned as the conflict it is.
func (d *Directory) Update(ctx context.Context, id string, change func(*Client) error, also ...store.Op) (Client, error) {
	for {
		c, version, err := d.read(ctx, id)
		if err != nil {
			return Client{}, err
		}
		if err := change(&c); err != nil {
			return Client{}, err
		}
		c.ID, c.Updated = id, time.Now().UTC()
		if err := c.Validate(); err != nil {
			return Client{}, err
		}
		err = d.commit(ctx, c, version, also...)
		if store.ConflictOn(err) != RecordKey(id) {
			return c, err
		}
	}
}

// Remove deletes the client named id. Its refresh tokens die with it, since
// nobody can present them any more. also is committed with it, as in Update.
func (d *Directory) Remove(ctx context.Context, id string, also ...store.Op) error {
	for {
		_, version, err := d.read(ctx, id)
		if err != nil {
			return err
		}
		v, err := d.store.Commit(ctx, append([]store.Op{store.Delete(RecordKey(id)).If(version)}, also...)...)
		if store.ConflictOn(err) == RecordKey(id) {
			continue
		}
		if err != nil {
			return fmt.Errorf("removing client %s: %w", id, err)
		}
		return d.mirror.Wait(ctx, v)
	}
}

func (d *Directory) read(ctx context.Context, id string) (Client, store.Version, error) {
	recs, err := d.store.Get(ctx, RecordKey(id))
	if err != nil {
		return Client{}, 0, fmt.Errorf("reading client %s: %w", id, err)
	}
	if !recs[0].Exists() {
		return Client{}, 0, fault.New(fault.NotFound, "no client is named %q; see: signet client list", id).On("client_id")
	}
	c, err := decode(recs[0])
	return c, recs[0].Version, err
}

// commit returns once this node's own copy knows the change, so that an
// operator's next request meets it.
func (d *Directory) commit(ctx context.Context, c Client, must store.Version, also ...store.Op) error {
	value, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("writing client %s: %w", c.ID, err)
	}
	v, err := d.store.Commit(ctx, append([]store.Op{store.Put(RecordKey(c.ID), value).If(must)}, also...)...)
	if err != nil {
		return fmt.Errorf("writing client %s: %w", c.ID, err)
	}
	return d.mirror.Wait(ctx, v)
}

func decode(r store.Record) (Client, error) {
	var c Client
	if err := json.Unmarshal(r.Value, &c); err != nil {
		return c, fmt.Errorf("reading %s: %w", r.Key, err)
	}
	return c, nil
}
