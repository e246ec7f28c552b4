package oauth

import (
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/refusal"
)

// The limits on what strangers send. A journey carries the parameters through
// the browser in a URL, so their sum is bounded as well.
const (
	maxParameter  = 4096
	maxParameters = 8 << 10 // sealed and in base64 that is 12 KiB of a header's 16
)

// isAuthorizeParameter knows those that we read; all others are ignored (RFC 6749
// §3.1) and don't travel with the journey.
func isAuthorizeParameter(name string) bool {
	switch name {
	case "response_type", "client_id", "redirect_uri", "scope", "state", "response_mode", "nonce", "display", "prompt",
		"max_age", "ui_locales", "claims_locales", "id_token_hint", "login_hint", "acr_values", "claims",
		"code_challenge", "code_challenge_method", "resource", "request", "request_uri", "registration":
		return true
	}
	return false
}

// readAuthorize returns the parameters of an authorization request, which may
// come by GET or as a form by POST alike (OpenID Connect Core §3.1.2.1).
func readAuthorize(c echo.Context) (params url.Values, err error) {
	r := c.Request()
	if r.Method == http.MethodPost {
		if params, err = readForm(r); err != nil {
			return nil, err
		}
		params = maps.Clone(params)
		maps.DeleteFunc(params, func(name string, _ []string) bool { return !isAuthorizeParameter(name) })
	} else {
		// A pair that nobody can read is one that was not sent.
		params, _ = parsePairs(r.URL.RawQuery, isAuthorizeParameter)
	}
	dropEmpty(params)
	return params, checkParameters(params)
}

// dropEmpty leaves out what was sent without a value, which MUST be treated as
// if it had been omitted (RFC 6749 §3.1, §3.2). One that was sent several times
// stays, to be refused.
func dropEmpty(params url.Values) {
	if resources, sent := params["resource"]; sent {
		params["resource"] = slices.DeleteFunc(resources, func(v string) bool { return v == "" })
	}
	maps.DeleteFunc(params, func(_ string, values []string) bool {
		return len(values) == 0 || (len(values) == 1 && values[0] == "")
	})
}

// readToken returns the form of a token request. Parameters in the URL are not
// looked at: secrets must not be there (RFC 6749 §2.3.1).
func readToken(r *http.Request) (url.Values, error) {
	form, err := readForm(r)
	if err != nil {
		return nil, err
	}
	dropEmpty(form)
	return form, checkParameters(form)
}

// checkParameters refuses what is too long or sent twice (RFC 6749 §3.1, §3.2:
// parameters MUST NOT be included more than once; resource may be, RFC 8707).
func checkParameters(params url.Values) error {
	total, first, found := 0, "", false
	for name, values := range params {
		bad := len(values) > 1 && name != "resource"
		for _, v := range values {
			bad = bad || len(v) > maxParameter
			total += len(name) + len(v)
		}
		if bad && (!found || name < first) { // the same request always names the same parameter
			first, found = name, true
		}
	}
	switch {
	case found && len(params[first]) > 1 && first != "resource":
		return refuse(refusal.ParameterDuplicated, "the parameter %q was sent %d times, send it once", printable(first), len(params[first]))
	case found:
		return refuse(refusal.ParameterTooLong, "the parameter %q is longer than %d bytes", printable(first), maxParameter)
	case total > maxParameters:
		return refuse(refusal.ParameterTooLong, "the parameters are longer than %d bytes together", maxParameters)
	}
	return nil
}

// printable cuts a stranger's parameter name down to what an error description
// may contain (RFC 6749 §4.1.2.1: ASCII without quote and backslash).
func printable(name string) string {
	out := make([]byte, 0, 32)
	for i := 0; i < len(name) && i < 32; i++ {
		if c := name[i]; c >= ' ' && c <= '~' && c != '"' && c != '\\' {
			out = append(out, c)
		}
	}
	return string(out)
}
