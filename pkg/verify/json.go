package verify

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxMembers bounds the quadratic search for duplicates in what a stranger sent.
const maxMembers = 128

// member is one name of a JSON object with its value, still as JSON text.
type member struct{ name, value string }

// parseObject takes a JSON object apart at its top level. It differs from
// encoding/json in two ways that matter before a signature is checked: names
// are compared exactly (there, "ALG" sets alg), and a name that comes twice
// refuses the whole object (there, the last one wins; RFC 7515 §4 and RFC 7519
// §4 allow either, and two readers that choose differently can be played
// against one another).
func parseObject(text []byte) ([]member, bool) {
	if !json.Valid(text) || !utf8.Valid(text) {
		return nil, false
	}
	s := strings.TrimSpace(string(text))
	if s[0] != '{' {
		return nil, false
	}
	members := make([]member, 0, 24)
	for i := skipTo(s, 1); s[i] != '}'; i = skipTo(s, i) {
		end := skipValue(s, i)
		name, ok := parseString(s[i:end])
		if !ok || len(members) == maxMembers || find(members, name) != "" {
			return nil, false
		}
		i = skipTo(s, end)
		end = skipValue(s, i)
		members = append(members, member{name, s[i:end]})
		i = end
	}
	return members, true
}

// find returns the JSON text of the member called name, or "".
func find(members []member, name string) string {
	for _, m := range members {
		if m.name == name {
			return m.value
		}
	}
	return ""
}

// skipTo returns where the next value or closing bracket begins. The text is
// known to be valid JSON, so separators need no checking.
func skipTo(s string, i int) int {
	for s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r' || s[i] == ',' || s[i] == ':' {
		i++
	}
	return i
}

// skipValue returns the end of the value that begins at i of valid JSON.
func skipValue(s string, i int) int {
	for depth := 0; ; i++ {
		switch s[i] {
		case '"':
			for i++; s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth > 0 {
				continue
			}
			for i < len(s) && strings.IndexByte(" \t\r\n,:}]", s[i]) < 0 {
				i++
			}
			return i
		}
		if depth == 0 {
			return i + 1
		}
	}
}

func parseString(value string) (string, bool) {
	if value == "" || value[0] != '"' {
		return "", false
	}
	if strings.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], true
	}
	var s string
	err := json.Unmarshal([]byte(value), &s)
	return s, err == nil
}

func parseStrings(value string) ([]string, bool) {
	if value == "" || value[0] != '[' {
		return nil, false
	}
	var list []string
	for i := skipTo(value, 1); value[i] != ']'; i = skipTo(value, i) {
		end := skipValue(value, i)
		s, ok := parseString(value[i:end])
		if !ok {
			return nil, false
		}
		list, i = append(list, s), end
	}
	return list, true
}

// parseTime reads a NumericDate (RFC 7519 §2): seconds, perhaps with a fraction,
// which is dropped. Only years 1970 to 9999 make sense of one.
func parseTime(value string) (int64, bool) {
	const last = 253402300799
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		return n, n > 0 && n <= last
	}
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || f < 1 || f > last {
		return 0, false
	}
	return int64(math.Floor(f)), true
}
