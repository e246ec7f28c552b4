package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/visitor"
)

// sessions are all that the visitor has, this browser's first and then the one
// that was seen last. What can't be read stands for nobody, and is no session.
func (h *Handler) sessions(ctx context.Context, v *visitor.Visitor) ([]session.Session, error) {
	var out []session.Session
	for after := ""; ; {
		recs, err := h.Door.Store.List(ctx, session.Prefix(v.User.Subject), after, store.MaxList)
		if err != nil {
			return nil, fmt.Errorf("listing sessions: %w", err)
		}
		for _, r := range recs {
			after = r.Key
			if s, err := session.Decode(r); err == nil && visitor.Stands(s, v.User) {
				out = append(out, s)
			}
		}
		if len(recs) < store.MaxList {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b session.Session) int {
		switch v.Session.ID {
		case a.ID:
			return -1
		case b.ID:
			return 1
		}
		return b.Seen.Compare(a.Seen)
	})
	return out, nil
}

// maxSeats is how many sessions the page shows; beyond it, a person wants the
// button that ends all others.
const maxSeats = 100

func (h *Handler) seats(ctx context.Context, v *visitor.Visitor) ([]pages.Seat, error) {
	all, err := h.sessions(ctx, v)
	if err != nil {
		return nil, err
	}
	var out []pages.Seat
	for _, s := range all[:min(len(all), maxSeats)] {
		seat := pages.Seat{
			ID: s.ID, Here: s.ID == v.Session.ID, Address: s.Address,
			Device: pages.Device(s.Agent), Handheld: pages.Handheld(s.Agent),
			Since: pages.Day(s.Created), Seen: pages.Lately(s.Seen, time.Now()),
		}
		for _, id := range s.Clients {
			if c, known := h.Clients.Find(id); known { // one that was removed is nobody's to name
				seat.Clients = append(seat.Clients, c.Name())
			}
		}
		out = append(out, seat)
	}
	return out, nil
}

// endSession ends one other session. One that has ended meanwhile is no error:
// that is what was asked for.
func (h *Handler) endSession(c echo.Context) error {
	return h.end(c, func(ctx context.Context, v *visitor.Visitor) error {
		sid := c.Request().PostFormValue("sid")
		// The name becomes part of a key: only what names a session may.
		if _, ok := ident.Decode(sid); !ok {
			return fault.New(fault.Invalid, "This is not the name of a session. Open your account again.").On("sid")
		}
		if sid == v.Session.ID {
			return fault.New(fault.Invalid, "This is the session of this browser. To end it, sign out.").On("sid")
		}
		return h.Door.Ended.Session(ctx, v.User.Subject, sid, ended.ByAccountPage)
	})
}

func (h *Handler) endOthers(c echo.Context) error {
	return h.end(c, func(ctx context.Context, v *visitor.Visitor) error {
		all, err := h.sessions(ctx, v)
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.ID == v.Session.ID {
				continue
			}
			if err := h.Door.Ended.Session(ctx, v.User.Subject, s.ID, ended.ByAccountPage); err != nil {
				return err
			}
		}
		return nil
	})
}
