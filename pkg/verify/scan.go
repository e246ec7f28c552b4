package verify

import (
	"math/bits"
	"strings"
)

// maxDepth is how many arrays and objects may be open at once: what encoding/json
// allows, and more than fit into a token.
const maxDepth = 10_000

// at is the byte at i of s, or 0, which JSON has no use for, behind its end.
func at(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// skipSpace returns where the white space that begins at i ends.
func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the end of the JSON value that begins at i, and whether it is
// one (RFC 8259 §3). It does not look at what comes after.
func skipValue(s string, i int) (end int, ok bool) {
	if c := at(s, i); c == '{' || c == '[' {
		return skipNest(s, i)
	}
	return skipScalar(s, i)
}

func skipScalar(s string, i int) (end int, ok bool) {
	switch at(s, i) {
	case '"':
		return skipString(s, i)
	case 't':
		return skipLiteral(s, i, "true")
	case 'f':
		return skipLiteral(s, i, "false")
	case 'n':
		return skipLiteral(s, i, "null")
	}
	return skipNumber(s, i)
}

func skipLiteral(s string, i int, literal string) (end int, ok bool) {
	return i + len(literal), strings.HasPrefix(s[i:], literal)
}

// skipString returns the end of a string (RFC 8259 §7). That its bytes are UTF-8
// is for the caller to know.
func skipString(s string, i int) (end int, ok bool) {
	if at(s, i) != '"' {
		return 0, false
	}
	for i = skipPlain(s, i+1); i < len(s); i = skipPlain(s, i+1) {
		switch s[i] {
		case '"':
			return i + 1, true
		case '\\':
			if i++; at(s, i) == 'u' {
				for range 4 {
					if i++; !isHex(at(s, i)) {
						return 0, false
					}
				}
			} else if strings.IndexByte(`"\/bfnrt`, at(s, i)) < 0 {
				return 0, false
			}
		default: // a control character
			return 0, false
		}
	}
	return 0, false
}

// skipPlain returns where the next byte is that means something in a string: a
// quotation mark, a backslash or a control character. It looks at eight at once,
// for each of which the highest bit of hit says whether it is one; those above
// the lowest hit may be wrong, but are not asked for.
func skipPlain(s string, i int) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		b := s[i : i+8]
		x := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		quote, slash := x^each*'"', x^each*'\\'
		if hit := ((x-each*' ')&^x | (quote-each)&^quote | (slash-each)&^slash) & high; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// skipNumber returns the end of a number (RFC 8259 §6).
func skipNumber(s string, i int) (end int, ok bool) {
	if at(s, i) == '-' {
		i++
	}
	if at(s, i) == '0' { // nothing follows a leading zero
		i++
	} else if i, ok = skipDigits(s, i); !ok {
		return 0, false
	}
	if at(s, i) == '.' {
		if i, ok = skipDigits(s, i+1); !ok {
			return 0, false
		}
	}
	if c := at(s, i); c == 'e' || c == 'E' {
		if c = at(s, i+1); c == '+' || c == '-' {
			i++
		}
		if i, ok = skipDigits(s, i+1); !ok {
			return 0, false
		}
	}
	return i, true
}

// skipDigits wants one digit at least.
func skipDigits(s string, i int) (end int, ok bool) {
	from := i
	for c := at(s, i); '0' <= c && c <= '9'; c = at(s, i) {
		i++
	}
	return i, i > from
}

// skipNest returns the end of an array or object. It keeps a bit for each one
// that is open instead of calling itself: brackets of a stranger must not make
// the stack grow.
func skipNest(s string, i int) (end int, ok bool) {
	var room [2]uint64
	objects := room[:0] // 1 where an object is open, 0 for an array
	depth := 0
	for {
		switch c := at(s, i); c {
		case '{', '[':
			if depth == maxDepth {
				return 0, false
			}
			if depth/64 == len(objects) {
				objects = append(objects, 0)
			}
			bit := uint64(1) << (depth % 64)
			if c == '{' {
				objects[depth/64] |= bit
			} else {
				objects[depth/64] &^= bit
			}
			depth++
			if i = skipSpace(s, i+1); at(s, i) == c+2 { // both closing brackets come two after
				break
			}
			if i, ok = skipName(s, i, c == '{'); !ok {
				return 0, false
			}
			continue
		default:
			if i, ok = skipScalar(s, i); !ok {
				return 0, false
			}
		}
		// A value is complete, but for the brackets that close here.
		for {
			i = skipSpace(s, i)
			object := objects[(depth-1)/64]>>((depth-1)%64)&1 == 1
			c := at(s, i)
			if c == ',' {
				if i, ok = skipName(s, skipSpace(s, i+1), object); !ok {
					return 0, false
				}
				break
			}
			if object && c != '}' || !object && c != ']' {
				return 0, false
			}
			i++
			if depth--; depth == 0 {
				return i, true
			}
		}
	}
}

// skipName returns where the value begins of the member whose name is at i. In an
// array there are no names.
func skipName(s string, i int, object bool) (value int, ok bool) {
	if !object {
		return i, true
	}
	if i, ok = skipString(s, i); !ok {
		return 0, false
	}
	if i = skipSpace(s, i); at(s, i) != ':' {
		return 0, false
	}
	return skipSpace(s, i+1), true
}
