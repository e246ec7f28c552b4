// Package object writes JSON objects by appending one member after the other: the
// order is the caller's, so that the same values are the same bytes each time, and
// nothing is looked up by reflection. It is for what is written with every request;
// what is written now and then is encoding/json's.
//
//	w := object.New(512)
//	w.Text("iss", issuer)
//	w.Texts("amr", amr) // left out when there is none
//	return w.End()
//
// It checks nothing: no name is written twice unless the caller does so.
package object

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Writer is an object on its way. Make it with New; it is one goroutine's own.
type Writer struct{ b []byte }

// New begins an object and makes room for size bytes, which is no limit.
func New(size int) Writer { return Writer{append(make([]byte, 0, size), '{')} }

// Of is an object with nothing but these members.
func Of(values map[string]any) []byte {
	w := New(512)
	w.Members(values)
	return w.End()
}

// End ends the object and returns it.
func (w *Writer) End() []byte { return append(w.b, '}') }

// Text writes a string, an empty one too.
func (w *Writer) Text(name, value string) {
	w.name(name)
	w.string(value)
}

// Optional writes a string unless it is empty.
func (w *Writer) Optional(name, value string) {
	if value != "" {
		w.Text(name, value)
	}
}

// Texts writes an array of strings unless there is none.
func (w *Writer) Texts(name string, values []string) {
	if len(values) > 0 {
		w.name(name)
		w.array(values)
	}
}

// OneOrMore writes one string as itself and any other number of them as an array
// (RFC 7519 §4.1.3, aud).
func (w *Writer) OneOrMore(name string, values []string) {
	if len(values) == 1 {
		w.Text(name, values[0])
		return
	}
	w.name(name)
	w.array(values)
}

// Bool writes true or false.
func (w *Writer) Bool(name string, value bool) {
	w.name(name)
	w.b = strconv.AppendBool(w.b, value)
}

// Number writes a whole number.
func (w *Writer) Number(name string, n int64) {
	w.name(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

// Time writes seconds since 1970 (RFC 7519 §2, NumericDate) unless t is zero.
func (w *Writer) Time(name string, t time.Time) {
	if !t.IsZero() {
		w.Number(name, t.Unix())
	}
}

// Open begins an object within this one: what follows are its members, until Close.
func (w *Writer) Open(name string) {
	w.name(name)
	w.b = append(w.b, '{')
}

// Close ends what Open began.
func (w *Writer) Close() { w.b = append(w.b, '}') }

// Members writes what varies in number and kind, by name. A value that JSON can't
// hold is left out.
func (w *Writer) Members(values map[string]any) {
	if len(values) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch value := values[name].(type) {
		case string:
			w.Text(name, value)
		case bool:
			w.Bool(name, value)
		case int64:
			w.Number(name, value)
		case []string:
			w.name(name)
			w.array(value)
		default:
			if raw, err := json.Marshal(value); err == nil {
				w.name(name)
				w.b = append(w.b, raw...)
			}
		}
	}
}

func (w *Writer) name(name string) {
	if w.b[len(w.b)-1] != '{' { // no value ends with one
		w.b = append(w.b, ',')
	}
	w.string(name)
	w.b = append(w.b, ':')
}

func (w *Writer) array(values []string) {
	w.b = append(w.b, '[')
	for i, v := range values {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.string(v)
	}
	w.b = append(w.b, ']')
}

// string copies plain ASCII, which nearly everything is, and leaves the rest to
// encoding/json.
func (w *Writer) string(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil { // a string always marshals
				quoted = []byte(`""`)
			}
			w.b = append(w.b, quoted...)
			return
		}
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}
