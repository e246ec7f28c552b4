package pages

import (
	"fmt"
	"time"
)

// Wait is a span of time as a person reads it, never shorter than it is.
func Wait(d time.Duration) string {
	n, unit := int((d+time.Second-1)/time.Second), "second"
	if d > 2*time.Minute {
		n, unit = int((d+time.Minute-1)/time.Minute), "minute"
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// Day is the day of t as a person reads it, or nothing for no time. It is UTC's,
// since a page does not know where the person is.
func Day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 January 2006")
}

// Lately is how long ago t was as a person reads it: roughly, and by its day when
// that is more than a week.
func Lately(t, now time.Time) string {
	count := func(n int, unit string) string {
		if n == 1 {
			return "1 " + unit + " ago"
		}
		return fmt.Sprintf("%d %ss ago", n, unit)
	}
	const day = 24 * time.Hour
	switch ago := now.Sub(t); {
	case t.IsZero():
		return ""
	case ago < 2*time.Minute: // a session notes it once a minute
		return "just now"
	case ago < time.Hour:
		return count(int(ago/time.Minute), "minute")
	case ago < day:
		return count(int(ago/time.Hour), "hour")
	case ago < 7*day:
		return count(int(ago/day), "day")
	}
	return Day(t)
}
