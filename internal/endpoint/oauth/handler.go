package oauth

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/labstack/echo/v4"
	"github.com/ory/fosite"

	"github.com/signet-id/signet/internal/assertion"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/cors"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/refusal"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/internal/visitor"
)

// RefreshPolicy says how long an unused refresh token lives, and how long a
// rotated one may be repeated with the same answer.
type RefreshPolicy struct{ Lifetime, Window time.Duration }

// Handler answers the authorization server's endpoints. Make it with New.
type Handler struct {
	Options
	provider *fosite.Fosite
	judged   *lru.Cache[string, struct{}] // what the provider found good
}

// Options are what the endpoints need.
type Options struct {
	Issuer     string
	Base       string // the issuer's path, "" for none
	Door       visitor.Door
	Seal       *seal.Ring
	Clients    *client.Directory
	Assertions *assertion.Authenticator
	Mint       *token.Mint
	Refresh    RefreshPolicy
	Pages      *pages.Pages
	Log        *slog.Logger
	Refusals   *refusal.Log
	// Candid shows developers on error pages what was registered against what was
	// sent: for a loopback issuer only.
	Candid bool
	// Take gives a fresh slot to a token of the client, and says how long tokens may
	// be issued on it; HasEnded reports whether a slot's bit is set, or fails when
	// that can't be known.
	Take     func(ctx context.Context, clientID string) (slot.Slot, time.Time, error)
	HasEnded func(slot.Slot) (bool, error)
	// Count is told of each token request: its grant type, and "ok" or the error
	// code. Both come from closed lists.
	Count func(grantType, outcome string)
}

// New composes the handler and the fosite provider behind it.
func New(o Options) (*Handler, error) {
	judged, err := lru.New[string, struct{}](maxJudged)
	if err != nil {
		return nil, fmt.Errorf("making the memory of judged requests: %w", err)
	}
	return &Handler{Options: o, provider: newProvider(), judged: judged}, nil
}

// Mount adds the endpoints under the issuer's path.
func (h *Handler) Mount(g *echo.Group) {
	g.GET("/authorize", h.authorize)
	g.POST("/authorize", h.authorize)
	g.GET("/authorize/resume", h.resume)
	g.POST("/introspect", h.introspect)
	// A browser app gets and revokes its tokens from its own origin. It sends no
	// cookie, so any origin may: the code and its verifier are the proof.
	anyone := cors.New([]string{http.MethodPost}, "Authorization", "Content-Type")
	fromAnywhere := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if anyone.Answer(c.Response().Header(), c.Request()) {
				return c.NoContent(http.StatusNoContent)
			}
			return next(c)
		}
	}
	methods := []string{http.MethodPost, http.MethodOptions}
	g.Match(methods, "/token", fromAnywhere(h.token))
	g.Match(methods, "/revoke", fromAnywhere(h.revoke))
}
