// Package ident makes the opaque names of things: 128 bits, written as 22
// characters of base64url. A name says nothing about what it names, at most when
// it was made, is never guessed and never collides; it is not a secret.
package ident

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Size is the length of a name in bytes, Length in characters.
const (
	Size   = 16
	Length = 22
)

// New returns a fresh name.
func New() string {
	var b [Size]byte
	rand.Read(b[:]) //nolint:errcheck // crypto/rand.Read never fails: it crashes the program instead
	return Encode(b)
}

// Ordered returns a fresh name whose bytes begin with the millisecond at, in 48
// bits, before 80 random ones: what is made at about the same time are neighbours
// where it is stored, and changes few pages.
func Ordered(at time.Time) string {
	var b [Size]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16)
	rand.Read(b[6:]) //nolint:errcheck // crypto/rand.Read never fails: it crashes the program instead
	return Encode(b)
}

// Encode writes the bytes of a name as text.
func Encode(b [Size]byte) string { return base64.RawURLEncoding.EncodeToString(b[:]) }

// Decode reads a name that New or Encode wrote; ok is false for anything else,
// so that a name is spelled one way only.
func Decode(s string) (b [Size]byte, ok bool) {
	if len(s) != Length {
		return b, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(b[:], []byte(s))
	return b, err == nil && n == Size
}
