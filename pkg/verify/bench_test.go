package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/signet-id/signet/pkg/verify"
)

// The first sight of a token, beside the bare signature check that it cannot do
// without. What lies between them is ours.
func BenchmarkFirstSight(b *testing.B) {
	for _, alg := range []verify.Algorithm{verify.ES256, verify.EdDSA, verify.RS256, verify.PS256} {
		s := newSigner(b, alg, "k1")
		raw := s.token(nil)
		b.Run(string(alg)+"/verify", func(b *testing.B) {
			v := newIssuer(s).verifier(b, verify.WithMemory(0))
			wantAccepted(b, v, raw)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(string(alg)+"/raw", func(b *testing.B) {
			input := raw[:strings.LastIndexByte(raw, '.')]
			check := rawCheck(s, input)
			b.ReportAllocs()
			for b.Loop() {
				if !check() {
					b.Fatal("the signature is wrong")
				}
			}
		})
	}
}

func rawCheck(s *signer, input string) func() bool {
	sig := s.signature(input)
	digest := sha256.Sum256([]byte(input))
	switch pub := s.key.Public().(type) {
	case *ecdsa.PublicKey:
		asn1, err := s.key.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			panic(err)
		}
		return func() bool { return ecdsa.VerifyASN1(pub, digest[:], asn1) }
	case ed25519.PublicKey:
		return func() bool { return ed25519.Verify(pub, []byte(input), sig) }
	case *rsa.PublicKey:
		if s.alg == verify.PS256 {
			return func() bool { return rsa.VerifyPSS(pub, crypto.SHA256, digest[:], sig, nil) == nil }
		}
		return func() bool { return rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig) == nil }
	}
	return nil
}

func BenchmarkRemembered(b *testing.B) {
	s := newSigner(b, verify.ES256, "k1")
	v := newIssuer(s).verifier(b)
	raw := s.token(nil)
	wantAccepted(b, v, raw)
	b.Logf("the token has %d bytes", len(raw))
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel/one token", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := v.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	many := make([]string, 1000)
	for i := range many {
		many[i] = s.token(nil)
		wantAccepted(b, v, many[i])
	}
	b.Run("parallel/1000 tokens", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if _, err := v.Verify(b.Context(), many[i%len(many)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
