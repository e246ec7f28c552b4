package main

import (
	"strings"
	"time"

	"github.com/signet-id/signet/keys"
)

// aim notes a figure beside what it should be at most.
func (b *bench) aim(what string, most, measured float64) {
	b.aims.row(what, "≤ "+number(most), number(measured), verdict(most, measured))
}

// aimLeast notes a figure beside what it should be at least.
func (b *bench) aimLeast(what string, least, measured float64) {
	b.aims.row(what, "≥ "+number(least), number(measured), verdict(measured, least))
}

func verdict(most, measured float64) string {
	if measured > most {
		return "missed"
	}
	return "met"
}

// goals is the table of everything that was aimed at.
func goals() table {
	return table{title: "Aims", head: []string{"what", "aim", "measured", ""}}
}

// judge holds the issuer against the floor of the same turns, and against each
// peer: to be ahead is an aim of its own.
func (b *bench) judge(s scenario, contenders []*contender, all []figures) {
	ours, floor := all[0], all[len(all)-1]
	if s.ratio > 0 {
		b.aim(s.name+", × floor", s.ratio, ours.cost()/floor.cost())
	}
	if s.aim > 0 {
		b.aim(s.name+", CPU µs", micros(s.aim), ours.cost())
	}
	for i, c := range contenders {
		// Who signs with RSA by OpenSSL is beside us in the table, and nobody's aim.
		if c.process == nil || c.process.openSSL && strings.Contains(s.name, string(keys.RS256)) {
			continue
		}
		b.aim(s.name+", × "+c.name, 1, ours.cost()/all[i].cost())
	}
}

// cost is the server's CPU per step, in microseconds.
func (f figures) cost() float64 { return f.per(micros(f.used.CPU)) }

// rate is the steps per second.
func (f figures) rate() float64 { return float64(f.steps) / max(f.elapsed, time.Microsecond).Seconds() }
