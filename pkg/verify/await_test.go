package verify_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

func TestAwaitReturnsWhenTheEndingIsKnown(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		raw := s.token(nil)
		wantAccepted(t, v, raw)
		go func() {
			time.Sleep(time.Second)
			j.end(listIndex)
		}()
		start := time.Now()
		if err := v.Await(t.Context(), 101); err != nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		wantRefused(t, v, raw, verify.Ended)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := v.Await(ctx, 102); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Await: %v", err)
		}
		go func() {
			time.Sleep(time.Second)
			v.Close()
		}()
		if err := v.Await(t.Context(), 102); err == nil {
			t.Error("Await returned nil after Close")
		}
	})
}

func TestCloseEndsTheStreamAndEveryFetch(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		wantAccepted(t, v, s.token(nil))
		i.with(func(i *issuer) { i.delay = 5 * time.Second })
		go func() { _, _ = v.Verify(t.Context(), s.token(object{"status": statusAt(issuerURL+"/status/9", 7)})) }()
		synctest.Wait()
		start := time.Now()
		v.Close()
		v.Close()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Close took %v", waited)
		}
		before := fmt.Sprint(i.requests)
		time.Sleep(time.Hour) // synctest itself fails the test if a goroutine is left
		if after := fmt.Sprint(i.requests); after != before {
			t.Errorf("requests go on after Close: %s, then %s", before, after)
		}
	})
}

// An issuer that was restored from a backup counts from where the backup was.
func TestAJournalThatGoesBackIsFollowedFromThere(t *testing.T) {
	withJournal(t, func(t *testing.T, i *issuer, s *signer, j *journal) {
		v := i.listening(t)
		raw := s.token(long())
		wantAccepted(t, v, raw)
		time.Sleep(12 * time.Second)
		j.with(func(j *journal) { j.position, j.forgotten, j.lists404 = 50, true, true })
		j.cut("")
		time.Sleep(time.Second)
		if got := v.Position(); got != 0 {
			t.Errorf("position %d while nothing is known of the new journal", got)
		}
		j.with(func(j *journal) { j.lists404 = false })
		time.Sleep(11 * time.Second)
		if got := v.Position(); got != 50 || v.EndingsStaleness() > 13*time.Second {
			t.Errorf("position %d, staleness %v, want 50 and fresh", got, v.EndingsStaleness())
		}
		j.end(listIndex)
		synctest.Wait()
		wantRefused(t, v, raw, verify.Ended)
	})
}
