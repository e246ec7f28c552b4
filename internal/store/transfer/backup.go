package transfer

import (
	"bufio"
	"context"
	"io"

	"github.com/signet-id/signet/internal/store"
)

// BackupOptions say what a backup is of.
type BackupOptions struct {
	About About
	Tell  Tell
}

// Summary is what a backup holds, or what was restored from it.
type Summary struct {
	About   About
	Records int // with one or no change each; a restore counts what it wrote
	Version store.Version
	Digest  []byte
}

// Backup writes all records of source, sealed under key, while source is used:
// they are the store as it was after exactly one Commit, that of the Version which
// it returns. The key is not in it.
func Backup(ctx context.Context, source store.Store, to io.Writer, key []byte, o BackupOptions) (Summary, error) {
	buffered := bufio.NewWriterSize(to, 2*chunkSize)
	sealed, err := newSealer(buffered, key)
	if err != nil {
		return Summary{}, err
	}
	out := newEntries(sealed)
	if err := out.about(o.About); err != nil {
		return Summary{}, err
	}
	done := Summary{About: o.About}
	err = again(func(attempt int) error {
		if attempt > 1 {
			if err := out.write(kindAnew, nil); err != nil {
				return err
			}
		}
		done.Records, done.Version, err = backUp(ctx, source, out, o.Tell)
		return err
	})
	if err != nil {
		return Summary{}, err
	}
	if done.Digest, err = out.end(done.Version); err != nil {
		return Summary{}, err
	}
	if err := sealed.close(); err != nil {
		return Summary{}, err
	}
	return done, buffered.Flush()
}

// backUp writes what is listed, and after each page what has changed meanwhile. An
// entry about a key comes after every older one: a page that shows a change was
// read before the change is told, or after it was written here.
func backUp(ctx context.Context, source store.Store, out *entries, tell Tell) (int, store.Version, error) {
	changes, err := watch(ctx, source)
	if err != nil {
		return 0, 0, err
	}
	defer changes.close()
	p := Progress{Stage: "reading"}
	write := func(events []store.Event) error {
		for _, e := range foreign(events) {
			kind := kindPut
			if e.Deleted {
				kind = kindGone
			}
			p.Changed++
			if err := out.record(kind, recordOf(e)); err != nil {
				return err
			}
		}
		return nil
	}
	for after := ""; ; {
		page, err := list(ctx, source, "", after)
		if err != nil {
			return 0, 0, err
		}
		for _, r := range page {
			after = r.Key
			if ours(r.Key) {
				continue
			}
			p.Records++
			if err := out.record(kindListed, r); err != nil {
				return 0, 0, err
			}
		}
		events, err := changes.take()
		if err != nil {
			return 0, 0, err
		}
		if err := write(events); err != nil {
			return 0, 0, err
		}
		p.At = after
		tell.say(p)
		if len(page) < store.MaxList {
			break
		}
	}
	v, err := mark(ctx, source)
	if err != nil {
		return 0, 0, err
	}
	return p.Records, v, changes.until(ctx, v, write)
}
