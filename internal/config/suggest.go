package config

import (
	"slices"
	"strings"
)

// sections is every prefix that holds keys, such as http and http.tls.
func sections() []string {
	var out []string
	for _, key := range Keys() {
		for i, r := range key {
			if r == '.' && !slices.Contains(out, key[:i]) {
				out = append(out, key[:i])
			}
		}
	}
	return out
}

func isSection(path string) bool { return slices.Contains(sections(), path) }

// fixUnknown says what may have been meant by a key that does not exist.
func fixUnknown(path string) string {
	if near := nearest(path, append(Keys(), sections()...)); near != "" {
		return "did you mean " + near + "?"
	}
	// The right name, or nearly, in the wrong section or in none.
	var names, same []string
	for _, key := range Keys() {
		names = append(names, lastOf(key))
	}
	near := nearest(lastOf(path), names)
	for i, key := range Keys() {
		if names[i] == near {
			same = append(same, key)
		}
	}
	if len(same) > 0 {
		return "did you mean " + strings.Join(same, " or ") + "?"
	}
	return "remove it; signet config explain lists every key"
}

func lastOf(path string) string { return path[strings.LastIndex(path, ".")+1:] }

// nearest returns the candidate that looks most like word, or "" when none is
// near enough to be a slip of the hand.
func nearest(word string, candidates []string) string {
	const longest = 64 // beyond it nobody mistyped a key
	if len(word) > longest {
		return ""
	}
	best, bestAt := "", max(2, len(word)/5)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < bestAt {
			best, bestAt = c, d
		}
	}
	if bestAt >= len(word) {
		return "" // as many slips as letters is another word
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that make b of a (optimal string alignment).
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(replaced, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
