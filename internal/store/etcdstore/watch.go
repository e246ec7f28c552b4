package etcdstore

import (
	"context"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/signet-id/signet/internal/store"
)

// How far a watcher may lag behind before it is cut off. etcd hands over in one
// piece what happened while a connection was broken, so this is more than what a
// watcher that is merely slow would need.
const (
	lagEvents = 8192
	lagBytes  = 32 << 20
)

// watcher is one subscription. Two goroutines serve it until it ends:
//
//	stream ──batches──▶ deliver ──events──▶ whoever asked
//	(follows etcd, resumes)   (queues, cuts off)
type watcher struct {
	events chan store.Event

	mu  sync.Mutex
	err error
}

// Events implements store.Watch.
func (w *watcher) Events() <-chan store.Event { return w.events }

// Err implements store.Watch.
func (w *watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Watch implements store.Watch. It asks for etcd's revision first: a member may
// lag behind, and would report from where it stands, not from now on.
func (s *Store) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	if err := store.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var now *clientv3.GetResponse
	err := s.read(ctx, func(ctx context.Context) (err error) {
		now, err = s.client.Get(ctx, s.space.format(), clientv3.WithCountOnly())
		return err
	})
	if err != nil {
		return nil, err
	}
	from, end := s.space.span(prefix)
	w := &watcher{events: make(chan store.Event, 64)}
	f := &stream{
		client: s.client, space: s.space, logger: s.logger.With("prefix", prefix),
		from: from, end: end, next: now.Header.Revision + 1,
		batches: make(chan []store.Event),
	}
	s.watching.Go(func() { w.serve(ctx, f, s.closing) }) // until ctx ends, or Close, or a gap
	return w, nil
}

// serve runs both goroutines and tells why they ended.
func (w *watcher) serve(ctx context.Context, f *stream, closing <-chan struct{}) {
	inner, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { // until inner ends, or the thread is lost, which run has logged
		defer close(ended)
		f.run(inner)
	}()
	err := w.deliver(ctx, f.batches, ended, closing)
	cancel()
	<-ended
	if ctx.Err() != nil {
		err = ctx.Err() // which ended the stream
	}
	w.mu.Lock()
	w.err = err
	w.mu.Unlock()
	close(w.events)
}

// deliver hands over what the stream brings, and never keeps it waiting: the
// client library would queue without limit.
func (w *watcher) deliver(ctx context.Context, batches <-chan []store.Event, ended, closing <-chan struct{}) error {
	var queue []store.Event
	size := 0
	for {
		var out chan<- store.Event
		var first store.Event
		if len(queue) > 0 {
			out, first = w.events, queue[0]
		}
		select {
		case batch := <-batches:
			queue = append(queue, batch...)
			for i := range batch {
				size += len(batch[i].Value)
			}
			if len(queue) > lagEvents || size > lagBytes {
				return store.ErrGap
			}
		case out <- first:
			size -= len(first.Value)
			queue[0] = store.Event{} // its value may go
			queue = queue[1:]
		case <-ended:
			return store.ErrGap
		case <-closing:
			return store.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
