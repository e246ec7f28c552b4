package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

// roleEnding is the issuer whose endings are timed.
const roleEnding = "ending-issuer"

// stamp says when an ending was durable: when the Commit of its record returned,
// by this machine's wall clock, which its processes share.
type stamp struct {
	Position uint64
	Slot     slot.Slot
	At       int64 // nanoseconds since 1970
}

// timed notes when each ending was committed.
type timed struct {
	store.Store
	mu     sync.Mutex
	stamps []stamp
}

// Commit is of store.Store.
func (t *timed) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	version, err := t.Store.Commit(ctx, ops...)
	if err != nil {
		return version, err
	}
	at := time.Now().UnixNano()
	for _, op := range ops {
		if !strings.HasPrefix(op.Key, "ended/") || op.Delete {
			continue
		}
		var e ended.Ending
		if json.Unmarshal(op.Value, &e) != nil || len(e.Slots) == 0 {
			continue
		}
		t.mu.Lock()
		t.stamps = append(t.stamps, stamp{uint64(version), e.Slots[0].First, at})
		t.mu.Unlock()
	}
	return version, nil
}

// take hands over what was noted since the last call.
func (t *timed) take() []stamp {
	t.mu.Lock()
	defer t.mu.Unlock()
	stamps := t.stamps
	t.stamps = nil
	return stamps
}

// serveEnding is the child of `bench ending`.
func serveEnding(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet(roleEnding, flag.ContinueOnError)
	dir := flags.String("dir", "", "the folder of the store")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg := endingSettings(*dir)
	if err := cfg.Validate(); err != nil {
		return err
	}
	trips, clock := &counting{}, &timed{}
	a, err := app.New(ctx, cfg, app.Options{Version: "bench", Log: os.Stderr, Wrap: func(engine store.Store) store.Store {
		clock.Store = trips.before(engine)
		return clock
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	s := &subject{counts: trips.counts, endings: clock.take}
	address, err := a.Listen(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- a.Run(ctx) }()
	err = s.obey(os.Stdin, os.Stdout, address.String())
	stop()
	if failed := <-served; failed != nil {
		return fmt.Errorf("serving: %w", errors.Join(failed, err))
	}
	return err
}

// occupied is what this process needs when nothing is left to collect.
func occupied() report {
	runtime.GC()
	debug.FreeOSMemory() // a second collection, which frees what the first one's finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return report{Heap: m.HeapAlloc, Stacks: m.StackInuse, Resident: resident("self")}
}
