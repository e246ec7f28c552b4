package token

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// An access token that comes back is mostly one that Access.payload wrote: its
// members in one order, texts of plain ASCII, no space. Reading that form takes a
// tenth of the work of a general decoder. Whatever has another form, such as
// one from another release, is left to encoding/json; the signature was checked
// before either looks.

// readClaims reads the payload of a token of ours.
func readClaims(payload []byte) (c claims, err error) {
	s := scanner{rest: string(payload)}
	if c, ok := s.access(); ok {
		return c, nil
	}
	c = claims{}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, fmt.Errorf("reading claims: %w", err)
	}
	return c, nil
}

// scanner reads the one form. Once something is not as expected, failed is set and
// what it returns is worth nothing.
type scanner struct {
	rest   string
	failed bool
}

func (s *scanner) access() (c claims, ok bool) {
	s.expect(`{"iss":`)
	c.Issuer = s.text()
	s.expect(`,"sub":`)
	c.Subject = s.text()
	s.expect(`,"aud":`)
	if strings.HasPrefix(s.rest, "[") {
		c.Audience = s.texts()
	} else {
		c.Audience = audience{s.text()}
	}
	s.expect(`,"exp":`)
	c.Expires = s.number()
	s.expect(`,"iat":`)
	c.IssuedAt = s.number()
	s.expect(`,"jti":`)
	c.ID = s.text()
	s.expect(`,"client_id":`)
	c.ClientID = s.text()
	if s.has(`,"scope":`) {
		c.Scope = s.text()
	}
	if s.has(`,"auth_time":`) {
		c.AuthTime = s.number()
	}
	if s.has(`,"acr":`) {
		c.ACR = s.text()
	}
	if s.has(`,"amr":`) {
		c.AMR = s.texts()
	}
	if s.has(`,"sid":`) {
		c.SessionID = s.text()
	}
	if s.has(`,"roles":`) {
		c.Roles = s.texts()
	}
	if s.has(`,"groups":`) {
		c.Groups = s.texts()
	}
	s.expect(`,"status":{"status_list":{"idx":`)
	c.Status.List.Index = uint64(s.number())
	s.expect(`,"uri":`)
	c.Status.List.URI = s.text()
	s.expect(`}}}`)
	return c, !s.failed && s.rest == ""
}

func (s *scanner) has(text string) bool {
	rest, ok := strings.CutPrefix(s.rest, text)
	if ok {
		s.rest = rest
	}
	return ok
}

func (s *scanner) expect(text string) { s.failed = !s.has(text) || s.failed }

// text reads a string without escapes: those that object.Writer copies as they are.
func (s *scanner) text() string {
	if !strings.HasPrefix(s.rest, `"`) {
		s.failed = true
		return ""
	}
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			text := s.rest[1:i]
			s.rest = s.rest[i+1:]
			return text
		case c < ' ' || c > '~' || c == '\\':
			s.failed = true
			return ""
		}
	}
	s.failed = true
	return ""
}

func (s *scanner) texts() []string {
	s.expect("[")
	var all []string
	for !s.failed {
		all = append(all, s.text())
		if !s.has(",") {
			s.expect("]")
			return all
		}
	}
	return nil
}

// number reads digits, as strconv.AppendInt writes a time.
func (s *scanner) number() int64 {
	end := 0
	for end < len(s.rest) && s.rest[end] >= '0' && s.rest[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(s.rest[:end], 10, 64)
	s.failed = s.failed || err != nil || (end > 1 && s.rest[0] == '0')
	s.rest = s.rest[end:]
	return n
}
