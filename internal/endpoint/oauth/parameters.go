package oauth

import (
	"maps"
	"mime"
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

// authorizeParameters are those that we read; all others are ignored (RFC 6749
// §3.1) and don't travel with the journey.
func authorizeParameters() []string {
	return []string{
		"response_type", "client_id", "redirect_uri", "scope", "state", "response_mode", "nonce", "display", "prompt",
		"max_age", "ui_locales", "claims_locales", "id_token_hint", "login_hint", "acr_values", "claims",
		"code_challenge", "code_challenge_method", "resource", "request", "request_uri", "registration",
	}
}

// readAuthorize returns the parameters of an authorization request, which may
// come by GET or as a form by POST alike (OpenID Connect Core §3.1.2.1).
func readAuthorize(c echo.Context) (url.Values, error) {
	r := c.Request()
	source := r.URL.Query()
	if r.Method == http.MethodPost {
		if err := wantForm(r); err != nil {
			return nil, err
		}
		source = r.PostForm
	}
	params := url.Values{}
	for _, name := range authorizeParameters() {
		if values, sent := source[name]; sent {
			params[name] = values
		}
	}
	dropEmpty(params)
	return params, checkParameters(params)
}

// dropEmpty leaves out what was sent without a value, which MUST be treated as
// if it had been omitted (RFC 6749 §3.1, §3.2). One that was sent several times
// stays, to be refused.
func dropEmpty(params url.Values) {
	params["resource"] = slices.DeleteFunc(params["resource"], func(v string) bool { return v == "" })
	maps.DeleteFunc(params, func(_ string, values []string) bool {
		return len(values) == 0 || (len(values) == 1 && values[0] == "")
	})
}

// readToken returns the form of a token request. Parameters in the URL are not
// looked at: secrets must not be there (RFC 6749 §2.3.1).
func readToken(r *http.Request) (url.Values, error) {
	if err := wantForm(r); err != nil {
		return nil, err
	}
	dropEmpty(r.PostForm)
	return r.PostForm, checkParameters(r.PostForm)
}

// wantForm parses the body, which must be urlencoded (RFC 6749 §3.2).
func wantForm(r *http.Request) error {
	const form = "application/x-www-form-urlencoded"
	if sent := r.Header.Get("Content-Type"); sent != form {
		kind, _, err := mime.ParseMediaType(sent)
		if err != nil || kind != form {
			return refuse(refusal.FormExpected, "send the parameters as a form body with Content-Type %s", form)
		}
	}
	if err := r.ParseForm(); err != nil {
		return refuse(refusal.FormExpected, "the form body is malformed or too large").because(err)
	}
	return nil
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
