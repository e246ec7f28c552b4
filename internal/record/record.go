// Package record owns the form of the records that every token request reads or
// writes (session, user, grant, and what is sealed in a code): numbered fields in
// the wire format of protocol buffers, the layout's number before all others.
//
//	room ──Write──▶ Writer ──Value──▶ the store
//	room ◀──Next── Reader ◀──Read─── the store
//
// A field keeps its number and its kind for ever. What a newer release adds has a
// number that an older one does not know: it is kept as it is and written back, so
// that an older node that changes a record during an upgrade loses nothing. What
// is zero is not written.
//
// The package never knows what a field means: each room numbers its own. It never
// keeps the bytes that it reads: texts are parts of one copy of them.
package record

import (
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Number is a field's. 1 is the layout's own, in a record.
type Number int32

const layoutNumber Number = 1

// Writer writes a record; make it with Write.
type Writer struct{ raw []byte }

// Write begins a record of the layout. About size bytes will follow: room for
// them saves copies.
func Write(layout uint64, size int) Writer {
	w := Writer{raw: make([]byte, 0, size)}
	w.Number(layoutNumber, layout)
	return w
}

// Number writes v, unless it is 0.
func (w *Writer) Number(n Number, v uint64) {
	if v == 0 {
		return
	}
	w.raw = protowire.AppendTag(w.raw, protowire.Number(n), protowire.VarintType)
	w.raw = protowire.AppendVarint(w.raw, v)
}

// Flag writes that v is true.
func (w *Writer) Flag(n Number, v bool) { w.Number(n, protowire.EncodeBool(v)) }

// Text writes v, unless it is empty.
func (w *Writer) Text(n Number, v string) {
	if v != "" {
		w.text(n, v)
	}
}

// Texts writes each of v, the empty ones too, in their order.
func (w *Writer) Texts(n Number, v []string) {
	for _, text := range v {
		w.text(n, text)
	}
}

func (w *Writer) text(n Number, v string) {
	w.raw = protowire.AppendTag(w.raw, protowire.Number(n), protowire.BytesType)
	w.raw = protowire.AppendString(w.raw, v)
}

// Bytes writes v, however many they are.
func (w *Writer) Bytes(n Number, v []byte) {
	w.raw = protowire.AppendTag(w.raw, protowire.Number(n), protowire.BytesType)
	w.raw = protowire.AppendBytes(w.raw, v)
}

// Time writes t to the nanosecond, unless it is zero. The zone is not kept.
func (w *Writer) Time(n Number, t time.Time) {
	if t.IsZero() {
		return
	}
	var raw [2 * binary.MaxVarintLen64]byte
	seconds := protowire.AppendVarint(raw[:0], protowire.EncodeZigZag(t.Unix()))
	w.Bytes(n, protowire.AppendVarint(seconds, uint64(t.Nanosecond())))
}

// Begin opens a field that has fields of its own: those that are written until
// End is called with what Begin returned.
func (w *Writer) Begin(n Number) (mark int) {
	w.raw = protowire.AppendTag(w.raw, protowire.Number(n), protowire.BytesType)
	w.raw = append(w.raw, 0) // the length, if it fits
	return len(w.raw)
}

// End closes what Begin opened.
func (w *Writer) End(mark int) {
	length := len(w.raw) - mark
	if length < 0x80 {
		w.raw[mark-1] = byte(length)
		return
	}
	more := protowire.SizeVarint(uint64(length)) - 1
	w.raw = append(w.raw, make([]byte, more)...)
	copy(w.raw[mark+more:], w.raw[mark:mark+length])
	binary.PutUvarint(w.raw[mark-1:], uint64(length))
}

// Keep writes back what Reader.Unknown returned.
func (w *Writer) Keep(unknown string) { w.raw = append(w.raw, unknown...) }

// Value returns the record.
func (w *Writer) Value() []byte { return w.raw }
