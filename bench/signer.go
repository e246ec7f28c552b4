package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"

	"github.com/signet-id/signet/keys"
)

// signer is the bare signature of one algorithm, by the standard library: what
// no issuer and no verifier can do without.
type signer struct {
	algorithm keys.Algorithm
	private   crypto.Signer
	input     []byte // of the size of a token
	signature []byte
}

func newSigner(algorithm keys.Algorithm) (*signer, error) {
	s := &signer{algorithm: algorithm, input: make([]byte, 500)}
	rand.Read(s.input)
	var err error
	switch algorithm {
	case keys.ES256:
		s.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case keys.EdDSA:
		_, s.private, err = ed25519.GenerateKey(rand.Reader)
	case keys.RS256, keys.PS256:
		s.private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		err = fmt.Errorf("no floor for %s", algorithm)
	}
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	s.signature, err = s.sign()
	return s, err
}

func (s *signer) sign() ([]byte, error) {
	if s.algorithm == keys.EdDSA {
		return s.private.Sign(rand.Reader, s.input, crypto.Hash(0))
	}
	digest := sha256.Sum256(s.input)
	return s.private.Sign(rand.Reader, digest[:], crypto.SHA256)
}

func (s *signer) verify() error {
	good := false
	digest := sha256.Sum256(s.input)
	switch public := s.private.Public().(type) {
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(public, digest[:], s.signature)
	case ed25519.PublicKey:
		good = ed25519.Verify(public, s.input, s.signature)
	case *rsa.PublicKey:
		good = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], s.signature) == nil
	}
	if !good {
		return fmt.Errorf("the %s signature of the floor is wrong", s.algorithm)
	}
	return nil
}
