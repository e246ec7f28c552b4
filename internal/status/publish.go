package status

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

// validity is how long a list is good at most (its exp). Far longer than its ttl:
// a verifier whose issuer is away goes by the list that it has, and decides by
// its age; one that does not know our stream should not refuse every token
// because of an outage.
const validity = 24 * time.Hour

// Published is a signed list, ready to be sent. Nobody may change it.
type Published struct {
	JWT     []byte
	Gzip    []byte // the same, compressed
	ETag    string // without the quotes
	Expires time.Time

	made     time.Time
	of       time.Time     // it is complete up to this moment …
	position store.Version // … and this position in the journal
}

// packed is the compressed bits of a list as they were after so many changes.
type packed struct {
	lst     string
	changed uint64
	made    bool
}

// List returns the list of that number, with every ending that was on the board
// when List was called. It is made when somebody asks for what has changed, at
// most once whoever asks, and again when half of its ttl is over, so that what a
// cache keeps for ttl was young. It fails with fault.NotFound for a list that
// never was or is retired.
func (b *Board) List(ctx context.Context, number uint64) (*Published, error) {
	l, err := b.find(number)
	if err != nil {
		return nil, err
	}
	wanted := b.Head()
	if p := l.published.Load(); p.serves(wanted, b.ttl) {
		return p, nil
	}
	select {
	case l.building <- struct{}{}:
		defer func() { <-l.building }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// Whoever was here before may have made it since.
	if p := l.published.Load(); p.serves(wanted, b.ttl) {
		return p, nil
	}
	p, err := b.publish(ctx, l)
	if err != nil {
		return nil, err
	}
	l.published.Store(p)
	return p, nil
}

func (p *Published) serves(wanted store.Version, ttl time.Duration) bool {
	return p != nil && p.position >= wanted && time.Since(p.made) < ttl/2
}

// publish signs the list as it is. The positions are read before the bits.
func (b *Board) publish(ctx context.Context, l *list) (*Published, error) {
	now, head := time.Now(), b.Head()
	if changed := l.changed.Load(); !l.packed.made || l.packed.changed != changed {
		lst, err := pack(l.bits.Load())
		if err != nil {
			return nil, err
		}
		l.packed = packed{lst: lst, changed: changed, made: true}
	}
	of := b.pulse.moment(now)
	p := &Published{made: now, of: of, position: head, Expires: of.Add(validity)}
	jwt, err := b.sign(ctx, TypeList, b.listClaims(l, p))
	if err != nil {
		return nil, fmt.Errorf("signing status list %d: %w", l.number, err)
	}
	b.count.List()
	p.JWT = []byte(jwt)
	digest := sha256.Sum256(p.JWT)
	p.ETag = base64.RawURLEncoding.EncodeToString(digest[:12])
	p.Gzip, err = compressed(p.JWT)
	return p, err
}

// listClaims are those of Token Status List §5.1, and the position.
func (b *Board) listClaims(l *list, p *Published) []byte {
	claims := make([]byte, 0, 256+2*len(b.issuer)+len(l.packed.lst))
	claims = append(append(claims, `{"iss":`...), b.quoted...)
	claims = append(append(claims, `,"sub":`...), b.uri(l.number)...)
	claims = strconv.AppendInt(append(claims, `,"iat":`...), p.of.Unix(), 10)
	claims = strconv.AppendInt(append(claims, `,"exp":`...), p.Expires.Unix(), 10)
	claims = strconv.AppendInt(append(claims, `,"ttl":`...), int64(b.ttl/time.Second), 10)
	claims = strconv.AppendUint(append(claims, `,"position":`...), uint64(p.position), 10)
	claims = append(append(claims, `,"status_list":{"bits":1,"lst":"`...), l.packed.lst...)
	return append(claims, `"}}`...)
}

// uri is the name of a list, as JSON.
func (b *Board) uri(number uint64) []byte {
	uri := append([]byte{}, b.quoted[:len(b.quoted)-1]...)
	uri = append(append(uri, slot.Path...), '/')
	return append(strconv.AppendUint(uri, number, 10), '"')
}

// dense is how many set bits are many: one in 256.
const dense = slot.Size / 256

// pack compresses the bits of a list; nil are none.
//
// lst is base64 within a JWT, which is base64 again, and then mostly gzip on the
// wire. For a list with many bits Huffman codes alone are the best start: what
// they leave is still regular enough for gzip to see through both base64s. With 1%
// set, that is 17 kB on the wire where matching strings first makes 20, and takes
// a tenth of the time.
func pack(bits *bitmap) (string, error) {
	raw, level := make([]byte, slot.Size/8), flate.DefaultCompression
	if bits != nil {
		for i := range bits.words {
			binary.LittleEndian.PutUint64(raw[8*i:], bits.words[i].Load())
		}
		if bits.ones.Load() > dense {
			level = flate.HuffmanOnly
		}
	}
	return encode(raw, level)
}

// encode makes the lst of Token Status List §4.1 out of its bytes.
func encode(raw []byte, level int) (string, error) {
	var z bytes.Buffer
	w, err := zlib.NewWriterLevel(&z, level)
	if err == nil {
		_, err = w.Write(raw)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return "", fmt.Errorf("compressing a status list: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(z.Bytes()), nil
}

func compressed(text []byte) ([]byte, error) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, err := w.Write(text)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compressing a status list: %w", err)
	}
	return z.Bytes(), nil
}
