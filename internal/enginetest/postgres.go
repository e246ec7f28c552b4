package enginetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// readyWithin is how long a server may take to start or to stop.
const readyWithin = 60 * time.Second

// Postgres is a PostgreSQL server of the test's own: one per test binary, with
// a database per test. It starts when the first test asks for a database. The
// zero value is ready; whoever has it calls Stop when the tests are through.
type Postgres struct {
	// Settings are lines of postgresql.conf, beyond those that bind the server to
	// loopback. What makes a commit durable is on, as it is by default.
	Settings []string

	start   sync.Once
	err     error
	bin     string
	folder  string
	address string

	mu      sync.Mutex
	process *process // nil while the server is down
	names   int
}

// Database makes an empty database for one test and returns its URL. Without
// PostgreSQL on this machine the test is skipped, or fails where CI is set.
func (p *Postgres) Database(t testing.TB) string {
	t.Helper()
	name := p.name(t)
	if _, err := p.Query(t.Context(), p.URL("postgres"), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return p.URL(name)
}

// Schema makes an empty schema for one test, in a database that it shares with
// others, and returns a URL of which it is the search path: a tenth of the work of
// a Database, for tests that leave the database itself alone.
func (p *Postgres) Schema(t testing.TB) string {
	t.Helper()
	name := p.name(t)
	if _, err := p.Query(t.Context(), p.URL("postgres"), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	return p.URL("postgres") + "&options=-csearch_path%3D" + name
}

// name starts the server, unless it runs, and returns a name that no other test has.
func (p *Postgres) name(t testing.TB) string {
	t.Helper()
	wanted(t)
	p.start.Do(func() { p.err = p.prepare() })
	need(t, p.err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names++
	return fmt.Sprintf("test%d", p.names)
}

// URL is how a client connects to the database.
func (p *Postgres) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("signet"), Host: p.address, Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Through is a database's URL with another address, a proxy's for example.
func (p *Postgres) Through(database, address string) string {
	return strings.Replace(database, p.address, address, 1)
}

// Address is the host and port at which the server listens.
func (p *Postgres) Address() string { return p.address }

// Bin is the folder of PostgreSQL's programs.
func (p *Postgres) Bin() string { return p.bin }

// Query runs statements with psql, as a superuser, and returns what they yield:
// a line for each row, its columns joined by a bar. The database is named by its
// URL.
func (p *Postgres) Query(ctx context.Context, database, statements string) (string, error) {
	psql := exec.CommandContext(ctx, filepath.Join(p.bin, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statements, database)
	said, err := psql.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("running %q: %w: %s", statements, err, said)
	}
	return strings.TrimSpace(string(said)), nil
}

// Kill ends the server as a power cut would: no process of it gets to say
// anything. Restart brings it back with what its disk holds.
func (p *Postgres) Kill(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.halt(killTree); err != nil {
		t.Fatalf("killing PostgreSQL: %v", err)
	}
}

// Restart starts the server again, on the same address and data, and returns
// when it answers.
func (p *Postgres) Restart(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		if err := p.halt(interrupt); err != nil {
			t.Fatalf("stopping PostgreSQL: %v", err)
		}
	}
	if err := p.launch(); err != nil {
		t.Fatalf("restarting PostgreSQL: %v", err)
	}
}

// Stop ends the server and removes its data.
func (p *Postgres) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.folder == "" {
		return nil // no test needed it
	}
	var err error
	if p.process != nil {
		err = p.halt(killTree) // its data is worth nothing any more
	}
	return errors.Join(err, os.RemoveAll(p.folder))
}

// halt ends the process and waits until it has; p.mu is held.
func (p *Postgres) halt(by func(pid int) error) error {
	running := p.process
	p.process = nil
	return running.halt(by)
}

// prepare finds the programs, makes a cluster and starts it.
func (p *Postgres) prepare() error {
	var err error
	if p.bin, err = findPostgres(); err != nil {
		return err
	}
	if p.address, err = freeAddress(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.folder, err = os.MkdirTemp("", "signet-postgres-"); err != nil {
		return err
	}
	initdb := exec.CommandContext(context.Background(), filepath.Join(p.bin, "initdb"), "-D", p.data(), "-U", "signet", "--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync")
	if err := unprivileged(initdb, p.folder); err != nil {
		return err
	}
	if said, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("making a cluster: %w: %s", err, said)
	}
	return p.launch()
}

func (p *Postgres) data() string { return filepath.Join(p.folder, "data") }

// launch starts the server and waits until it answers; p.mu is held. What is left
// of one that was killed may still be leaving: then it gives up, and is started
// again.
func (p *Postgres) launch() error {
	host, port, err := net.SplitHostPort(p.address)
	if err != nil {
		return err
	}
	log := filepath.Join(p.folder, "log")
	for deadline := time.Now().Add(readyWithin); ; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(log)
			return fmt.Errorf("the server did not answer within %s: %s", readyWithin, said[max(0, len(said)-4096):])
		}
		if p.process != nil {
			select {
			case <-p.process.ended:
				p.process = nil
			default:
			}
		}
		if p.process == nil {
			if p.process, err = p.serve(host, port, log); err != nil {
				return err
			}
		}
		if exec.CommandContext(context.Background(), filepath.Join(p.bin, "pg_isready"), "-q", "-U", "signet", "-h", host, "-p", port).Run() == nil {
			return nil
		}
	}
}

// serve starts the server.
func (p *Postgres) serve(host, port, log string) (*process, error) {
	args := []string{"-D", p.data(), "-h", host, "-p", port, "-c", "unix_socket_directories=", "-c", "max_connections=200"}
	for _, setting := range p.Settings {
		args = append(args, "-c", setting)
	}
	return spawn(p.folder, log, filepath.Join(p.bin, "postgres"), args...)
}

// findPostgres returns the folder of the newest server's programs.
func findPostgres() (string, error) {
	if bin := os.Getenv("SIGNET_POSTGRES"); bin != "" {
		return bin, nil
	}
	var folders []string
	for version := 30; version >= 14; version-- { // Debian leaves them out of PATH
		folders = append(folders, fmt.Sprintf("/usr/lib/postgresql/%d/bin", version))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	for _, bin := range folders {
		if hasAll(bin, "postgres", "initdb", "psql", "pg_isready") {
			return bin, nil
		}
	}
	return "", &missingError{"PostgreSQL is not installed: .ci/postgres installs it, or set SIGNET_POSTGRES to the folder of its programs"}
}

func hasAll(folder string, programs ...string) bool {
	for _, program := range programs {
		if _, err := os.Stat(filepath.Join(folder, program)); err != nil {
			return false
		}
	}
	return true
}
