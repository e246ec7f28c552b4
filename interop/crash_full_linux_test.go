package interop

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// before is what people and clients have when the disk fills up.
type before struct {
	*ledger
	family *family   // refreshed, and to be refreshed
	spare  *family   // a code that is not yet redeemed
	known  *signedIn // who gets another code without a write
}

func (l *ledger) settle(t *testing.T) before {
	t.Helper()
	l.found(t.Context())
	for range 2 {
		l.join(t)
	}
	b := before{l, l.families[0], l.families[1], l.sessions[0]}
	if !l.redeem(t.Context(), b.family) || !l.refresh(t.Context(), b.family) {
		t.FailNow()
	}
	return b
}

// join signs somebody in and leaves a code unredeemed.
func (l *ledger) join(t *testing.T) {
	t.Helper()
	s := &signedIn{visitor: newVisitor(l.victim.http), login: l.logins[0]}
	got, err := s.signIn(t.Context(), l.clients[0].id, s.login)
	if err != nil || got.status != http.StatusSeeOther {
		t.Fatalf("signing in: %v %s", err, got)
	}
	got, err = s.get(t.Context(), got.header.Get("Location"))
	if err != nil || got.location().Get("code") == "" {
		t.Fatalf("no code: %v %s", err, got)
	}
	l.sessions = append(l.sessions, s)
	l.families = append(l.families, &family{session: s, client: l.clients[0], code: got.location().Get("code"), issued: time.Now()})
}

// tryToWrite does whatever writes, and returns how much of it was refused. A
// refusal says to come back later, and has done nothing by half; when a disk is
// nearly full, a change may still find room, and then it is done.
func (b before) tryToWrite(t *testing.T) (refused int) {
	t.Helper()
	ctx := t.Context()
	token := func(what string, f *family, got tokenReply, err error) {
		t.Helper()
		if err == nil && got.status == http.StatusOK {
			f.succeed(got.Refresh)
			return
		}
		refused++
		if err != nil || got.status != http.StatusServiceUnavailable || got.Error != "temporarily_unavailable" ||
			got.header.Get("Retry-After") == "" || got.Access+got.Refresh != "" {
			t.Errorf("%s on a full disk: %v %s, Retry-After %q", what, err, got, got.header.Get("Retry-After"))
		}
	}
	got, err := b.spare.client.redeem(ctx, b.spare.code)
	token("redeeming", b.spare, got, err)
	got, err = b.family.client.refresh(ctx, b.family.current())
	token("refreshing", b.family, got, err)

	s := &signedIn{visitor: newVisitor(b.victim.http), login: b.logins[1]}
	page, err := s.signIn(ctx, b.clients[0].id, s.login)
	if err == nil && page.status == http.StatusSeeOther {
		b.sessions = append(b.sessions, s)
	} else {
		refused++
		if err != nil || page.status != http.StatusServiceUnavailable || page.header.Get("Retry-After") == "" ||
			strings.Contains(strings.Join(page.header.Values("Set-Cookie"), ";"), "signet=") {
			t.Errorf("signing in on a full disk: %v %s, headers %v", err, page, page.header)
		}
	}
	switch got, err := b.operator().addUser(ctx, "late"); {
	case err == nil && got.status == http.StatusCreated:
		b.logins = append(b.logins, "late")
	case err == nil && got.status == http.StatusServiceUnavailable && strings.Contains(got.body, "the store cannot be written"):
		refused++
	default:
		t.Errorf("adding a user on a full disk: %v %s", err, got)
	}
	return refused
}

// wantReading expects that all goes on that needs no write.
func (b before) wantReading(t *testing.T) {
	t.Helper()
	if got, err := b.known.get(t.Context(), askCode(b.clients[0].id, "prompt", "none")); err != nil || got.location().Get("code") == "" {
		t.Errorf("who is signed in gets no code on a full disk: %v %s", err, got)
	}
	b.auditTokens(t.Context())
}

// wantResumed expects that everything works that was refused, once, and that
// nothing of before is lost; then the same of the file after a kill.
func (b before) wantResumed(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	if len(b.spare.tokens) == 0 && !b.redeem(ctx, b.spare) || !b.refresh(ctx, b.family) {
		t.Error("what was refused does not work when there is room again")
	}
	if !slices.Contains(b.logins, "late") && !b.addUser(ctx, b.operator(), "late") {
		t.Error("the user who was refused is there by half")
	}
	b.join(t)
	b.victim.kill(t)
	b.victim.start(t)
	b.auditAll()
}

// The limit on the size of files stands in for the full disk where nothing may
// be mounted: the kernel refuses the very writes.
func TestCrashAFullDiskLosesNothingAndSaysSo(t *testing.T) {
	v := newVictim(t, t.TempDir())
	v.start(t)
	b := (&ledger{t: t, victim: v}).settle(t)
	v.order(t, "full")
	if n := b.tryToWrite(t); n != 4 {
		t.Errorf("%d of 4 changes were refused on a full disk", n)
	}
	b.wantReading(t)
	v.order(t, "room")
	b.wantResumed(t)
}

// mounted makes dir a file system of its own, of so many bytes.
func mounted(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("signet", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("no file system may be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestCrashASmallDiskThatFillsUpLosesNothingAndSaysSo(t *testing.T) {
	dir := mounted(t, "2m")
	v := newVictim(t, dir)
	v.start(t)
	b := (&ledger{t: t, victim: v}).settle(t)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, bytes.Repeat([]byte("x"), 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	// The file's free pages still take some changes.
	op := b.operator()
	for n := 0; ; n++ {
		login := "filler-" + strings.Repeat("y", 40) + string(rune('a'+n/26)) + string(rune('a'+n%26))
		got, err := op.addUser(t.Context(), login)
		if err != nil || n == 26*26 {
			t.Fatalf("the disk never filled up: %v %s", err, got)
		}
		if got.status == http.StatusServiceUnavailable {
			if !strings.Contains(got.body, "its disk is full") {
				t.Errorf("the operator is not told why: %s", got)
			}
			break
		}
		b.logins = append(b.logins, login)
	}
	b.tryToWrite(t)
	b.wantReading(t)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	b.wantResumed(t)
}

func TestCrashOnAReadOnlyDiskTheServerSaysSoAndChangesNothing(t *testing.T) {
	dir := mounted(t, "4m")
	v := newVictim(t, dir)
	v.start(t)
	b := (&ledger{t: t, victim: v}).settle(t)
	v.kill(t)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("the disk can't be made read-only: %v", err)
	}
	v.run(t)
	if v.lines.Scan() {
		t.Fatalf("the server runs on a read-only disk, at %s", v.lines.Text())
	}
	if err := v.process.Wait(); err == nil || !strings.Contains(v.said.String(), "read-only") {
		t.Errorf("it ended with %v and said %s", err, v.said)
	}
	v.process = nil
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	v.start(t)
	b.auditAll()
}
