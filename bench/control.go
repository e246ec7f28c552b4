package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

// The roles in which this binary runs itself.
const (
	roleIssuer = "issuer"
	roleFloor  = "floor"
)

// command is what the bench asks of a child: one line of JSON on its stdin.
type command struct {
	Do    string
	Path  string          `json:",omitempty"` // profile: where to
	Plays map[string]play `json:",omitempty"` // play: what the floor answers
}

// What a command can ask for.
const (
	doUsage   = "usage"
	doProfile = "profile"
	doRest    = "rest" // end the profile
	doPlay    = "play"
	doEndings = "endings" // when which were committed, since the last time
	doMemory  = "memory"
)

// report is a child's answer: what it has used since it started.
type report struct {
	Error   string `json:",omitempty"`
	Address string `json:",omitempty"` // in the first report only
	CPU     time.Duration
	Mallocs uint64
	Bytes   uint64
	counts

	Endings                []stamp `json:",omitempty"` // endings
	Heap, Stacks, Resident uint64  `json:",omitempty"` // memory: bytes at this moment
}

// subject is the server inside a child, as far as commands reach it.
type subject struct {
	counts  func() counts
	play    func(map[string]play)
	endings func() []stamp
	profile *os.File
}

// obey answers commands until there are no more.
func (s *subject) obey(in io.Reader, out io.Writer, address string) error {
	answers, commands := json.NewEncoder(out), json.NewDecoder(in)
	if err := answers.Encode(report{Address: address}); err != nil {
		return fmt.Errorf("reporting the address: %w", err)
	}
	for {
		var c command
		err := commands.Decode(&c)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a command: %w", err)
		}
		r, err := s.do(c)
		if err != nil {
			r.Error = err.Error()
		}
		if err := answers.Encode(r); err != nil {
			return fmt.Errorf("reporting: %w", err)
		}
	}
}

func (s *subject) do(c command) (r report, err error) {
	switch c.Do {
	case doUsage:
		return s.usage(), nil
	case doEndings:
		return report{Endings: s.endings()}, nil
	case doMemory:
		return occupied(), nil
	case doProfile:
		if s.profile, err = os.Create(c.Path); err != nil {
			return r, fmt.Errorf("opening the profile: %w", err)
		}
		return r, pprof.StartCPUProfile(s.profile)
	case doRest:
		pprof.StopCPUProfile()
		return r, errors.Join(s.profile.Close(), writeAllocations(s.profile.Name()+".allocs"))
	case doPlay:
		s.play(c.Plays)
		return r, nil
	}
	return r, fmt.Errorf("unknown command %q", c.Do)
}

// writeAllocations writes what was allocated since the start, by whom. It is a
// sample, and the preparations are in it: ratios count, not sums.
func writeAllocations(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("opening the profile: %w", err)
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}

func (s *subject) usage() report {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return report{CPU: processTime(), Mallocs: memory.Mallocs, Bytes: memory.TotalAlloc, counts: s.counts()}
}
