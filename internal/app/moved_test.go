package app_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/transfer"
)

// moving is how a deployment gets into another store.
type moving func(t testing.TB, from, to store.Store)

func byCopy(t testing.TB, from, to store.Store) {
	t.Helper()
	if _, err := transfer.Copy(t.Context(), from, to, transfer.CopyOptions{Journals: app.Journals(), Freeze: time.Minute}); err != nil {
		t.Fatal(err)
	}
}

func byBackup(t testing.TB, from, to store.Store) {
	t.Helper()
	var file bytes.Buffer
	key := make([]byte, 32)
	if _, err := transfer.Backup(t.Context(), from, &file, key, transfer.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	o := transfer.RestoreOptions{Journals: app.Journals()}
	if _, err := transfer.Restore(t.Context(), bytes.NewReader(file.Bytes()), key, to, o); err != nil {
		t.Fatal(err)
	}
}

// move opens the same issuer on what it was moved to.
func (h *house) move(cfg config.Config, by moving) *house {
	h.t.Helper()
	cfg.Keys.EncryptionKeyFile = cfg.KeyFilePath()
	cfg.Store = "bolt:" + filepath.Join(h.t.TempDir(), "moved.db")
	target, err := app.OpenEngine(h.t.Context(), cfg.Engine(), nil)
	if err != nil {
		h.t.Fatal(err)
	}
	by(h.t, h.Store(), target)
	if err := target.Close(); err != nil {
		h.t.Fatal(err)
	}
	a, err := app.New(h.t.Context(), cfg, app.Options{NoSync: true, Log: io.Discard})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := a.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return &house{App: a, t: h.t, secret: h.secret, alice: h.alice, bob: h.bob}
}

// speak has the stream speak until the test ends.
func (h *house) speak() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.t.Context()))
	done := make(chan error, 1)
	go func() { done <- h.RunRings(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			h.t.Error(err)
		}
	})
}

// awaitHello asks until the stream says what is wanted.
func (h *house) awaitHello(id string, wanted func(said map[string]any) bool) (at string) {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		said, at := h.hello(id)
		if wanted(said) {
			return at
		}
		if time.Now().After(deadline) {
			h.t.Errorf("a listener that was at %q is told %v", id, said)
			return at
		}
	}
}

// hello is what the stream says first to a listener that was at id.
func (h *house) hello(id string) (said map[string]any, at string) {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodGet, "/status/stream", nil)
	if id != "" {
		r.Header.Set("Last-Event-ID", id)
	}
	for line := range strings.Lines(h.serve(r).body) {
		if text, is := strings.CutPrefix(line, "id:"); is {
			at = strings.TrimSpace(text)
		}
		if text, is := strings.CutPrefix(line, "data:"); is {
			said = claims(h.t, strings.TrimSpace(text))
		}
	}
	if said == nil || at == "" {
		h.t.Fatal("the stream said no hello")
	}
	return said, at
}

func placeOf(t *testing.T, access string) (uri string, index float64) {
	t.Helper()
	entry := claims(t, access)["status"].(map[string]any)["status_list"].(map[string]any)
	return entry["uri"].(string), entry["idx"].(float64)
}

