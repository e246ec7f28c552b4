package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// report is the table and the bars, as Markdown that reads well as it is.
func report(columns []column) string {
	lines := [][]string{{"in the busiest hour"}}
	for _, c := range columns {
		lines[0] = append(lines[0], c.title)
	}
	for _, r := range rows() {
		line := []string{r.name}
		for _, c := range columns {
			line = append(line, r.cell(c.need))
		}
		lines = append(lines, line)
	}
	largest := columns[max(0, len(columns)-2):]
	return markdown(lines, 1) + "\nWhere the processors' time goes, in cores:\n\n```\n" + bars(largest) + "```\n"
}

// row is one line of the table.
type row struct {
	name string
	cell func(Need) string
}

func rows() []row {
	rate := func(name string, of func(Need) float64) row {
		return row{name, func(n Need) string { return number(of(n)) }}
	}
	return []row{
		rate("tokens a second", Need.Tokens),
		rate("… for machines", func(n Need) float64 { return n.MachineTokens }),
		rate("… refreshed", func(n Need) float64 { return n.Refreshes }),
		rate("… by codes", func(n Need) float64 { return n.Codes }),
		rate("sign-ins a second", func(n Need) float64 { return n.SignIns }),
		rate("endings a second", func(n Need) float64 { return n.Endings }),
		rate("**cores** that are busy", Need.Cores),
		{"**nodes**, half used, one to spare", func(n Need) string { return number(n.Nodes) }},
		rate("**commits** a second", func(n Need) float64 { return n.Commits }),
		rate("reads a second", func(n Need) float64 { return n.Reads }),
		{"written a second", func(n Need) string { return size(n.Written) }},
		{"stored by the engine", func(n Need) string { return size(n.Bytes) }},
		{"**engine**", func(n Need) string { return n.Engine.Name }},
		{"… its own cores that are busy", engineCores},
		{"**issuers**, each with an engine", func(n Need) string { return number(n.Engine.Issuers) }},
		rate("status lists", func(n Need) float64 { return n.Lists }),
		{"… of their slots ended", func(n Need) string { return number(100*n.Ended) + " %" }},
		{"… one of them, on the wire", func(n Need) string { return size(n.ListBytes) }},
		{"… all of them, once per verifier", func(n Need) string { return size(n.ListBytes * n.Lists) }},
		rate("… fetched a second, without a cache", func(n Need) float64 { return n.ListRequests }),
		rate("listeners of the stream", func(n Need) float64 { return n.Services }),
		rate("… messages a second, to each", func(n Need) float64 { return n.Messages }),
		{"… bytes a second, to each", func(n Need) string { return size(n.Messages * n.MessageBytes) }},
		{"… bytes a second, in all", func(n Need) string { return size(n.Messages * n.MessageBytes * n.Services) }},
		{"… may be away for, and resume", func(n Need) string { return span(n.Away) }},
		rate("back-channel calls a second", func(n Need) float64 { return n.Calls }),
		{"… of what the outbox can do", func(n Need) string { return number(100*n.OutboxUse) + " %" }},
		{"… of what one client can be told", func(n Need) string { return number(100*n.HottestUse) + " %" }},
		rate("records that a node reads to start", func(n Need) float64 { return n.Start }),
	}
}

func engineCores(n Need) string {
	if n.EngineCores == 0 {
		return "–"
	}
	return number(n.EngineCores)
}

// print writes the assumptions as a table.
func (a Assumptions) print(out io.Writer) error {
	lines := [][]string{{"name", "value", "known", "what it says"}}
	for _, one := range table() {
		lines = append(lines, []string{"`" + one.name + "`", plain(*one.field(&a)), one.origin, one.says})
	}
	_, err := io.WriteString(out, markdown(lines, -1))
	return err
}

// markdown is a table; columns from numbers on are set to the right, none if it
// is negative.
func markdown(lines [][]string, numbers int) string {
	widths := make([]int, len(lines[0]))
	for _, cells := range lines {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	right := func(i int) bool { return numbers >= 0 && i >= numbers }
	var text strings.Builder
	for at, cells := range lines {
		text.WriteString("|")
		for i, cell := range cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if right(i) {
				cell = pad + cell
			} else {
				cell += pad
			}
			text.WriteString(" " + cell + " |")
		}
		text.WriteString("\n")
		if at > 0 {
			continue
		}
		for i, width := range widths {
			end := "-"
			if right(i) {
				end = ":"
			}
			text.WriteString("|" + strings.Repeat("-", width+1) + end)
		}
		text.WriteString("|\n")
	}
	return text.String()
}

// bars draws where the time goes: each deployment's causes, in shares of it.
func bars(columns []column) string {
	const width = 40
	var text strings.Builder
	for i, c := range columns {
		if i > 0 {
			text.WriteString("\n")
		}
		fmt.Fprintf(&text, "%s: %s cores\n", c.title, number(c.need.Cores()))
		for _, w := range c.need.Work {
			share := w.Cores / c.need.Cores()
			bar := strings.Repeat("█", int(math.Round(share*width)))
			fmt.Fprintf(&text, "  %-16s %8s  %3.0f %%  %s\n", w.Cause, number(w.Cores), 100*share, bar)
		}
	}
	lines := strings.Split(text.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// number has two digits that count, more for what is counted in whole ones.
func number(v float64) string {
	switch {
	case v >= 1000:
		digits := fmt.Sprintf("%.0f", v)
		for i := len(digits) - 3; i > 0; i -= 3 {
			digits = digits[:i] + "," + digits[i:]
		}
		return digits
	case v >= 10 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

// plain is for what may be given to -set.
func plain(v float64) string { return fmt.Sprintf("%.15g", v) }

func size(bytes float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if bytes < 1000 {
			return number(bytes) + " " + unit
		}
		bytes /= 1000
	}
	return number(bytes) + " TB"
}

func span(seconds float64) string {
	if seconds >= 120 {
		return number(math.Floor(seconds/60)) + " min"
	}
	return number(math.Floor(seconds)) + " s"
}

// headcount is how a number of people is written.
func headcount(n float64) string {
	switch {
	case n >= 1e6:
		return plain(n/1e6) + " M people"
	case n >= 1e3:
		return plain(n/1e3) + " k people"
	}
	return plain(n) + " people"
}
