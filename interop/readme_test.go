package interop

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/cli"
	"github.com/signet-id/signet/internal/config"
)

// block is one fenced block of the README.
type block struct{ language, text string }

func readme(t *testing.T) []block {
	t.Helper()
	raw, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(string(raw), -1) {
		out = append(out, block{m[1], m[2]})
	}
	return out
}

// find returns the one block that contains mark.
func find(t *testing.T, mark string) string {
	t.Helper()
	var found []string
	for _, b := range readme(t) {
		if strings.Contains(b.text, mark) {
			found = append(found, b.text)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d blocks of the README contain %q, want one", len(found), mark)
	}
	return found[0]
}

// The five minutes of the README, as a reader spends them, on other ports.
func TestTheReadmeLeadsToAVerifiedToken(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the README's commands need %s: %v", tool, err)
		}
	}
	issuerAt, serviceAt := freeAddress(t), freeAddress(t)
	here := strings.NewReplacer("127.0.0.1:9000", issuerAt, "127.0.0.1:8000", serviceAt)

	secret := startDev(t, find(t, "signet dev"), issuerAt[strings.LastIndex(issuerAt, ":")+1:])
	startService(t, here.Replace(find(t, "verify.New(")))
	waitFor(t, "http://"+serviceAt)

	get := "SECRET=" + secret + "\n" + here.Replace(find(t, "TOKEN=$("))
	if out := shell(t, get); out != "orders for shop\n" {
		t.Errorf("the service answered %q", out)
	}
	revoke := here.Replace(find(t, "-d token=$TOKEN"))
	first, ask, found := strings.Cut(revoke, "\n")
	if !found {
		t.Fatalf("not two commands: %s", revoke)
	}
	// A person takes a second to ask again; a script may be there too soon.
	out := shell(t, get+first+"\nsleep 1\n"+ask)
	if !strings.HasPrefix(out, "orders for shop\nHTTP/1.1 401 ") || !strings.Contains(out, "the token has been revoked") {
		t.Errorf("after revocation the service answered %q", out)
	}
}

// startDev runs the block's command and returns the secret that it prints.
func startDev(t *testing.T, command, port string) string {
	t.Helper()
	line, ok := strings.CutPrefix(strings.TrimSpace(command), "go run ./cmd/signet ")
	if !ok {
		t.Fatalf("not a command of ours: %s", command)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, cli.Program{
			Args: append(strings.Fields(line), "--port", port), Stdin: strings.NewReader(""), Stdout: in, Stderr: io.Discard,
			Environ: os.Environ(), Version: "test",
		})
		_ = in.Close()
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("dev ended with %d", code)
		}
	})
	secret := regexp.MustCompile(`client +shop +(sgs_\S+)`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := secret.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return m[1]
		}
	}
	t.Fatal("dev printed no secret")
	return ""
}

// startService compiles the block, as a reader would, and runs it.
func startService(t *testing.T, source string) {
	t.Helper()
	dir := t.TempDir()
	file, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "service")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, file)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the README's service does not compile: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), program)
	run.WaitDelay = time.Second
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait()
	})
}

func shell(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", script)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return string(out)
}

func TestTheReadmesConfigurationIsValid(t *testing.T) {
	if _, err := config.Parse("README.md", []byte(find(t, "issuer: https://")), nil); err != nil {
		t.Error(err)
	}
}

// Each command of the README exists, with the flags that it is shown with: run
// in order, without a server, they work.
func TestTheReadmesCommandsWork(t *testing.T) {
	dir := t.TempDir()
	settings := strings.ReplaceAll(find(t, "issuer: https://"), "/var/lib/signet", dir)
	file := filepath.Join(dir, "signet.yaml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(find(t, "signet serve")) {
		words := strings.Fields(line)
		if len(words) == 0 || words[1] == "serve" {
			continue
		}
		args := append(unquote(words[1:]), "--config", file)
		if words[1] == "user" {
			args = append(args, "--password-stdin")
		}
		var out strings.Builder
		code := cli.Run(t.Context(), cli.Program{
			Args: args, Stdin: strings.NewReader("a long walk by the river\n"), Stdout: &out, Stderr: &out, Version: "test",
		})
		if code != 0 {
			t.Errorf("%s ended with %d:\n%s", line, code, out.String())
		}
	}
}

// unquote joins what the shell would keep together: --name "Alice Ahlgren".
func unquote(words []string) []string {
	var out []string
	open := false
	for _, w := range words {
		bare := strings.Trim(w, `"`)
		if open {
			out[len(out)-1] += " " + bare
		} else {
			out = append(out, bare)
		}
		if strings.Count(w, `"`) == 1 {
			open = !open
		}
	}
	return out
}

func TestTheReadmesLinksLeadSomewhere(t *testing.T) {
	raw, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(string(raw), -1) {
		if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
			t.Error(fmt.Errorf("README.md links to %s: %w", m[1], err))
		}
	}
}
