package main

import (
	"bytes"
	"math"
)

// results are what a run has found so far, for the page that is made of it.
type results struct {
	text     bytes.Buffer // every table, as it was printed
	outcomes []outcome
	checks   []check
}

// outcome is one line of a scenario's table.
type outcome struct {
	scenario, server string
	cost             float64 // CPU µs per step
	figures
}

// check is what verifying one token cost somebody.
type check struct {
	who, algorithm string
	ns, allocs     float64 // allocs is NaN where nobody can count them
}

// learn keeps what a check cost, the least of several rounds.
func (r *results) learn(c check) {
	for i, before := range r.checks {
		if before.who == c.who && before.algorithm == c.algorithm {
			r.checks[i].ns, r.checks[i].allocs = min(before.ns, c.ns), min(before.allocs, c.allocs)
			return
		}
	}
	r.checks = append(r.checks, c)
}

// note keeps the lines of a scenario.
func (b *bench) note(s scenario, contenders []*contender, all []figures) []outcome {
	lines := make([]outcome, len(all))
	for i, c := range contenders {
		lines[i] = outcome{scenario: s.name, server: c.name, cost: all[i].cost(), figures: all[i]}
	}
	b.page.outcomes = append(b.page.outcomes, lines...)
	return lines
}

// counted is a number that only the servers of this house report.
func (o outcome) counted(n uint64, unit float64) string {
	if o.used.Mallocs == 0 {
		return "–"
	}
	return number(o.per(float64(n) / unit))
}

// flowTable is the table of one scenario, the floor last.
func flowTable(s scenario, lines []outcome) *table {
	t := &table{title: s.name + " (per " + s.unit + ")", head: []string{
		"server", "per second", "CPU µs", "× floor", "p50 ms", "p99 ms", "allocs", "KiB", "commits", "fsyncs",
	}}
	floor := lines[len(lines)-1].cost
	for _, o := range lines {
		t.row(o.server, number(o.rate()), number(o.cost), number(o.cost/floor),
			number(millis(o.percentile(0.50))), number(millis(o.percentile(0.99))),
			o.counted(o.used.Mallocs, 1), o.counted(o.used.Bytes, 1024),
			o.counted(o.used.Commits, 1), o.counted(o.used.Transactions*syncsPerTransaction, 1))
	}
	return t
}

// countOf writes how many allocations there were, if that is known.
func countOf(allocs float64) string {
	if math.IsNaN(allocs) {
		return "–"
	}
	return number(allocs)
}
