package store_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/store"
)

// The engine cuts off who is 1024 events behind.
func TestATailThatCouldNotKeepUpCatchesUpWithNothingLostOrTwice(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		versions := records(t, s, 10)
		var k taken
		tl := tail(t, s, &k)
		hold := make(chan struct{})
		k.mu.Lock()
		k.hold = hold
		k.mu.Unlock()
		versions = append(versions, records(t, s, 3000)...)
		synctest.Wait()
		k.mu.Lock()
		k.hold = nil
		k.mu.Unlock()
		close(hold)
		caughtUp(t, tl, versions[len(versions)-1])
		k.want(t, versions)
		versions = append(versions, records(t, s, 10)...)
		caughtUp(t, tl, versions[len(versions)-1])
		k.want(t, versions)
	})
}

func TestATailRecoversFromAGapAndFromAnEngineInTrouble(t *testing.T) {
	bubble(t, func(t *testing.T, inner store.Store) {
		s := &flaky{Store: inner}
		versions := records(t, s, 5)
		var k taken
		tl := tail(t, s, &k)
		for range 3 {
			s.down.Store(true)
			s.lose()
			synctest.Wait()
			versions = append(versions, records(t, s, 50)...)
			time.Sleep(time.Minute)
			s.down.Store(false)
			versions = append(versions, record(t, s))
			caughtUp(t, tl, versions[len(versions)-1])
			k.want(t, versions)
		}
	})
}

// brief cuts its first watches off while the list is read.
type brief struct {
	*flaky
	cuts int
}

func (b *brief) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	if b.cuts > 0 {
		b.cuts--
		b.lose()
		<-ctx.Done() // the reading ends with its watch
		return nil, ctx.Err()
	}
	return b.flaky.List(ctx, prefix, after, limit)
}

func TestATailOpensAlthoughMuchIsWrittenMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, inner store.Store) {
		versions := records(t, inner, 20)
		var k taken
		tail(t, &brief{&flaky{Store: inner}, 3}, &k)
		k.want(t, versions)
	})
}
