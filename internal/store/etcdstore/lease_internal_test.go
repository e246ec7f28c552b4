package etcdstore

import (
	"testing"
	"time"
)

func TestALeaseNeverEndsBeforeItsRecords(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, life := range []time.Duration{
		-time.Hour, 0, time.Nanosecond, time.Minute, 10 * time.Minute, 8 * time.Hour, 30 * 24 * time.Hour, 400 * 24 * time.Hour,
	} {
		for _, later := range []time.Duration{0, time.Second, 59 * time.Second, 17 * time.Hour} {
			now := now.Add(later)
			expires := now.Add(life)
			end := roundUp(now, expires)
			if !end.After(expires) || !end.After(now) {
				t.Errorf("records that live %s have a bucket that ends %s before they do", life, expires.Sub(end))
			}
			if waste := end.Sub(expires); waste > max(2*bucketMin, life/bucketShare*2) && life > 0 {
				t.Errorf("records that live %s stay %s longer", life, waste)
			}
		}
	}
}

// TestRecordsOfOneKindShareFewLeases writes a record a second for a day.
func TestRecordsOfOneKindShareFewLeases(t *testing.T) {
	for _, life := range []time.Duration{5 * time.Minute, 10 * time.Hour, 30 * 24 * time.Hour} {
		ends := map[int64]bool{}
		start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
		for at := time.Duration(0); at < min(life, 24*time.Hour); at += time.Second {
			ends[roundUp(start.Add(at), start.Add(at+life)).Unix()] = true
		}
		if len(ends) > bucketShare+2 {
			t.Errorf("records that live %s share %d leases, want at most %d", life, len(ends), bucketShare+2)
		}
	}
}

func TestALeaseIsNotTrustedWhenTheClockWasSet(t *testing.T) {
	now := time.Now()
	l := &lease{ends: now.Add(10*time.Minute + leaseSlack)}
	if !l.outlives(now, now.Add(10*time.Minute)) {
		t.Error("a lease that ends well after the record does not outlive it")
	}
	if l.outlives(now, now.Add(14*time.Minute)) {
		t.Error("a lease that ends a minute after the record outlives it, want more room for other nodes' clocks")
	}
	// The wall clock was an hour slow until now: by it, the lease was to end an
	// hour earlier than etcd, which counts by itself, will end it.
	if l.ends = l.ends.Round(0).Add(-time.Hour); l.outlives(now, now.Add(10*time.Minute)) {
		t.Error("a lease whose end is past by the wall clock outlives a record")
	}
}

func TestAnEndedLeaseServesNobody(t *testing.T) {
	now := time.Now()
	if l := (&lease{ends: now.Add(-time.Second)}); l.outlives(now, now.Add(-time.Hour)) {
		t.Error("a lease that has ended is given to a record that has expired before")
	}
}
