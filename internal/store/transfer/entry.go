package transfer

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// What is sealed is a row of entries, each a byte that says its kind and then:
//
//	about     what the backup is of, as JSON: the first entry
//	listed    a record, in the order of the keys
//	put       a record that was changed meanwhile; the last word about its key
//	gone      a key that was deleted meanwhile, and the version of that
//	anew      forget all entries but the first: the reading began again
//	end       the version, the number of entries, and SHA-256 of all before it
const (
	kindAbout  byte = 'A'
	kindListed byte = 'L'
	kindPut    byte = 'P'
	kindGone   byte = 'G'
	kindAnew   byte = 'N'
	kindEnd    byte = 'E'
)

// maxAbout bounds the first entry.
const maxAbout = 64 << 10

// About is what a backup says of itself.
type About struct {
	Issuer  string    `json:"issuer"`
	Release string    `json:"release"`
	Created time.Time `json:"created"`
}

// entry is one of them, read.
type entry struct {
	kind   byte
	record store.Record // listed, put, and gone, without a value
	about  About
}

// entries is the writing end.
type entries struct {
	to     io.Writer
	digest hash.Hash
	count  uint64
	buf    []byte
}

func newEntries(to io.Writer) *entries {
	digest := sha256.New()
	return &entries{to: io.MultiWriter(to, digest), digest: digest}
}

func (e *entries) write(kind byte, fields func(b []byte) []byte) error {
	e.count++
	e.buf = append(e.buf[:0], kind)
	if fields != nil {
		e.buf = fields(e.buf)
	}
	if _, err := e.to.Write(e.buf); err != nil {
		return fmt.Errorf("writing a backup: %w", err)
	}
	return nil
}

func (e *entries) about(a About) error {
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("writing what the backup is of: %w", err)
	}
	return e.write(kindAbout, func(b []byte) []byte { return appendBytes(b, text) })
}

func (e *entries) record(kind byte, r store.Record) error {
	return e.write(kind, func(b []byte) []byte {
		b = appendBytes(b, []byte(r.Key))
		b = binary.AppendUvarint(b, uint64(r.Version))
		if kind == kindGone {
			return b
		}
		b = binary.AppendVarint(b, nanoseconds(r.Expires))
		return appendBytes(b, r.Value)
	})
}

// end returns the digest that it wrote.
func (e *entries) end(v store.Version) ([]byte, error) {
	sum := e.digest.Sum(nil)
	return sum, e.write(kindEnd, func(b []byte) []byte {
		b = binary.AppendUvarint(b, uint64(v))
		b = binary.AppendUvarint(b, e.count)
		return append(b, sum...)
	})
}

func appendBytes(b, field []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(field))), field...)
}

// nanoseconds since 1970, 0 for never. Their range ends in 2262.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return max(1, t.UnixNano())
}

// parser is the reading end. It believes nothing: what it reads was sealed by a
// holder of the key, and may be wrong all the same.
type parser struct {
	from    *bufio.Reader
	digest  hash.Hash
	count   uint64
	version store.Version // after the end
	sum     []byte        // of all before the end, after it
}

func newParser(from io.Reader) *parser {
	return &parser{from: bufio.NewReader(from), digest: sha256.New()}
}

// next returns the next entry, and io.EOF behind the end, of which all is checked.
func (p *parser) next() (entry, error) {
	e, err := p.read()
	if errors.Is(err, io.EOF) && e.kind != kindEnd {
		err = io.ErrUnexpectedEOF // the end is missing
	}
	var known *fault.Error
	if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &known) {
		return e, altered(err)
	}
	return e, err
}

func (p *parser) read() (e entry, err error) {
	sum := p.digest.Sum(nil)
	if e.kind, err = p.ReadByte(); err != nil {
		return e, err
	}
	p.count++
	switch e.kind {
	case kindAbout:
		text, err := p.bytes(maxAbout)
		if err != nil {
			return e, err
		}
		return e, json.Unmarshal(text, &e.about)
	case kindListed, kindPut, kindGone:
		e.record, err = p.record(e.kind)
		return e, err
	case kindAnew:
		return e, nil
	case kindEnd:
		return e, p.end(sum)
	}
	return e, fmt.Errorf("there is no entry of kind %q", e.kind)
}

func (p *parser) record(kind byte) (r store.Record, err error) {
	key, err := p.bytes(store.MaxKey)
	if err != nil {
		return r, err
	}
	r.Key = string(key)
	v, err := binary.ReadUvarint(p)
	if err != nil {
		return r, err
	}
	r.Version = store.Version(v)
	if r.Key == "" || !r.Exists() {
		return r, errors.New("a record has no key or no version")
	}
	if kind == kindGone {
		return r, nil
	}
	expires, err := binary.ReadVarint(p)
	if err != nil {
		return r, err
	}
	if expires != 0 {
		r.Expires = time.Unix(0, expires).UTC()
	}
	r.Value, err = p.bytes(store.MaxValue)
	return r, err
}

// end reads the last entry, and sees to it that it is the last. It returns io.EOF
// when all is well.
func (p *parser) end(sum []byte) error {
	v, err := binary.ReadUvarint(p)
	if err != nil {
		return err
	}
	count, err := binary.ReadUvarint(p)
	if err != nil {
		return err
	}
	said := make([]byte, sha256.Size)
	if _, err := io.ReadFull(p.from, said); err != nil {
		return err
	}
	if count != p.count || string(said) != string(sum) {
		return errors.New("the digest at the end is of something else")
	}
	if _, err := p.from.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("something follows the end"), err)
	}
	p.version, p.sum = store.Version(v), sum
	return io.EOF
}

// ReadByte implements io.ByteReader; what is read goes into the digest.
func (p *parser) ReadByte() (byte, error) {
	b, err := p.from.ReadByte()
	if err == nil {
		p.digest.Write([]byte{b})
	}
	return b, err
}

func (p *parser) bytes(most uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(p)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("a field has %d bytes, more than %d", n, most)
	}
	field := make([]byte, n)
	if _, err := io.ReadFull(p.from, field); err != nil {
		return nil, err
	}
	p.digest.Write(field)
	return field, nil
}
