package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// listing is the API's answer.
type listing struct {
	Service string   `json:"service"`
	AskedBy asker    `json:"asked_by"`
	Records []record `json:"records"`
}

// asker is who asks: the person, and the client through which they do.
type asker struct {
	Subject  string `json:"sub"`
	ClientID string `json:"client_id"`
}

// list answers the API. Who comes here has a token that verify let through.
func (d *desk) list(w http.ResponseWriter, r *http.Request) {
	token, _ := verify.FromContext(r.Context())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	err := json.NewEncoder(w).Encode(listing{
		Service: d.Name, AskedBy: asker{Subject: token.Subject(), ClientID: token.ClientID()}, Records: d.stock.Records,
	})
	if err != nil { // the caller has gone
		d.log.InfoContext(r.Context(), "answering the API", slog.Any("error", err))
	}
}

// answer is what the peer said.
type answer struct {
	Request   string // what was asked, as one would write it
	Status    string
	Code      int
	Good      bool
	Challenge string // WWW-Authenticate, if it refused
	Body      string
	Took      time.Duration
}

// maxAnswer is more than a peer in its right mind sends.
const maxAnswer = 64 << 10

// askPeer calls the peer's API from this server with the person's token, which
// was issued for both services.
func (d *desk) askPeer(ctx context.Context, token string) (answer, error) {
	address := d.PeerURL + "/api/" + d.PeerName
	out := answer{Request: "GET " + address}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return out, fmt.Errorf("asking %s: %w", d.PeerName, err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "application/json")
	started := time.Now()
	response, err := d.client.Do(r)
	if err != nil {
		return out, &failure{
			status: http.StatusBadGateway, title: title(d.PeerName) + " does not answer", cause: err,
			message: "The service at " + d.PeerURL + " can’t be reached at the moment. Try again shortly.",
		}
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return out, fmt.Errorf("reading the answer of %s: %w", d.PeerName, err)
	}
	out.Took = time.Since(started)
	out.Status, out.Code, out.Good = response.Status, response.StatusCode, response.StatusCode == http.StatusOK
	out.Challenge, out.Body = response.Header.Get("WWW-Authenticate"), pretty(body)
	return out, nil
}

// pretty indents JSON and leaves anything else as it is.
func pretty(body []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		return string(body)
	}
	return out.String()
}
