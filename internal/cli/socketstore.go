package cli

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// socketStore is the store of a server that runs, through its socket: to be read
// and watched. It commits the marks of whoever copies, and nothing else.
type socketStore struct {
	*operator
	stream http.Client // without the operator's patience
}

var _ store.Store = (*socketStore)(nil)

func newSocketStore(o *operator) *socketStore {
	return &socketStore{operator: o, stream: http.Client{Transport: o.http.Transport}}
}

// Get implements store.Store.
func (s *socketStore) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	in := map[string][][]byte{"keys": make([][]byte, len(keys))}
	for i, key := range keys {
		in["keys"][i] = []byte(key)
	}
	var out struct {
		Records []admin.RecordView `json:"records"`
	}
	if err := s.do(ctx, http.MethodPost, "/store/get", in, &out); err != nil {
		return nil, err
	}
	if len(out.Records) != len(keys) {
		return nil, fmt.Errorf("the server answered %d records, not %d", len(out.Records), len(keys))
	}
	records := make([]store.Record, len(keys))
	for i, v := range out.Records {
		records[i] = v.Record()
	}
	return records, nil
}

// List implements store.Store.
func (s *socketStore) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	for name, key := range map[string]string{"prefix": prefix, "after": after} {
		query.Set(name, base64.RawURLEncoding.EncodeToString([]byte(key)))
	}
	body, err := s.open(ctx, "/store/records?"+query.Encode())
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // it was read to its end, or is of no use
	records := make([]store.Record, 0, limit)
	for lines := json.NewDecoder(body); ; {
		var v admin.RecordView
		if err := lines.Decode(&v); errors.Is(err, io.EOF) {
			return records, nil
		} else if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "the server's answer was cut off")
		}
		records = append(records, v.Record())
	}
}

// open begins to read an answer of many lines.
func (s *socketStore) open(ctx context.Context, path string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://signet"+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	answer, err := s.stream.Do(r)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the server does not answer")
	}
	if answer.StatusCode >= http.StatusBadRequest {
		defer func() { _ = answer.Body.Close() }() // what counts is in the error
		return nil, refused(answer)
	}
	return answer.Body, nil
}

// Commit implements store.Store.
func (s *socketStore) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	in := map[string][]admin.RecordView{"ops": make([]admin.RecordView, len(ops))}
	for i, o := range ops {
		in["ops"][i] = admin.RecordView{Key: []byte(o.Key), Value: o.Value, Expires: o.Expires, Deleted: o.Delete}
	}
	var out struct {
		Version store.Version `json:"version"`
	}
	err := s.do(ctx, http.MethodPost, "/store/mark", in, &out)
	return out.Version, err
}

// Watch implements store.Store.
func (s *socketStore) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	if prefix != "" {
		return nil, fault.New(fault.Invalid, "a server's store is watched as a whole")
	}
	body, err := s.open(ctx, "/store/changes")
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(body)
	if _, err := lines.ReadBytes('\n'); err != nil { // now nothing is missed
		return nil, errors.Join(fault.Wrap(fault.Unavailable, err, "the server does not tell its changes"), body.Close())
	}
	w := &socketWatch{events: make(chan store.Event)}
	go w.read(ctx, body, json.NewDecoder(lines)) // until ctx ends, or the server's answer
	return w, nil
}

// Close implements store.Store.
func (s *socketStore) Close() error { return s.close() }

type socketWatch struct {
	events chan store.Event
	mu     sync.Mutex
	err    error
}

func (w *socketWatch) Events() <-chan store.Event { return w.events }

func (w *socketWatch) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *socketWatch) read(ctx context.Context, body io.ReadCloser, lines *json.Decoder) {
	defer close(w.events)
	defer func() { _ = body.Close() }() // nobody reads on
	for {
		var v admin.RecordView
		if err := lines.Decode(&v); err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.err = ctx.Err(); w.err == nil {
				w.err = fmt.Errorf("the server tells no more changes (%w): %w", err, store.ErrGap)
			}
			return
		}
		select {
		case w.events <- v.Event():
		case <-ctx.Done():
			w.mu.Lock()
			defer w.mu.Unlock()
			w.err = ctx.Err()
			return
		}
	}
}
