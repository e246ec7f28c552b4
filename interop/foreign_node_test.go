package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// openid-client, oauth4webapi and jose are what JavaScript signs in with. Each
// discovers the issuer, checks the ID token and its signature, refreshes, and
// verifies the access token by the issuer's keys.
func TestJavaScriptSignsInAndVerifies(t *testing.T) {
	node, dir := openNode(t)
	s := openStage(t)
	for _, library := range []string{"openid-client", "oauth4webapi"} {
		for _, alg := range algorithms() {
			t.Run(library+" "+alg, func(t *testing.T) {
				t.Parallel()
				s.walk(t, alg, environ("NODE_EXTRA_CA_CERTS="+s.bundle), node, filepath.Join(dir, library+".mjs"))
			})
		}
	}
}

// openNode returns Node.js and a folder where its scripts find the libraries.
func openNode(t *testing.T) (node, dir string) {
	t.Helper()
	modules := os.Getenv("SIGNET_NODE_MODULES")
	if modules == "" {
		t.Skip("SIGNET_NODE_MODULES names no folder of libraries; the test command installs them where it may")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip(err)
	}
	dir = t.TempDir()
	scripts, err := filepath.Glob("node/*.mjs")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		source, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(script)), source, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A script finds its libraries beside itself, and nowhere else.
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return node, dir
}
