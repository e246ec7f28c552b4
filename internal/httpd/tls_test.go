package httpd

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pair makes a certificate and its key in PEM, by name.
func pair(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// put writes a file with a time of its own: within virtual time the disk's clock
// does not move with ours.
func put(t *testing.T, path string, content []byte, age int) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	changed := time.Unix(1_700_000_000+int64(age), 0)
	if err := os.Chtimes(path, changed, changed); err != nil {
		t.Fatal(err)
	}
}

func served(t *testing.T, c *certificates) string {
	t.Helper()
	leaf, err := c.config().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return leaf.Leaf.Subject.CommonName
}

func TestANewCertificateIsServedWithoutARestartAndABrokenOneIsNot(t *testing.T) {
	dir := t.TempDir()
	files := TLS{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
	certOne, keyOne := pair(t, "one")
	certTwo, keyTwo := pair(t, "two")
	put(t, files.Certificate, certOne, 1)
	put(t, files.Key, keyOne, 1)

	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c, err := loadCertificates(files, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		go c.follow(ctx)
		look := func() { time.Sleep(3 * lookAgain); synctest.Wait() }

		put(t, files.Certificate, certTwo, 2) // its key is still on the way
		look()
		if got := served(t, c); got != "one" {
			t.Errorf("half a pair is served: %s", got)
		}
		if got := strings.Count(log.String(), "the old one stays"); got != 1 {
			t.Errorf("the broken pair is complained about %d times, want once:\n%s", got, log.String())
		}

		put(t, files.Key, keyTwo, 3)
		look()
		if got := served(t, c); got != "two" {
			t.Errorf("after the new pair is whole, %s is served", got)
		}

		if err := os.Remove(files.Key); err != nil {
			t.Fatal(err)
		}
		look()
		if got := served(t, c); got != "two" {
			t.Errorf("after the files are gone, %s is served", got)
		}
		if got := strings.Count(log.String(), "the old one stays"); got != 2 {
			t.Errorf("the missing file is complained about %d times in all, want twice:\n%s", got, log.String())
		}
		stop()
		synctest.Wait()
	})
}
