package transfer

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/signet-id/signet/internal/fault"
)

// A sealed file is
//
//	"signet backup\n" | format (2 bytes) | salt (32) | proof (32) | chunk …
//
// where each chunk is 64 KiB, the last one as long as it is, sealed by AES-256-GCM
// under a key derived from the salt (RFC 5869). The nonce counts the chunks and
// says which is the last; the header is authenticated with each. So what was cut
// off, put in another order or altered opens no more (the STREAM construction,
// as age has it). The proof tells another key from an altered file.
const (
	magic     = "signet backup\n"
	format    = 1
	saltSize  = 32
	keySize   = 32
	chunkSize = 64 << 10
	lastChunk = 1

	headerSize = len(magic) + 2 + saltSize + sha256.Size
)

// box seals or opens the chunks of one file.
type box struct {
	aead   cipher.AEAD
	header []byte
	number uint64
}

// newBox derives the file's key. proof is what only a holder of key can know.
func newBox(key, salt []byte) (_ *box, proof []byte, err error) {
	if len(key) != keySize {
		return nil, nil, fault.New(fault.Invalid, "the key of a backup has %d bytes, not %d", keySize, len(key))
	}
	sub, err := hkdf.Key(sha256.New, key, salt, "signet backup v1", keySize)
	if err != nil {
		return nil, nil, fmt.Errorf("deriving the key of a backup: %w", err)
	}
	proof, err = hkdf.Key(sha256.New, key, salt, "signet backup v1: which key", sha256.Size)
	if err != nil {
		return nil, nil, fmt.Errorf("deriving the proof of a backup: %w", err)
	}
	block, err := aes.NewCipher(sub)
	if err != nil {
		return nil, nil, fmt.Errorf("deriving the key of a backup: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	return &box{aead: aead}, proof, err
}

func (b *box) nonce(last bool) []byte {
	nonce := make([]byte, b.aead.NonceSize())
	binary.BigEndian.PutUint64(nonce[len(nonce)-9:], b.number)
	if last {
		nonce[len(nonce)-1] = lastChunk
	}
	b.number++
	return nonce
}

// sealer is the writing end; close writes the last chunk.
type sealer struct {
	*box
	to    io.Writer
	plain []byte
}

func newSealer(to io.Writer, key []byte) (*sealer, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt) //nolint:errcheck // crypto/rand.Read never fails: it crashes the program instead
	b, proof, err := newBox(key, salt)
	if err != nil {
		return nil, err
	}
	b.header = binary.BigEndian.AppendUint16([]byte(magic), format)
	b.header = append(append(b.header, salt...), proof...)
	if _, err := to.Write(b.header); err != nil {
		return nil, fmt.Errorf("writing the backup: %w", err)
	}
	return &sealer{box: b, to: to, plain: make([]byte, 0, chunkSize)}, nil
}

// Write implements io.Writer. A full chunk is sealed when more follows, since only
// then it is known not to be the last.
func (s *sealer) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		if len(s.plain) == chunkSize {
			if err := s.seal(false); err != nil {
				return 0, err
			}
		}
		n := min(chunkSize-len(s.plain), len(p))
		s.plain, p = append(s.plain, p[:n]...), p[n:]
	}
	return written, nil
}

func (s *sealer) seal(last bool) error {
	sealed := s.aead.Seal(nil, s.nonce(last), s.plain, s.header)
	s.plain = s.plain[:0]
	if _, err := s.to.Write(sealed); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	return nil
}

func (s *sealer) close() error { return s.seal(true) }

// opener is the reading end: it yields no byte that was not sealed, and io.EOF
// only behind the last chunk.
type opener struct {
	*box
	from   *bufio.Reader
	sealed []byte
	plain  []byte
	last   bool
}

func altered(cause error) error {
	return fault.Wrap(fault.Invalid, cause, "the backup was cut off or altered; use another one")
}

func newOpener(from io.Reader, key []byte) (*opener, error) {
	o := &opener{from: bufio.NewReaderSize(from, 2*chunkSize)}
	header := make([]byte, headerSize)
	n, err := io.ReadFull(o.from, header)
	switch {
	case !bytes.HasPrefix(header[:n], []byte(magic)):
		return nil, fault.New(fault.Invalid, "this is not a backup of Signet")
	case err != nil:
		return nil, altered(err)
	}
	rest := header[len(magic):]
	if found := binary.BigEndian.Uint16(rest); found != format {
		return nil, fault.New(fault.Invalid, "the backup has format %d, and this release reads %d; use the release that made it", found, format)
	}
	b, proof, err := newBox(key, rest[2:2+saltSize])
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(proof, rest[2+saltSize:]) != 1 {
		return nil, fault.New(fault.Denied, "the backup was sealed under another key, or its beginning was altered")
	}
	b.header = header
	o.box, o.sealed = b, make([]byte, chunkSize+b.aead.Overhead())
	return o, nil
}

// Read implements io.Reader.
func (o *opener) Read(p []byte) (int, error) {
	for len(o.plain) == 0 {
		if o.last {
			return 0, io.EOF
		}
		if err := o.open(); err != nil {
			return 0, err
		}
	}
	n := copy(p, o.plain)
	o.plain = o.plain[n:]
	return n, nil
}

func (o *opener) open() error {
	n, err := io.ReadFull(o.from, o.sealed)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the backup: %w", err)
	}
	_, more := o.from.Peek(1)
	o.last = more != nil
	if more != nil && !errors.Is(more, io.EOF) {
		return fmt.Errorf("reading the backup: %w", more)
	}
	o.plain, err = o.aead.Open(o.sealed[:0], o.nonce(o.last), o.sealed[:n], o.header)
	if err != nil {
		return altered(err)
	}
	return nil
}
