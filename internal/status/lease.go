package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

const (
	nextKey     = "slots/next"   // the first slot that no node has reserved
	leasePrefix = "slots/lease/" // and the client, "/", the first slot

	// Term is how long tokens may be issued on the slots of a block. Then the
	// client gets another block, so that the lists of long ago run empty.
	Term = time.Hour

	// margin is for clocks that disagree, and verifiers that are lenient.
	margin = 5 * time.Minute

	// reserved is how many slots a node takes from the common counter at once: so
	// the clients that begin together do not queue up for one record. It divides
	// slot.Size, so no reservation crosses the border of a list.
	reserved = 1 << 16
)

// counter is the record of nextKey.
type counter struct {
	Next slot.Slot `json:"next"`
}

// lease is the record of a block: it exists while a token on it may be alive.
type lease struct {
	First slot.Slot `json:"first"`
	Count uint32    `json:"count"`
	Time  time.Time `json:"time"`
}

func leasesOf(clientID string) string { return leasePrefix + clientID + "/" }

// reservation is what this process may lease to clients; one goroutine uses it.
type reservation struct {
	next, end slot.Slot
	begun     bool // this process has reserved before
}

// reserve takes slots from the common counter. The first reservation of a process
// begins a list, whose number is at least the seconds since 1970: a store that was
// restored from a backup knows nothing of the slots handed out since, and jumps
// over all of them that way, unless more than a whole list was used up in every
// second. What is left of the list before is wasted, which costs nothing.
func (s *Slots) reserve(ctx context.Context) error {
	for {
		recs, err := s.store.Get(ctx, nextKey)
		if err != nil {
			return fmt.Errorf("reading which slots are free: %w", err)
		}
		var c counter
		if recs[0].Exists() {
			if err := json.Unmarshal(recs[0].Value, &c); err != nil {
				return fmt.Errorf("reading which slots are free: %w", err)
			}
		}
		first := c.Next
		if !s.reservation.begun {
			first = firstOfProcess(c.Next, time.Now())
		}
		value, err := json.Marshal(counter{Next: first + reserved})
		if err != nil {
			return fmt.Errorf("writing which slots are free: %w", err)
		}
		_, err = s.store.Commit(ctx, store.Put(nextKey, value).If(recs[0].Version))
		if errors.Is(err, store.ErrConflict) {
			continue // another node was served, so somebody makes progress
		}
		if err != nil {
			return fmt.Errorf("reserving slots: %w", err)
		}
		s.reservation = reservation{next: first, end: first + reserved, begun: true}
		return nil
	}
}

// firstOfProcess is the first slot of a list that nobody can have used.
func firstOfProcess(next slot.Slot, now time.Time) slot.Slot {
	list := next.List()
	if next.Index() != 0 {
		list++
	}
	return slot.At(max(list, uint64(now.Unix())), 0)
}

// carve takes up to count slots out of the reservation of this process.
func (s *Slots) carve(ctx context.Context, count uint32) (slot.Range, error) {
	select {
	case s.reserving <- struct{}{}:
		defer func() { <-s.reserving }()
	case <-ctx.Done():
		return slot.Range{}, ctx.Err()
	}
	if s.reservation.next == s.reservation.end {
		if err := s.reserve(ctx); err != nil {
			return slot.Range{}, err
		}
	}
	r := slot.Range{First: s.reservation.next, Count: min(count, uint32(s.reservation.end-s.reservation.next))}
	s.reservation.next += slot.Slot(r.Count)
	return r, nil
}

// lease makes a block the client's. In the Commit the client is still the one
// that was found enabled, and whoever ends the client meanwhile is told that a
// block has begun: so no ending misses a slot that somebody could carry.
func (s *Slots) lease(ctx context.Context, clientID string, count uint32) (block, error) {
	r, err := s.carve(ctx, count)
	if err != nil {
		return block{}, err
	}
	for {
		recs, err := s.store.Get(ctx, client.RecordKey(clientID))
		if err != nil {
			return block{}, fmt.Errorf("reading the client: %w", err)
		}
		if err := mayTake(recs[0], clientID); err != nil {
			return block{}, err
		}
		now := time.Now()
		value, err := json.Marshal(lease{r.First, r.Count, now.UTC()})
		if err != nil {
			return block{}, fmt.Errorf("writing a lease: %w", err)
		}
		v, err := s.store.Commit(ctx,
			store.Put(fmt.Sprintf("%s%020d", leasesOf(clientID), uint64(r.First)), value).
				IfAbsent().Until(now.Add(Term+s.lifetime+margin)),
			store.Unchanged(recs[0].Key, recs[0].Version),
			ended.ClientBegun(clientID),
		)
		if errors.Is(err, store.ErrConflict) {
			continue // the client was changed; whether it may still be served is judged anew
		}
		if err != nil {
			return block{}, fmt.Errorf("leasing slots: %w", err)
		}
		// Whoever is shown the first token may ask for its list at once.
		if err := s.known(ctx, v); err != nil {
			return block{}, fmt.Errorf("leasing slots: %w", err)
		}
		return block{next: r.First, end: r.First + slot.Slot(r.Count), count: r.Count, until: now.Add(Term)}, nil
	}
}

// mayTake judges the record itself: the copy in memory may be older.
func mayTake(r store.Record, clientID string) error {
	if !r.Exists() {
		return fault.New(fault.Denied, "no client is named %q", clientID)
	}
	var c client.Client
	if err := json.Unmarshal(r.Value, &c); err != nil {
		return fmt.Errorf("reading client %s: %w", clientID, err)
	}
	if c.Disabled {
		return fault.New(fault.Denied, "client %q is disabled", clientID)
	}
	return nil
}

// Blocks returns all slots that a live token of the client may carry, as the
// store has them, whatever node leased them.
func (s *Slots) Blocks(ctx context.Context, clientID string) ([]slot.Range, error) {
	var blocks []slot.Range
	for after := ""; ; {
		recs, err := s.store.List(ctx, leasesOf(clientID), after, store.MaxList)
		if err != nil {
			return nil, fmt.Errorf("listing the slots of a client: %w", err)
		}
		for _, r := range recs {
			var l lease
			if err := json.Unmarshal(r.Value, &l); err != nil {
				return nil, fmt.Errorf("reading %s: %w", r.Key, err)
			}
			blocks = append(blocks, slot.Range{First: l.First, Count: l.Count})
			after = r.Key
		}
		if len(recs) < store.MaxList {
			return blocks, nil
		}
	}
}
