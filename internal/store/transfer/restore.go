package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// RestoreOptions say how a backup is put back.
type RestoreOptions struct {
	Journals Journals
	// Issuer is whose backup it must be; empty: anybody's.
	Issuer string
	// Force replaces whatever the target holds.
	Force bool
	Tell  Tell
}

// Restore makes target hold what the backup does, and compares each record. The
// whole file is read and judged before anything is written. Records that have
// expired since are left out. Like a Copy it can be repeated, wants an empty
// target, and no server starts on a target that it did not finish.
func Restore(ctx context.Context, file io.ReadSeeker, key []byte, target store.Store, o RestoreOptions) (Summary, error) {
	b := &backup{file: file, key: key, journals: o.Journals}
	if err := b.judge(ctx, o.Tell); err != nil {
		return Summary{}, err
	}
	if o.Issuer != "" && b.about.Issuer != o.Issuer && !o.Force {
		return Summary{}, fault.New(fault.Conflict, "the backup is of %s, and the configuration is of %s; --force restores it all the same", b.about.Issuer, o.Issuer)
	}
	if err := claim(ctx, target, "restore", o.Force); err != nil {
		return Summary{}, err
	}
	if err := reconcile(ctx, b.records(ctx), target, o.Journals, "restoring", o.Tell); err != nil {
		return Summary{}, err
	}
	if err := o.Journals.rewrite(ctx, slices.Clone(b.added), target, o.Tell); err != nil {
		return Summary{}, err
	}
	done := Summary{About: b.about, Version: b.version, Digest: b.digest}
	p := Progress{Stage: "comparing"}
	err := compare(b.records(ctx), records(ctx, target, ""), func(d difference, same bool) error {
		if o.Journals.has(d.key()) {
			return nil
		}
		if !same {
			return fault.New(fault.Internal, "%q is not what the backup has; does a server use the target? Restore again", d.key())
		}
		p.Records, p.At = p.Records+1, d.key()
		if p.Records%store.MaxList == 0 {
			o.Tell.say(p)
		}
		return nil
	})
	if err != nil {
		return Summary{}, err
	}
	o.Tell.say(p)
	added, err := o.Journals.inOrder(ctx, target, 0)
	if err != nil {
		return Summary{}, err
	}
	if wrong := differ(b.added, added, nil); len(wrong) > 0 {
		return Summary{}, fault.New(fault.Internal, "%q is not what the backup has; does a server use the target? Restore again", wrong[0])
	}
	done.Records = p.Records + len(b.added)
	return done, writeState(ctx, target, state{By: "restore", Whole: true})
}

// backup is a sealed file, and what a first reading of it has shown.
type backup struct {
	file     io.ReadSeeker
	key      []byte
	journals Journals

	about   About
	version store.Version
	digest  []byte
	begun   int                     // entries before this one are forgotten
	changed map[string]store.Record // what was changed meanwhile; version 0: it is gone
	added   []store.Record          // of the journals, in order
}

// each reads the file from its beginning.
func (b *backup) each(ctx context.Context, visit func(number int, e entry) error) (*parser, error) {
	if _, err := b.file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the backup: %w", err)
	}
	opened, err := newOpener(b.file, b.key)
	if err != nil {
		return nil, err
	}
	p := newParser(opened)
	for number := 0; ; number++ {
		e, err := p.next()
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err == nil && (e.kind == kindAbout) != (number == 0) {
			err = altered(errors.New("what the backup is of is not at its beginning"))
		}
		if err == nil {
			err = cmp.Or(ctx.Err(), visit(number, e))
		}
		if err != nil {
			return nil, err
		}
	}
}

// judge reads all of the file, and keeps what the second reading needs to know.
func (b *backup) judge(ctx context.Context, tell Tell) error {
	b.changed = map[string]store.Record{}
	journal := map[string]store.Record{}
	progress := Progress{Stage: "reading the backup"}
	before := ""
	p, err := b.each(ctx, func(number int, e entry) error {
		if progress.Records++; progress.Records%store.MaxList == 0 {
			progress.At = e.record.Key
			tell.say(progress)
		}
		r := e.record
		switch e.kind {
		case kindAbout:
			b.about = e.about
		case kindAnew:
			b.begun, before = number, ""
			clear(b.changed)
			clear(journal)
		case kindListed:
			if r.Key <= before {
				return altered(fmt.Errorf("%q is out of order", r.Key))
			}
			before = r.Key
			if b.journals.has(r.Key) {
				journal[r.Key] = r
			}
		case kindPut, kindGone:
			if e.kind == kindGone {
				r.Version = 0
			}
			if b.journals.has(r.Key) {
				journal[r.Key] = r
			} else {
				b.changed[r.Key] = r
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	now := time.Now()
	for _, r := range journal {
		if r.Exists() && !leaves(r, now) {
			b.added = append(b.added, r)
		}
	}
	sortByVersion(b.added)
	b.version, b.digest = p.version, p.sum
	return nil
}

// records is what the backup holds but for the journals, in the order of the keys:
// the listed ones, with what was changed meanwhile in its place.
func (b *backup) records(ctx context.Context) feed {
	return func(yield func(store.Record, error) bool) {
		now := time.Now()
		changed := slices.SortedFunc(maps.Values(b.changed), func(a, b store.Record) int { return strings.Compare(a.Key, b.Key) })
		left := errors.New("whoever reads has left")
		give := func(r store.Record) error {
			if r.Exists() && !leaves(r, now) && !yield(r, nil) {
				return left
			}
			return nil
		}
		upTo := func(done func(key string) bool) error {
			for len(changed) > 0 && !done(changed[0].Key) {
				if err := give(changed[0]); err != nil {
					return err
				}
				changed = changed[1:]
			}
			return nil
		}
		_, err := b.each(ctx, func(number int, e entry) error {
			if number < b.begun || e.kind != kindListed || b.journals.has(e.record.Key) {
				return nil
			}
			if err := upTo(func(key string) bool { return key >= e.record.Key }); err != nil {
				return err
			}
			if _, is := b.changed[e.record.Key]; is {
				return nil // it comes with the changed ones
			}
			return give(e.record)
		})
		if err == nil {
			err = upTo(func(string) bool { return false })
		}
		if err != nil && !errors.Is(err, left) {
			yield(store.Record{}, err)
		}
	}
}
