package interop

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/lease"
)

// A node that does what only one may do is killed in the middle of it. Another
// goes on where it was, when its lease has run out.
func TestANodeThatDiesHandsOverWithinSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a lease to run out")
	}
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, e engine) {
		c := newCluster(t, e, 3, soonTurning())
		p := &party{told: map[string]int{}}
		called := make(chan struct{}, 16)
		var dead atomic.Bool
		p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if dead.Load() {
				p.logout(w, r)
				return
			}
			called <- struct{}{}
			_, _ = io.Copy(io.Discard, r.Body) // so that the end of the caller is noticed
			<-r.Context().Done()
		}))
		t.Cleanup(p.server.Close)

		first := c.nodes[0]
		first.start(t) // alone, so that it is the one that calls
		l := &ledger{t: t, victim: first.victim, party: p}
		l.found(t.Context())
		w := &absence{ledger: l, c: &cluster{nodes: c.nodes[:1], http: first.http, strain: c.strain}, t: t}
		f := w.grant()
		if !l.redeem(t.Context(), f) || !l.leave(t.Context(), f) {
			t.FailNow()
		}
		c.nodes[1].start(t)
		c.nodes[2].start(t)
		select {
		case <-called:
		case <-time.After(anyhow):
			t.Fatal("nobody was told")
		}
		first.kill(t)
		begun := time.Now()
		dead.Store(true)
		for p.missing(map[string]bool{f.session.sid: true}) > 0 {
			if c.strain.passed(begun, lease.TTL+5*time.Second) {
				t.Fatalf("nobody took over within %s", time.Since(begun))
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Logf("another node took over after %s", time.Since(begun).Round(time.Millisecond))
	})
}
