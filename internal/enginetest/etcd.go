package enginetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Etcd is an etcd cluster of the test's own. It starts when the first test asks
// for its endpoints. The zero value is ready and has one member; whoever has it
// calls Stop when the tests are through.
type Etcd struct {
	// Members is how many there are; 0 means one.
	Members int

	// Flags are added to each member's command line.
	Flags []string

	// Client speaks to the members when they are asked how they are, and Secure
	// says that they want TLS. The zero values are for a cluster without.
	Client *http.Client
	Secure bool

	start    sync.Once
	err      error
	program  string
	folder   string
	members  []*member
	prefixes atomic.Int64
}

// member is one process of the cluster. mu guards process.
type member struct {
	name, client, peer string
	args               []string

	mu      sync.Mutex
	process *exec.Cmd
	ended   chan struct{} // closed when it has
}

// Endpoints returns the URLs of all members, running or not. Without etcd on
// this machine the test is skipped, or fails where CI is set.
func (c *Etcd) Endpoints(t testing.TB) []string {
	t.Helper()
	wanted(t)
	c.start.Do(func() { c.err = c.prepare() })
	need(t, c.err)
	urls := make([]string, len(c.members))
	for i, m := range c.members {
		urls[i] = c.url(m.client)
	}
	return urls
}

// Address is the host and port of the first member, for a proxy.
func (c *Etcd) Address(t testing.TB) string {
	t.Helper()
	return strings.TrimPrefix(c.Endpoints(t)[0], c.url(""))
}

// Prefix returns one that no other test has.
func (c *Etcd) Prefix() string { return fmt.Sprintf("signet-test-%d", c.prefixes.Add(1)) }

// Kill ends a member as a power cut would.
func (c *Etcd) Kill(t testing.TB, i int) {
	t.Helper()
	if err := c.members[i].kill(); err != nil {
		t.Fatalf("killing a member of etcd: %v", err)
	}
}

// Restart starts a member that was killed, with what its disk holds, and returns
// when it answers.
func (c *Etcd) Restart(t testing.TB, i int) {
	t.Helper()
	if err := c.members[i].launch(c.program, c.folder); err != nil {
		t.Fatalf("restarting a member of etcd: %v", err)
	}
	if err := c.wait(c.members[i]); err != nil {
		t.Fatal(err)
	}
}

// Pause has a member hang: its connections stay, and nothing is answered.
func (c *Etcd) Pause(t testing.TB, i int) { c.signal(t, i, suspend) }

// Resume lets it go on.
func (c *Etcd) Resume(t testing.TB, i int) { c.signal(t, i, resume) }

func (c *Etcd) signal(t testing.TB, i int, send func(pid int) error) {
	t.Helper()
	m := c.members[i]
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := send(m.process.Process.Pid); err != nil {
		t.Fatalf("signalling a member of etcd: %v", err)
	}
}

// Leader returns which member leads, as soon as those that run agree on one.
func (c *Etcd) Leader(t testing.TB) int {
	t.Helper()
	for deadline := time.Now().Add(readyWithin); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for i, m := range c.members {
			var status struct {
				Header struct {
					Member string `json:"member_id"`
				} `json:"header"`
				Leader string `json:"leader"`
			}
			if err := c.ask(m, "/v3/maintenance/status", "{}", &status); err == nil && status.Leader == status.Header.Member {
				return i
			}
		}
	}
	t.Fatal("etcd has no leader")
	return 0
}

// Stop ends the cluster and removes its data.
func (c *Etcd) Stop() error {
	if c.folder == "" {
		return nil // no test needed it
	}
	var err error
	for _, m := range c.members {
		err = errors.Join(err, m.kill())
	}
	return errors.Join(err, os.RemoveAll(c.folder))
}

func (c *Etcd) url(address string) string {
	if c.Secure {
		return "https://" + address
	}
	return "http://" + address
}

// prepare finds the program and starts all members.
func (c *Etcd) prepare() error {
	var err error
	if c.program, err = findEtcd(); err != nil {
		return err
	}
	if c.folder, err = os.MkdirTemp("", "signet-etcd-"); err != nil {
		return err
	}
	var cluster []string
	for i := range max(1, c.Members) {
		m := &member{name: fmt.Sprintf("m%d", i)}
		if m.client, err = freeAddress(); err != nil {
			return err
		}
		if m.peer, err = freeAddress(); err != nil {
			return err
		}
		c.members = append(c.members, m)
		cluster = append(cluster, m.name+"=http://"+m.peer)
	}
	for _, m := range c.members {
		m.args = append([]string{
			"--name", m.name, "--data-dir", filepath.Join(c.folder, m.name), "--log-level", "warn",
			"--listen-client-urls", c.url(m.client), "--advertise-client-urls", c.url(m.client),
			"--listen-peer-urls", "http://" + m.peer, "--initial-advertise-peer-urls", "http://" + m.peer,
			"--initial-cluster", strings.Join(cluster, ","), "--initial-cluster-token", c.folder,
		}, c.Flags...)
		if err := m.launch(c.program, c.folder); err != nil {
			return err
		}
	}
	for _, m := range c.members {
		if err := c.wait(m); err != nil {
			return err
		}
	}
	return nil
}

// wait returns when the member answers and knows a leader.
func (c *Etcd) wait(m *member) error {
	for deadline := time.Now().Add(readyWithin); ; time.Sleep(20 * time.Millisecond) {
		var health struct {
			Health string `json:"health"`
		}
		err := c.ask(m, "/health", "", &health)
		if err == nil && health.Health == "true" {
			return nil
		}
		select {
		case <-m.ended:
			return fmt.Errorf("etcd ended: %s", m.log(c.folder))
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("etcd did not answer within %s: %w: %s", readyWithin, err, m.log(c.folder))
		}
	}
}

// ask sends one request, a POST when there is something to post.
func (c *Etcd) ask(m *member, path, post string, answer any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if post != "" {
		method, body = http.MethodPost, bytes.NewBufferString(post)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url(m.client)+path, body)
	if err != nil {
		return err
	}
	client := c.Client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(answer)
}

// launch starts the process. Its owner is a goroutine that ends with it.
func (m *member) launch(program, folder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(folder, m.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own copy
	process := exec.CommandContext(context.Background(), program, m.args...)
	process.Stdout, process.Stderr = log, log
	process.Dir = folder
	alone(process)
	started, ended := make(chan error), make(chan struct{})
	go func() { // until the process ends
		release := tie() // the process is not to outlive the tests, however they end
		defer release()
		defer close(ended)
		err := process.Start()
		started <- err
		if err == nil {
			_ = process.Wait() // what it had to say is in its log
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", program, err)
	}
	m.process, m.ended = process, ended
	return nil
}

// kill ends the process, if it runs, and waits until it has.
func (m *member) kill() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process == nil {
		return nil
	}
	if err := m.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-m.ended
	m.process = nil
	return nil
}

func (m *member) log(folder string) string {
	said, _ := os.ReadFile(filepath.Join(folder, m.name+".log"))
	return string(said[max(0, len(said)-4096):])
}

// findEtcd returns the path of the server.
func findEtcd() (string, error) {
	if path := os.Getenv("SIGNET_ETCD"); path != "" {
		return path, nil
	}
	if path, err := exec.LookPath("etcd"); err == nil {
		return path, nil
	}
	return "", &missingError{"etcd is not installed: .ci/etcd builds it, or set SIGNET_ETCD to the path of the program"}
}
