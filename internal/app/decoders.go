package app

import (
	"encoding/json"
	"fmt"

	"github.com/signet-id/signet/internal/audit"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/transfer"
	"github.com/signet-id/signet/internal/user"
)

// Journals are the prefixes whose records are followed in the order of their
// versions: what ended, and which slots are whose. Who moves a store keeps it.
func Journals() transfer.Journals { return transfer.Journals{"ended/", "slots/"} }

// Decoders read each record as its room does, for whoever checks a store.
func Decoders() map[string]transfer.Decoder {
	return map[string]transfer.Decoder{
		"user/":        reads(user.Decode),
		"session/":     reads(session.Decode),
		"grant/":       isGrant,
		"client/":      isA[client.Client],
		"consent/":     isA[grant.Consent],
		"ended/":       isA[ended.Ending],
		"audit/":       isA[audit.Event],
		"login/":       isThere,
		"code/":        isAny,
		"assertion/":   isAny,
		"begun/":       isAny,
		"ended-token/": isAny,
		"outbox/":      isJSON,
		"slots/":       isJSON,
		"lease/":       isJSON,
		"keys/ring":    isJSON,
		"seal/ring":    isJSON,
	}
}

// isGrant knows what stands beside a user's grants as well.
func isGrant(r store.Record) error {
	if grant.IsBeside(r.Key) {
		return nil
	}
	return reads(grant.Decode)(r)
}

func reads[T any](decode func(store.Record) (T, error)) transfer.Decoder {
	return func(r store.Record) error {
		_, err := decode(r)
		return err
	}
}

// isA is for rooms that read their records from JSON and no further.
func isA[T any](r store.Record) error {
	var v T
	if err := json.Unmarshal(r.Value, &v); err != nil {
		return fmt.Errorf("reading %s: %w", r.Key, err)
	}
	return nil
}

func isJSON(r store.Record) error { return isA[json.RawMessage](r) }

// isAny is for records whose being there says it all.
func isAny(store.Record) error { return nil }

func isThere(r store.Record) error {
	if len(r.Value) == 0 {
		return fmt.Errorf("reading %s: it is empty", r.Key)
	}
	return nil
}
