package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// page is output for people, written when it is whole: half a table helps
// nobody.
type page struct {
	text  strings.Builder
	table *tabwriter.Writer
}

// line is a sentence.
func (w *page) line(format string, args ...any) {
	w.flush()
	w.text.WriteString(printable(fmt.Sprintf(format, args...)) + "\n")
}

// row is a line of an aligned table; neighbouring rows are one table.
func (w *page) row(cells ...string) {
	if w.table == nil {
		w.table = tabwriter.NewWriter(&w.text, 0, 0, 3, ' ', 0)
	}
	for i := range cells {
		cells[i] = printable(cells[i])
	}
	// Writing to memory can't fail.
	_, _ = w.table.Write([]byte(strings.Join(cells, "\t") + "\n"))
}

// fact is a row of a name and a value, left out when there is none.
func (w *page) fact(name, value string) {
	if value != "" {
		w.row("  "+name, value)
	}
}

func (w *page) flush() {
	if w.table != nil {
		_ = w.table.Flush() // to memory
		w.table = nil
	}
}

// print writes a view as JSON or as a page, whichever was asked for.
func (p *program) print(view any, people func(*page)) error {
	if p.json {
		encoder := json.NewEncoder(p.Stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(view); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
		return nil
	}
	w := &page{}
	people(w)
	w.flush()
	if _, err := fmt.Fprint(p.Stdout, w.text.String()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// printable keeps what somebody registered from moving the cursor of the
// operator who looks at it.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }) {
		return s
	}
	quoted := strconv.QuoteToGraphic(s)
	return quoted[1 : len(quoted)-1]
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 MST")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
