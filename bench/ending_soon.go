package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/pkg/verify"
)

// soon measures the time from an ending to the refusal, for each fleet.
func (b *endingBench) soon(ctx context.Context) (err error) {
	c, err := b.startEnding(ctx, "endings")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	times := &table{
		title: "An ending is known",
		head:  []string{"verifiers", "from, to", "p50 ms", "p99 ms", "max ms", "measured"},
	}
	costs := &table{title: "What following costs", head: []string{"verifiers", "what", "figure"}}
	for i, n := range b.plan.fleets {
		t := &trial{endingBench: b, child: c, times: times, costs: costs, name: fmt.Sprint(n), last: i == len(b.plan.fleets)-1}
		if err := t.run(ctx, n); err != nil {
			return fmt.Errorf("%d verifiers: %w", n, err)
		}
	}
	return errors.Join(times.print(b.out), costs.print(b.out))
}

// trial is one fleet's turn.
type trial struct {
	*endingBench
	child        *child
	fleet        *fleet
	times, costs *table
	name         string
	last         bool // its figures are those that were aimed at

	endings  []*ending
	elapsed  time.Duration
	cpu      time.Duration // of the issuer
	ours     time.Duration // of the fleet
	busy     time.Duration // of the machine
	traffic  int64
	visitors []*visitor
}

// ending is one token that is revoked, and when who knew.
type ending struct {
	raw    string
	asked  int64   // the revocation was sent
	probed []int64 // a verifier that had accepted it refused it
	err    error
}

func (t *trial) run(ctx context.Context, n int) (err error) {
	if err := t.equip(ctx); err != nil {
		return err
	}
	began := time.Now()
	if t.fleet, err = muster(ctx, t.child.address, n); err != nil {
		return err
	}
	defer t.fleet.dismiss()
	t.costs.row(t.name, "all of them ready, with keys, lists and stream, after s", number(time.Since(began).Seconds()))
	t.costs.row(t.name, "bytes to begin with, each", number(float64(t.fleet.traffic.sum())/float64(n)))
	if err := t.accept(ctx); err != nil {
		return err
	}
	// Not before: the server leaves a connection that says nothing.
	if t.visitors, err = t.robots(ctx, t.child.address, 32); err != nil {
		return err
	}
	stop := t.fleet.listen(ctx)
	err = t.load(ctx)
	stop()
	for _, v := range t.visitors {
		_ = v.connection.Close() // nothing is under way
	}
	if err != nil {
		return err
	}
	if err := t.judge(); err != nil {
		return err
	}
	if t.last && t.plan.idle > 0 {
		return t.rest(ctx)
	}
	return nil
}

// equip gets the tokens that will be revoked.
func (t *trial) equip(ctx context.Context) error {
	raw, err := t.issue(ctx, t.child.address, int(float64(t.plan.rate)*t.plan.load.Seconds()))
	if err != nil {
		return err
	}
	for _, r := range raw {
		t.endings = append(t.endings, &ending{raw: r, probed: make([]int64, t.plan.probed)})
	}
	return nil
}

// probes are the services that are asked about the i-th ending: others each time.
func (t *trial) probes(i int) []*service {
	some := make([]*service, t.plan.probed)
	for k := range some {
		some[k] = t.fleet.services[(i*7+k*len(t.fleet.services)/t.plan.probed)%len(t.fleet.services)]
	}
	return some
}

// accept lets each verifier that will be asked see its tokens alive, so that
// they are remembered as a service in use remembers them.
func (t *trial) accept(ctx context.Context) error {
	for i, e := range t.endings {
		for _, s := range t.probes(i) {
			if _, err := s.verifier.Verify(ctx, e.raw); err != nil {
				return fmt.Errorf("a token that has not ended: %w", err)
			}
		}
	}
	return nil
}

// load ends one token after the other, at the rate, however long each takes.
func (t *trial) load(ctx context.Context) error {
	before, err := t.child.ask(command{Do: doUsage})
	if err != nil {
		return err
	}
	if _, err := t.child.ask(command{Do: doEndings}); err != nil { // those of the trial before
		return err
	}
	for _, v := range t.visitors {
		if err := v.bound(t.plan.load + time.Minute); err != nil {
			return fmt.Errorf("setting a deadline: %w", err)
		}
	}
	free := make(chan *visitor, len(t.visitors))
	for _, v := range t.visitors {
		free <- v
	}
	began, sent := time.Now(), t.fleet.traffic.sum()
	ours, machine := processTime(), busy()
	var all sync.WaitGroup
	for i, e := range t.endings {
		if err := pause(ctx, time.Until(began.Add(time.Duration(i)*time.Second/time.Duration(t.plan.rate)))); err != nil {
			return err
		}
		all.Go(func() {
			v := <-free
			e.asked = time.Now().UnixNano()
			all.Go(func() { t.probe(ctx, e, t.probes(i)) })
			if e.err = v.revoke(e.raw); e.err != nil {
				e.err = fmt.Errorf("after %v: %w", time.Since(time.Unix(0, e.asked)), e.err)
			}
			free <- v
		})
	}
	all.Wait()
	t.elapsed = time.Since(began)
	t.ours, t.busy = processTime()-ours, busy()-machine
	t.traffic = t.fleet.traffic.sum() - sent
	after, err := t.child.ask(command{Do: doUsage})
	t.cpu = after.CPU - before.CPU
	return err
}

// revoke ends one token (RFC 7009).
func (v *visitor) revoke(raw string) error {
	credentials := base64.StdEncoding.EncodeToString([]byte(clientRobot + ":" + v.secrets[clientRobot]))
	return v.do(http.StatusOK, http.MethodPost, "/revoke", "Authorization: Basic "+credentials+"\r\n", "token="+raw)
}

