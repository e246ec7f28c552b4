package statuslist_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/endpoint/statuslist"
	"github.com/signet-id/signet/internal/httpd"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/status"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
	"github.com/signet-id/signet/internal/telemetry"
)

const issuer = "https://id.example.com"

// server is the endpoint behind the real server's middleware, on loopback.
type server struct {
	*status.Status
	address string
	store   store.Store
	stop    func() // and wait until it has
}

func sign(_ context.Context, typ string, claims []byte) (string, error) {
	return base64.RawURLEncoding.EncodeToString([]byte(typ)) + "." + base64.RawURLEncoding.EncodeToString(claims) + ".x", nil
}

func serve(t testing.TB, change func(*status.Options), certificate httpd.TLS) *server {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	clients, err := client.Open(context.Background(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clients.Create(context.Background(), client.Client{ID: "robot", Audience: []string{"https://a.example.com"}}); err != nil {
		t.Fatal(err)
	}
	o := status.Options{Store: s, Clients: clients, Sign: sign, Issuer: issuer, Lifetime: 10 * time.Minute, Keep: 30 * time.Minute}
	if change != nil {
		change(&o)
	}
	st, err := status.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	log := t.Output()
	if _, ok := t.(*testing.B); ok {
		log = io.Discard // a line per listener
	}
	web, err := httpd.New(httpd.Options{
		Address: "127.0.0.1:0", TLS: certificate, HTTPS: true, Timeout: time.Second,
		Telemetry: telemetry.New(telemetry.Options{Writer: log}),
	})
	if err != nil {
		t.Fatal(err)
	}
	(&statuslist.Handler{Board: st.Board, Hub: st.Hub}).Mount(web.Echo().Group(""))
	address, err := web.Listen(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served, made := make(chan error, 1), make(chan error, 1)
	go func() { served <- web.Serve(ctx) }()
	go func() { made <- st.Run(context.Background(), web.Stopping()) }()
	stopped := false
	srv := &server{Status: st, address: address.String(), store: s, stop: func() {
		if !stopped {
			stopped = true
			cancel()
			if err := errors.Join(<-served, <-made); err != nil {
				t.Errorf("stopping: %v", err)
			}
		}
	}}
	t.Cleanup(func() { srv.stop(); st.Close(); clients.Close(); s.Close() })
	return srv
}

func (s *server) take(t testing.TB) slot.Slot {
	t.Helper()
	at, _, err := s.Slots.Take(context.Background(), "robot")
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func (s *server) end(t testing.TB, at slot.Slot) store.Version {
	t.Helper()
	e := ended.Ending{Time: time.Now(), Kind: ended.KindToken, Slots: []slot.Range{slot.Only(at)}}
	value, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.store.Commit(context.Background(),
		store.Put(fmt.Sprintf("ended/%012x-%s", e.Time.UnixMilli(), ident.New()), value).Until(time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// get asks without the transport's own compression.
func (s *server) get(t testing.TB, method, path string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	c := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// listener is a connection that speaks HTTP/1.1 by hand.
type listener struct {
	net.Conn
	r *bufio.Reader
}

func (l listener) within(t testing.TB, d time.Duration) {
	t.Helper()
	if err := l.SetDeadline(time.Now().Add(d)); err != nil {
		t.Fatal(err)
	}
}

func (s *server) listen(t testing.TB, config *tls.Config) listener {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		conn = tls.Client(conn, config)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprint(conn, "GET /status/stream HTTP/1.1\r\nHost: id.example.com\r\n\r\n")
	return listener{conn, bufio.NewReader(conn)}
}

// event reads up to the next message and returns its event and payload.
func event(t testing.TB, r *bufio.Reader) (name, claims string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("reading the stream: %v", err)
		}
		line = strings.TrimSpace(line)
		if after, ok := strings.CutPrefix(line, "event: "); ok {
			name = after
		}
		if after, ok := strings.CutPrefix(line, "data: "); ok {
			raw, err := base64.RawURLEncoding.DecodeString(strings.Split(after, ".")[1])
			if err != nil {
				t.Fatal(err)
			}
			return name, string(raw)
		}
	}
}
