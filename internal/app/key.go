package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/keys"
)

// keyCommandTimeout bounds how long a command may take to print the key.
const keyCommandTimeout = 30 * time.Second

// EncryptionKey finds the key-encryption key where cfg says, and makes none.
func EncryptionKey(ctx context.Context, cfg config.Config) ([]byte, error) {
	key, err := namedKey(ctx, cfg.Keys)
	if key != nil || err != nil {
		return key, err
	}
	text, err := os.ReadFile(cfg.KeyFilePath())
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the key file %s can't be read", cfg.KeyFilePath())
	}
	return seal.ParseKey(text)
}

// namedKey is the key-encryption key of the source that is configured, nil when
// none is.
func namedKey(ctx context.Context, from config.KeyRing) ([]byte, error) {
	switch {
	case !from.EncryptionKey.Absent():
		return seal.ParseKey([]byte(from.EncryptionKey.Reveal()))
	case len(from.EncryptionKeyCommand) > 0:
		ctx, cancel := context.WithTimeout(ctx, keyCommandTimeout)
		defer cancel()
		cmd := exec.CommandContext(ctx, from.EncryptionKeyCommand[0], from.EncryptionKeyCommand[1:]...) //nolint:gosec // the operator's own command
		out, err := cmd.Output()
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "the command did not print a key").On("keys.encryption_key_command")
		}
		return seal.ParseKey(out)
	case from.EncryptionKeyFile != "":
		text, err := os.ReadFile(from.EncryptionKeyFile)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "the file can't be read").On("keys.encryption_key_file")
		}
		return seal.ParseKey(text)
	}
	return nil, nil
}

// encryptionKey is the key of this server: where none is named, in a file next to
// the store, which is made when there is none.
func (a *App) encryptionKey(ctx context.Context) ([]byte, error) {
	named, err := namedKey(ctx, a.config.Keys)
	if named != nil || err != nil {
		return named, err
	}
	path := a.config.KeyFilePath()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		// A new key would open nothing, and would stand where the lost one belongs.
		if sealed, err := seal.Sealed(ctx, a.store); err != nil || sealed {
			return nil, fault.Wrap(fault.Invalid, err,
				"the store %s is sealed, and the key file %s is missing; restore it from its backup. Nothing was changed", a.config.Engine().Name(), path)
		}
	}
	key, made, err := seal.LoadOrMakeKey(path)
	if made {
		a.log.WarnContext(ctx, "made a key-encryption key; back it up apart from the store, which is worth little without it",
			slog.String("file", path))
	}
	return key, err
}

// explainKey says what to do about a key-encryption key that is not the one that
// sealed the store.
func (a *App) explainKey(err error) error {
	if errors.Is(err, seal.ErrWrongKey) || errors.Is(err, keys.ErrSealed) {
		return fault.Wrap(fault.Invalid, err,
			"the store %s was sealed under another key-encryption key; restore that key (by default it is in %s). Nothing was changed",
			a.config.Engine().Name(), a.config.KeyFilePath())
	}
	return err
}

// keyStorage keeps the key ring's document in the store: the adapter between
// package keys, which knows nothing of ours, and the contract.
type keyStorage struct{ store store.Store }

const (
	keyPrefix = "keys/"
	keyRecord = keyPrefix + "ring"
)

func (s keyStorage) Load(ctx context.Context) ([]byte, uint64, error) {
	recs, err := s.store.Get(ctx, keyRecord)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the key ring: %w", err)
	}
	return recs[0].Value, uint64(recs[0].Version), nil
}

func (s keyStorage) Save(ctx context.Context, doc []byte, version uint64) (uint64, error) {
	ops := append([]store.Op{store.Put(keyRecord, doc).If(store.Version(version))}, ended.Riding(ctx)...)
	v, err := s.store.Commit(ctx, ops...)
	if errors.Is(err, store.ErrConflict) {
		return 0, fmt.Errorf("%w: %w", keys.ErrConflict, err)
	}
	return uint64(v), err
}

// Changes merges what the store reports: one value may stand for several.
func (s keyStorage) Changes(ctx context.Context) (<-chan struct{}, error) {
	watch, err := s.store.Watch(ctx, keyPrefix)
	if err != nil {
		return nil, fmt.Errorf("watching the key ring: %w", err)
	}
	changed := make(chan struct{}, 1)
	go func() { // ends with the watch, which ends with ctx
		defer close(changed)
		for range watch.Events() {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	return changed, nil
}
