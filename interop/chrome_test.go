package interop

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience bounds each step; a step that is stuck fails instead of hanging.
const patience = 30 * time.Second

// chrome is one person's browser window.
type chrome struct {
	t   *testing.T
	ctx context.Context
}

// openChrome starts a real browser with an empty profile, or skips when the test
// command found none. It is given flags beyond those of every test.
func openChrome(t *testing.T, scripts bool, flags ...string) *chrome {
	t.Helper()
	path := os.Getenv("SIGNET_CHROMIUM")
	if path == "" {
		t.Skip("SIGNET_CHROMIUM names no browser; the test command finds or installs one")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(t.TempDir(), "profile")),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-dev-shm-usage", true),
	}
	for _, f := range flags {
		options = append(options, chromedp.Flag(f, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	c := &chrome{t, ctx}
	// The browser lives as long as the context of the first step.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	c.do(chromedp.EmulateViewport(1280, 800))
	if !scripts {
		if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *chrome) do(steps ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		c.t.Fatalf("%v\n%s", err, c.page())
	}
}

// goes runs steps that lead to another page, and returns its status.
func (c *chrome) goes(steps ...chromedp.Action[chromedp.Void]) int {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	res, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		c.t.Fatalf("%v\n%s", err, c.page())
	}
	return int(res.Status)
}

func (c *chrome) visit(target string) int {
	c.t.Helper()
	return c.goes(chromedp.Navigate(target))
}

func (c *chrome) click(selector string) int {
	c.t.Helper()
	return c.goes(chromedp.Click(chromedp.CSS(selector)))
}

func (c *chrome) fill(selector, text string) {
	c.t.Helper()
	c.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// signIn fills the sign-in page and presses Enter, as people do.
func (c *chrome) signIn(login, pw string) int {
	c.t.Helper()
	c.fill("input[name=login]", login)
	return c.goes(chromedp.SendKeys(chromedp.CSS("input[name=password]"), pw+"\r"))
}

func (c *chrome) has(selector string) bool {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	nodes, err := chromedp.Run(ctx, chromedp.QueryNodeIDs(chromedp.CSS(selector), chromedp.AtLeast(0)))
	if err != nil {
		c.t.Fatal(err)
	}
	return len(nodes) > 0
}

func (c *chrome) text() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	for {
		text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
		// The page gave way to another between finding its body and reading it.
		if gone := (*cdproto.Error)(nil); errors.As(err, &gone) && gone.Code == -32000 && ctx.Err() == nil {
			continue
		}
		if err != nil {
			c.t.Fatal(err)
		}
		return text
	}
}

func (c *chrome) location() string {
	c.t.Helper()
	at, err := chromedp.Run(c.ctx, chromedp.Location())
	if err != nil {
		c.t.Fatal(err)
	}
	return at
}

// page says where a failed step stood.
func (c *chrome) page() string {
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	at, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	return at + "\n" + text
}

func (c *chrome) wantText(want string) {
	c.t.Helper()
	if got := c.text(); !strings.Contains(got, want) {
		c.t.Fatalf("at %s the page does not say %q:\n%s", c.location(), want, got)
	}
}

func (c *chrome) wantAt(prefix string) {
	c.t.Helper()
	if at := c.location(); !strings.HasPrefix(at, prefix) {
		c.t.Fatalf("the browser is at %s, want %s…\n%s", at, prefix, c.text())
	}
}
