package statuslist

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/status"
)

// ready is one version of a list with its headers, as they are sent. All answers
// share it, so nobody may change it; net/http and Echo only read.
type ready struct {
	list        *status.Published
	plain, gzip representation

	contentType, coding, vary, cached []string
}

// representation is a list in one coding.
type representation struct {
	body        []byte
	tag, length []string
}

func newReady(p *status.Published, ttl time.Duration) *ready {
	return &ready{
		list:  p,
		plain: newRepresentation(p.JWT, `"`+p.ETag+`"`),
		// Another representation, so another tag (RFC 9110 §8.8.3).
		gzip:        newRepresentation(p.Gzip, `"`+p.ETag+`-gzip"`),
		contentType: []string{"application/" + status.TypeList},
		coding:      []string{"gzip"},
		vary:        []string{echo.HeaderAcceptEncoding},
		cached:      []string{"public, max-age=" + strconv.Itoa(int(ttl/time.Second))},
	}
}

func newRepresentation(body []byte, etag string) representation {
	return representation{body, []string{etag}, []string{strconv.Itoa(len(body))}}
}

// write sends the representation that was asked for, or 304 to whoever has one.
// The names are in net/http's spelling, which spares it from correcting them.
func (a *ready) write(c echo.Context) error {
	w, request := c.Response(), c.Request().Header
	h, sent := w.Header(), &a.plain
	zipped := acceptsGzip(request[echo.HeaderAcceptEncoding])
	if zipped {
		sent = &a.gzip
	}
	h["Vary"], h["Cache-Control"], h["Etag"] = a.vary, a.cached, sent.tag
	if has(request["If-None-Match"], a.list.ETag) {
		return c.NoContent(http.StatusNotModified)
	}
	if zipped {
		h["Content-Encoding"] = a.coding
	}
	h["Content-Type"], h["Content-Length"] = a.contentType, sent.length
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(sent.body)
	return err
}

// shelf keeps the newest version of some lists ready. A list has one place, which
// it shares with the lists whose number ends alike: so it stays small however
// many lists come and go, and those that exist together seldom meet.
type shelf [16]atomic.Pointer[ready]

// of finds p ready, or makes it so. That two might make it at once is harmless.
func (s *shelf) of(number uint64, p *status.Published, ttl time.Duration) *ready {
	place := &s[number%uint64(len(s))]
	if a := place.Load(); a != nil && a.list == p {
		return a
	}
	a := newReady(p, ttl)
	place.Store(a)
	return a
}
