package transfer

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// What a holder of the key has sealed may be wrong all the same. The seal stands in
// for these checks as long as nobody else holds the key.
func TestASealedFileThatContradictsItselfIsRefused(t *testing.T) {
	key := make([]byte, keySize)
	record := func(key string) store.Record { return store.Record{Key: key, Version: 1} }
	begin := func(e *entries) error { return e.about(About{}) }
	end := func(e *entries) error { _, err := e.end(1); return err }
	raw := func(b ...byte) func(*entries) error {
		return func(e *entries) error { _, err := e.to.Write(b); return err }
	}
	put := func(kind byte, r store.Record) func(*entries) error {
		return func(e *entries) error { return e.record(kind, r) }
	}
	long := binary.AppendUvarint([]byte{kindListed}, store.MaxKey+1)
	for name, tc := range map[string]struct {
		write []func(*entries) error
		fine  bool
	}{
		"as it should be":         {[]func(*entries) error{begin, put(kindListed, record("a")), put(kindGone, record("a")), end}, true},
		"nothing at all":          {nil, false},
		"no end":                  {[]func(*entries) error{begin, put(kindListed, record("a"))}, false},
		"nothing of itself":       {[]func(*entries) error{put(kindListed, record("a")), end}, false},
		"twice of itself":         {[]func(*entries) error{begin, begin, end}, false},
		"a byte behind the end":   {[]func(*entries) error{begin, end, raw(kindAnew)}, false},
		"another digest":          {[]func(*entries) error{begin, func(e *entries) error { e.digest.Write([]byte("x")); return end(e) }}, false},
		"another count":           {[]func(*entries) error{begin, func(e *entries) error { e.count++; return end(e) }}, false},
		"keys out of order":       {[]func(*entries) error{begin, put(kindListed, record("b")), put(kindListed, record("a")), end}, false},
		"keys in order, anew":     {[]func(*entries) error{begin, put(kindListed, record("b")), raw(), func(e *entries) error { return e.write(kindAnew, nil) }, put(kindListed, record("a")), end}, true},
		"a key twice":             {[]func(*entries) error{begin, put(kindListed, record("a")), put(kindListed, record("a")), end}, false},
		"a record without a key":  {[]func(*entries) error{begin, put(kindPut, record("")), end}, false},
		"a record without number": {[]func(*entries) error{begin, put(kindPut, store.Record{Key: "a"}), end}, false},
		"a key that is too long":  {[]func(*entries) error{begin, raw(long...), raw(bytes.Repeat([]byte{'k'}, store.MaxKey+1)...)}, false},
		"an unknown kind":         {[]func(*entries) error{begin, raw('?'), end}, false},
	} {
		var file bytes.Buffer
		sealed, err := newSealer(&file, key)
		if err != nil {
			t.Fatal(err)
		}
		out := newEntries(sealed)
		for _, write := range tc.write {
			if err := write(out); err != nil {
				t.Fatal(err)
			}
		}
		if err := sealed.close(); err != nil {
			t.Fatal(err)
		}
		b := &backup{file: bytes.NewReader(file.Bytes()), key: key}
		if err := b.judge(t.Context(), nil); (err == nil) != tc.fine || !tc.fine && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: judged %v, want fine = %v", name, err, tc.fine)
		}
	}
}

// The end that the entries have stands in for this one.
func TestASealedFileThatEndsBetweenTwoChunksIsCutOff(t *testing.T) {
	key := make([]byte, keySize)
	var file bytes.Buffer
	sealed, err := newSealer(&file, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealed.Write(make([]byte, 3*chunkSize)); err != nil {
		t.Fatal(err)
	}
	if err := sealed.close(); err != nil {
		t.Fatal(err)
	}
	for chunks := range 4 {
		opened, err := newOpener(bytes.NewReader(file.Bytes()[:headerSize+chunks*(chunkSize+16)]), key)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(opened)
		if whole := chunks == 3; (err == nil) != whole || whole && len(plain) != 3*chunkSize {
			t.Errorf("%d of 3 chunks: %d bytes, %v", chunks, len(plain), err)
		}
	}
}

// The digest at the end of the entries stands in for this.
func TestTheChunksOfASealedFileKeepTheirOrder(t *testing.T) {
	key := make([]byte, keySize)
	var file bytes.Buffer
	sealed, err := newSealer(&file, key)
	if err != nil {
		t.Fatal(err)
	}
	for chunk := range byte(4) {
		if _, err := sealed.Write(bytes.Repeat([]byte{chunk}, chunkSize)); err != nil {
			t.Fatal(err)
		}
	}
	if err := sealed.close(); err != nil {
		t.Fatal(err)
	}
	const size = chunkSize + 16
	first, second := headerSize, headerSize+size
	swapped := bytes.Clone(file.Bytes())
	copy(swapped[first:second], file.Bytes()[second:second+size])
	copy(swapped[second:second+size], file.Bytes()[first:second])
	opened, err := newOpener(bytes.NewReader(swapped), key)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(opened); len(plain) > 0 || fault.KindOf(err) != fault.Invalid {
		t.Errorf("with two chunks swapped, %d bytes were read, %v", len(plain), err)
	}
}
