// Command capacity is the arithmetic of docs/scaling.md: what a deployment of so
// many people needs, from figures that were measured and habits that are assumed.
//
//	assumptions ──Set──▶ Assumptions ──At(users)──▶ Need ──▶ a table, bars, a picture
//
//	go run ./bench/capacity                                   the page's own table
//	go run ./bench/capacity -users 5M -set sign-ins=1         a deployment like yours
//	go run ./bench/capacity -assumptions                      what it goes by, and how that is known
//	go run ./bench/capacity -svg docs/scaling.svg             the picture
//
// It measures nothing, opens nothing and never knows an engine: the figures come
// from task bench, bench:ending and bench:engines, and what a record weighs is
// held against the real ones by a test.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintln(os.Stderr, "capacity:", err)
	os.Exit(1)
}

func run(args []string, out io.Writer) error {
	a := Defaults()
	users := ""
	list := false
	svg := ""
	flags := flag.NewFlagSet("capacity", flag.ContinueOnError)
	flags.StringVar(&users, "users", "", "how many people, such as 250k,5M; the page's own scale when empty")
	flags.BoolVar(&list, "assumptions", false, "print what the arithmetic goes by")
	flags.StringVar(&svg, "svg", "", "write the picture to this file")
	flags.Func("set", "change an assumption: -set access-lifetime=3600", func(text string) error { return a.set(text) })
	if err := flags.Parse(args); err != nil {
		return err
	}
	if list {
		return a.print(out)
	}
	if svg != "" {
		if err := os.WriteFile(svg, []byte(a.picture()), 0o644); err != nil { //nolint:gosec // a picture for everybody
			return fmt.Errorf("writing the picture: %w", err)
		}
	}
	columns, err := a.columns(users)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, report(columns))
	return err
}

// set reads name=value.
func (a *Assumptions) set(text string) error {
	name, value, found := strings.Cut(text, "=")
	number, err := strconv.ParseFloat(value, 64)
	if !found || err != nil {
		return fmt.Errorf("%q is not name=number", text)
	}
	return a.Set(name, number)
}

// column is one deployment of the table.
type column struct {
	title string
	need  Need
}

// columns are those that were asked for, or the page's own: four sizes, and the
// largest one again with the settings that suit it.
func (a Assumptions) columns(users string) ([]column, error) {
	var last []column
	if users == "" {
		users = "100k,1M,10M,100M"
		last = append(last, column{"100 M, tuned", a.tuned().At(100e6)})
	}
	var out []column
	for text := range strings.SplitSeq(users, ",") {
		n, err := readPeople(text)
		if err != nil {
			return nil, err
		}
		c := column{headcount(n), a.At(n)}
		if !c.need.finite() {
			return nil, errors.New("with these assumptions nothing would ever do: is something that is divided by 0?")
		}
		out = append(out, c)
	}
	return append(out, last...), nil
}

// tuned has the settings that suit the largest: endings reach services within a
// second however long tokens live.
func (a Assumptions) tuned() Assumptions {
	a.AccessLifetime, a.RefreshLifetime = 3600, 7*day
	return a
}

func readPeople(text string) (float64, error) {
	digits, times := strings.TrimSpace(text), 1.0
	for unit, factor := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if short, found := strings.CutSuffix(digits, unit); found {
			digits, times = short, factor
		}
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || n < 1 || n*times > 1e10 {
		return 0, fmt.Errorf("-users: %q is not a number of people, such as 250k or 5M", text)
	}
	return n * times, nil
}
