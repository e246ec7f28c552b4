package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

// rawCheck is the floor of a verification, in the tables and the chart.
const rawCheck = "the raw signature check"

// What somebody wrote about the figures stays between these lines when the page
// is made anew.
const (
	byHand    = "<!-- by hand: kept when the page is made anew -->"
	byMachine = "<!-- by machine again -->"
)

//go:embed page.md.tmpl
var pageText string

// sheet is what the page is made of.
type sheet struct {
	Machine, Date, Remarks       string
	Others                       string // how much of the processors was somebody else's
	Seconds                      float64
	Connections, Tokens          int
	Peers                        bool
	Issuers, Libraries           string // the pictures' names; empty: there is none
	Aims, Missed, Tables, Begins string
	Ends                         string
}

// writePage makes the page of results and its pictures, if one was asked for.
func (b *bench) writePage() error {
	if b.report == "" {
		return nil
	}
	remarks, err := remarksIn(b.report)
	if err != nil {
		return err
	}
	s := sheet{
		Machine: machine(), Date: time.Now().Format("2 January 2006"), Remarks: remarks, Seconds: b.seconds,
		Connections: b.connections, Tokens: b.crowd, Peers: b.peers != "", Begins: byHand, Ends: byMachine,
		Others: b.meanwhile.share(),
		Tables: tablesOf(b.page.text.String()), Missed: b.missed(),
	}
	if s.Issuers, err = b.picture("issuers", b.page.issuers()); err != nil {
		return err
	}
	if s.Libraries, err = b.picture("libraries", b.page.libraries()); err != nil {
		return err
	}
	var aims strings.Builder
	if err := b.aims.print(&aims); err != nil {
		return err
	}
	_, s.Aims, _ = strings.Cut(aims.String(), "### Aims\n\n")
	page, err := template.New("page").Parse(pageText)
	if err != nil {
		return fmt.Errorf("reading the form of the page: %w", err)
	}
	var text strings.Builder
	if err := page.Execute(&text, s); err != nil {
		return fmt.Errorf("filling the page: %w", err)
	}
	if err := os.WriteFile(b.report, []byte(text.String()), 0o644); err != nil { //nolint:gosec // a page for everybody
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// meanwhile knows how much of the machine a run had for itself.
type meanwhile struct {
	began        time.Time
	busy, family time.Duration
}

func fromNow() meanwhile { return meanwhile{time.Now(), busy(), familyTime()} }

// share is what others took of the processors since then, in percent: beyond a
// tenth, every figure is worse than it would be.
func (m meanwhile) share() string {
	others := row{figures: figures{elapsed: time.Since(m.began)}, others: busy() - m.busy - (familyTime() - m.family)}
	return others.share()
}

// picture writes a chart beside the page and returns its name.
func (b *bench) picture(name string, c chart) (string, error) {
	if len(c.groups) == 0 {
		return "", nil
	}
	file := strings.TrimSuffix(filepath.Base(b.report), ".md") + "-" + name + ".svg"
	if err := os.WriteFile(filepath.Join(filepath.Dir(b.report), file), []byte(c.svg()), 0o644); err != nil { //nolint:gosec // a picture for everybody
		return "", fmt.Errorf("writing a picture: %w", err)
	}
	return file, nil
}

// remarksIn is what stands by hand in the page that there is.
func remarksIn(path string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the page that there is: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), byHand)
	remarks, _, _ := strings.Cut(rest, byMachine)
	return strings.TrimSpace(remarks), nil
}

// tablesOf are the tables alone, without the words before and the aims behind.
func tablesOf(text string) string {
	if at := strings.Index(text, "\n### "); at >= 0 {
		text = text[at+1:]
	}
	text, _, _ = strings.Cut(text, "### Aims")
	return strings.TrimSpace(text)
}

// missed names what was aimed at and not reached.
func (b *bench) missed() string {
	var text strings.Builder
	for _, row := range b.aims.rows {
		if row[3] == "missed" {
			fmt.Fprintf(&text, "- %s: aimed at %s, measured %s\n", row[0], row[1], row[2])
		}
	}
	return strings.TrimSpace(text.String())
}
