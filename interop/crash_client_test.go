package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/secret"
)

const crashAudience = "https://orders.example"

// errCut means that no whole answer came: the server may have done it or not.
var errCut = errors.New("no answer")

// reply is one whole answer.
type reply struct {
	status int
	header http.Header
	body   string
}

func (a reply) location() url.Values {
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		return nil
	}
	return u.Query()
}

func (a reply) String() string {
	return fmt.Sprintf("%d %s %s", a.status, a.header.Get("Location"), a.body[:min(len(a.body), 200)])
}

// visitor is somebody's browser, or a client's HTTP library, that shows redirects.
type visitor struct{ http.Client }

func newVisitor(over http.RoundTripper) *visitor {
	jar, _ := cookiejar.New(nil) // never fails without options
	return &visitor{http.Client{
		Transport: over, Jar: jar, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (v *visitor) do(r *http.Request) (reply, error) {
	res, err := v.Do(r)
	if err != nil {
		return reply{}, fmt.Errorf("%w: %w", errCut, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, fmt.Errorf("%w: %w", errCut, err)
	}
	return reply{res.StatusCode, res.Header, string(body)}, nil
}

func (v *visitor) get(ctx context.Context, target string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, crashIssuer+target, nil)
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Accept", "text/html")
	return v.do(r)
}

func (v *visitor) post(ctx context.Context, target string, form url.Values) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, crashIssuer+target, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(r)
}

// signIn walks the pages up to the answer of the sign-in form, which is what
// acknowledges the session.
func (v *visitor) signIn(ctx context.Context, clientID, login string) (reply, error) {
	got, err := v.get(ctx, askCode(clientID))
	if err != nil {
		return reply{}, err
	}
	page, err := v.get(ctx, strings.TrimPrefix(got.header.Get("Location"), crashIssuer))
	if err != nil {
		return reply{}, err
	}
	m := journeyField.FindStringSubmatch(page.body)
	if m == nil {
		return reply{}, fmt.Errorf("no sign-in page: %s", page)
	}
	return v.post(ctx, "/signin", url.Values{"journey": {m[1]}, "login": {login}, "password": {password}})
}

func askCode(clientID string, also ...string) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {callback}, "scope": {"openid profile"}, "state": {"s"},
	}
	for i := 0; i < len(also); i += 2 {
		q.Set(also[i], also[i+1])
	}
	return "/authorize?" + q.Encode()
}

// tokenReply is what the token endpoint says.
type tokenReply struct {
	reply
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

// relying is a client application.
type relying struct {
	visitor *visitor
	id      string
	secret  secret.Value
}

func (c relying) token(ctx context.Context, form url.Values) (tokenReply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, crashIssuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return tokenReply{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.id, c.secret.Reveal())
	got, err := c.visitor.do(r)
	if err != nil {
		return tokenReply{}, err
	}
	out := tokenReply{reply: got}
	if err := json.Unmarshal([]byte(got.body), &out); err != nil {
		return tokenReply{}, fmt.Errorf("reading a token answer %s: %w", got, err)
	}
	return out, nil
}

func (c relying) redeem(ctx context.Context, code string) (tokenReply, error) {
	return c.token(ctx, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}})
}

func (c relying) refresh(ctx context.Context, token string) (tokenReply, error) {
	return c.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// crashOperator speaks to the admin socket.
type crashOperator struct {
	visitor   *visitor
	logoutURI string // of the clients that it makes, if not empty
}

func (o crashOperator) send(ctx context.Context, method, path string, in any) (reply, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return reply{}, err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://signet"+path, bytes.NewReader(raw))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	return o.visitor.do(r)
}

func (o crashOperator) do(ctx context.Context, method, path string, in, out any) (int, error) {
	got, err := o.send(ctx, method, path, in)
	if err != nil {
		return 0, err
	}
	if out != nil && got.status < http.StatusBadRequest {
		if err := json.Unmarshal([]byte(got.body), out); err != nil {
			return got.status, fmt.Errorf("reading %s: %w", got, err)
		}
	}
	return got.status, nil
}

func (o crashOperator) addUser(ctx context.Context, login string) (reply, error) {
	return o.send(ctx, http.MethodPost, "/users", map[string]any{"login": login, "name": login, "password": password})
}

func (o crashOperator) addClient(ctx context.Context, id, alg string) (int, secret.Value, error) {
	var made struct {
		Secret string `json:"client_secret"`
	}
	settings := map[string]any{
		"client_id": id, "first_party": true, "require_pkce": false, "redirect_uris": []string{callback},
		"grant_types": []string{"authorization_code", "refresh_token", "client_credentials"},
		"audience":    []string{crashAudience}, "id_token_signed_response_alg": alg, "introspection": true,
	}
	if o.logoutURI != "" {
		settings["backchannel_logout_uri"], settings["backchannel_logout_session_required"] = o.logoutURI, true
	}
	status, err := o.do(ctx, http.MethodPost, "/clients", settings, &made)
	return status, secret.New(made.Secret), err
}

func (o crashOperator) keyIDs(ctx context.Context) ([]string, error) {
	var out struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}
	_, err := o.do(ctx, http.MethodGet, "/keys", nil, &out)
	ids := make([]string, 0, len(out.Keys))
	for _, k := range out.Keys {
		ids = append(ids, k.ID)
	}
	return ids, err
}

func (o crashOperator) clientIDs(ctx context.Context) ([]string, error) {
	var out struct {
		Clients []struct {
			ID string `json:"client_id"`
		} `json:"clients"`
	}
	_, err := o.do(ctx, http.MethodGet, "/clients", nil, &out)
	ids := make([]string, 0, len(out.Clients))
	for _, c := range out.Clients {
		ids = append(ids, c.ID)
	}
	return ids, err
}

// logins returns the login of every user.
func (o crashOperator) logins(ctx context.Context) ([]string, error) {
	var all []string
	after := ""
	for {
		var page struct {
			Users []struct {
				Login string `json:"login"`
			} `json:"users"`
			Next string `json:"next"`
		}
		if _, err := o.do(ctx, http.MethodGet, "/users?after="+url.QueryEscape(after), nil, &page); err != nil {
			return nil, err
		}
		for _, u := range page.Users {
			all = append(all, u.Login)
		}
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// wantAllOf fails for whatever of want is not in have.
func wantAllOf(t *testing.T, what string, have, want []string) (missing int) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(have, w) {
			t.Errorf("the acknowledged %s %q is lost", what, w)
			missing++
		}
	}
	return missing
}
