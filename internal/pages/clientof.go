package pages

import "net/url"

// ClientOf describes a client to a page; destination is where the browser will
// go afterwards, of which people are shown the host.
func ClientOf(name, logo, policy, terms, destination string) *Client {
	c := &Client{Name: name, LogoURI: logo, PolicyURI: policy, TermsURI: terms}
	if u, err := url.Parse(destination); err == nil {
		c.Host = u.Host
	}
	return c
}
