package app

import (
	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/status"
	"github.com/signet-id/signet/internal/telemetry"
)

// counters are what the endpoints count for those who watch the server.
type counters struct {
	token  func(grantType, outcome string)
	signIn func(outcome string)
}

func (a *App) newCounters() counters {
	registry := a.Telemetry.Registry()
	tokens := telemetry.NewCounter(registry, "signet_token_requests_total", "Token requests, by how they ended.", "grant", "outcome")
	signIns := telemetry.NewCounter(registry, "signet_sign_ins_total", "Attempts to sign in, by how they ended.", "outcome")
	return counters{
		token:  func(grantType, outcome string) { tokens.WithLabelValues(grantType, outcome).Inc() },
		signIn: func(outcome string) { signIns.WithLabelValues(outcome).Inc() },
	}
}

// endingCounters are what is counted on the way from an ending to those who are
// told.
type endingCounters struct {
	status status.Count
	call   func(outcome string)
}

func (a *App) newEndingCounters() endingCounters {
	registry := a.Telemetry.Registry()
	listeners := telemetry.NewGauge(registry, "signet_stream_listeners", "Services that follow the stream of endings on this node.")
	messages := telemetry.NewCounter(registry, "signet_stream_messages_total", "Messages of the stream that were signed, by kind.", "event")
	left := telemetry.NewCounter(registry, "signet_stream_left_total", "Listeners that left the stream, by why.", "reason")
	lists := telemetry.NewCounter(registry, "signet_status_lists_signed_total", "Status lists that were signed.")
	calls := telemetry.NewCounter(registry, "signet_logout_calls_total", "Back-channel logout calls, by how they ended.", "outcome")
	for _, outcome := range outbox.Outcomes() {
		calls.WithLabelValues(outcome)
	}
	return endingCounters{
		status: status.Count{
			Listeners: func(now int) { listeners.WithLabelValues().Set(float64(now)) },
			Message:   func(event string) { messages.WithLabelValues(event).Inc() },
			Left:      func(reason string) { left.WithLabelValues(reason).Inc() },
			List:      func() { lists.WithLabelValues().Inc() },
		},
		call: func(outcome string) { calls.WithLabelValues(outcome).Inc() },
	}
}