// People, services and verifiers notice nothing of a move but its freeze.
func TestADeploymentThatMovedGoesOnWhereItWas(t *testing.T) {
	for name, by := range map[string]moving{"by copy": byCopy, "by backup and restore": byBackup} {
		t.Run(name, func(t *testing.T) {
			var cfg config.Config
			old := open(t, func(c *config.Config, _ *app.Options) { cfg = *c })
			alice, bob := old.browser(), old.browser()
			live, over := old.token("orders", redeem(alice.code("alice", "orders"))), old.token("orders", redeem(bob.code("bob", "orders")))
			old.disable(old.alice.Subject) // and enabled again below: a change of a record
			if _, err := old.Operator.EnableUser(t.Context(), "alice"); err != nil {
				t.Fatal(err)
			}
			if _, err := old.Operator.DisableUser(t.Context(), "bob"); err != nil {
				t.Fatal(err)
			}
			code := alice.get(authorize(asks("orders"))).location(t).Query().Get("code")
			old.speak()
			at := old.awaitHello("", func(said map[string]any) bool { p, _ := said["position"].(float64); return p > 0 })

			h := old.move(cfg, by)
			alice.h = h
			if got := alice.get(authorize(asks("orders"))); got.StatusCode != http.StatusSeeOther || got.location(t).Query().Get("code") == "" {
				t.Errorf("the session is gone: %d %s", got.StatusCode, got.Header.Get("Location"))
			}
			for what, form := range map[string]url.Values{"a code": redeem(code), "a refresh token": refresh(live.RefreshToken)} {
				if got := h.token("orders", form); got.Status != http.StatusOK {
					t.Errorf("%s is worth nothing: %+v", what, got)
				}
			}
			if got := h.userinfo(live.AccessToken); got.StatusCode != http.StatusOK {
				t.Errorf("an access token is refused: %d", got.StatusCode)
			}
			if got := h.userinfo(over.AccessToken); got.StatusCode != http.StatusUnauthorized {
				t.Errorf("what had ended lives again: %d", got.StatusCode)
			}
			if got := h.token("orders", refresh(over.RefreshToken)); got.Status == http.StatusOK {
				t.Error("a grant that had ended lives again")
			}
			oldList, _ := placeOf(t, live.AccessToken)
			if newList, _ := placeOf(t, h.token("robot", url.Values{"grant_type": {"client_credentials"}}).AccessToken); newList == oldList {
				t.Errorf("a slot of the list %s was given out again", oldList)
			}
			// A listener that was away during the move misses nothing.
			if _, err := h.Operator.DisableUser(t.Context(), "alice"); err != nil {
				t.Fatal(err)
			}
			h.speak()
			uri, index := placeOf(t, live.AccessToken)
			h.awaitHello(at, func(said map[string]any) bool { return said["refetch"] == true || tells(said, uri, index) })
		})
	}
}

// tells reports whether a message says that the slot has ended.
func tells(said map[string]any, uri string, index float64) bool {
	lists, _ := said["ended"].([]any)
	for _, l := range lists {
		list, _ := l.(map[string]any)
		if list["uri"] != uri {
			continue
		}
		indexes, _ := list["idx"].([]any)
		for _, i := range indexes {
			if i == index {
				return true
			}
		}
		ranges, _ := list["ranges"].([]any)
		for _, r := range ranges {
			pair, _ := r.([]any)
			if len(pair) == 2 && pair[0].(float64) <= index && index < pair[0].(float64)+pair[1].(float64) {
				return true
			}
		}
	}
	return false
}

// The stream and the lists follow these in the order of their versions, whatever
// their names.
func TestWhatIsFollowedInOrderKeepsItsOrderInAMove(t *testing.T) {
	for name, by := range map[string]moving{"by copy": byCopy, "by backup and restore": byBackup} {
		t.Run(name, func(t *testing.T) {
			var cfg config.Config
			h := open(t, func(c *config.Config, _ *app.Options) { cfg = *c })
			keys := []string{"slots/lease/z/1", "ended/z", "slots/lease/a/1", "ended/a"}
			for _, key := range keys {
				if _, err := h.Store().Commit(t.Context(), store.Put(key, []byte("{}"))); err != nil {
					t.Fatal(err)
				}
			}
			recs, err := h.move(cfg, by).Store().Get(t.Context(), keys...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range recs[1:] {
				if !recs[i].Exists() || recs[i].Version >= recs[i+1].Version {
					t.Errorf("%s has version %d, %s has %d", recs[i].Key, recs[i].Version, recs[i+1].Key, recs[i+1].Version)
				}
			}
		})
	}
}
