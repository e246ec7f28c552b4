package app_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
)

func TestALostKeyFileIsMissedAndNotReplaced(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Default()
	cfg.Issuer, cfg.Store, cfg.Metrics.Address = "https://id.example.com", "bolt:"+filepath.Join(dir, "signet.db"), config.Off
	start := func() error {
		a, err := app.New(t.Context(), cfg, app.Options{NoSync: true, Log: io.Discard})
		if err == nil {
			err = a.Close()
		}
		return err
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "signet.key")
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	if err := start(); err == nil || !strings.Contains(err.Error(), "restore it from its backup") {
		t.Errorf("without its key: %v", err)
	}
	if _, err := os.Stat(key); err == nil {
		t.Error("a new key stands where the lost one belongs")
	}
	if err := os.WriteFile(key, []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(); err == nil || !strings.Contains(err.Error(), "another key-encryption key") {
		t.Errorf("with another key: %v", err)
	}
	if err := os.Rename(key+".away", key); err != nil {
		t.Fatal(err)
	}
	if err := start(); err != nil {
		t.Errorf("with its key again: %v", err)
	}
}
