package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheBenchPrintsItsTablesAndMakesThePage(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers and loads them")
	}
	dir := t.TempDir()
	page := filepath.Join(dir, "performance.md")
	if err := os.WriteFile(page, []byte("old\n"+byHand+"\nWhy it is so.\n"+byMachine+"\nold\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := conduct(t.Context(), options{
		seconds: 0.1, connections: 4, crowd: 1000, report: page, binary: filepath.Join(dir, "none"),
		only: regexp.MustCompile("first sight|status list|sign-in page|sustained|latency|start-up"),
	}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	made, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"### userinfo, first sight", "### introspection, first sight", "### status list", "### sign-in page", "### sustained writes", "### latency below full load",
		"userinfo, first sight, × floor",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tables have no %q", want)
		}
		if !strings.Contains(string(made), want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, want := range []string{"performance-issuers.svg", byHand + "\nWhy it is so.\n" + byMachine, "task bench:peers"} {
		if !strings.Contains(string(made), want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(string(made), "old") {
		t.Error("the page keeps what is not by hand")
	}
	if _, err := os.Stat(filepath.Join(dir, "performance-issuers.svg")); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestEachGroupOfAChartHasItsOwnScale(t *testing.T) {
	c := chart{title: "a < b", unit: "µs", groups: []barGroup{
		{"dear", []bar{{"Signet", "ours", 1000}, {"a peer", "peer", 4000}}},
		{"cheap", []bar{{"Signet", "ours", 10}, {"floor", "bare", 5}}},
	}}
	picture := c.svg()
	if err := wellFormed(picture); err != nil {
		t.Errorf("the picture is not XML: %v\n%s", err, picture)
	}
	if got := strings.Count(picture, `width="430.0"`); got != 2 {
		t.Errorf("%d bars have the full width, want 2: the longest of each group", got)
	}
	if !strings.Contains(picture, "prefers-color-scheme:dark") {
		t.Error("the picture has no colours for the dark")
	}
}

func wellFormed(text string) error {
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestAPacedStepThatBeginsLateHasWaitedSinceItWasDue(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		steps int
		least time.Duration // the last
	}{
		"quicker than the pace": {10 * time.Millisecond, 10, 10 * time.Millisecond},
		// Due every 100 ms, each takes 200: the fifth was due at 400 and ends at 1000.
		"slower than the pace": {200 * time.Millisecond, 5, 600 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took, err := atPace(t.Context(), 1, time.Second, 10, func(int) error { time.Sleep(c.takes); return nil })
				if err != nil {
					t.Fatal(err)
				}
				if len(took) < c.steps || len(took) > c.steps+1 {
					t.Errorf("%d steps in a second, want %d", len(took), c.steps)
				}
				if got := took[c.steps-1]; got != c.least {
					t.Errorf("the last step took %s, want %s", got, c.least)
				}
			})
		})
	}
}

func TestAStepWithNothingLeftEndsTheSliceAndIsNoFailure(t *testing.T) {
	left := 3
	took, err := together(context.Background(), 1, time.Minute, func(int) error {
		if left == 0 {
			return errSpent
		}
		left--
		return nil
	})
	if err != nil || len(took) != 3 {
		t.Errorf("%d steps and %v, want 3 and no error", len(took), err)
	}
}

func TestWhatIsMissedIsSaid(t *testing.T) {
	b := &bench{aims: goals()}
	b.aim("a ratio", 1.25, 1.3)
	b.aimLeast("a share", 70, 71)
	if got, want := b.missed(), "- a ratio: aimed at ≤ 1.25, measured 1.30"; got != want {
		t.Errorf("missed are %q, want %q", got, want)
	}
}

func TestWhatTheBenchesAreAskedForIsChecked(t *testing.T) {
	for _, args := range [][]string{{"-connections", "0"}, {"-tokens", "10"}, {"-only", "("}} {
		if _, err := readOptions(args); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
	for _, args := range [][]string{{"-users", "-1"}, {"-grants", "-1"}, {"-expiry", "1m"}, {"-seconds", "0"}} {
		if _, err := readScale(args); err == nil {
			t.Errorf("scale %v: no error", args)
		}
	}
}

func TestTheBenchOfScaleComparesALargeStoreWithASmallOne(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers and loads them")
	}
	var out bytes.Buffer
	err := runScale(t.Context(), []string{"-users", "300", "-grants", "300", "-clients", "3", "-flows", "0", "-seconds", "0.06", "-connections", "4"}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"### idle", "### client credentials, ES256", "### refresh, ES256", "| Signet, large store |", "| Signet, small store |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tables have no %q", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestAPeerWithOneKeyIsLeftOutWhereTwoSign(t *testing.T) {
	one := peer{oneKey: true}
	for _, s := range scenarios() {
		if s.peers == nil {
			continue
		}
		if got, want := one.plays(s), !strings.Contains(s.name, "ES256 access and RS256"); got != want {
			t.Errorf("%s: a peer with one key takes part: %t, want %t", s.name, got, want)
		}
		if !(peer{}).plays(s) {
			t.Errorf("%s: a peer with a key of each algorithm takes no part", s.name)
		}
	}
}
