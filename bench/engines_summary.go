package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
)

// summary is one look at all engines: what a request costs, node and engine, and
// what the engine carries.
type summary struct {
	engines           []string
	requests, commits []string                     // the lines, in the order in which they came
	cells             map[string]map[string]string // by line, then by engine
}

func (s *summary) engine(title string) { s.engines = append(s.engines, title) }

// put sets the cell of the last engine, in one of the lines.
func (s *summary) put(lines *[]string, line, cell string) {
	if !slices.Contains(*lines, line) {
		*lines = append(*lines, line)
	}
	if s.cells == nil {
		s.cells = map[string]map[string]string{}
	}
	if s.cells[line] == nil {
		s.cells[line] = map[string]string{}
	}
	s.cells[line][s.engines[len(s.engines)-1]] = cell
}

// costs is the processors' time of one request, of the node and of the engine.
func (s *summary) costs(name string, nodes int, r row, inEngine bool) {
	cell := fmt.Sprintf("%.0f", r.per(micros(r.used.CPU)))
	if inEngine {
		cell += fmt.Sprintf(" + %.0f", r.per(micros(r.engine)))
	}
	s.put(&s.requests, fmt.Sprintf("%s, %s", name, nodesOf(nodes)), cell)
}

// carries is how many commits were done, and beside how much work of others.
func (s *summary) carries(writers, nodes int, r row) {
	name := strconv.Itoa(writers) + " writers"
	if writers == 1 {
		name = "1 writer"
	}
	s.put(&s.commits, fmt.Sprintf("**commits a second**, %s, %s", name, nodesOf(nodes)),
		fmt.Sprintf("%.0f (%s others)", float64(r.steps)/r.elapsed.Seconds(), r.share()))
}

func nodesOf(n int) string {
	if n == 1 {
		return "1 node"
	}
	return strconv.Itoa(n) + " nodes"
}

func (s *summary) print(out io.Writer) error {
	t := &table{title: "In short: CPU µs per request, node + engine", head: append([]string{"request"}, s.engines...)}
	for _, line := range slices.Concat(s.requests, s.commits) {
		cells := []string{line}
		for _, engine := range s.engines {
			cell := s.cells[line][engine]
			if cell == "" {
				cell = "–"
			}
			cells = append(cells, cell)
		}
		t.row(cells...)
	}
	if len(t.rows) == 0 {
		return nil
	}
	return t.print(out)
}
