package pages_test

import (
	"testing"
	"time"

	"github.com/signet-id/signet/internal/pages"
)

func TestAWaitIsNeverToldShorterThanItIs(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		time.Millisecond: "1 second", time.Second: "1 second", 1001 * time.Millisecond: "2 seconds", 2 * time.Minute: "120 seconds",
		2*time.Minute + 1: "3 minutes", 3 * time.Minute: "3 minutes", time.Hour: "60 minutes",
	} {
		if got := pages.Wait(wait); got != want {
			t.Errorf("Wait(%s) = %q, want %q", wait, got, want)
		}
	}
}

func TestADayIsTheSameEverywhereAndNoTimeIsNoDay(t *testing.T) {
	late := time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("west", -3*3600))
	if got := pages.Day(late); got != "2 March 2026" {
		t.Errorf("Day = %q, want UTC's", got)
	}
	if got := pages.Day(time.Time{}); got != "" {
		t.Errorf("Day of no time = %q", got)
	}
}

func TestHowLongAgoIsToldRoughly(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for ago, want := range map[time.Duration]string{
		-time.Minute: "just now", 0: "just now", 119 * time.Second: "just now", 2 * time.Minute: "2 minutes ago", 59 * time.Minute: "59 minutes ago",
		time.Hour: "1 hour ago", 23*time.Hour + 59*time.Minute: "23 hours ago", 24 * time.Hour: "1 day ago", 6 * 24 * time.Hour: "6 days ago",
		7 * 24 * time.Hour: "3 March 2026",
	} {
		if got := pages.Lately(now.Add(-ago), now); got != want {
			t.Errorf("%s ago is %q, want %q", ago, got, want)
		}
	}
	if got := pages.Lately(time.Time{}, now); got != "" {
		t.Errorf("no time is %q", got)
	}
}
