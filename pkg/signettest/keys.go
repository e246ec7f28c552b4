package signettest

import (
	"slices"
	"testing"
	"time"

	"github.com/signet-id/signet/keys"
)

// RotateKeys begins a rotation of the key that signs access tokens, as an
// operator would, and returns when its successor takes over. The successor is
// published at once and signs only when every verifier can know it, 15 minutes
// later: in a synctest bubble, sleep until then. Rotating again before that
// changes nothing. The issuer rotates by itself every 30 days.
func (iss *Issuer) RotateKeys(t testing.TB) (takesOver time.Time) {
	t.Helper()
	rotated, err := iss.app.Keys().Rotate(iss.ctx, iss.app.Mint().AccessAlg)
	if err != nil {
		t.Fatalf("signettest: %v", err)
	}
	return rotated[0].Activates
}

// CompromiseKey removes the key that signs access tokens at once, as an operator
// does whose key was stolen, and lets another sign from this moment on. It returns
// the removed key's kid.
//
// Verifiers that follow the issuer's stream of endings are told, and fetch the
// keys at once, or 10 s after they last did; others do when they meet a token whose
// key they do not know, and within 10 minutes in any case.
func (iss *Issuer) CompromiseKey(t testing.TB) (kid string) {
	t.Helper()
	alg := iss.app.Mint().AccessAlg
	all := iss.app.Keys().List()
	at := slices.IndexFunc(all, func(k keys.Key) bool { return k.State == keys.Active && k.Algorithm == alg })
	if at < 0 {
		t.Fatalf("signettest: no key signs %s", alg)
	}
	removed, err := iss.app.Operator.CompromiseKey(iss.ctx, all[at].ID)
	if err != nil {
		t.Fatalf("signettest: %v", err)
	}
	return removed.ID
}
