package demo

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	maxWatches = 16
	watchLife  = 30 * time.Second // from the click until nobody is curious any more
	eagerly    = 5 * time.Second  // the part of it in which every millisecond counts
	between    = time.Millisecond // two questions, and
	betweenOld = 20 * time.Millisecond
	curiosity  = 2 * time.Second // how long a page waits for the end of the watch
)

// watch is the stopwatch of a sign-out: from the click on, the peer is asked again
// and again with the access token of the person who leaves, until it refuses.
type watch struct {
	clicked time.Time
	done    chan struct{} // closed when race is complete
	race    race          // read it after done
}

// race is what a watch has seen. Times are those of answers as they arrived.
type race struct {
	Asked    int // how often the peer said yes
	Clicked  time.Time
	Accepted time.Time // the last yes
	Ended    time.Time // as the issuer has written it down; zero if nobody told
	Refused  time.Time // the first no; zero if none came
	Status   string
	Why      string
}

// Took is from the end to the refusal: from the moment that the issuer has written
// down, which is before it was on disk, and from the click where that is unknown.
func (r race) Took() time.Duration {
	if r.Ended.IsZero() {
		return r.Refused.Sub(r.Clicked)
	}
	return r.Refused.Sub(r.Ended)
}

// observe asks the peer for the first time and goes on asking by itself. It returns
// nil when there is nothing to see: the peer is away, or refuses already.
func (d *desk) observe(ctx context.Context, s *session) *watch {
	select {
	case d.watching <- struct{}{}:
	default:
		return nil // enough people are leaving
	}
	w := &watch{clicked: time.Now(), done: make(chan struct{})}
	w.race.Clicked = w.clicked
	raw, sid := s.ticket()
	if refused, err := d.probe(ctx, w, raw); err != nil || refused {
		<-d.watching
		return nil
	}
	d.work.Go(func() { // until it has seen enough, or close
		defer func() { <-d.watching }()
		defer close(w.done)
		ctx, cancel := context.WithDeadline(d.life, w.clicked.Add(watchLife))
		defer cancel()
		if err := d.follow(ctx, w, raw, sid); err != nil && d.life.Err() == nil {
			d.log.InfoContext(ctx, "watching a token end", slog.Any("error", err))
		}
		d.tell(w.race)
	})
	return w
}

// follow asks until the peer says no, then the issuer's log for the time.
func (d *desk) follow(ctx context.Context, w *watch, raw, sid string) error {
	for refused := false; !refused; {
		pause := between
		if time.Since(w.clicked) > eagerly {
			pause = betweenOld
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		if refused, err = d.probe(ctx, w, raw); err != nil {
			return err
		}
	}
	if d.Ended == nil {
		return nil
	}
	var err error
	w.race.Ended, err = d.Ended(ctx, sid)
	return err
}

// probe asks once.
func (d *desk) probe(ctx context.Context, w *watch, raw string) (refused bool, err error) {
	said, err := d.askPeer(ctx, raw)
	now := time.Now()
	switch {
	case err != nil:
		return false, err
	case said.Good:
		w.race.Asked, w.race.Accepted = w.race.Asked+1, now
		return false, nil
	case said.Code == http.StatusUnauthorized:
		w.race.Refused, w.race.Status, w.race.Why = now, said.Status, reasonIn(said.Challenge)
		return true, nil
	default: // it can't say
		return false, fmt.Errorf("%s answered %s", d.PeerName, said.Status)
	}
}

// reasonIn is the error_description of a challenge (RFC 6750 §3).
func reasonIn(challenge string) string {
	_, after, _ := strings.Cut(challenge, `error_description="`)
	why, _, _ := strings.Cut(after, `"`)
	return why
}

// seen waits a moment for the watch to end, and returns what it has seen; nil when
// there was none, or when it goes on.
func (w *watch) seen(ctx context.Context) *race {
	if w == nil {
		return nil
	}
	patience := time.NewTimer(curiosity)
	defer patience.Stop()
	select {
	case <-w.done:
	case <-patience.C:
		return nil
	case <-ctx.Done():
		return nil
	}
	if w.race.Refused.IsZero() {
		return nil
	}
	r := w.race
	return &r
}

// moment is one thing that a watch has seen.
type moment struct {
	At         time.Time
	Kind       string // clicked, accepted, ended or refused
	Word, Rest string // Word is the peer's verdict, if it is one
}

// Moments are what happened, in order. An ending has the time at which the issuer
// began to write it down, so the peer may have said yes once more since.
func (r race) Moments() []moment {
	all := []moment{
		{r.Clicked, "clicked", "", "Sign out is clicked"},
		{r.Accepted, "accepted", "accepted", ", for the " + ordinal(r.Asked) + " time"},
		{r.Refused, "refused", "refused", ": " + r.Why},
	}
	if !r.Ended.IsZero() {
		all = append(all, moment{r.Ended, "ended", "", "the issuer ends the session"})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.At.Compare(b.At) })
	return all
}

// tell prints what a watch has seen, in one piece.
func (d *desk) tell(r race) {
	if d.Terminal == nil || r.Refused.IsZero() {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nSomebody signed out at %s. Their access token, all the while, at %s:\n\n", d.Name, d.PeerName)
	for _, m := range r.Moments() {
		fmt.Fprintf(&b, "  %s  %s%s\n", clock(m.At), m.Word, m.Rest)
	}
	fmt.Fprintf(&b, "\n  Refused %s after %s.\n", spoken(r.Took()), r.since())
	if _, err := d.Terminal.Write([]byte(b.String())); err != nil {
		d.log.Info("telling of a sign-out", slog.Any("error", err))
	}
}

// since is from when Took counts.
func (r race) since() string {
	if r.Ended.IsZero() {
		return "the click"
	}
	return "the session ended"
}

// clock is a time of day to the millisecond.
func clock(t time.Time) string { return t.Local().Format("15:04:05.000") }

// ordinal is a number in a row: 1st, 2nd, 11th.
func ordinal(n int) string {
	suffix := "th"
	if tens := n / 10 % 10; tens != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}
