// Package statuslist answers whoever wants to know which tokens have ended: the
// lists (IETF Token Status List), where they are, and the stream.
//
//	GET /status         the URIs of all lists (§9.3, aggregation)
//	GET /status/{n}     a signed list; any cache may keep it for its ttl
//	GET /status/stream  server-sent events, each signed, until somebody leaves
//
// Everything is public, like the JWKS: positions and times, no identities. It
// signs nothing and holds no list: package status does.
package statuslist

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/status"
)

// Handler answers for one issuer.
type Handler struct {
	Board *status.Board
	Hub   *status.Hub

	ready shelf
}

// Mount adds the routes below the issuer's path.
func (h *Handler) Mount(g *echo.Group) {
	methods := []string{http.MethodGet, http.MethodOptions}
	g.Match(methods, slot.Path, anyone(h.lists))
	g.Match(methods, slot.Path+"/stream", anyone(h.stream))
	g.Match(methods, slot.Path+"/:list", anyone(h.list))
}

// anyone lets pages of any origin read the answers: there are no credentials that
// could be abused. It says so to everybody, asked or not, so that a cache need
// not tell origins apart.
func anyone(next echo.HandlerFunc) echo.HandlerFunc {
	allowed := []string{"*"} // shared by all answers, and changed by none
	return func(c echo.Context) error {
		h := c.Response().Header()
		h[echo.HeaderAccessControlAllowOrigin] = allowed
		if c.Request().Method != http.MethodOptions {
			return next(c)
		}
		h.Set(echo.HeaderAccessControlAllowMethods, "GET, HEAD")
		h.Set(echo.HeaderAccessControlAllowHeaders, "Cache-Control, If-None-Match, Last-Event-ID")
		h.Set(echo.HeaderAccessControlMaxAge, "86400")
		return c.NoContent(http.StatusNoContent)
	}
}

func (h *Handler) lists(c echo.Context) error {
	// A list may begin at any time, and whoever asks wants all of them.
	c.Response().Header().Set(echo.HeaderCacheControl, "no-cache")
	return c.JSON(http.StatusOK, struct {
		Lists []string `json:"status_lists"`
	}{h.Board.Lists()})
}

func (h *Handler) list(c echo.Context) error {
	name := c.Param("list")
	number, err := strconv.ParseUint(name, 10, 64)
	if err != nil || strconv.FormatUint(number, 10) != name {
		return fault.New(fault.NotFound, "a status list has a number")
	}
	p, err := h.Board.List(c.Request().Context(), number)
	if err != nil {
		return err
	}
	return h.ready.of(number, p, h.Board.TTL()).write(c)
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3).
func acceptsGzip(values []string) bool {
	for _, value := range values {
		for coding := range strings.SplitSeq(value, ",") {
			name, params, _ := strings.Cut(coding, ";")
			if name = strings.ToLower(strings.TrimSpace(name)); name != "gzip" && name != "x-gzip" {
				continue
			}
			if params == "" {
				return true
			}
			key, weight, _ := strings.Cut(params, "=")
			q, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
			return strings.ToLower(strings.TrimSpace(key)) != "q" || err == nil && q > 0
		}
	}
	return false
}

// has reads If-None-Match: the comparison is weak, and either representation will
// do, since whoever holds one has what the other says (RFC 9110 §13.1.2).
func has(values []string, etag string) bool {
	for _, value := range values {
		for tag := range strings.SplitSeq(value, ",") {
			tag = strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`)
			if tag == etag || tag == etag+"-gzip" || tag == "*" {
				return true
			}
		}
	}
	return false
}

// stream gives the connection away to the hub when it can (HTTP/1.1), and else
// stays (HTTP/2).
func (h *Handler) stream(c echo.Context) error {
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, "text/event-stream")
	header.Set(echo.HeaderCacheControl, "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would keep messages until it has a page of them
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	from, _ := netip.ParseAddr(c.RealIP()) // whoever has none shares the limit of all who have none
	l, err := h.Hub.Join(c.Request().Context(), from, c.Request().Header.Get("Last-Event-ID"))
	if err != nil {
		header.Del("X-Accel-Buffering")
		return err
	}
	if c.Request().ProtoMajor == 1 {
		return detach(c, l)
	}
	return remain(c, l)
}
