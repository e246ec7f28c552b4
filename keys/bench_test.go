package keys_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/signet-id/signet/keys"
)

// claims is as long as those of an ordinary access token.
var claims = []byte(`{"sub":"` + strings.Repeat("a", 480) + `"}`)

func BenchmarkSign(b *testing.B) {
	r := open(b, &storage{}, policy, keys.Algorithms()...)
	for _, alg := range keys.Algorithms() {
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Sign(b.Context(), alg, "at+jwt", claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRawSignature is the floor under BenchmarkSign: the hash and the
// signature, as the standard library makes them.
func BenchmarkRawSignature(b *testing.B) {
	s := &storage{}
	open(b, s, policy, keys.Algorithms()...)
	input := make([]byte, len(claims)*4/3+120)
	for _, alg := range keys.Algorithms() {
		_, private := privateKey(b, s, alg)
		var opts crypto.SignerOpts = crypto.SHA256
		if alg == keys.PS256 {
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		}
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				message := input
				if alg == keys.EdDSA {
					opts = crypto.Hash(0)
				} else {
					digest := sha256.Sum256(input)
					message = digest[:]
				}
				if _, err := private.Sign(rand.Reader, message, opts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	r := open(b, &storage{}, policy, keys.Algorithms()...)
	for _, alg := range keys.Algorithms() {
		token, err := r.Sign(b.Context(), alg, "at+jwt", claims)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := r.Verify(token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
