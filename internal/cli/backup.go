package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store/transfer"
)

// backupKey is the key under which a backup is sealed: that of a file, or the
// key-encryption key.
func backupKey(ctx context.Context, cfg config.Config, file string) ([]byte, error) {
	if file == "" {
		return app.EncryptionKey(ctx, cfg)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the key file can't be read").On("--key-file")
	}
	return seal.ParseKey(text)
}

func (p *program) storeBackup() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use: "backup FILE [flags]", Short: "Write a sealed backup of the store, while it is used", DisableFlagsInUseLine: true,
		Long: "Write a sealed backup of the store, while it is used: the store as it was after\n" +
			"exactly one change. FILE must not exist; - is standard output.\n\n" +
			"It is sealed under the key-encryption key, or under the key in --key-file (made\n" +
			"with: openssl rand -base64 32). Neither is in the backup: keep the\n" +
			"key-encryption key apart from it, since nothing works without both.",
		Args: takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error { return p.backUp(cmd.Context(), args[0], keyFile) },
	}
	cmd.Flags().StringVar(&keyFile, "key-file", "", "the key to seal it under (default: the key-encryption key)")
	return cmd
}

func (p *program) backUp(ctx context.Context, path, keyFile string) (err error) {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	key, err := backupKey(ctx, cfg, keyFile)
	if err != nil {
		return err
	}
	source, err := p.source(ctx, "", "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	o := transfer.BackupOptions{
		About: transfer.About{Issuer: cfg.Issuer, Release: p.Version, Created: time.Now().UTC().Round(time.Second)}, Tell: p.telling(),
	}
	if path == "-" {
		_, err := transfer.Backup(ctx, source, p.Stdout, key, o)
		return err
	}
	var done transfer.Summary
	err = writeWhole(path, func(to io.Writer) error {
		done, err = transfer.Backup(ctx, source, to, key, o)
		return err
	})
	if err != nil {
		return err
	}
	return p.printSummary(done, path, func(w *page) {
		w.line("Backed up %s to %s: %d records.", source.name, path, done.Records)
		w.line("Keep the key-encryption key apart from it: it is not in the backup, and nothing works without both.")
	})
}

// writeWhole makes a file that only its owner reads, under its name once it is
// whole and on the disk.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Conflict, err, "%s exists already; choose another name", path)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("making the backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(draft.Name()))
		}
	}()
	err = write(draft)
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); errors.Is(err, fs.ErrExist) { // a link never replaces
		return err
	} else if err == nil {
		return os.Remove(draft.Name())
	}
	return os.Rename(draft.Name(), path) // not every file system has links
}

func (p *program) printSummary(done transfer.Summary, file string, people func(*page)) error {
	view := struct {
		File    string    `json:"file"`
		Issuer  string    `json:"issuer"`
		Release string    `json:"release"`
		Created time.Time `json:"created"`
		Records int       `json:"records"`
		Digest  string    `json:"digest"`
	}{file, done.About.Issuer, done.About.Release, done.About.Created, done.Records, hex.EncodeToString(done.Digest)}
	return p.print(view, func(w *page) {
		people(w)
		w.fact("created", moment(done.About.Created))
		w.fact("digest", view.Digest)
	})
}

func (p *program) storeRestore() *cobra.Command {
	var keyFile string
	var force bool
	cmd := &cobra.Command{
		Use: "restore FILE [flags]", Short: "Fill the store from a backup", DisableFlagsInUseLine: true,
		Long: "Fill the store of the configuration from a backup, and compare every record. No\n" +
			"server may use the store. The whole backup is read and judged before anything\n" +
			"is written: one that was cut off or altered changes nothing.\n\n" +
			"The store must be empty. With --force whatever it holds is replaced. The\n" +
			"key-encryption key is not in the backup: it must be where the configuration\n" +
			"says. What ended after the backup was made lives again: see docs/operating.md.",
		Args: takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.restore(cmd.Context(), args[0], keyFile, force)
		},
	}
	cmd.Flags().StringVar(&keyFile, "key-file", "", "the key it was sealed under (default: the key-encryption key)")
	cmd.Flags().BoolVar(&force, "force", false, "replace everything that the store holds")
	return cmd
}

func (p *program) restore(ctx context.Context, path, keyFile string, force bool) (err error) {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	key, err := backupKey(ctx, cfg, keyFile)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "the backup can't be read")
	}
	defer func() { _ = file.Close() }() // it was only read
	running, err := p.connect(ctx, cfg)
	if err != nil {
		return err
	}
	if running != nil {
		return withHint(errors.Join(fault.New(fault.Conflict, "a server uses the store: it answers at %s", cfg.SocketPath()), running.close()),
			"stop it, and every other one that uses the same store")
	}
	target, err := p.target(ctx, cfg.Engine())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	done, err := transfer.Restore(ctx, file, key, target, transfer.RestoreOptions{
		Journals: app.Journals(), Issuer: cfg.Issuer, Force: force, Tell: p.telling(),
	})
	if err != nil {
		return err
	}
	return p.printSummary(done, path, func(w *page) {
		w.line("Restored %s from %s: %d records, each compared with the backup.", target.name, path, done.Records)
		w.line("What ended after the backup was made lives again: see docs/operating.md for what to end anew.")
	})
}
