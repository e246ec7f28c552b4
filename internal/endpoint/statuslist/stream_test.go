package statuslist_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/httpd"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/status"
	"github.com/signet-id/signet/internal/store"
)

// certificate makes files of a certificate for loopback, and the pool that trusts it.
func certificate(t testing.TB) (httpd.TLS, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := httpd.TLS{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for name, block := range map[string]*pem.Block{
		files.Certificate: {Type: "CERTIFICATE", Bytes: der}, files.Key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return files, pool
}

func TestTheStreamSpeaksOverPlainAndTLSConnectionsAndOverHTTP2(t *testing.T) {
	files, pool := certificate(t)
	plain, secure := serve(t, nil, httpd.TLS{}), serve(t, nil, files)
	for name, c := range map[string]struct {
		server *server
		url    string
		h2     bool
	}{
		"HTTP/1.1":          {plain, "http://" + plain.address, false},
		"HTTP/1.1 over TLS": {secure, "https://" + secure.address, false},
		"HTTP/2.0":          {secure, "https://" + secure.address, true},
	} {
		t.Run(name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: c.h2}
			defer transport.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/status/stream", nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK || !strings.HasPrefix(name, res.Proto) {
				t.Errorf("the answer is %s %s", res.Proto, res.Status)
			}
			for header, want := range map[string]string{
				"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
				"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
				"Strict-Transport-Security": "max-age=31536000",
			} {
				if got := res.Header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
			if res.Header.Get("Date") == "" || res.Header.Get("X-Request-Id") == "" {
				t.Errorf("the headers are %v", res.Header)
			}
			r := bufio.NewReader(res.Body)
			if event, claims := event(t, r); event != "hello" || !strings.Contains(claims, `"refetch":true`) {
				t.Errorf("first comes %s %s", event, claims)
			}
			time.Sleep(2500 * time.Millisecond) // the server's deadlines for requests are over
			at := slot.At(7, uint32(len(name)))
			c.server.end(t, at)
			if event, claims := event(t, r); event != "ended" || !strings.Contains(claims, fmt.Sprintf(`"idx":[%d]`, at.Index())) {
				t.Errorf("then comes %s %s", event, claims)
			}
		})
	}
}

func TestAnEndingIsOnTheWireSoonAfterItsCommit(t *testing.T) {
	s := serve(t, nil, httpd.TLS{})
	l := s.listen(t, nil)
	event(t, l.r)
	var all []time.Duration
	for i := range 20 {
		began := time.Now()
		v := s.end(t, slot.At(7, uint32(i)))
		for {
			if _, claims := event(t, l.r); strings.Contains(claims, fmt.Sprintf(`"position":%d,`, v)) {
				break
			}
		}
		all = append(all, time.Since(began))
		time.Sleep(10 * time.Millisecond)
	}
	slices.Sort(all)
	middle, worst := all[len(all)/2], all[len(all)-1]
	t.Logf("%v, at most %v, from before the Commit to the listener", middle, worst)
	// Some may be late on a busy machine; that half of them are means that the
	// stream waits for its next turn.
	if middle > status.Beat/100 {
		t.Errorf("half of the endings took %v and more", middle)
	}
}

// Real sockets: one listener never reads. Its buffers fill, it is dropped, and all
// the while the others hear everything at once.
func TestOneWhoNeverReadsIsDroppedWhileTheOthersHearAtOnce(t *testing.T) {
	var mu sync.Mutex
	left := map[string]int{}
	s := serve(t, func(o *status.Options) {
		o.Count.Left = func(reason string) { mu.Lock(); defer mu.Unlock(); left[reason]++ }
	}, httpd.TLS{})
	slow, quick := s.listen(t, nil), s.listen(t, nil)
	if err := slow.Conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	event(t, quick.r)
	quick.within(t, 2*time.Minute)
	var worst time.Duration
	end := time.Now().Add(time.Minute)
	for i := uint32(0); time.Now().Before(end); i++ {
		mu.Lock()
		dropped := left["slow"] > 0
		mu.Unlock()
		if dropped {
			t.Logf("dropped after %d messages; meanwhile the other waited %v at most", i, worst)
			return
		}
		began := time.Now()
		s.endMany(t, i)
		for {
			if _, claims := event(t, quick.r); strings.Contains(claims, `"ended"`) {
				break
			}
		}
		if took := time.Since(began); took > worst {
			// Who waited for the other would wait until that one's 10 s are over.
			if worst = took; worst > 8*time.Second {
				t.Fatalf("an ending took %v while somebody does not read", worst)
			}
		}
	}
	t.Error("who does not read is still there after a minute")
}

func TestStoppingEndsAllListenersAtOnce(t *testing.T) {
	s := serve(t, nil, httpd.TLS{})
	var all []listener
	for range 50 {
		l := s.listen(t, nil)
		event(t, l.r)
		all = append(all, l)
	}
	s.stop()
	for _, l := range all {
		l.within(t, time.Minute)
		if _, err := io.Copy(io.Discard, l.r); err != nil {
			t.Fatalf("a listener is left hanging: %v", err)
		}
	}
}

func TestListenersAreBoundedPerAddress(t *testing.T) {
	s := serve(t, func(o *status.Options) { o.ListenersPerAddress = 2 }, httpd.TLS{})
	one, two := s.listen(t, nil), s.listen(t, nil)
	event(t, one.r)
	event(t, two.r)
	res := s.get(t, http.MethodGet, "/status/stream")
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the third is answered %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
	one.Close()
	// That it has gone is noticed at the next writes.
	for end := time.Now().Add(time.Minute); ; {
		s.end(t, slot.At(7, 1))
		res := s.get(t, http.MethodGet, "/status/stream")
		if res.StatusCode == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the place of one who has gone is not free")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// endMany ends enough at once to make a large message.
func (s *server) endMany(t testing.TB, round uint32) {
	t.Helper()
	e := ended.Ending{Time: time.Now(), Kind: ended.KindClient}
	for i := range uint32(2000) {
		e.Slots = append(e.Slots, slot.Only(slot.At(7+uint64(round), 2*i)))
	}
	value, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("ended/%012x-%s", e.Time.UnixMilli(), ident.New())
	if _, err := s.store.Commit(context.Background(), store.Put(key, value).Until(time.Now().Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
}
