package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/seal"
)

func TestAKeyIsReadAsPeopleKeepIt(t *testing.T) {
	key := slices.Concat(bytes.Repeat([]byte{0xfb}, 31), []byte{0xff}) // has + / and - _ in base64
	for name, text := range map[string]string{
		"base64":               base64.StdEncoding.EncodeToString(key),
		"base64, no padding":   base64.RawStdEncoding.EncodeToString(key),
		"base64url":            base64.URLEncoding.EncodeToString(key),
		"base64url, unpadded":  base64.RawURLEncoding.EncodeToString(key),
		"hex":                  hex.EncodeToString(key),
		"HEX":                  strings.ToUpper(hex.EncodeToString(key)),
		"with a line break":    base64.StdEncoding.EncodeToString(key) + "\n",
		"with spaces around":   "  " + hex.EncodeToString(key) + "\r\n",
		"as openssl prints it": base64.StdEncoding.EncodeToString(key) + "\n",
	} {
		got, err := seal.ParseKey([]byte(text))
		if err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: ParseKey = %x, %v", name, got, err)
		}
	}
}

func TestWhatIsNoKeyIsRefusedWithoutShowingIt(t *testing.T) {
	for _, text := range []string{
		"", "hunter2", base64.StdEncoding.EncodeToString(make([]byte, 16)), strings.Repeat("a", 63), strings.Repeat("z", 64),
	} {
		_, err := seal.ParseKey([]byte(text))
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("ParseKey(%q) = %v, want fault.Invalid", text, err)
		}
		if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

func TestTheKeyFileIsMadeOnceForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.key")
	first, made, err := seal.LoadOrMakeKey(path)
	if err != nil || !made || len(first) != seal.KeySize {
		t.Fatalf("LoadOrMakeKey = %d bytes, made %t, %v", len(first), made, err)
	}
	second, made, err := seal.LoadOrMakeKey(path)
	if err != nil || made || !bytes.Equal(first, second) {
		t.Errorf("the second start: same key %t, made %t, %v", bytes.Equal(first, second), made, err)
	}
	stat, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := stat.Mode().Perm(); runtime.GOOS != "windows" && got != 0o600 {
		t.Errorf("mode = %o, want 600", got)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%d files beside it, %v; want the key file alone", len(left), err)
	}
}

// A key file that was made over another would lock everybody out for good.
func TestADamagedKeyFileIsNeverReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.key")
	if err := os.WriteFile(path, []byte("half a k"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := seal.LoadOrMakeKey(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("LoadOrMakeKey = %v, want an error that names the file", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "half a k" {
		t.Errorf("the file now has %q, %v", got, err)
	}
}

func TestOfProcessesThatStartTogetherOneMakesTheKeyAndAllUseIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.key")
	var group sync.WaitGroup
	found := make([][]byte, 8)
	makers := make([]bool, len(found))
	for i := range found {
		group.Go(func() {
			var err error
			if found[i], makers[i], err = seal.LoadOrMakeKey(path); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range found {
		if !bytes.Equal(found[i], found[0]) {
			t.Errorf("process %d has another key than process 0", i)
		}
	}
	if n := len(slices.DeleteFunc(makers, func(m bool) bool { return !m })); n != 1 {
		t.Errorf("%d processes made the key, want 1", n)
	}
}

func TestAKeyFileThatCanNotBeMadeSaysWhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no such folder", "signet.key")
	_, _, err := seal.LoadOrMakeKey(path)
	if _, message := fault.Public(err); fault.KindOf(err) != fault.Unavailable || !strings.Contains(message, path) {
		t.Errorf("LoadOrMakeKey = %v, want fault.Unavailable naming %s", err, path)
	}
	if _, err := os.Stat(path); err == nil {
		t.Errorf("there is a file at %s", path)
	} else if !os.IsNotExist(err) {
		t.Errorf("Stat = %v, want %v", err, fs.ErrNotExist)
	}
}
