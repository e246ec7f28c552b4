package telemetry

import (
	"context"
	"log/slog"
)

// named is a context with the id of its request. Every request has one, and this
// is one allocation where context.WithValue needs two: one more to box the id.
type named struct {
	context.Context
	id string
}

type requestKey struct{}

// Value answers with the context itself where the id is asked for.
func (n *named) Value(key any) any {
	if key == (requestKey{}) {
		return n
	}
	return n.Context.Value(key)
}

// WithRequestID returns a context whose log lines carry id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return &named{ctx, id}
}

// RequestID is the id that WithRequestID put into ctx, or "".
func RequestID(ctx context.Context) string {
	if n, ok := ctx.Value(requestKey{}).(*named); ok {
		return n.id
	}
	return ""
}

func newHandler(o Options) slog.Handler {
	opts := &slog.HandlerOptions{Level: o.Level}
	if o.Format == "text" {
		return requestHandler{slog.NewTextHandler(o.Writer, opts)}
	}
	return requestHandler{slog.NewJSONHandler(o.Writer, opts)}
}

// requestHandler adds the request id of a line's context, so that nobody needs
// to carry a logger through the house.
type requestHandler struct{ slog.Handler }

func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestID(ctx); id != "" {
		r = r.Clone() // other handlers may share its attributes
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}
