// Package audit keeps what happened to somebody's authority: an event is written
// in the Commit that makes it true, and never changed.
//
//	ended ──Op──▶ one Commit with the ending
//	operator ──List──▶ what happened, the newest first
//
// An event names who and what, never a secret, a token or a password. It leaves
// when the operator's retention is over.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/store"
)

const prefix = "audit/"

// Event is one thing that happened.
type Event struct {
	ID   string    `json:"id"` // also its place in the order
	Time time.Time `json:"time"`
	// What happened, and why: "session ended", "sign-out".
	What      string `json:"what"`
	Cause     string `json:"cause,omitempty"`
	Subject   string `json:"sub,omitempty"`
	SessionID string `json:"sid,omitempty"`
	GrantID   string `json:"grant,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	KeyID     string `json:"kid,omitempty"`
}

// The keys count down, so that a List begins with the newest.
func key(id string) string { return prefix + id }

func newID(t time.Time) string {
	return fmt.Sprintf("%016x-%s", uint64(math.MaxInt64-t.UnixMilli()), ident.New())
}

// Op writes e, to be kept for keep. The ID is made here.
func Op(e Event, keep time.Duration) (store.Op, error) {
	e.ID = newID(e.Time)
	value, err := json.Marshal(e)
	if err != nil {
		return store.Op{}, fmt.Errorf("writing an audit event: %w", err)
	}
	return store.Put(key(e.ID), value).Until(e.Time.Add(keep)).IfAbsent(), nil
}

// List returns up to limit events, the newest first, beginning after the one
// named (when not empty). Fewer than limit means the end.
func List(ctx context.Context, s store.Store, after string, limit int) ([]Event, error) {
	if limit < 1 || limit > store.MaxList {
		return nil, fault.New(fault.Invalid, "must be from 1 to %d", store.MaxList).On("limit")
	}
	if after != "" {
		stamp, _, ok := strings.Cut(after, "-")
		if _, err := strconv.ParseUint(stamp, 16, 64); err != nil || !ok {
			return nil, fault.New(fault.Invalid, "must be the id of an event").On("after")
		}
		after = key(after)
	}
	records, err := s.List(ctx, prefix, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	events := make([]Event, len(records))
	for i, r := range records {
		if err := json.Unmarshal(r.Value, &events[i]); err != nil {
			return nil, fmt.Errorf("reading %s: %w", r.Key, err)
		}
	}
	return events, nil
}
