package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// table is lines of cells under a title; the first column is words, the others
// are numbers.
type table struct {
	title string
	head  []string
	rows  [][]string
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table as Markdown that reads well as it is: words to the
// left, numbers to the right.
func (t *table) print(out io.Writer) error {
	lines := append([][]string{t.head}, t.rows...)
	widths := make([]int, len(t.head))
	for _, cells := range lines {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for at, cells := range lines {
		for i, cell := range cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				text.WriteString("| " + cell + pad + " |")
			} else {
				text.WriteString(" " + pad + cell + " |")
			}
		}
		text.WriteString("\n")
		if at == 0 {
			text.WriteString(rule(widths))
		}
	}
	_, err := fmt.Fprintf(out, "\n### %s\n\n%s", t.title, text.String())
	return err
}

// rule is the line under the head.
func rule(widths []int) string {
	var text strings.Builder
	text.WriteString("|" + strings.Repeat("-", widths[0]+2) + "|")
	for _, width := range widths[1:] {
		text.WriteString(strings.Repeat("-", width+1) + ":|")
	}
	return text.String() + "\n"
}

func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// syncsPerTransaction is bbolt's own: the pages first, then the page that makes
// them current.
const syncsPerTransaction = 2
