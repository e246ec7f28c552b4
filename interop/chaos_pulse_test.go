package interop

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"
)

// pulse measures how long nothing was acknowledged that changes anything.
type pulse struct {
	begun  time.Time
	mu     sync.Mutex
	last   time.Time
	during string
	begins string // what there was when the time without a change began
	worst  map[string]gap
}

// gap is a time without a change, and when in the run it began.
type gap struct{ long, at time.Duration }

func (g gap) String() string {
	return fmt.Sprintf("%s, from %.1fs on", g.long.Round(time.Millisecond), g.at.Seconds())
}

func newPulse() *pulse {
	return &pulse{begun: time.Now(), last: time.Now(), worst: map[string]gap{}}
}

func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if long := now.Sub(p.last); long > p.worst[p.begins].long {
		p.worst[p.begins] = gap{long, p.last.Sub(p.begun)}
	}
	p.last, p.begins = now, p.during
}

// turn says what happens from now on.
func (p *pulse) turn(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.during = what
	if time.Since(p.last) < 2*feelEvery { // else there was no change before this, which is then not to blame
		p.begins = what
	}
}

func (p *pulse) now() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.during
}

func (p *pulse) longest() map[string]gap {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.worst)
}

// record is what somebody logs, who may do so at any time.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// about returns the lines that speak of something.
func (r *record) about(what string) (lines []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.text.String()) {
		if strings.Contains(line, what) {
			lines = append(lines, line)
		}
	}
	return lines
}
