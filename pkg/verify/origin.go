package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	fetchTimeout    = 10 * time.Second // for one whole attempt
	maxDocument     = 1 << 20          // bytes of a discovery document or JWKS
	rediscoverAfter = 24 * time.Hour   // an issuer seldom moves its JWKS
	minFresh        = time.Minute      // what Cache-Control may ask for,
	maxFresh        = 24 * time.Hour   // at least and at most,
	defaultFresh    = 10 * time.Minute // and what its absence means
)

// origin is where the keys come from: the issuer's discovery document and its
// JWKS, over HTTP. It remembers what makes the next request cheap. It belongs
// to the follower's goroutine alone and needs no lock.
type origin struct {
	issuer string
	client *http.Client

	jwksURI    string
	discovered time.Time
	etag       string
	document   []byte // what etag stands for
	revalidate bool   // the next fetch of the keys passes by every cache
	endpoints  *endpoints
}

// answer is what one attempt brought home.
type answer struct {
	document []byte        // the JWKS; the same bytes as before when nothing changed
	changed  bool          // whether they differ from the last attempt's
	fresh    time.Duration // how long the issuer wants them believed
}

// fetch asks the issuer once. A failure makes the next attempt start over at
// discovery, in case the JWKS has moved.
func (o *origin) fetch(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	if o.jwksURI == "" || time.Since(o.discovered) >= rediscoverAfter {
		if err := o.discover(ctx); err != nil {
			return answer{}, fmt.Errorf("discovering %s: %w", o.issuer, err)
		}
	}
	a, err := o.fetchKeys(ctx)
	if err != nil {
		err = fmt.Errorf("fetching %s: %w", o.jwksURI, err)
		o.jwksURI, o.etag = "", ""
	}
	return a, err
}

// discover reads the issuer's metadata (OpenID Connect Discovery §4).
func (o *origin) discover(ctx context.Context) error {
	address := strings.TrimSuffix(o.issuer, "/") + "/.well-known/openid-configuration"
	resp, body, err := get(ctx, o.client, address, http.Header{"Accept": {"application/json"}})
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %d", resp.StatusCode)
	}
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
		Lists   string `json:"status_list_aggregation_endpoint"`
		Stream  string `json:"status_stream_endpoint"`
	}
	if err := json.Unmarshal(body, &metadata); err != nil {
		return fmt.Errorf("reading the metadata: %w", err)
	}
	// §4.3: identical, or a document of one issuer could be served for another.
	if metadata.Issuer != o.issuer {
		return fmt.Errorf("it calls itself %q", metadata.Issuer)
	}
	if err := o.checkPlace(metadata.JWKSURI); err != nil {
		return fmt.Errorf("its jwks_uri: %w", err)
	}
	if err := errors.Join(o.checkOptional(metadata.Lists), o.checkOptional(metadata.Stream)); err != nil {
		return fmt.Errorf("where it tells of endings: %w", err)
	}
	o.endpoints = &endpoints{aggregation: metadata.Lists, stream: metadata.Stream}
	if metadata.JWKSURI != o.jwksURI {
		o.etag = "" // it belonged to another document
	}
	o.jwksURI, o.discovered = metadata.JWKSURI, time.Now()
	return nil
}

// checkPlace judges a URL that the metadata name.
func (o *origin) checkPlace(address string) error {
	if err := checkURL(address); err != nil {
		return err
	}
	if strings.HasPrefix(o.issuer, "https:") && !strings.HasPrefix(address, "https:") {
		return fmt.Errorf("%q is not https, as the issuer is itself", address)
	}
	return nil
}

func (o *origin) checkOptional(address string) error {
	if address == "" {
		return nil
	}
	return o.checkPlace(address)
}

func (o *origin) fetchKeys(ctx context.Context) (answer, error) {
	header := http.Header{"Accept": {"application/json"}}
	if o.etag != "" {
		header.Set("If-None-Match", o.etag)
	}
	if o.revalidate {
		header.Set("Cache-Control", "no-cache")
	}
	resp, body, err := get(ctx, o.client, o.jwksURI, header)
	if err != nil {
		return answer{}, err
	}
	fresh := freshness(resp.Header)
	switch {
	case resp.StatusCode == http.StatusNotModified && o.etag != "":
		o.revalidate = false
		return answer{document: o.document, fresh: fresh}, nil
	case resp.StatusCode != http.StatusOK:
		return answer{}, fmt.Errorf("it answered %d", resp.StatusCode)
	}
	changed := string(body) != string(o.document)
	o.document, o.etag = body, resp.Header.Get("ETag")
	o.revalidate = false
	return answer{document: body, changed: changed, fresh: fresh}, nil
}

// get asks for one document.
func get(ctx context.Context, client *http.Client, address string, header http.Header) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err // a *url.Error, which says method and address itself
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) > maxDocument {
		return nil, nil, fmt.Errorf("the answer exceeds %d bytes", maxDocument)
	}
	return resp, body, nil
}

// freshness reads how much longer a response may be believed (RFC 9111 §4.2),
// bounded on both sides: no header makes every token cost a fetch, and none
// keeps a removed key alive for weeks.
func freshness(h http.Header) time.Duration {
	fresh := defaultFresh
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return minFresh
		case "max-age":
			seconds, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32)
			if err != nil {
				return minFresh // RFC 9111 §4.2.1: nonsense is to be taken as stale
			}
			fresh = time.Duration(seconds) * time.Second
		}
	}
	if age, err := strconv.ParseInt(h.Get("Age"), 10, 32); err == nil && age > 0 {
		fresh -= time.Duration(age) * time.Second
	}
	return min(max(fresh, minFresh), maxFresh)
}

// sameOrigin follows a redirect within the host that was asked, and no other:
// the host's name is what the trust in its keys rests on.
func sameOrigin(req *http.Request, via []*http.Request) error {
	if len(via) > 3 {
		return errors.New("too many redirects")
	}
	if first := via[0].URL; req.URL.Scheme != first.Scheme || req.URL.Host != first.Host {
		return fmt.Errorf("it redirects away from its host, to %s", req.URL.Host)
	}
	return nil
}

// checkURL demands https, or http to this very machine, where nobody listens in.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Errorf("reading the URL: %w", err)
	}
	switch {
	case u.Host == "" || u.Hostname() == "":
		return fmt.Errorf("%q is not an absolute URL", s)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return fmt.Errorf("%q must be https (http is for loopback addresses)", s)
	case u.User != nil || u.Fragment != "":
		return fmt.Errorf("%q must not have user info or a fragment", s)
	}
	return nil
}
