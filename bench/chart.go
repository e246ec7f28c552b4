package main

import (
	"fmt"
	"html"
	"strings"
)

// chart is a picture of bars in groups. Each group has its own scale: what is
// compared are those who did the same.
type chart struct {
	title  string
	unit   string
	groups []barGroup
}

type barGroup struct {
	name string
	bars []bar
}

type bar struct {
	who   string
	class string // ours, bare or peer
	value float64
}

// The sheet, in pixels.
const (
	chartNames = 230.0 // to the left of the bars
	chartWide  = 430.0 // the longest bar
	chartRoom  = 100.0 // for the figure behind it
	barHigh    = 14.0
	barStep    = 19.0
	groupTop   = 34.0
)

// svg draws the chart for light and dark.
func (c chart) svg() string {
	var body strings.Builder
	y := 34.0
	for _, g := range c.groups {
		y += groupTop - barStep
		fmt.Fprintf(&body, `<text class="group" x="0" y="%.1f">%s</text>`+"\n", y, html.EscapeString(g.name))
		y += 9
		longest := 0.0
		for _, b := range g.bars {
			longest = max(longest, b.value)
		}
		for _, b := range g.bars {
			wide := max(1, chartWide*b.value/longest)
			fmt.Fprintf(&body, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text><rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"/><text class="figure" x="%.1f" y="%.1f">%s %s</text>`+"\n",
				chartNames-10, y+barHigh-3, html.EscapeString(b.who), b.class, chartNames, y, wide, barHigh,
				chartNames+wide+7, y+barHigh-3, number(b.value), c.unit)
			y += barStep
		}
		y += barStep / 2
	}
	wide, high := chartNames+chartWide+chartRoom, y+8
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">
<style>text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-weight:600;font-size:14px;fill:#1f2328}.group{font-weight:600;fill:#1f2328}.ours{fill:#0969da}.bare{fill:#afb8c1}.peer{fill:#d4a72c}
@media (prefers-color-scheme:dark){text{fill:#8b949e}.title,.group{fill:#e6edf3}.ours{fill:#388bfd}.bare{fill:#484f58}.peer{fill:#9e6a03}}</style>
<text class="title" x="0" y="16">%s</text>
%s</svg>
`, wide, high, html.EscapeString(c.title), html.EscapeString(c.title), body.String())
}

// issuers is the chart of what a request costs the server.
func (r *results) issuers() chart {
	c := chart{title: "CPU of the server per operation: shorter is better, each group to its own scale", unit: "µs"}
	for _, o := range r.outcomes {
		if o.server == nameLogging {
			continue
		}
		if n := len(c.groups); n == 0 || c.groups[n-1].name != o.scenario {
			c.groups = append(c.groups, barGroup{name: o.scenario})
		}
		g := &c.groups[len(c.groups)-1]
		g.bars = append(g.bars, bar{o.server, classOf(o.server), o.cost})
	}
	return c
}

// libraries is the chart of what verifying a token costs a service.
func (r *results) libraries() chart {
	c := chart{title: "Verifying an access token, one core: shorter is better, each group to its own scale", unit: "µs"}
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256"} {
		g := barGroup{name: algorithm}
		for _, class := range []string{"ours", "bare", "peer"} {
			for _, one := range r.checks {
				if one.algorithm == algorithm && classOf(one.who) == class {
					g.bars = append(g.bars, bar{one.who, class, one.ns / 1000})
				}
			}
		}
		if len(g.bars) > 0 {
			c.groups = append(c.groups, g)
		}
	}
	return c
}

func classOf(who string) string {
	switch {
	case strings.HasPrefix(who, nameSignet):
		return "ours"
	case who == nameFloor || who == rawCheck:
		return "bare"
	default:
		return "peer"
	}
}
