package seal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// ParseKey reads a key-encryption key as people keep it: 32 bytes as base64
// (with or without padding, URL-safe or not) or as 64 hex digits.
func ParseKey(text []byte) ([]byte, error) {
	s := string(bytes.TrimSpace(text))
	if key, err := hex.DecodeString(s); err == nil && len(key) == KeySize {
		return key, nil
	}
	for _, enc := range []*base64.Encoding{
		base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding,
	} {
		if key, err := enc.DecodeString(s); err == nil && len(key) == KeySize {
			return key, nil
		}
	}
	return nil, fault.New(fault.Invalid,
		"the key-encryption key must be 32 bytes, as base64 or hex; make one with: openssl rand -base64 32")
}

// Sealed reports whether the store holds keys that some key-encryption key seals:
// then that key must be found, and a new one would open nothing.
func Sealed(ctx context.Context, s store.Store) (bool, error) {
	recs, err := s.Get(ctx, recordKey)
	if err != nil {
		return false, fmt.Errorf("reading the seal keys: %w", err)
	}
	return recs[0].Exists(), nil
}

// LoadOrMakeKey reads the key-encryption key in the file at path, or makes the
// file, readable by its owner alone, when there is none. made tells which.
func LoadOrMakeKey(path string) (key []byte, made bool, err error) {
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		key, err = ParseKey(text)
		if err != nil {
			return nil, false, fmt.Errorf("key file %s: %w", path, err)
		}
		return key, false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, false, fault.Wrap(fault.Unavailable, err, "the key file %s can't be read; check its owner and mode", path)
	}
	key = make([]byte, KeySize)
	rand.Read(key) //nolint:errcheck // crypto/rand.Read never fails: it crashes the program instead
	err = writeNew(path, base64.StdEncoding.EncodeToString(key)+"\n")
	if errors.Is(err, fs.ErrExist) { // another process was faster: its key is the key
		return LoadOrMakeKey(path)
	}
	if err != nil {
		return nil, false, fault.Wrap(fault.Unavailable, err, "the key file %s can't be made; check the folder's owner and mode", path)
	}
	return key, true, nil
}

// writeNew makes a file that is whole and durable, its name too, before anything
// is sealed under it: a power cut must not leave sealed keys whose key never
// reached the disk. A file that is there already stays, with fs.ErrExist.
func writeNew(path, content string) error {
	dir := filepath.Dir(path)
	draft, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name()) //nolint:errcheck // a stray draft harms nobody
	_, err = draft.WriteString(content)
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	// A link never replaces a file. Not every file system has links.
	if err := os.Link(draft.Name(), path); errors.Is(err, fs.ErrExist) {
		return err
	} else if err != nil {
		if err := os.Rename(draft.Name(), path); err != nil {
			return err
		}
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	if runtime.GOOS == "windows" { // where a folder can't be synced
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
