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

// parseObject takes a JSON object apart at its top level and appends its members
// to room. It differs from encoding/json in two ways that matter before a
// signature is checked: names are compared exactly (there, "ALG" sets alg), and a
// name that comes twice refuses the whole object (there, the last one wins; RFC
// 7515 §4 and RFC 7519 §4 allow either, and two readers that choose differently
// can be played against one another).
//
// It checks the text while it cuts it, because a pass of json.Valid beforehand
// would cost more than everything else that is done to a token but the signature.
func parseObject(room []member, text string) ([]member, bool) {
	i := skipSpace(text, 0)
	if at(text, i) != '{' || !utf8.ValidString(text) {
		return nil, false
	}
	members := room[:0]
	if i = skipSpace(text, i+1); at(text, i) == '}' {
		return members, skipSpace(text, i+1) == len(text)
	}
	for marks := uint64(0); ; { // a bit for each name so far, mostly of its own
		m, next, ok := parseMember(text, i)
		mark := markOf(m.name)
		if !ok || len(members) == maxMembers || marks&mark != 0 && find(members, m.name) != "" {
			return nil, false
		}
		marks |= mark
		members = append(members, m)
		i = skipSpace(text, next)
		switch at(text, i) {
		case ',':
			i = skipSpace(text, i+1)
		case '}':
			return members, skipSpace(text, i+1) == len(text)
		default:
			return nil, false
		}
	}
}

// parseMember reads the name at i of an object, and the value that follows.
func parseMember(text string, i int) (m member, end int, ok bool) {
	end, ok = skipString(text, i)
	if !ok {
		return m, 0, false
	}
	if m.name, ok = parseString(text[i:end]); !ok {
		return m, 0, false
	}
	if i = skipSpace(text, end); at(text, i) != ':' {
		return m, 0, false
	}
	i = skipSpace(text, i+1)
	if end, ok = skipValue(text, i); ok {
		m.value = text[i:end]
	}
	return m, end, ok
}

// markOf is one of 64 bits, which a name shares with few others. It is the same
// for the same name, so a name whose bit is not taken was not there before.
func markOf(name string) uint64 {
	if name == "" {
		return 1
	}
	return 1 << ((uint(len(name))*7 + uint(name[0])*3 + uint(name[len(name)-1])) % 64)
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

// parseString reads a string that is known to be valid JSON.
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

// parseStrings appends the strings of an array to list. The value is known to be
// valid JSON, so separators need no checking.
func parseStrings(list []string, value string) ([]string, bool) {
	if value == "" || value[0] != '[' {
		return list, false
	}
	for i := skipSpace(value, 1); value[i] != ']'; {
		end, ok := skipString(value, i)
		if !ok {
			return list, false
		}
		s, ok := parseString(value[i:end])
		if !ok {
			return list, false
		}
		list = append(list, s)
		if i = skipSpace(value, end); value[i] == ',' {
			i = skipSpace(value, i+1)
		}
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
