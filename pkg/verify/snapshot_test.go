package verify_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// snapshotOf runs a verifier once, so that the snapshot at path holds i's keys.
func snapshotOf(t *testing.T, i *issuer, s *signer, path string) {
	t.Helper()
	v := i.verifier(t, verify.WithSnapshot(path))
	wantAccepted(t, v, s.token(nil))
	v.Close()
}

func TestAServiceBootsFromItsSnapshotWhileTheIssuerIsDown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		snapshotOf(t, i, s, path)
		i.down = true
		time.Sleep(23 * time.Hour)
		v := i.verifier(t, verify.WithSnapshot(path))
		start := time.Now()
		if !v.Ready() {
			t.Error("not Ready with keys from the snapshot")
		}
		wantAccepted(t, v, s.token(nil))
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v for an issuer that is not needed", waited)
		}
		if got := v.Staleness(); got < 23*time.Hour {
			t.Errorf("Staleness = %v: the snapshot must not make keys younger", got)
		}
		time.Sleep(2 * time.Hour)
		wantRefused(t, v, s.token(nil), verify.KeysUnavailable)
	})
}

func TestKeysOfASnapshotDieWithTheFirstFetch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		snapshotOf(t, i, s, path)
		successor := newSigner(t, verify.ES256, "k2")
		i.keys = []*signer{successor}
		v := i.verifier(t, verify.WithSnapshot(path))
		wantAccepted(t, v, successor.token(nil))
		wantRefused(t, v, s.token(nil), verify.UnknownKey)
	})
}

func TestASnapshotThatCannotBeTrustedIsIgnored(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string){
		"older than a day":      func(*testing.T, string) { time.Sleep(24*time.Hour + time.Second) },
		"of another issuer":     func(t *testing.T, path string) { rewrite(t, path, "issuer", "https://evil.example") },
		"from the future":       func(t *testing.T, path string) { rewrite(t, path, "confirmed", time.Now().Add(time.Hour)) },
		"without keys":          func(t *testing.T, path string) { rewrite(t, path, "jwks", object{}) },
		"cut short":             func(t *testing.T, path string) { truncate(t, path) },
		"writable by its group": func(t *testing.T, path string) { chmod(t, path, 0o620) },
		"writable by everybody": func(t *testing.T, path string) { chmod(t, path, 0o602) },
		"gone":                  func(t *testing.T, path string) { remove(t, path) },
		"a folder":              func(t *testing.T, path string) { remove(t, path); mkdir(t, path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.json")
			bubble(t, func(t *testing.T, i *issuer, s *signer) {
				snapshotOf(t, i, s, path)
				spoil(t, path)
				i.down = true
				v := i.verifier(t, verify.WithSnapshot(path))
				wantRefused(t, v, s.token(nil), verify.KeysUnavailable)
				i.with(func(i *issuer) { i.down = false })
				time.Sleep(30 * time.Second)
				wantAccepted(t, v, s.token(nil)) // it is a convenience, nothing depends on it
			})
		})
	}
}

func TestAfterASnapshotTooOldTheFirstRequestWaitsForTheIssuer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		snapshotOf(t, i, s, path)
		time.Sleep(25 * time.Hour)
		wantAccepted(t, i.verifier(t, verify.WithSnapshot(path)), s.token(nil))
	})
}

func TestASnapshotIsForTheServiceAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		snapshotOf(t, i, s, path)
	})
	stat, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := stat.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %v, want 0600", got)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files beside the snapshot, %v, want none", len(entries)-1, err)
	}
}

func TestASnapshotFollowsTheKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		v := i.verifier(t, verify.WithSnapshot(path))
		wantAccepted(t, v, s.token(nil))
		i.with(func(i *issuer) { i.keys = []*signer{newSigner(t, verify.ES256, "k2")} })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if content := read(t, path); !strings.Contains(content, `"k2"`) || strings.Contains(content, `"k1"`) {
			t.Errorf("the snapshot holds other keys than the issuer publishes: %s", content)
		}
		time.Sleep(10 * time.Hour) // nothing changes, but the keys are confirmed
		var file struct{ Confirmed time.Time }
		if err := json.Unmarshal([]byte(read(t, path)), &file); err != nil {
			t.Fatal(err)
		}
		if age := time.Since(file.Confirmed); age > 80*time.Minute {
			t.Errorf("the snapshot says that the keys are %v old", age)
		}
	})
}

func TestASnapshotThatCannotBeWrittenStopsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "such", "folder", "keys.json")
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		wantAccepted(t, i.verifier(t, verify.WithSnapshot(path)), s.token(nil))
	})
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func rewrite(t *testing.T, path, name string, value any) {
	t.Helper()
	var file object
	if err := json.Unmarshal([]byte(read(t, path)), &file); err != nil {
		t.Fatal(err)
	}
	file[name] = value
	if err := os.WriteFile(path, mustJSON(file), 0o600); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string) {
	t.Helper()
	if err := os.Truncate(path, 40); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
