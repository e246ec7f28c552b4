package admin

import (
	"context"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/transfer"
)

// RecordView is a record, or a change of one, as it is stored: for whoever moves
// or keeps a copy of the store that this server holds.
type RecordView struct {
	Key     []byte        `json:"k"` // as JSON has them, in base64: a key is bytes
	Value   []byte        `json:"v,omitempty"`
	Version store.Version `json:"n,omitempty"`
	Expires time.Time     `json:"e,omitzero"`
	Deleted bool          `json:"d,omitempty"`
}

// ViewRecord is r as it travels.
func ViewRecord(r store.Record) RecordView {
	return RecordView{Key: []byte(r.Key), Value: r.Value, Version: r.Version, Expires: r.Expires}
}

// Record is the record that travelled.
func (v RecordView) Record() store.Record {
	return store.Record{Key: string(v.Key), Value: v.Value, Version: v.Version, Expires: v.Expires}
}

// ViewEvent is e as it travels.
func ViewEvent(e store.Event) RecordView {
	return RecordView{Key: []byte(e.Key), Value: e.Value, Version: e.Version, Expires: e.Expires, Deleted: e.Deleted}
}

// Event is the event that travelled.
func (v RecordView) Event() store.Event {
	return store.Event{Key: string(v.Key), Value: v.Value, Version: v.Version, Expires: v.Expires, Deleted: v.Deleted}
}

// ListRecords is the store's List.
func (o *Operator) ListRecords(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	return o.Store.List(ctx, prefix, after, limit)
}

// GetRecords is the store's Get.
func (o *Operator) GetRecords(ctx context.Context, keys ...string) ([]store.Record, error) {
	return o.Store.Get(ctx, keys...)
}

// WatchRecords is the store's Watch, of all there is.
func (o *Operator) WatchRecords(ctx context.Context) (store.Watch, error) {
	return o.Store.Watch(ctx, "")
}

// MarkRecords commits what belongs to whoever moves the store, and nothing that
// belongs to a room: rooms change their records themselves.
func (o *Operator) MarkRecords(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if !transfer.Ours(ops...) {
		return 0, fault.New(fault.Denied, "only records below %s are written this way", transfer.Prefix)
	}
	return o.Store.Commit(ctx, ops...)
}
