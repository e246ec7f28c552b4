package oauth

import (
	"net/url"
	"regexp"
	"slices"
	"testing"

	"github.com/signet-id/signet/internal/client"
)

func redirectClient(public bool, uris ...string) client.Client {
	return client.Client{ID: "app", Public: public, RedirectURIs: uris}
}

// RFC 9700 §4.1.3: exact string matching.
func TestARedirectURIMatchesByteForByte(t *testing.T) {
	const registered = "https://app.example/cb?tenant=1"
	for _, public := range []bool{false, true} {
		c := redirectClient(public, "https://app.example/other", registered)
		if !matchRedirectURI(c, registered) {
			t.Error("the registered address itself is refused")
		}
		for _, got := range []string{
			"", "https://app.example/cb", registered + "&x=1", registered + "#", registered + "/", registered[:len(registered)-1],
			"https://app.example:443/cb?tenant=1", "https://APP.example/cb?tenant=1", "HTTPS://app.example/cb?tenant=1",
			"http://app.example/cb?tenant=1", "https://app.example.evil/cb?tenant=1", "https://app.example@evil/cb?tenant=1",
			"https://user@app.example/cb?tenant=1", "https://evil/https://app.example/cb?tenant=1", "https://app.example/x/../cb?tenant=1",
			"https://app.example/%63b?tenant=1", "https://app.example//cb?tenant=1", " " + registered, registered + " ", registered + "\n",
			"https://app.example\\@evil/cb?tenant=1", "https://app.example\x00/cb?tenant=1",
		} {
			if matchRedirectURI(c, got) {
				t.Errorf("%q is taken for %q", got, registered)
			}
		}
	}
	if matchRedirectURI(client.Client{Public: true}, "") {
		t.Error("a client that registered nothing may return to nowhere")
	}
}

// RFC 8252 §7.3: a native app learns its port when it starts to listen.
func TestALoopbackLiteralMatchesOnAnyPort(t *testing.T) {
	c := redirectClient(true, "http://127.0.0.1/cb", "http://[::1]:8080/cb?x=1", "http://127.0.0.1:9/")
	for _, got := range []string{
		"http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb",
		"http://[::1]/cb?x=1", "http://[::1]:50000/cb?x=1", "http://127.0.0.1:50000/", "http://127.0.0.1/",
	} {
		if !matchRedirectURI(c, got) {
			t.Errorf("%q is refused", got)
		}
	}
	for _, got := range []string{
		"https://127.0.0.1/cb", "http://127.0.0.1:80@evil/cb", "http://127.0.0.1@evil/cb", "http://user:80@127.0.0.1/cb",
		"http://127.0.0.1.evil/cb", "http://127.0.0.1:80.evil/cb", "http://127.0.0.1:/cb", "http://127.0.0.1:123456/cb",
		"http://127.0.0.1:8a/cb", "http://127.0.0.1:-1/cb", "http://127.0.0.1:80:80/cb", "http://127.0.0.1:80\\@evil/cb",
		"http://127.0.0.1:80", "http://127.0.0.1:80/cb/", "http://127.0.0.1:80/cb?x=1", "http://127.0.0.1:80/cb#x",
		"http://127.0.0.1:80#@evil/cb", "http://127.0.0.2:80/cb", "http://127.1:80/cb", "http://0.0.0.0:80/cb", "http://[::1]:80/cb",
		"http://[::1%25eth0]:80/cb?x=1", "http://localhost:80/cb", "HTTP://127.0.0.1:80/cb", "http://127.0.0.1:80/%63b",
	} {
		if matchRedirectURI(c, got) {
			t.Errorf("%q is taken for a registered loopback address", got)
		}
	}
}

// RFC 8252 §8.3: localhost is a name, and may be made to mean another machine.
func TestLocalhostIsNoLiteralAndKeepsItsPort(t *testing.T) {
	c := redirectClient(true, "http://localhost:3000/cb")
	if !matchRedirectURI(c, "http://localhost:3000/cb") {
		t.Error("the registered address itself is refused")
	}
	for _, got := range []string{"http://localhost:3001/cb", "http://localhost/cb", "http://127.0.0.1:3000/cb"} {
		if matchRedirectURI(c, got) {
			t.Errorf("%q is taken for it", got)
		}
	}
}

// Registration refuses such addresses. Should one get past it, it is no literal.
func TestAnAddressThatOnlyBeginsLikeALiteralKeepsItsPort(t *testing.T) {
	c := redirectClient(true, "http://127.0.0.1.evil/cb", "http://127.0.0.1@evil/cb")
	for _, got := range []string{"http://127.0.0.1:80.evil/cb", "http://127.0.0.1:80@evil/cb"} {
		if matchRedirectURI(c, got) {
			t.Errorf("%q is taken for a loopback address", got)
		}
	}
}

func TestOnlyAPublicClientMayChangeThePort(t *testing.T) {
	c := redirectClient(false, "http://127.0.0.1:3000/cb")
	if !matchRedirectURI(c, "http://127.0.0.1:3000/cb") {
		t.Error("the registered address itself is refused")
	}
	if matchRedirectURI(c, "http://127.0.0.1:3001/cb") {
		t.Error("a web application may return to another port")
	}
}

// Whatever a client sends, it is accepted only if it is byte-identical to a
// registered URI, or differs from a registered loopback literal only in the port.
func FuzzARedirectNeverLeavesWhatWasRegistered(f *testing.F) {
	registered := []string{
		"https://app.example/cb", "https://app.example/cb?tenant=1", "http://127.0.0.1/cb", "http://127.0.0.1:8080/cb?a=b",
		"http://[::1]/", "http://127.0.0.1", "http://localhost:3000/cb", "com.example.app:/cb",
	}
	for _, seed := range append([]string{
		"https://app.example.evil/cb", "https://app.example@evil/cb", "http://127.0.0.1:80@evil/cb", "http://127.0.0.1.evil/cb",
		"http://127.0.0.1:80/cb", "http://127.0.0.1:80", "http://127.0.0.1:80.evil", "http://[::1]:1/", "http://[::1]:1@evil/",
		"http://127.0.0.1:00080/cb", "http://127.0.0.1:80\\@evil/cb", "http://localhost:3001/cb", "http://127.0.0.1:80?@evil/cb", "",
	}, registered...) {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	// An independent reading of "the port": digits between the literal and what
	// ends an authority (RFC 3986 §3.2).
	port := regexp.MustCompile(`^(http://(?:127\.0\.0\.1|\[::1\]))(?::[0-9]{1,5})?((?:[/?].*)?)$`)
	f.Fuzz(func(t *testing.T, got string, public bool) {
		if !matchRedirectURI(redirectClient(public, registered...), got) {
			if slices.Contains(registered, got) {
				t.Errorf("%q is registered and refused", got)
			}
			return
		}
		if slices.Contains(registered, got) {
			return
		}
		differsInPortOnly := slices.ContainsFunc(registered, func(r string) bool {
			return port.MatchString(r) && port.ReplaceAllString(r, "$1$2") == port.ReplaceAllString(got, "$1$2")
		})
		if !public || !port.MatchString(got) || !differsInPortOnly {
			t.Errorf("public %t: %q is accepted", public, got)
		}
		// And as a parser of URLs reads it, it goes to this machine.
		u, err := url.Parse(got)
		if err != nil || u.User != nil || u.Scheme != "http" || (u.Hostname() != "127.0.0.1" && u.Hostname() != "::1") {
			t.Errorf("%q is accepted and goes to %+v, %v", got, u, err)
		}
	})
}
