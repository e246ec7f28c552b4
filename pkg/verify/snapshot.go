package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// rewriteEvery is how far the time in the file may lag behind the truth. It
// only makes keys seem older than they are.
const rewriteEvery = time.Hour

// snapshot keeps the issuer's public keys on disk, so that a service boots while
// the issuer is down. A nil snapshot keeps nothing. After New it belongs to the
// follower's goroutine alone.
type snapshot struct {
	path, issuer string
	written      time.Time
}

// record is the file. It holds public keys only, but whoever can write it can
// add one, so load looks at who can.
type record struct {
	Issuer    string          `json:"issuer"`
	Confirmed time.Time       `json:"confirmed"`
	JWKS      json.RawMessage `json:"jwks"`
}

// load returns the keys on disk, or nil when there is no file yet.
func (s *snapshot) load(now time.Time) (*keySet, error) {
	if s == nil {
		return nil, nil
	}
	file, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the snapshot: %w", err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	stat, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the snapshot: %w", err)
	}
	// Windows has other means, and reports 0666 for every file.
	if runtime.GOOS != "windows" && stat.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("others may write to the snapshot %s (mode %v): whoever does can sign tokens", s.path, stat.Mode().Perm())
	}
	content, err := io.ReadAll(io.LimitReader(file, 2*maxDocument))
	if err != nil {
		return nil, fmt.Errorf("reading the snapshot: %w", err)
	}
	return s.parse(content, now)
}

func (s *snapshot) parse(content []byte, now time.Time) (*keySet, error) {
	var r record
	if err := json.Unmarshal(content, &r); err != nil {
		return nil, fmt.Errorf("reading the snapshot: %w", err)
	}
	if r.Issuer != s.issuer {
		return nil, fmt.Errorf("the snapshot is of another issuer, %q", r.Issuer)
	}
	// A time to come would keep the keys alive beyond maxStale.
	if r.Confirmed.After(now.Add(leeway)) {
		return nil, errors.New("the snapshot is from the future")
	}
	keys, _, err := parseKeys(r.JWKS) // what was left out was said when it was fetched
	if err != nil {
		return nil, err
	}
	set := newKeySet(keys, r.Confirmed)
	if set.stale(now) {
		return nil, fmt.Errorf("the snapshot is too old, of %s", r.Confirmed.Format(time.RFC3339))
	}
	return set, nil
}

// save writes the file, whole or not at all, if there is news for it.
func (s *snapshot) save(document []byte, changed bool, confirmed time.Time) error {
	if s == nil || (!changed && confirmed.Sub(s.written) < rewriteEvery) {
		return nil
	}
	content, err := json.Marshal(record{Issuer: s.issuer, Confirmed: confirmed, JWKS: document})
	if err != nil {
		return fmt.Errorf("encoding the snapshot: %w", err)
	}
	// CreateTemp makes the file with mode 0600.
	file, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*")
	if err != nil {
		return fmt.Errorf("making the snapshot: %w", err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), s.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the snapshot: %w", err), os.Remove(file.Name()))
	}
	s.written = confirmed
	return nil
}
