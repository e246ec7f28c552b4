// Package seal owns the two things that must be unreadable outside: short-lived
// state that travels through the browser (sign-in journey, code), and secrets
// at rest (private keys, its own keys).
//
//	Box   one key-encryption key ── seals what rests in the store
//	Ring  rotating keys, themselves sealed by a Box ── seals what travels
//
// Both are AES-256-GCM, bound to a purpose: what was sealed as a code can never
// be opened as a journey. It never keeps what it sealed and never decides what a
// purpose means. Whoever holds the key-encryption key holds the deployment;
// losing it loses every signing key, session excepted: sessions and users are
// not sealed.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// KeySize is the size of a key-encryption key in bytes.
const KeySize = 32

// The ways in which opening fails. Neither says more, on purpose: whoever sent
// the bytes learns nothing about why they are not ours.
var (
	ErrForged  = errors.New("seal: not sealed by us for this purpose")
	ErrExpired = errors.New("seal: sealed by us, and expired")
)

// Box seals secrets at rest under one key-encryption key.
type Box struct{ aead cipher.AEAD }

// NewBox makes a Box from a key-encryption key of KeySize bytes.
func NewBox(key []byte) (*Box, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("seal: the key-encryption key has %d bytes, want %d", len(key), KeySize)
	}
	aead, err := derive(key, "signet box v1")
	if err != nil {
		return nil, err
	}
	return &Box{aead}, nil
}

// Seal encrypts plaintext so that only Open with the same purpose reads it.
func (b *Box) Seal(purpose string, plaintext []byte) ([]byte, error) {
	nonce := make([]byte, b.aead.NonceSize(), b.aead.NonceSize()+len(plaintext)+b.aead.Overhead())
	rand.Read(nonce) //nolint:errcheck // crypto/rand.Read never fails: it crashes the program instead
	return b.aead.Seal(nonce, nonce, plaintext, []byte(purpose)), nil
}

// Open decrypts what Seal made for purpose, or fails with ErrForged.
func (b *Box) Open(purpose string, sealed []byte) ([]byte, error) {
	n := b.aead.NonceSize()
	if len(sealed) < n {
		return nil, ErrForged
	}
	plaintext, err := b.aead.Open(nil, sealed[:n], sealed[n:], []byte(purpose))
	if err != nil {
		return nil, ErrForged
	}
	return plaintext, nil
}

// derive turns key material into an AEAD for one use (RFC 5869), so that the
// same material never serves two algorithms or two purposes.
func derive(key []byte, use string) (cipher.AEAD, error) {
	sub, err := hkdf.Key(sha256.New, key, nil, use, KeySize)
	if err != nil {
		return nil, fmt.Errorf("deriving %s: %w", use, err)
	}
	block, err := aes.NewCipher(sub)
	if err != nil {
		return nil, fmt.Errorf("deriving %s: %w", use, err)
	}
	return cipher.NewGCM(block)
}
