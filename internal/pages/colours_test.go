package pages_test

import (
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/signet-id/signet/templates"
)

func stylesheet(t *testing.T) string {
	t.Helper()
	css, err := fs.ReadFile(templates.Files(), "signet.css")
	if err != nil {
		t.Fatal(err)
	}
	return string(css)
}

// schemes returns the colours of both schemes and the style sheet without them.
func schemes(t *testing.T) (light, dark map[string]string, rest string) {
	t.Helper()
	css := stylesheet(t)
	blocks := regexp.MustCompile(`(?s):root \{.*?\}`).FindAllStringIndex(css, 2)
	if len(blocks) != 2 || !strings.Contains(css[blocks[0][1]:blocks[1][0]], "(prefers-color-scheme: dark)") {
		t.Fatal("want a :root block for light, then one for dark")
	}
	colours := func(block string) map[string]string {
		out := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(block, -1) {
			out[m[1]] = m[2]
		}
		return out
	}
	return colours(css[blocks[0][0]:blocks[0][1]]), colours(css[blocks[1][0]:blocks[1][1]]),
		css[:blocks[0][0]] + css[blocks[0][1]:blocks[1][0]] + css[blocks[1][1]:]
}

// luminance is relative luminance as WCAG 2.2 defines it.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
	if err != nil || len(hex) != 7 {
		t.Fatalf("%q is not a colour", hex)
	}
	linear := func(channel uint64) float64 {
		c := float64(channel&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

func TestEveryColourCanBeReadInLightAndInDark(t *testing.T) {
	light, dark, _ := schemes(t)
	pairs := []struct {
		fore, back string
		atLeast    float64 // WCAG 2.2: 4.5 for words (1.4.3 AA), 3 for edges and focus (1.4.11)
	}{
		{"ink", "paper", 4.5}, {"ink", "field", 4.5}, {"ink", "engraving", 4.5},
		{"soft", "paper", 4.5}, {"soft", "field", 4.5}, {"soft", "engraving", 4.5},
		{"accent", "paper", 4.5}, {"accent", "field", 4.5}, {"accent-strong", "paper", 4.5},
		{"on-accent", "accent", 4.5}, {"on-accent", "accent-strong", 4.5},
		{"alarm", "paper", 4.5}, {"alarm", "engraving", 4.5},
		{"edge", "paper", 3}, {"edge", "field", 3},
	}
	for name, scheme := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, p := range pairs {
			if got := contrast(t, scheme[p.fore], scheme[p.back]); got < p.atLeast {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", name, p.fore, p.back, got, p.atLeast)
			}
		}
	}
}

func TestTheDarkSchemeReplacesEveryColour(t *testing.T) {
	light, dark, rest := schemes(t)
	for name := range light {
		if dark[name] == "" {
			t.Errorf("--%s has no dark value", name)
		}
	}
	for _, stray := range regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(`).FindAllString(rest, -1) {
		t.Errorf("the colour %s stands outside the schemes", stray)
	}
}

func TestTheIconHasTheColoursOfThePage(t *testing.T) {
	icon, err := fs.ReadFile(templates.Files(), "favicon.svg")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, _ := schemes(t)
	for _, want := range []string{light["accent"], dark["accent"], dark["on-accent"]} {
		if !strings.Contains(string(icon), want) {
			t.Errorf("favicon.svg lacks %s", want)
		}
	}
}

func TestMotionIsOnlyForThoseWhoDoNotMindIt(t *testing.T) {
	css := stylesheet(t)
	guard := strings.Index(css, "(prefers-reduced-motion: no-preference)")
	for _, word := range []string{"transition:", "animation:"} {
		if at := strings.Index(css, word); at >= 0 && at < guard {
			t.Errorf("%s stands before its guard", word)
		}
	}
}

func TestTheStyleSheetLoadsNothing(t *testing.T) {
	css := stylesheet(t)
	for _, m := range regexp.MustCompile(`url\("?([a-z]*)`).FindAllStringSubmatch(css, -1) {
		if m[1] != "data" {
			t.Errorf("url(%s… leads outside", m[1])
		}
	}
	if strings.Contains(css, "@import") {
		t.Error("the style sheet imports another")
	}
}
