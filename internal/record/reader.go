package record

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// errUnreleased meets a file of the days when these records were JSON.
var errUnreleased = errors.New("it is JSON, which an unreleased version wrote and no release reads: begin with an empty store")

// Reader goes through the fields of a record; make it with Read. The first thing
// that is wrong ends it, and Err says what that was:
//
//	r := record.Read(value, layout)
//	for r.Next() {
//		switch r.Field() {
//		case fieldName:
//			u.Name = r.Text()
//		default:
//			r.Keep()
//		}
//	}
//	if err := r.Err(); err != nil { … }
//
// A number that comes twice counts as it came last, and what reads it says so by
// overwriting; Texts collects.
type Reader struct {
	raw  []byte
	text string // raw, copied once: all texts are parts of it
	next int    // where the next field begins

	// The field that Next went to.
	field  Number
	kind   protowire.Type
	start  int    // of its tag
	number uint64 // of a VarintType
	value  int    // where the value of a BytesType begins

	unknown string
	err     error
}

// Read begins to read a record, which must have the layout. The bytes are no
// longer needed once the last field is read.
func Read(value []byte, layout uint64) Reader {
	if len(value) > 0 && value[0] == '{' {
		return Reader{err: errUnreleased}
	}
	r := Reader{raw: value, text: string(value)}
	if !r.Next() || r.field != layoutNumber || r.kind != protowire.VarintType {
		r.fail(errors.New("it is no record: its layout is not said"))
	} else if r.number != layout {
		r.fail(fmt.Errorf("layout %d is not ours (%d)", r.number, layout))
	}
	return r
}

// Next goes to the next field. It is false at the end, and when Err has a reason.
func (r *Reader) Next() bool {
	if r.err != nil || r.next >= len(r.raw) {
		return false
	}
	field, kind, n := protowire.ConsumeTag(r.raw[r.next:])
	if n < 0 {
		return r.fail(protowire.ParseError(n))
	}
	r.field, r.kind, r.start = Number(field), kind, r.next
	r.next += n
	rest := r.raw[r.next:]
	switch kind {
	case protowire.VarintType:
		r.number, n = protowire.ConsumeVarint(rest)
	case protowire.BytesType:
		var value []byte
		value, n = protowire.ConsumeBytes(rest)
		r.value = r.next + n - len(value)
	default:
		n = protowire.ConsumeFieldValue(field, kind, rest)
	}
	if n < 0 {
		return r.fail(protowire.ParseError(n))
	}
	r.next += n
	return true
}

// Field is the number of the field that Next went to.
func (r *Reader) Field() Number { return r.field }

// Err says why reading ended early, nil when it did not.
func (r *Reader) Err() error { return r.err }

// Keep puts the field by: it has a number that only a newer release knows.
func (r *Reader) Keep() { r.unknown += r.text[r.start:r.next] }

// Unknown returns the fields that were kept, for Writer.Keep.
func (r *Reader) Unknown() string { return r.unknown }

// Number returns the field's value, which must be a number up to most.
func (r *Reader) Number(most uint64) uint64 {
	if r.is(protowire.VarintType) && r.number > most {
		r.fail(fmt.Errorf("field %d is greater than %d", r.field, most))
	}
	if r.err != nil {
		return 0
	}
	return r.number
}

// Uint32 returns the field's value, which must be a number of 32 bits.
func (r *Reader) Uint32() uint32 { return uint32(r.Number(math.MaxUint32)) }

// Flag returns the field's value, which must be true or false.
func (r *Reader) Flag() bool { return r.Number(1) == 1 }

// Text returns the field's value.
func (r *Reader) Text() string {
	if !r.is(protowire.BytesType) {
		return ""
	}
	return r.text[r.value:r.next]
}

// Texts returns list with the field's value added. A new list has room for all of
// it, since the texts of one list are neighbours.
func (r *Reader) Texts(list []string) []string {
	if !r.is(protowire.BytesType) {
		return list
	}
	if list == nil {
		list = make([]string, 0, r.run())
	}
	return append(list, r.Text())
}

// run counts the field and those with its number that follow at once.
func (r *Reader) run() int {
	tag := r.raw[r.start : r.start+protowire.SizeTag(protowire.Number(r.field))]
	count, rest := 1, r.raw[r.next:]
	for bytes.HasPrefix(rest, tag) {
		_, n := protowire.ConsumeBytes(rest[len(tag):])
		if n < 0 {
			break // Next will say so
		}
		count, rest = count+1, rest[len(tag)+n:]
	}
	return count
}

// Exactly copies the field's value, which must be as long as into is.
func (r *Reader) Exactly(into []byte) {
	if !r.is(protowire.BytesType) {
		return
	}
	if r.next-r.value != len(into) {
		r.fail(fmt.Errorf("field %d has %d bytes, not %d", r.field, r.next-r.value, len(into)))
		return
	}
	copy(into, r.raw[r.value:r.next])
}

// Time returns the field's value, in UTC.
func (r *Reader) Time() time.Time {
	if !r.is(protowire.BytesType) {
		return time.Time{}
	}
	raw := r.raw[r.value:r.next]
	seconds, n := protowire.ConsumeVarint(raw)
	if n >= 0 {
		raw = raw[n:]
		nanoseconds, m := protowire.ConsumeVarint(raw)
		if m == len(raw) && nanoseconds < uint64(time.Second) {
			return time.Unix(protowire.DecodeZigZag(seconds), int64(nanoseconds)).UTC()
		}
	}
	r.fail(fmt.Errorf("field %d is not a time", r.field))
	return time.Time{}
}

// Fields reads what Writer.Begin and End wrote, by a Reader of its own. Its Err is
// asked with Join.
func (r *Reader) Fields() Reader {
	if !r.is(protowire.BytesType) {
		return Reader{}
	}
	return Reader{raw: r.raw[:r.next], text: r.text, next: r.value}
}

// Join takes over what was wrong in the fields of the field.
func (r *Reader) Join(fields Reader) {
	if fields.err != nil {
		r.fail(fmt.Errorf("field %d: %w", r.field, fields.err))
	}
}

// is reports whether the field is of the kind that its reader wants. A number
// never changes its kind, so another one means that the record is damaged.
func (r *Reader) is(kind protowire.Type) bool {
	if r.err == nil && r.kind != kind {
		r.fail(fmt.Errorf("field %d is of wire type %d, not %d", r.field, r.kind, kind))
	}
	return r.err == nil
}

func (r *Reader) fail(err error) bool {
	if r.err == nil {
		r.err = err
	}
	return false
}
