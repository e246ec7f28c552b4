package transfer_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/transfer"
)

func newKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

func about() transfer.About {
	return transfer.About{Issuer: "https://id.example.com", Release: "v1", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func backup(t testing.TB, s store.Store, key []byte) ([]byte, transfer.Summary) {
	t.Helper()
	var file bytes.Buffer
	done, err := transfer.Backup(t.Context(), s, &file, key, transfer.BackupOptions{About: about()})
	if err != nil {
		t.Fatalf("Backup: %v", err)
	}
	return file.Bytes(), done
}

func restore(t testing.TB, file, key []byte, s store.Store) (transfer.Summary, error) {
	t.Helper()
	return transfer.Restore(t.Context(), bytes.NewReader(file), key, s, transfer.RestoreOptions{Journals: journals(), Issuer: about().Issuer})
}

func TestABackupIsRestoredRecordByRecord(t *testing.T) {
	source, target, key := open(t), open(t), newKey()
	fill(t, source, 2500)
	put(t, source, store.Put("j/z", []byte("first")), store.Put("k/a", []byte("with it")))
	put(t, source, store.Put("j/a", []byte("second")))
	put(t, source, store.Put("empty", nil), store.Put("big", make([]byte, store.MaxValue)))
	put(t, source, store.Put("over", []byte("x")).Until(time.Now().Add(300*time.Millisecond)))
	file, made := backup(t, source, key)
	time.Sleep(300 * time.Millisecond)
	done, err := restore(t, file, key, target)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, contents(t, source), contents(t, target))
	if done.About != about() || done.Version != made.Version || !bytes.Equal(done.Digest, made.Digest) || done.Records != made.Records-1 {
		t.Errorf("restored %+v of %+v", done, made)
	}
}

func TestABackupUnderLoadIsTheStoreAfterExactlyOneCommit(t *testing.T) {
	source, key := open(t), newKey()
	fill(t, source, 3000)
	at := remember(t, source)
	stop := load(t, source, 2*time.Millisecond)
	for range 3 {
		time.Sleep(20 * time.Millisecond)
		file, made := backup(t, source, key)
		target := open(t)
		if _, err := restore(t, file, key, target); err != nil {
			t.Fatal(err)
		}
		wantSame(t, at(made.Version), contents(t, target))
	}
	if stop() == 0 {
		t.Fatal("nothing was written meanwhile")
	}
}

// gaps loses its watches for as long as it is told.
type gaps struct {
	store.Store
	left int
}

type lost struct{ events chan store.Event }

func (l lost) Events() <-chan store.Event { return l.events }
func (lost) Err() error                   { return store.ErrGap }

func (g *gaps) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	if g.left--; g.left >= 0 {
		events := make(chan store.Event)
		close(events)
		return lost{events}, nil
	}
	return g.Store.Watch(ctx, prefix)
}

// deletes a record after each listing, so that what was written before a gap is
// wrong after it.
type shrinking struct{ gaps }

func (s *shrinking) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	recs, err := s.Store.List(ctx, prefix, after, limit)
	if s.left >= 0 {
		if _, err := s.Store.Commit(ctx, store.Delete(fmt.Sprintf("r/%d", s.left+2))); err != nil {
			return nil, err
		}
	}
	return recs, err
}

func TestAWatchThatIsLostHasTheReadingBeginAgain(t *testing.T) {
	engine, key := open(t), newKey()
	fill(t, engine, 200)
	file, _ := backup(t, &shrinking{gaps{engine, 3}}, key)
	target := open(t)
	if _, err := restore(t, file, key, target); err != nil {
		t.Fatal(err)
	}
	wantSame(t, contents(t, engine), contents(t, target))
	copied := open(t)
	copyTo(t, &shrinking{gaps{engine, 3}}, copied, transfer.CopyOptions{Alone: true})
	wantSame(t, contents(t, engine), contents(t, copied))
	if _, err := transfer.Backup(t.Context(), &gaps{engine, 100}, new(bytes.Buffer), key, transfer.BackupOptions{}); !errors.Is(err, store.ErrGap) {
		t.Errorf("Backup = %v, want ErrGap when it never ends", err)
	}
}

// untouched fails the test when anything is written.
type untouched struct {
	store.Store
	t *testing.T
}

func (u untouched) Commit(context.Context, ...store.Op) (store.Version, error) {
	u.t.Helper()
	u.t.Error("something was written")
	return 0, errCrash
}

func TestABackupThatWasCutOffIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	source, key := open(t), newKey()
	fill(t, source, 3000)
	put(t, source, store.Put("big", make([]byte, store.MaxValue)))
	file, _ := backup(t, source, key)
	target := untouched{open(t), t}
	const header, chunk = 80, 64<<10 + 16
	cuts := []int{0, 1, 13, 14, 40, header - 1, header, header + 1, len(file) - 1, len(file) - 16, len(file) - 17}
	for at := header; at < len(file); at += chunk {
		cuts = append(cuts, at, at+1, min(len(file)-1, at+chunk-1))
	}
	for _, at := range cuts {
		if _, err := restore(t, file[:at], key, target); fault.KindOf(err) != fault.Invalid && fault.KindOf(err) != fault.Denied {
			t.Errorf("cut off at %d of %d: %v", at, len(file), err)
		}
	}
	if _, err := restore(t, append(bytes.Clone(file), 0), key, target); fault.KindOf(err) != fault.Invalid {
		t.Errorf("with a byte more: %v", err)
	}
	swapped := bytes.Clone(file)
	copy(swapped[header:], file[header+chunk:header+2*chunk])
	copy(swapped[header+chunk:], file[header:header+chunk])
	if _, err := restore(t, swapped, key, target); fault.KindOf(err) != fault.Invalid {
		t.Errorf("with two chunks swapped: %v", err)
	}
}

