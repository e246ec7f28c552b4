package enginetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Encrypt has the server speak TLS to whoever asks for it, from now on, and returns
// the file of the authority that vouches for it, as the address 127.0.0.1 and by no
// name. The server must run.
func (p *Postgres) Encrypt(t testing.TB) string {
	t.Helper()
	authority, err := p.encrypt()
	if err != nil {
		t.Fatalf("giving PostgreSQL a certificate: %v", err)
	}
	for _, statement := range []string{"ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"} {
		if _, err := p.Query(t.Context(), p.URL("postgres"), statement); err != nil {
			t.Fatal(err)
		}
	}
	return authority
}

// encrypt writes a certificate that is its own authority to where the server looks.
func (p *Postgres) encrypt() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	for name, block := range map[string]*pem.Block{
		"server.key": {Type: "PRIVATE KEY", Bytes: private},
		"server.crt": {Type: "CERTIFICATE", Bytes: certificate},
	} {
		file := filepath.Join(p.data(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			return "", err
		}
		if err := unprivileged(&exec.Cmd{}, file); err != nil { // runs nothing: the file is given to whom the server runs as
			return "", err
		}
	}
	authority := filepath.Join(p.folder, "authority.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o600); err != nil {
		return "", fmt.Errorf("writing the authority: %w", err)
	}
	return authority, nil
}
