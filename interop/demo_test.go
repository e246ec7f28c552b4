package interop

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/signet-id/signet/cmd/signet/demo"
	"github.com/signet-id/signet/internal/cli"
)

// demoHouse is `signet demo`, running, as it described itself.
type demoHouse struct {
	orders, invoices, issuer string
	printed                  string // what it says at its start
	temp                     string
	later                    terminal
}

// terminal keeps what is printed while the demo runs.
type terminal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (t *terminal) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

// wantPrinted waits until the demo has said so in its terminal.
func (d *demoHouse) wantPrinted(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		d.later.mu.Lock()
		got := d.later.text.String()
		d.later.mu.Unlock()
		if strings.Contains(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the demo has not printed %q but:\n%s", want, got)
		}
	}
}

// runDemo runs the command itself, until the test ends.
func runDemo(t *testing.T) *demoHouse {
	t.Helper()
	d := &demoHouse{temp: t.TempDir()}
	t.Setenv("TMPDIR", d.temp)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, cli.Program{
			Args: []string{"demo", "--port", "0"}, Stdin: strings.NewReader(""), Stdout: in, Stderr: io.Discard,
			Environ: os.Environ(), Version: "test",
			Service: func(ctx context.Context, s cli.Service) error { return demo.Serve(ctx, demo.Service(s)) },
		})
		_ = in.Close()
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("the demo ended with %d", code)
		}
		if left, _ := filepath.Glob(filepath.Join(d.temp, "*")); len(left) != 0 {
			t.Errorf("the demo left %v behind", left)
		}
	})
	address := regexp.MustCompile(`^ +(Orders|Invoices|Issuer) +(http://\S+)`)
	lines := bufio.NewScanner(out)
	for d.orders == "" || d.invoices == "" || d.issuer == "" {
		if !lines.Scan() {
			t.Fatalf("the demo said no more than:\n%s", d.printed)
		}
		d.printed += lines.Text() + "\n"
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			*map[string]*string{"Orders": &d.orders, "Invoices": &d.invoices, "Issuer": &d.issuer}[m[1]] = m[2]
		}
	}
	go func() { // until the demo has ended
		for lines.Scan() { // it has read ahead
			_, _ = d.later.Write([]byte(lines.Text() + "\n"))
		}
	}()
	return d
}

func TestTheDemoSignsInOnceForBothServices(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			c := openChrome(t, scripts)
			d := runDemo(t)
			waitFor(t, d.orders)

			c.visit(d.orders + "/")
			c.click("#signin")
			c.wantAt(d.issuer + "/signin")
			c.click("button[name=persona][value=alice]")
			c.wantAt(d.orders)
			c.wantText("Alice")
			c.wantText("admin")

			// The page of one calls the API of the other, with its access token.
			c.click("#ask")
			c.wantAt(d.orders + "/ask")
			c.wantText("200")

			// The other service asks nothing.
			c.click("#hop")
			c.wantAt(d.invoices)
			c.wantText("Alice")

			// Back at the first, signing out ends the session at the issuer for both,
			// and the page says how soon the other refused the very same token.
			c.visit(d.orders + "/")
			c.click("#signout")
			c.wantAt(d.orders)
			c.wantText("accepted, for the")
			c.wantText("refused: the token has been revoked")
			took := regexp.MustCompile(`([\d.]+) (µs|ms) later, Invoices refused your token`).FindStringSubmatch(c.text())
			if took == nil {
				t.Fatalf("the page does not say within how many milliseconds:\n%s", c.text())
			}
			t.Logf("refused %s %s after the end of the session", took[1], took[2])
			d.wantPrinted(t, "refused: the token has been revoked")
			c.visit(d.invoices + "/")
			c.wantText("was ended at the issuer")
			c.click("#signin")
			c.wantAt(d.issuer + "/signin")

			// Back shows no page of a person who has left.
			c.goes(chromedp.NavigateBack())
			if strings.Contains(c.text(), "Hello, ") {
				t.Errorf("back shows %s:\n%s", c.location(), c.text())
			}
		})
	}
}

// waitFor waits until a server answers.
func waitFor(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = res.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", url, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
