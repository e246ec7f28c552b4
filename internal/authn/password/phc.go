package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What a stored hash may ask of us. Records come from imports and backups too,
// and one that asks for 4 GiB would take the issuer down at every sign-in.
const (
	mostMemory  = 256 << 10 // KiB
	mostTime    = 16
	mostThreads = 16
	mostWork    = 1 << 20 // KiB filled in all: memory × time
	leastSalt   = 8
	leastTag    = 16
	mostBytes   = 64 // of the salt, and of the tag
	mostPHC     = 256
)

// cost is what one hash takes. Threads is the p of the string: lanes.
type cost struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
}

// hash is a PHC string in its parts.
type hash struct {
	cost
	salt, tag []byte
}

// ErrUnreadable means that a stored hash is none that we can check.
var ErrUnreadable = errors.New("not an argon2id hash in PHC form within our bounds")

// String is the PHC string, as the reference implementation of Argon2 writes it:
// $argon2id$v=19$m=…,t=…,p=…$salt$tag.
func (h hash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.tag))
}

// parse reads a PHC string, strictly: what it accepts is exactly what String
// writes, within the bounds above.
func parse(phc string) (hash, error) {
	if len(phc) > mostPHC {
		return hash{}, ErrUnreadable
	}
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return hash{}, ErrUnreadable
	}
	h, err := parseParts(parts[3], parts[4], parts[5])
	if err != nil {
		return hash{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	// base64 has more than one spelling of the same bytes, and numbers have
	// leading zeros and signs: the one canonical form is the one we write.
	if !h.within() || h.String() != phc {
		return hash{}, ErrUnreadable
	}
	return h, nil
}

func parseParts(costs, salt, tag string) (h hash, err error) {
	fields := strings.Split(costs, ",")
	if len(fields) != 3 {
		return hash{}, errors.New("want m, t and p")
	}
	var n [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(fields[i], name)
		if !ok {
			return hash{}, fmt.Errorf("want %s", name)
		}
		if n[i], err = strconv.ParseUint(digits, 10, 24); err != nil {
			return hash{}, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	// Checked before it is narrowed to a byte.
	if n[2] > mostThreads {
		return hash{}, errors.New("p is too large")
	}
	h.cost = cost{memory: uint32(n[0]), time: uint32(n[1]), threads: uint8(n[2])}
	if h.salt, err = base64.RawStdEncoding.DecodeString(salt); err != nil {
		return hash{}, fmt.Errorf("reading the salt: %w", err)
	}
	if h.tag, err = base64.RawStdEncoding.DecodeString(tag); err != nil {
		return hash{}, fmt.Errorf("reading the tag: %w", err)
	}
	return h, nil
}

// within reports whether the hash keeps to the bounds, and to Argon2's own
// (RFC 9106 §3.1).
func (h hash) within() bool {
	return h.cost.within() &&
		len(h.salt) >= leastSalt && len(h.salt) <= mostBytes &&
		len(h.tag) >= leastTag && len(h.tag) <= mostBytes
}

func (c cost) within() bool {
	return c.threads >= 1 && c.threads <= mostThreads &&
		c.time >= 1 && c.time <= mostTime &&
		c.memory >= 8*uint32(c.threads) && c.memory <= mostMemory &&
		uint64(c.memory)*uint64(c.time) <= mostWork
}

// of computes the tag of a password under the hash's salt and cost.
func (h hash) of(pw string) []byte {
	return argon2.IDKey([]byte(pw), h.salt, h.time, h.memory, h.threads, uint32(len(h.tag)))
}