func TestEveryBitOfABackupCounts(t *testing.T) {
	source, key := open(t), newKey()
	fill(t, source, 20)
	file, _ := backup(t, source, key)
	target := untouched{open(t), t}
	for at := range file {
		altered := bytes.Clone(file)
		altered[at] ^= 1 << (at % 8)
		if _, err := restore(t, altered, key, target); err == nil {
			t.Fatalf("byte %d of %d was altered, and nobody noticed", at, len(file))
		}
	}
}

func TestABackupIsOpenedByItsKeyAlone(t *testing.T) {
	source, key := open(t), newKey()
	put(t, source, store.Put("r/1", []byte("a word that nobody else may read")))
	file, _ := backup(t, source, key)
	if bytes.Contains(file, []byte("nobody else")) || bytes.Contains(file, []byte("id.example.com")) {
		t.Error("the backup can be read without its key")
	}
	_, err := restore(t, file, newKey(), untouched{open(t), t})
	if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "another key") {
		t.Errorf("with another key: %v", err)
	}
	if _, err := restore(t, file, key[:16], untouched{open(t), t}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("with half a key: %v", err)
	}
	newer := bytes.Clone(file)
	newer[15] = 9
	if _, err := restore(t, newer, key, untouched{open(t), t}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "format 9") {
		t.Errorf("of another format: %v", err)
	}
	if _, err := restore(t, []byte("This is a letter, and no backup of anything whatever, however long it may be read."), key, untouched{open(t), t}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a letter: %v", err)
	}
}

func TestARestoreWantsAnEmptyStoreAndTheSameIssuer(t *testing.T) {
	source, target, key := open(t), open(t), newKey()
	put(t, source, store.Put("r/1", []byte("1")))
	file, _ := backup(t, source, key)
	put(t, target, store.Put("r/2", nil))
	if _, err := restore(t, file, key, untouched{target, t}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("into a store with records: %v", err)
	}
	o := transfer.RestoreOptions{Journals: journals(), Issuer: "https://other.example.com"}
	if _, err := transfer.Restore(t.Context(), bytes.NewReader(file), key, untouched{open(t), t}, o); fault.KindOf(err) != fault.Conflict {
		t.Errorf("of another issuer: %v", err)
	}
	o.Force = true
	if _, err := transfer.Restore(t.Context(), bytes.NewReader(file), key, target, o); err != nil {
		t.Fatal(err)
	}
	wantSame(t, contents(t, source), contents(t, target))
}

func TestARestoreThatWasInterruptedIsNotUsedAndIsFinishedByAnother(t *testing.T) {
	source, target, key := open(t), open(t), newKey()
	fill(t, source, 1000)
	file, _ := backup(t, source, key)
	if _, err := restore(t, file, key, &counting{Store: target, allows: 400}); !errors.Is(err, errCrash) {
		t.Fatalf("Restore = %v", err)
	}
	if err := transfer.Admit(t.Context(), target); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a server is let onto half a restore: %v", err)
	}
	if _, err := restore(t, file, key, target); err != nil {
		t.Fatal(err)
	}
	wantSame(t, contents(t, source), contents(t, target))
}

func TestACheckNamesWhatNobodyCanRead(t *testing.T) {
	s := open(t)
	fill(t, s, 50)
	put(t, s, store.Put("c/good", []byte(`{}`)), store.Put("c/bad", []byte(`{`)), store.Put("unknown", nil))
	isJSON := func(r store.Record) error {
		var v json.RawMessage
		return json.Unmarshal(r.Value, &v)
	}
	any := func(store.Record) error { return nil }
	report, err := transfer.Check(t.Context(), s, map[string]transfer.Decoder{"c/": isJSON, "r/": any, "j/": any, "s/": any, "": nil}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, f := range report.Findings {
		keys = append(keys, f.Key)
	}
	if strings.Join(keys, " ") != "c/bad unknown" || report.Records["r"] != 40 {
		t.Errorf("found %+v", report)
	}
}

// Whatever becomes of a sealed file, what is read from it is what was sealed.
func FuzzABackupIsReadAsItWasWrittenOrNotAtAll(f *testing.F) {
	source, key := open(f), newKey()
	put(f, source, store.Put("r/1", []byte("1")), store.Put("r/2", []byte("2")))
	file, _ := backup(f, source, key)
	f.Add(uint(90), []byte{1})
	f.Add(uint(len(file)), []byte("more"))
	f.Add(uint(len(file)-3), []byte(nil))
	f.Fuzz(func(t *testing.T, at uint, patch []byte) {
		altered := bytes.Clone(file[:min(at, uint(len(file)))])
		altered = append(altered, patch...)
		if rest := len(altered); rest < len(file) && len(patch) > 0 {
			altered = append(altered, file[rest:]...)
		}
		target := open(t)
		_, err := restore(t, altered, key, target)
		if bytes.Equal(altered, file) {
			if err != nil {
				t.Errorf("the file itself: %v", err)
			}
			return
		}
		if got := contents(t, target); err == nil || len(got) > 0 {
			t.Errorf("an altered file was restored: %v, %d records", err, len(got))
		}
	})
}
