// Package contact tells whoever finds a flaw whom to write to (RFC 9116).
//
//	security.contact ──▶ GET /.well-known/security.txt
//
// It says what the operator configured and nothing of its own: without a contact
// there is no document, and the address answers 404.
package contact

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Handler answers the document.
type Handler struct {
	Origin  string // of the issuer, such as https://id.example.com
	Contact string // a mailto: or https: address, or "" for no document
}

const (
	path = "/.well-known/security.txt"
	// good is how long the document may be believed. RFC 9116 §2.5.5 recommends
	// less than a year; it is written anew each day, so half a year is plenty.
	good = 180 * 24 * time.Hour
)

// Mount adds the document at root, the host's own path (RFC 9116 §3).
func (h *Handler) Mount(root *echo.Group) {
	if h.Contact != "" {
		root.GET(path, h.tell)
	}
}

func (h *Handler) tell(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "public, max-age=3600")
	return c.Blob(http.StatusOK, "text/plain; charset=utf-8", []byte(h.document(time.Now())))
}

// document is the same for a whole day, so that caches and checksums agree.
func (h *Handler) document(now time.Time) string {
	expires := now.UTC().Truncate(24 * time.Hour).Add(good)
	var b strings.Builder
	for _, field := range [][2]string{
		{"Contact", h.Contact},
		{"Expires", expires.Format(time.RFC3339)},
		{"Preferred-Languages", "en"},
		{"Canonical", h.Origin + path},
	} {
		fmt.Fprintf(&b, "%s: %s\n", field[0], field[1])
	}
	return b.String()
}
