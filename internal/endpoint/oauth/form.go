package oauth

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/signet-id/signet/internal/refusal"
)

// maxPairs bounds the work that one request can make; it is net/url's own bound.
const maxPairs = 10_000

// usualPairs is how many parameters a request has, with some to spare.
const usualPairs = 16

// readForm reads the body, which must be urlencoded (RFC 6749 §3.2). What it says
// is in r.PostForm as well, for whoever tells of a refusal. The query is not looked
// at.
func readForm(r *http.Request) (url.Values, error) {
	const form = "application/x-www-form-urlencoded"
	if sent := r.Header.Get("Content-Type"); sent != form {
		kind, _, err := mime.ParseMediaType(sent)
		if err != nil || kind != form {
			return nil, refuse(refusal.FormExpected, "send the parameters as a form body with Content-Type %s", form)
		}
	}
	var body bytes.Buffer
	// Room for all of it, and no more than a good request needs on a stranger's word.
	body.Grow(bytes.MinRead + int(max(0, min(r.ContentLength, maxParameters))))
	_, err := body.ReadFrom(r.Body)
	if err == nil {
		r.PostForm, err = parsePairs(body.String(), anyName)
	}
	if err != nil {
		return nil, refuse(refusal.FormExpected, "the form body is malformed or too large").because(err)
	}
	return r.PostForm, nil
}

func anyName(string) bool { return true }

// errSemicolon is why a pair with one is left out (url.ParseQuery says the same).
var errSemicolon = errors.New("invalid semicolon separator in query")

// parsePairs is url.ParseQuery for the names that are wanted: a pair that is
// malformed is left out, and the first such error is returned. Its values lie in
// one slice, where url.ParseQuery makes one for each.
func parsePairs(text string, wanted func(name string) bool) (url.Values, error) {
	if n := strings.Count(text, "&") + 1; n > maxPairs {
		return nil, fmt.Errorf("%d parameters are too many", n)
	}
	var first error
	all, each := make(url.Values), make([]string, 0, usualPairs)
	for pair := ""; text != ""; {
		if pair, text, _ = strings.Cut(text, "&"); pair == "" {
			continue
		}
		name, value, err := parsePair(pair)
		switch {
		case err != nil:
			if first == nil {
				first = err
			}
			continue
		case !wanted(name):
			continue
		}
		if values, again := all[name]; again {
			all[name] = append(values, value)
			continue
		}
		each = append(each, value)
		all[name] = each[len(each)-1 : len(each) : len(each)] // a second value must not write over the next one's first
	}
	return all, first
}

func parsePair(pair string) (name, value string, err error) {
	if strings.Contains(pair, ";") {
		return "", "", errSemicolon
	}
	name, value, _ = strings.Cut(pair, "=")
	if name, err = unescape(name); err != nil {
		return "", "", err
	}
	if value, err = unescape(value); err != nil {
		return "", "", err
	}
	return name, value, nil
}

// unescape is url.QueryUnescape. Tokens and codes, the longest of what is sent, have
// nothing to unescape, and that is found out several bytes at a time.
func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	return url.QueryUnescape(s)
}
