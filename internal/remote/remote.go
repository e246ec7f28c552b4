// Package remote owns the asking of strangers: a client names a URL, and this
// server, which stands where the client does not, goes and reads what is there, or
// tells it something.
//
//	url ──form──▶ https, no user, no fragment
//	    ──dial──▶ the address that answers, judged when it is connected to
//	    ──Fetch─▶ 200, JSON, at most MaxBytes, within Timeout ──▶ body, max-age
//	    ──Post──▶ the form that the caller made, within Timeout ──▶ the status
//
// Every address is judged after the name was resolved and on the very connection
// that is used, so a name that changes its mind between two look-ups gains nothing.
// No redirect is followed, no proxy of the environment is asked, no connection
// is kept, and no credential is ever sent.
//
// It never looks into what it fetched, and keeps none of it; of the answer to a
// Post it reads no body at all.
package remote

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/fault"
)

// The defaults of Options.
const (
	DefaultMaxBytes   = 64 << 10
	DefaultTimeout    = 5 * time.Second
	DefaultConcurrent = 8
)

const (
	maxURL    = 2048
	maxHeader = 16 << 10
	// longestAge keeps a number of seconds that a stranger wrote within a Duration.
	longestAge = 365 * 24 * time.Hour
)

// Options are the limits of a Fetcher; what is zero gets its default.
type Options struct {
	// AllowPrivate admits private and loopback addresses, and plain http to the
	// loopback ones. The addresses where clouds serve their machines'
	// credentials stay refused.
	AllowPrivate bool
	MaxBytes     int64
	Timeout      time.Duration  // for all of a fetch, waiting for its turn included
	Concurrent   int            // fetches at once
	Roots        *x509.CertPool // nil: the system's
}

// Fetcher fetches documents. Make it with New; it is safe for concurrent use and
// owns no goroutine that outlives a Fetch.
type Fetcher struct {
	options Options
	https   *http.Client
	http    *http.Client // nil when plain http is not admitted
	turns   chan struct{}
}

// New makes a Fetcher.
func New(o Options) *Fetcher {
	o.MaxBytes = cmp.Or(o.MaxBytes, DefaultMaxBytes)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.Concurrent = cmp.Or(o.Concurrent, DefaultConcurrent)
	f := &Fetcher{options: o, turns: make(chan struct{}, o.Concurrent)}
	f.https = newClient(o, guard(o.AllowPrivate))
	if o.AllowPrivate {
		f.http = newClient(o, guardLoopback)
	}
	return f
}

func newClient(o Options, control func(context.Context, string, string, rawConn) error) *http.Client {
	dialer := &net.Dialer{Timeout: o.Timeout, KeepAlive: -1, ControlContext: control}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:       nil, // a proxy would resolve the name for us, and nobody would judge the address
			DialContext: dialer.DialContext,
			TLSClientConfig: &tls.Config{
				MinVersion: tls.VersionTLS12, RootCAs: o.Roots,
			},
			TLSHandshakeTimeout:    o.Timeout,
			MaxResponseHeaderBytes: maxHeader,
			DisableKeepAlives:      true, // a connection was judged for one fetch
			DisableCompression:     true, // what is counted is what is read
		},
		// A redirect would have this server ask for what no operator registered.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Fetch returns the document at rawURL, and for how long its server lets it be
// kept: 0 when the server says nothing of it, or says not to keep it.
//
// A URL that may not be asked is fault.Invalid, an address that may not be reached
// fault.Denied, everything else fault.Unavailable. The message says nothing of
// what was met there: whoever made us look must not see our network through us.
func (f *Fetcher) Fetch(ctx context.Context, rawURL string) (body []byte, maxAge time.Duration, err error) {
	header := http.Header{"Accept": {"application/jwk-set+json, application/json"}}
	err = f.ask(ctx, http.MethodGet, rawURL, header, http.NoBody, func(response *http.Response) error {
		maxAge = ageOf(response.Header)
		body, err = f.read(response)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return body, maxAge, nil
}

// ask carries out one request under all guards, and lets read see the answer.
func (f *Fetcher) ask(ctx context.Context, method, rawURL string, header http.Header, body io.Reader, read func(*http.Response) error) error {
	client, err := f.clientFor(rawURL)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.options.Timeout)
	defer cancel()
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
	case <-ctx.Done():
		return unavailable(rawURL, ctx.Err())
	}
	request, err := http.NewRequestWithContext(ctx, method, rawURL, body)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "is not a URL that can be asked")
	}
	header.Set("User-Agent", "signet")
	request.Header = header
	response, err := client.Do(request)
	if err != nil {
		if errors.Is(err, errAddress) {
			return fault.Wrap(fault.Denied, err, "what is asked for is at an address that may not be asked")
		}
		return unavailable(rawURL, err)
	}
	defer response.Body.Close()
	if err := read(response); err != nil {
		return unavailable(rawURL, err)
	}
	return nil
}

// clientFor judges the form of the URL, and chooses the client of its scheme.
func (f *Fetcher) clientFor(rawURL string) (*http.Client, error) {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil || len(rawURL) > maxURL || u.Hostname() == "" || u.Opaque != "":
		return nil, fault.New(fault.Invalid, "is not a URL that can be asked")
	case u.User != nil || u.Fragment != "":
		return nil, fault.New(fault.Invalid, "a URL to ask has no user name, password or fragment")
	case u.Scheme == "https":
		return f.https, nil
	case u.Scheme == "http" && f.http != nil:
		return f.http, nil
	}
	return nil, fault.New(fault.Invalid, "only an https URL is asked")
}

func (f *Fetcher) read(response *http.Response) ([]byte, error) {
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", response.Status)
	}
	if kind := response.Header.Get("Content-Type"); !isJSON(kind) {
		return nil, fmt.Errorf("the answer is %q, not JSON", kind)
	}
	if response.ContentLength > f.options.MaxBytes {
		return nil, fmt.Errorf("the answer has %d bytes, at most %d are read", response.ContentLength, f.options.MaxBytes)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, f.options.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if int64(len(body)) > f.options.MaxBytes {
		return nil, fmt.Errorf("the answer has more than %d bytes", f.options.MaxBytes)
	}
	return body, nil
}

// isJSON admits application/json and what is built on it (RFC 6839 §3.1), such as
// application/jwk-set+json. Anything else is a page that was not meant for us.
func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" ||
		strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"))
}

// ageOf reads Cache-Control (RFC 9111 §5.2.2).
func ageOf(h http.Header) time.Duration {
	age := time.Duration(0)
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return 0
			}
			age = min(time.Duration(seconds)*time.Second, longestAge)
		}
	}
	return age
}

func unavailable(rawURL string, cause error) error {
	return fault.Wrap(fault.Unavailable, fmt.Errorf("asking %s: %w", rawURL, cause), "nothing of use came from there")
}
