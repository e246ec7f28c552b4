package main

import (
	"fmt"
	"math"
	"strings"
)

// The picture's place on its sheet, and the decades that it spans.
const (
	left, top, wide, high = 70.0, 30.0, 560.0, 330.0
	leastPeople, decadesX = 1e4, 4.0 // 10 thousand to 100 million
	leastRate, decadesY   = 1.0, 5.0 // 1 to 100,000 commits a second
)

// picture draws commits a second over people, as they come and tuned, and what
// half of each engine carries. Both scales are logarithmic.
func (a Assumptions) picture() string {
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" aria-label="Commits a second over people, and what engines carry">
<style>text{font:12px system-ui,sans-serif;fill:#57606a}path,line{fill:none;stroke-width:1}.grid{stroke:#d0d7de}.limit{stroke:#cf222e;stroke-dasharray:5 4}.usual{stroke:#0969da;stroke-width:2.5}.tuned{stroke:#1a7f37;stroke-width:2.5}
@media (prefers-color-scheme:dark){text{fill:#8b949e}.grid{stroke:#30363d}}</style>
`, left+wide+110, top+high+60)
	grid(&s)
	for _, limit := range []struct {
		name string
		rate float64
	}{{etcd, a.EtcdCommits}, {bolt, a.BoltCommits}, {postgres, a.PostgresCommits}} {
		y := atRate(limit.rate * a.Load)
		fmt.Fprintf(&s, `<line class="limit" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`+"\n", left, left+wide, y, y)
	}
	fmt.Fprintf(&s, `<text x="%.1f" y="%.1f">half of what PostgreSQL, bolt and etcd carry</text>`+"\n",
		left+8, atRate(max(a.PostgresCommits, a.BoltCommits, a.EtcdCommits)*a.Load)-8)
	tuned := a.tuned()
	s.WriteString(a.line("usual", "as it comes", 4))
	s.WriteString(tuned.line("tuned", "tuned", 4))
	fmt.Fprintf(&s, `<text x="%.1f" y="%.1f" text-anchor="middle">people</text>`+"\n", left+wide/2, top+high+44)
	fmt.Fprintf(&s, `<text x="%.1f" y="%.1f">commits a second, in the busiest hour</text>`+"\n</svg>\n", left, top-12)
	return s.String()
}

func grid(s *strings.Builder) {
	for i := 0.0; i <= decadesX; i++ {
		people := leastPeople * math.Pow(10, i)
		x := atPeople(people)
		fmt.Fprintf(s, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, x, x, top, top+high)
		fmt.Fprintf(s, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", x, top+high+20, strings.TrimSuffix(headcount(people), " people"))
	}
	for i := 0.0; i <= decadesY; i++ {
		rate := leastRate * math.Pow(10, i)
		y := atRate(rate)
		fmt.Fprintf(s, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, left, left+wide, y, y)
		fmt.Fprintf(s, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n", left-8, y+4, number(rate))
	}
}

// line draws the commits of each size, and names it at its end.
func (a Assumptions) line(class, name string, below float64) string {
	var d strings.Builder
	for i := 0.0; i <= decadesX*4; i++ {
		people := leastPeople * math.Pow(10, i/4)
		word := "L"
		if i == 0 {
			word = "M"
		}
		fmt.Fprintf(&d, "%s%.1f %.1f ", word, atPeople(people), atRate(a.At(people).Commits))
	}
	end := leastPeople * math.Pow(10, decadesX)
	return fmt.Sprintf(`<path class="%s" d="%s"/><text x="%.1f" y="%.1f">%s</text>`+"\n",
		class, strings.TrimSpace(d.String()), left+wide+8, atRate(a.At(end).Commits)+below, name)
}

func atPeople(n float64) float64 { return left + wide*math.Log10(n/leastPeople)/decadesX }

func atRate(v float64) float64 {
	return top + high - high*math.Log10(math.Max(v, leastRate)/leastRate)/decadesY
}