// probe asks some verifiers again and again until each has refused the token:
// every millisecond at first, then after a twentieth of the time that has passed.
// To ask more often would measure those who ask.
func (t *trial) probe(ctx context.Context, e *ending, some []*service) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	began := time.Now()
	for left := len(some); left > 0; {
		for k, s := range some {
			if e.probed[k] != 0 {
				continue
			}
			if _, err := s.verifier.Verify(ctx, e.raw); errors.Is(err, verify.Ended) {
				e.probed[k] = time.Now().UnixNano()
				left--
			}
		}
		if pause(ctx, max(time.Millisecond, time.Since(began)/20)) != nil {
			return // judge finds the zeros
		}
	}
}

// slotOf is the slot that a token of endingIssuer carries.
func slotOf(raw string) (slot.Slot, error) {
	_, rest, _ := strings.Cut(raw, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return 0, fmt.Errorf("reading a token: %w", err)
	}
	var claims struct {
		Status struct {
			List struct {
				Index uint64 `json:"idx"`
				URI   string `json:"uri"`
			} `json:"status_list"`
		} `json:"status"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return 0, fmt.Errorf("reading a token: %w", err)
	}
	s, ok := slot.Parse(endingIssuer, claims.Status.List.URI, claims.Status.List.Index)
	if !ok {
		return 0, fmt.Errorf("the token has no slot: %s", text)
	}
	return s, nil
}

// judge makes the rows of what was noted.
func (t *trial) judge() error {
	got, err := t.child.ask(command{Do: doEndings})
	if err != nil {
		return err
	}
	stamps := map[slot.Slot]stamp{}
	for _, s := range got.Endings {
		stamps[s.Slot] = s
	}
	var refused, asked, known figures
	for _, e := range t.endings {
		if e.err != nil {
			return fmt.Errorf("revoking: %w\n%s", e.err, lastLines(t.child.log.Name()))
		}
		at, err := slotOf(e.raw)
		if err != nil {
			return err
		}
		s, ok := stamps[at]
		if !ok {
			return fmt.Errorf("the ending of slot %d was never committed", at)
		}
		for _, p := range e.probed {
			if p == 0 {
				return errors.New("a verifier never refused a token that had ended")
			}
			refused.since(s.At, p)
			asked.since(e.asked, p)
		}
		for _, one := range t.fleet.services {
			at := one.knew(s.Position)
			if at == 0 {
				return fmt.Errorf("a verifier never knew the ending at position %d", s.Position)
			}
			known.since(s.At, at)
		}
	}
	t.rows("Commit to refusal", &refused)
	t.rows("Commit to known, every verifier", &known)
	t.rows("revocation sent to refusal", &asked)
	if t.last {
		t.aim("Commit to refusal, "+t.name+" verifiers, p99 ms", aimKnown, millis(refused.percentile(0.99)))
		t.aim("Commit to known, all "+t.name+" verifiers, p99 ms", aimKnown, millis(known.percentile(0.99)))
	}
	t.spent()
	return nil
}

// since adds the time from one moment to a later one. A verifier may hear of a
// Commit before its caller does: that counts as no time.
func (f *figures) since(from, to int64) {
	f.took = append(f.took, time.Duration(max(0, to-from)))
	f.steps++
}

func (t *trial) rows(what string, f *figures) {
	t.times.row(t.name, what, number(millis(f.percentile(0.5))), number(millis(f.percentile(0.99))), number(millis(f.percentile(1))), fmt.Sprint(f.steps))
}

// spent makes the rows of what the load cost.
func (t *trial) spent() {
	n, endings := float64(len(t.fleet.services)), float64(len(t.endings))
	perHour := 3600 / t.elapsed.Seconds()
	t.costs.row(t.name, fmt.Sprintf("MB per verifier and hour, at %d endings/s", t.plan.rate), number(float64(t.traffic)/n*perHour/1e6))
	t.costs.row(t.name, "bytes per verifier and ending", number(float64(t.traffic)/n/endings))
	t.costs.row(t.name, "CPU ms of the issuer per ending", number(millis(t.cpu)/endings))
	whole := t.elapsed.Seconds() * float64(runtime.NumCPU()) / 100
	t.costs.row(t.name, "% of the CPUs: the issuer's", number(t.cpu.Seconds()/whole))
	t.costs.row(t.name, "% of the CPUs: all verifiers'", number(t.ours.Seconds()/whole))
	if t.busy > 0 {
		t.costs.row(t.name, "% of the CPUs: others', which is why it may have been late", number(max(0, t.busy-t.cpu-t.ours).Seconds()/whole))
	}
	t.costs.row(t.name, "streams that broke", fmt.Sprint(t.fleet.reconnected()))
}

// rest watches the fleet while nothing ends.
func (t *trial) rest(ctx context.Context) error {
	if err := pause(ctx, time.Second); err != nil { // what was under way has arrived
		return err
	}
	before, err := t.child.ask(command{Do: doUsage})
	if err != nil {
		return err
	}
	sent := t.fleet.traffic.sum()
	if err := pause(ctx, t.plan.idle); err != nil {
		return err
	}
	after, err := t.child.ask(command{Do: doUsage})
	if err != nil {
		return err
	}
	n := float64(len(t.fleet.services))
	bytes := float64(t.fleet.traffic.sum()-sent) / n
	t.costs.row(t.name, "KB per verifier and hour, when nothing ends", number(bytes*3600/t.plan.idle.Seconds()/1e3))
	t.costs.row(t.name, "CPU s of the issuer per hour, when nothing ends", number((after.CPU-before.CPU).Seconds()*3600/t.plan.idle.Seconds()))
	return nil
}
