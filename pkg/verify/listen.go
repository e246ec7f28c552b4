package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"time"
)

const (
	helloPatience = 10 * time.Second // from the request to the first message
	beatPatience  = 45 * time.Second // three beats missed
	firstRetry    = 200 * time.Millisecond
	lastRetry     = 4 * time.Second  // a service that is cut off is wrong until it is back
	settled       = 10 * time.Second // a stream that lasted so long was a good one
)

// errNoStream is an issuer that offers none, which is not worth a warning.
var errNoStream = errors.New("the issuer offers no stream")

// errSilent is a connection on which nothing comes.
var errSilent = errors.New("nothing was heard for too long")

// listen follows the stream until ctx ends, over as many connections as it takes.
func (e *endings) listen(ctx context.Context) {
	resume := "" // the id of the last message, while nothing is missing
	for failures := 0; ; failures++ {
		began := time.Now()
		err := e.connection(ctx, &resume)
		e.turn(false)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) >= settled && !errors.Is(err, errNoStream) {
			failures = 0
		}
		wait := retryAfter(failures, lastBackoff*2/3)
		if errors.As(err, new(*url.Error)) || errors.Is(err, errSilent) { // nobody answered: not an issuer that has enough of us
			wait = retryAfter(failures, lastRetry)
		}
		if errors.Is(err, errNoStream) {
			wait = defaultFresh // the metadata are read again now and then
		}
		// 0, 1, 2, 4, 8 … failures: an hour's outage is a dozen lines.
		if failures&(failures-1) == 0 && !errors.Is(err, errNoStream) {
			e.log.WarnContext(ctx, "following the issuer's stream of endings", "issuer", e.issuer, "error", err, "retry", wait)
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// retryAfter is when to connect again after so many failures, spread so that a
// thousand verifiers that lost the same issuer do not come back at once.
func retryAfter(failures int, longest time.Duration) time.Duration {
	wait := min(firstRetry<<min(failures, 8), longest)
	return wait/2 + rand.N(wait) // spreads load, guards nothing
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// connection is one connection to the stream, from request to end.
func (e *endings) connection(ctx context.Context, resume *string) error {
	places, err := e.keys.places(ctx)
	if err != nil {
		return err
	}
	if places.stream == "" {
		return errNoStream
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Reads from a connection that has silently died would wait for ever.
	watchdog := time.AfterFunc(helloPatience, func() { cancel(errSilent) })
	defer watchdog.Stop()
	body, err := e.connect(ctx, places.stream, *resume)
	if err != nil {
		return cmpCause(ctx, err)
	}
	defer body.Close() //nolint:errcheck // nothing was written
	// Not every transport ends a read when the request is cancelled.
	defer context.AfterFunc(ctx, func() { _ = body.Close() })()
	c := &conversation{endings: e, resume: resume, asked: *resume != ""}
	buf := make([]byte, 64<<10)
	for {
		n, readErr := body.Read(buf)
		events, err := c.parser.feed(buf[:n])
		heard, hearErr := c.hear(ctx, events)
		if heard {
			watchdog.Reset(beatPatience)
		}
		if err != nil {
			*resume = "" // the event that is too long is missing now
		}
		if err = errors.Join(hearErr, err); err != nil {
			return err
		}
		if readErr != nil {
			return cmpCause(ctx, fmt.Errorf("reading the stream: %w", readErr))
		}
	}
}

// cmpCause prefers the reason for which we ended a request to what came of it.
func cmpCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (e *endings) connect(ctx context.Context, address, resume string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Accept-Encoding", "identity") // who compresses, buffers
	req.Header.Set("Cache-Control", "no-cache")
	if resume != "" {
		req.Header.Set("Last-Event-ID", resume)
	}
	resp, err := e.streaming.Do(req)
	if err != nil {
		return nil, err // a *url.Error, which says method and address itself
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || media != "text/event-stream" {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("asking for the stream: it answered %d %q", resp.StatusCode, media)
	}
	return resp.Body, nil
}

// conversation is what is known of one connection.
type conversation struct {
	endings *endings
	parser  eventParser
	resume  *string // kept true as messages come
	asked   bool    // the request named a message to resume from
	span    *span   // nil before hello
	chain   string  // what the next message must carry
}

// hear takes in the events that came together, and reports whether there was a
// message of ours among them. After an error the stream has a gap.
func (c *conversation) hear(ctx context.Context, events []event) (heard bool, err error) {
	told := events[:0]
	for _, e := range events {
		if e.told() {
			told = append(told, e)
		}
	}
	if len(told) == 0 {
		return false, nil
	}
	if c.span == nil {
		if err := c.hello(ctx, told[0]); err != nil {
			return false, c.refuse(ctx, told[0], err)
		}
		told = told[1:]
	}
	messages, err := c.believe(ctx, told)
	if len(messages) > 0 {
		c.endings.apply(c.span, messages...)
		last := messages[len(messages)-1].event
		*c.resume, c.chain = last.id, chained(last.text)
	}
	for _, m := range messages {
		c.actOn(m)
	}
	if err != nil {
		return false, c.refuse(ctx, told[len(messages)], err)
	}
	return true, nil
}

// refuse counts and logs an event that is not believed. What it would have told
// is missing from now on, so there is nothing to resume.
func (c *conversation) refuse(ctx context.Context, e event, err error) error {
	if ctx.Err() != nil || errors.Is(err, KeysUnavailable) { // it was not judged to the end
		return cmpCause(ctx, err)
	}
	*c.resume = ""
	c.endings.refusedEvents.Add(1)
	c.endings.log.WarnContext(ctx, "ignoring an event of the stream of endings", "issuer", c.endings.issuer, "event", e.kind, "id", e.id, "error", err)
	return fmt.Errorf("event %q: %w", e.id, err)
}

func (c *conversation) actOn(m message) {
	if m.Keys {
		c.endings.keys.renew()
	}
}
