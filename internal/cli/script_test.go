package cli_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.etcd.io/bbolt"

	"github.com/signet-id/signet/internal/cli"
	"github.com/signet-id/signet/internal/store/boltstore"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"signet":     signet,
		"hold-store": holdStore,
	})
}

// signet is the program, as cmd/signet makes it, with services that say what
// they were told.
func signet() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := cli.Run(ctx, cli.Program{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Environ: os.Environ(), Version: "v1.2.3", Service: tellService,
	})
	stop()
	os.Exit(code)
}

// tellService writes what it was told into a file, for the script to look at.
func tellService(ctx context.Context, s cli.Service) error {
	told := fmt.Sprintf("client %s\nsecret %t\nissuer %t\nlistens %t\npeer %s\npeer URL %t\n", s.ClientID, s.ClientSecret != "",
		strings.HasPrefix(s.Issuer, "http://127.0.0.1:"), s.URL == "http://"+s.Listener.Addr().String(), s.PeerName, s.PeerURL != "" && s.PeerURL != s.URL)
	if err := os.WriteFile("told-"+s.Name, []byte(told), 0o600); err != nil {
		return err
	}
	<-ctx.Done()
	return s.Listener.Close()
}

// holdStore is another process that has the store open.
func holdStore() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := boltstore.Open(os.Args[1], boltstore.Options{})
	if err == nil {
		err = os.WriteFile("held", nil, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	<-ctx.Done()
	_ = s.Close()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TMPDIR", env.Getenv("WORK")+"/tmp")
			// A raced program waits a second before it ends, a hundred times over.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return os.Mkdir(env.Getenv("WORK")+"/tmp", 0o700)
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("there is no condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":  await,
			"secret": keepSecret,
			"hidden": hidden,
			"newer":  makeNewer,
			"refuse": beRefused,

			"signed-in": beSignedIn,
			"key":       keepKey,
		},
	})
}

// await FILE [TEXT] waits until a file is there, and holds TEXT.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await FILE [TEXT]")
	}
	path := ts.MkAbs(args[0])
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if len(args) == 1 || strings.Contains(ts.ReadFile(args[0]), args[1]) {
			return
		}
	}
	ts.Fatalf("%s did not come", args)
}

// secret NAME keeps the client_secret that the last command printed as $NAME.
func keepSecret(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: secret NAME")
	}
	found := regexp.MustCompile(`sgs_[A-Za-z0-9_-]{43}`).FindString(ts.ReadFile("stdout"))
	if found == "" {
		ts.Fatalf("no secret was printed")
	}
	ts.Setenv(args[0], found)
}

// hidden FILE TEXT... demands that neither a text nor what may be stored of it is
// in a file (stdout and stderr are those of the last command).
func hidden(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: hidden FILE TEXT...")
	}
	shown := ts.ReadFile(args[0])
	for _, text := range args[1:] {
		sum := sha256.Sum256([]byte(text))
		for form, s := range map[string]string{
			"itself": text, "its SHA-256": base64.StdEncoding.EncodeToString(sum[:]),
			"its URL-safe SHA-256": base64.RawURLEncoding.EncodeToString(sum[:]), "its hex SHA-256": hex.EncodeToString(sum[:]),
		} {
			if strings.Contains(shown, s) {
				ts.Fatalf("%s shows a secret: %s", args[0], form)
			}
		}
	}
	for _, word := range []string{"argon2", "PRIVATE"} {
		if strings.Contains(shown, word) {
			ts.Fatalf("%s shows %s", args[0], word)
		}
	}
}

// newer FILE marks a store as written by a release after this one.
func makeNewer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: newer FILE")
	}
	db, err := bbolt.Open(ts.MkAbs(args[0]), 0o600, nil)
	ts.Check(err)
	ts.Check(db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("format"), binary.BigEndian.AppendUint64(nil, 99))
	}))
	ts.Check(db.Close())
}

// refuse LOG NAME sends the server that writes LOG a request of the client shop
// that it must refuse, and keeps the refusal's id as $NAME.
func beRefused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: refuse LOG NAME")
	}
	served := regexp.MustCompile(`is served on (127\.0\.0\.1:[0-9]+)`).FindStringSubmatch(ts.ReadFile(args[0]))
	if served == nil {
		ts.Fatalf("%s does not say where it is served", args[0])
	}
	q := url.Values{
		"client_id": {"shop"}, "redirect_uri": {"https://shop.example.com/callback"}, "response_type": {"code"},
		"scope": {"openid"}, "prompt": {"nag"}, "login_hint": {"somebody"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+served[1]+"/authorize?"+q.Encode(), nil)
	ts.Check(err)
	res, err := http.DefaultTransport.RoundTrip(r)
	ts.Check(err)
	ts.Check(res.Body.Close())
	to, err := res.Location()
	ts.Check(err)
	id := regexp.MustCompile(`\[([A-Z0-9]+)\]$`).FindStringSubmatch(to.Query().Get("error_description"))
	if id == nil {
		ts.Fatalf("no id in %s", to)
	}
	ts.Setenv(args[1], id[1])
}

// Whatever is asked for is printed as JSON or not at all: a program that reads
// --json never meets a sentence.
func TestEveryCommandOfTheOperatorPrintsJSONWhenAsked(t *testing.T) {
	dir := t.TempDir()
	environ := []string{"SIGNET_ISSUER=https://id.example.com", "SIGNET_STORE=bolt://" + filepath.Join(dir, "signet.db"), "SIGNET_METRICS_ADDRESS=off"}
	for _, line := range []string{
		"client add shop --redirect-uri https://shop.example.com/cb", "client list", "client show shop", "client set shop --first-party",
		"client rotate-secret shop", "client disable shop", "client enable shop", "client remove shop",
		"user add alice --no-password", "user list", "user show alice", "user set alice --name Alice", "user set-roles alice admin",
		"session list alice", "session end alice --all", "audit list",
		"user disable alice", "user enable alice", "user remove alice",
		"keys list", "keys rotate", "config check", "config explain issuer", "config explain", "version",
	} {
		var out, errs strings.Builder
		code := cli.Run(t.Context(), cli.Program{
			Args: append(strings.Fields(line), "--json"), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Environ: environ, Version: "v1",
		})
		if code != 0 || !json.Valid([]byte(out.String())) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", line, code, out.String(), errs.String())
		}
	}
}

// A terminal obeys escape sequences; what strangers registered may hold them.
func TestWhatSomebodyRegisteredCannotMoveTheCursor(t *testing.T) {
	dir := t.TempDir()
	run := func(line ...string) string {
		t.Helper()
		var out, errs strings.Builder
		code := cli.Run(t.Context(), cli.Program{
			Args: line, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Version: "v1",
			Environ: []string{"SIGNET_ISSUER=https://id.example.com", "SIGNET_STORE=bolt://" + filepath.Join(dir, "signet.db")},
		})
		if code != 0 {
			t.Fatalf("%s: %s", line, errs.String())
		}
		return out.String()
	}
	run("client", "add", "shop", "--redirect-uri", "https://shop.example.com/cb", "--title", "a\u009b2Jb\u202ec")
	for _, shown := range []string{run("client", "list"), run("client", "show", "shop")} {
		if strings.ContainsAny(shown, "\u009b\u202e") {
			t.Errorf("shown as it is: %q", shown)
		}
	}
}
