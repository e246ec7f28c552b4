package adminapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// What a command needs to copy or check the store of a server that holds it alone:
// the contract's reads, its Watch as a stream, and the marks of whoever copies.
func (h *handler) mountStore(e *echo.Echo) {
	e.GET("/store/records", h.listRecords)
	e.GET("/store/changes", h.streamChanges)
	e.POST("/store/get", h.getRecords)
	e.POST("/store/mark", h.markRecords)
}

// listRecords answers a line per record: a page may hold more than one wants to
// have in memory twice.
func (h *handler) listRecords(c echo.Context) error {
	limit, err := pageSize(c)
	if err != nil {
		return err
	}
	var at [2]string
	for i, name := range []string{"prefix", "after"} {
		raw, err := base64.RawURLEncoding.DecodeString(c.QueryParam(name))
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "must be base64url").On(name)
		}
		at[i] = string(raw)
	}
	records, err := h.operator.ListRecords(c.Request().Context(), at[0], at[1], limit)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(beginLines(c))
	for _, r := range records {
		if err := lines.Encode(admin.ViewRecord(r)); err != nil {
			return fmt.Errorf("answering: %w", err)
		}
	}
	return nil
}

func beginLines(c echo.Context) *echo.Response {
	w := c.Response()
	w.Header().Set(echo.HeaderContentType, "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	return w
}

// streamChanges answers an empty line once nothing can be missed any more, and
// then a line per change, until whoever asked leaves. When the store loses the
// thread, or the server stops, the answer is cut off.
func (h *handler) streamChanges(c echo.Context) error {
	watch, err := h.operator.WatchRecords(c.Request().Context())
	if err != nil {
		return err
	}
	w := beginLines(c)
	if _, err := w.Write([]byte("\n")); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	w.Flush()
	lines := json.NewEncoder(w)
	for {
		select {
		case e, more := <-watch.Events():
			if !more {
				panic(http.ErrAbortHandler) // an end must not look like one that was meant
			}
			if err := lines.Encode(admin.ViewEvent(e)); err != nil {
				return fmt.Errorf("answering: %w", err)
			}
			if len(watch.Events()) == 0 {
				w.Flush()
			}
		case <-h.operator.Stopping:
			panic(http.ErrAbortHandler)
		}
	}
}

func (h *handler) getRecords(c echo.Context) error {
	var asked struct {
		Keys [][]byte `json:"keys"`
	}
	if err := read(c, &asked); err != nil {
		return err
	}
	keys := make([]string, len(asked.Keys))
	for i, key := range asked.Keys {
		keys[i] = string(key)
	}
	records, err := h.operator.GetRecords(c.Request().Context(), keys...)
	views := make([]admin.RecordView, len(records))
	for i, r := range records {
		views[i] = admin.ViewRecord(r)
	}
	return answer(c, map[string]any{"records": views}, err)
}

func (h *handler) markRecords(c echo.Context) error {
	var asked struct {
		Ops []admin.RecordView `json:"ops"`
	}
	if err := read(c, &asked); err != nil {
		return err
	}
	ops := make([]store.Op, len(asked.Ops))
	for i, o := range asked.Ops {
		ops[i] = store.Put(string(o.Key), o.Value).Until(o.Expires)
		if o.Deleted {
			ops[i] = store.Delete(string(o.Key))
		}
	}
	v, err := h.operator.MarkRecords(c.Request().Context(), ops...)
	return answer(c, map[string]store.Version{"version": v}, err)
}
