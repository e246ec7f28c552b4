package discovery

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/cors"
)

// document is one version of a document and its headers, ready to be sent. All
// answers share it, so nobody may change it; net/http and Echo only read.
//
// With those of httpd an answer has eight headers. A ninth would make Go's maps
// grow twice per request, here and where net/http copies them, which costs more
// than the rest: so the length is left to net/http.
type document struct {
	body []byte
	etag string

	contentType, tag, cached []string
}

func newDocument(body []byte, etag, contentType string, maxAge time.Duration) *document {
	return &document{
		body: body, etag: etag,
		contentType: []string{contentType},
		tag:         []string{etag},
		cached:      []string{"public, max-age=" + strconv.Itoa(int(maxAge/time.Second))},
	}
}

// answer writes the document, or 304 to whoever has it (RFC 9110 §13.1.2). The
// names are in net/http's spelling, which spares it from correcting them.
func (d *document) answer(c echo.Context) error {
	w := c.Response()
	h := w.Header()
	h["Cache-Control"], h["Etag"] = d.cached, d.tag
	if match := c.Request().Header.Get("If-None-Match"); match != "" && strings.Contains(match, d.etag) {
		return c.NoContent(http.StatusNotModified)
	}
	h["Content-Type"] = d.contentType
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(d.body)
	return err
}

// anyone lets pages of any origin read an answer: there are no credentials that
// could be abused.
func anyone(next echo.HandlerFunc) echo.HandlerFunc {
	policy := cors.New([]string{http.MethodGet})
	return func(c echo.Context) error {
		if policy.Answer(c.Response().Header(), c.Request()) {
			return c.NoContent(http.StatusNoContent)
		}
		return next(c)
	}
}
