package verify_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// What the status check adds to a remembered token: the same token with and
// without the claim, while the stream is heard.
func BenchmarkRememberedStatus(b *testing.B) {
	for name, status := range map[string]any{"with": statusAt(listURI, listIndex), "without": nil} {
		b.Run(name, func(b *testing.B) {
			s := newSigner(b, verify.ES256, "k1")
			i := newIssuer(s)
			i.tell(s)
			v := i.verifier(b)
			if err := v.Await(b.Context(), 100); err != nil {
				b.Fatal(err)
			}
			i.journal.end(listIndex+1, listIndex-5000) // so that there are bits to read
			if err := v.Await(b.Context(), 101); err != nil {
				b.Fatal(err)
			}
			raw := s.token(object{"status": status, "pad": pad(status)})
			wantAccepted(b, v, raw)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// pad makes the token without a claim as long as the one with it: its digest is
// most of the cost.
func pad(status any) any {
	if status != nil {
		return nil
	}
	return strings.Repeat("x", len(mustJSON(statusAt(listURI, listIndex)))+3)
}

// From the bytes of n messages that came together to their bits being set.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := newSigner(b, verify.ES256, "k1")
			i := newIssuer(s)
			j := i.tell(s)
			v := i.verifier(b)
			if err := v.Await(b.Context(), 100); err != nil {
				b.Fatal(err)
			}
			j.with(func(j *journal) { j.mute = true })
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				var all strings.Builder
				for k := range n {
					j.end(int(time.Now().UnixNano()+int64(k)) % (1 << 20))
					all.WriteString(j.history[len(j.history)-1].wire())
				}
				position := j.position
				j.history = nil
				b.StartTimer()
				j.with(func(j *journal) { j.send(all.String()) })
				if err := v.Await(b.Context(), position); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
