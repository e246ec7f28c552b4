package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// visitor is one keep-alive connection with a browser and its services behind
// it. It writes its requests itself: a client that costs more than the server
// would measure the client.
type visitor struct {
	connection net.Conn
	reader     *bufio.Reader
	body       bytes.Buffer // of the last answer
	location   string       // of the last answer
	request    []byte       // scratch

	cookies string
	secrets map[string]string
	record  map[string]play   // if not nil, the answers by method and path
	jar     map[string]string // if not nil, keeps the cookies that are set

	code, access, refresh string // what was issued last

	modest bool // asks for no scope of a service

	login   string   // of whoever has the cookies
	journey string   // of a sign-in
	codes   []string // for later
	pool    []string // access tokens that nobody has seen
	list    string   // the path of the status list of the last access token
}

// visit opens n connections to a server.
func visit(ctx context.Context, address string, n int, e estate) ([]*visitor, error) {
	all := make([]*visitor, n)
	for i := range all {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return all[:i], fmt.Errorf("connecting: %w", err)
		}
		all[i] = &visitor{
			connection: connection, reader: bufio.NewReaderSize(connection, 16<<10),
			cookies: e.cookies[i%len(e.cookies)], secrets: e.secrets,
		}
	}
	return all, nil
}

// reconnect begins anew: a server hangs up on who has been silent for long.
func (v *visitor) reconnect(ctx context.Context) error {
	_ = v.connection.Close() // nothing is under way
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", v.connection.RemoteAddr().String())
	if err != nil {
		return fmt.Errorf("connecting anew: %w", err)
	}
	v.connection = connection
	v.reader.Reset(connection)
	return nil
}

// do sends one request and reads the whole answer, which must have the status.
func (v *visitor) do(status int, method, target, header, form string) error {
	b := append(v.request[:0], method...)
	b = append(append(b, ' '), target...)
	b = append(b, " HTTP/1.1\r\nHost: id.example.com\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n"...)
	b = append(b, header...)
	if form != "" {
		b = append(b, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "...)
		b = append(strconv.AppendInt(b, int64(len(form)), 10), "\r\n"...)
	}
	b = append(append(b, "\r\n"...), form...)
	v.request = b
	if _, err := v.connection.Write(b); err != nil {
		return fmt.Errorf("sending %s: %w", target, err)
	}
	answer, err := http.ReadResponse(v.reader, nil)
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", target, err)
	}
	v.body.Reset()
	if _, err := v.body.ReadFrom(answer.Body); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", target, err)
	}
	v.location = answer.Header.Get("Location")
	// Some answer a browser with 302 where 303 is meant, and it does the same.
	if answer.StatusCode != status && !(status == http.StatusSeeOther && answer.StatusCode == http.StatusFound) {
		return fmt.Errorf("%s answered %d, want %d: %s %s", target, answer.StatusCode, status, v.location, v.body.String())
	}
	if v.record != nil {
		path, _, _ := strings.Cut(target, "?")
		header := answer.Header.Clone()
		header.Del("Date") // the server's own
		v.record[method+" "+path] = play{Status: status, Header: header, Body: bytes.Clone(v.body.Bytes())}
	}
	if v.jar != nil {
		for _, one := range answer.Cookies() {
			v.jar[one.Name] = one.Value
		}
	}
	return nil
}

// The request and its PKCE proof (RFC 7636 appendix B).
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// asking is where a service sends a browser.
func asking(client string) string {
	return "/authorize?response_type=code&client_id=" + client + "&redirect_uri=" + url.QueryEscape(callback) +
		"&scope=openid+profile+email+" + url.QueryEscape(scope) + "&state=af0ifjsldkj&nonce=n-0S6_WzA2Mj&code_challenge_method=S256&code_challenge=" + challenge
}

// authorize asks for a code, signed in already.
func (v *visitor) authorize(client string) error {
	target := asking(client)
	if v.modest {
		target = strings.Replace(target, "+"+url.QueryEscape(scope), "", 1)
	}
	if err := v.browse(target); err != nil {
		return err
	}
	_, rest, found := strings.Cut(v.location, "code=")
	if v.code, _, _ = strings.Cut(rest, "&"); !found || v.code == "" {
		return fmt.Errorf("no code in %s", v.location)
	}
	return nil
}

// browse follows where the browser is sent until it is back at the service. That
// is one step at an issuer which knows the session where it is asked, and more at
// one whose sign-in is a page of its own.
func (v *visitor) browse(target string) error {
	for range 5 {
		cookies := v.cookies
		if v.jar != nil {
			cookies = v.kept("")
		}
		if err := v.do(http.StatusSeeOther, http.MethodGet, target, "Accept: text/html\r\nCookie: "+cookies+"\r\n", ""); err != nil {
			return err
		}
		if strings.HasPrefix(v.location, callback) {
			return nil
		}
		at, err := url.Parse(v.location)
		if err != nil {
			return fmt.Errorf("following a redirect: %w", err)
		}
		target = at.RequestURI()
	}
	return fmt.Errorf("still on the way after five redirects, to %s", v.location)
}

// redeem turns the code into tokens.
func (v *visitor) redeem(client string) error {
	return v.token(client, "grant_type=authorization_code&code="+v.code+"&redirect_uri="+url.QueryEscape(callback)+"&code_verifier="+verifier)
}

// renew refreshes the tokens.
func (v *visitor) renew(client string) error {
	return v.token(client, "grant_type=refresh_token&refresh_token="+v.refresh)
}

// basic is the header by which a client authenticates.
func (v *visitor) basic(client string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(client+":"+v.secrets[client])) + "\r\n"
}

// token posts to the token endpoint and keeps what it issues. Secrets and
// tokens are base64url: they need no escaping in a form.
func (v *visitor) token(client, form string) error {
	if err := v.do(http.StatusOK, http.MethodPost, "/token", v.basic(client), form); err != nil {
		return err
	}
	v.access, v.refresh = member(v.body.Bytes(), "access_token"), member(v.body.Bytes(), "refresh_token")
	if v.access == "" {
		return fmt.Errorf("no token in %s", v.body.String())
	}
	return nil
}

// member finds a text member of a flat JSON object whose values need no quoting.
func member(body []byte, name string) string {
	_, rest, _ := bytes.Cut(body, []byte(`"`+name+`":"`))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// bound makes everything under way fail soon after the slice is over.
func (v *visitor) bound(slice time.Duration) error {
	return v.connection.SetDeadline(time.Now().Add(slice + 15*time.Second))
}
