package enginetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Pooler starts a PgBouncer in session mode before the server, until the test
// ends, and returns its address. Without PgBouncer on this machine the test is
// skipped, or fails where CI is set.
func (p *Postgres) Pooler(t testing.TB) string {
	t.Helper()
	address, err := p.pooler(t)
	need(t, err)
	return address
}

func (p *Postgres) pooler(t testing.TB) (string, error) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // which not everybody has in PATH
	}
	if _, err := os.Stat(program); err != nil {
		return "", &missingError{"PgBouncer is not installed: .ci/postgres installs it"}
	}
	address, err := freeAddress()
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(p.address)
	if err != nil {
		return "", err
	}
	_, own, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp("", "signet-pgbouncer-")
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	settings := fmt.Sprintf(`[databases]
* = host=%s port=%s user=signet
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = session
default_pool_size = 60
`, host, port, own)
	file := filepath.Join(folder, "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		return "", err
	}
	bouncer, err := spawn(folder, filepath.Join(folder, "log"), program, file)
	if err != nil {
		return "", err
	}
	t.Cleanup(func() {
		if err := bouncer.halt(killTree); err != nil {
			t.Errorf("stopping PgBouncer: %v", err)
		}
	})
	return address, answers(address, filepath.Join(folder, "log"))
}

// answers waits until somebody listens at address.
func answers(address, log string) error {
	var dialer net.Dialer
	for deadline := time.Now().Add(readyWithin); ; time.Sleep(20 * time.Millisecond) {
		conn, err := dialer.DialContext(context.Background(), "tcp", address)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(log)
			return fmt.Errorf("nobody answers at %s: %w: %s", address, err, said)
		}
	}
}
