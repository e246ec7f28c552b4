//go:build !race

package verify_test

import (
	"strings"
	"testing"

	"github.com/signet-id/signet/pkg/verify"
)

// The race detector allocates too, so this is not for it.
func TestATokenCostsTwoAllocationsBesideItsSignatureAndNoneOnceRemembered(t *testing.T) {
	for alg, most := range map[verify.Algorithm]float64{
		verify.ES256: 2 + 1, // the signature in ASN.1
		verify.EdDSA: 2 + 1, // a copy of the signature, which crypto/ed25519 does not promise to leave alone
		verify.RS256: 2,
		verify.PS256: 2 + 1, // the options
	} {
		s := newSigner(t, alg, "k1")
		i := newIssuer(s)
		raw := s.token(nil)
		count := func(v *verify.Verifier) float64 {
			wantAccepted(t, v, raw)
			return testing.AllocsPerRun(100, func() {
				if _, err := v.Verify(t.Context(), raw); err != nil {
					t.Error(err)
				}
			})
		}
		check := rawCheck(s, raw[:strings.LastIndexByte(raw, '.')])
		bare := testing.AllocsPerRun(100, func() { check() })
		if got := count(i.verifier(t, verify.WithMemory(0))) - bare; got > most {
			t.Errorf("%s: first sight costs %v allocations beside the %v of the signature, want at most %v", alg, got, bare, most)
		}
		if got := count(i.verifier(t)); got != 0 {
			t.Errorf("%s: a remembered token costs %v allocations", alg, got)
		}
	}
}
