package interop

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// album takes pictures of pages and keeps the list of them.
type album struct {
	*chrome
	folder string
	pages  []captioned
}

type captioned struct{ name, says string }

// look is a size and a colour scheme, by its name in the files.
type look struct {
	name          string
	width, height int64
	scheme        string
}

func looks() []look {
	return []look{
		{"phone-light", 390, 844, "light"}, {"phone-dark", 390, 844, "dark"},
		{"desktop-light", 1280, 720, "light"}, {"desktop-dark", 1280, 720, "dark"},
	}
}

// openAlbum opens a browser for pictures, or skips when nobody asked for any.
func openAlbum(t *testing.T) *album {
	t.Helper()
	folder := os.Getenv("SIGNET_SHOTS")
	if folder == "" {
		t.Skip("SIGNET_SHOTS names no folder for the pictures; the task pages does")
	}
	return &album{chrome: openChrome(t, true), folder: folder}
}

// shoot takes the page that is open, in every look.
func (a *album) shoot(name, says string) {
	a.t.Helper()
	a.pages = append(a.pages, captioned{name, says})
	for _, l := range looks() {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: l.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}
		if _, err := chromedp.Call(a.ctx, emulation.SetEmulatedMedia, media); err != nil {
			a.t.Fatal(err)
		}
		a.do(chromedp.EmulateViewport(l.width, l.height))
		if _, fragment, ok := strings.Cut(a.location(), "#"); ok {
			a.do(chromedp.ScrollIntoView(chromedp.CSS("#" + fragment)))
		}
		picture, err := chromedp.Run(a.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			a.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(a.folder, name+"-"+l.name+".png"), thrifty(a.t, picture), 0o644); err != nil {
			a.t.Fatal(err)
		}
	}
	a.do(chromedp.EmulateViewport(1280, 800))
}

// thrifty draws a picture with few colours. A page has a dozen, and the shades
// between them are not worth ten times the bytes in everybody's clone.
func thrifty(t *testing.T, picture []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(full.At(x, y)).(color.RGBA) }
	size := full.Bounds()
	count := map[color.RGBA]int{}
	for y := range size.Dy() {
		for x := range size.Dx() {
			count[at(x, y)]++
		}
	}
	colours := palette(count)
	few, index := image.NewPaletted(size, colours), map[color.RGBA]uint8{}
	for c := range count {
		index[c] = uint8(colours.Index(c))
	}
	for y := range size.Dy() {
		for x := range size.Dx() {
			few.SetColorIndex(x, y, index[at(x, y)])
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// palette picks the most frequent colours that an eye can tell apart.
func palette(count map[color.RGBA]int) color.Palette {
	const most, apart = 32, 24
	frequent := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	distance := func(a, b uint8) int { return max(int(a), int(b)) - min(int(a), int(b)) }
	var picked color.Palette
	for _, c := range frequent {
		near := slices.ContainsFunc(picked, func(p color.Color) bool {
			q := p.(color.RGBA)
			return distance(c.R, q.R)+distance(c.G, q.G)+distance(c.B, q.B) < apart
		})
		if !near && len(picked) < most {
			picked = append(picked, c)
		}
	}
	return picked
}

// index writes the list of the pictures beside them.
func (a *album) index() {
	a.t.Helper()
	var b bytes.Buffer
	b.WriteString("# Every page\n\nOn a phone and on a desktop, light and dark, as a browser shows them. " +
		"`task pages` takes these pictures anew.\n\n| page | phone | | desktop | |\n|---|---|---|---|---|\n")
	for _, p := range a.pages {
		fmt.Fprintf(&b, "| **%s**<br>%s |", p.name, p.says)
		for _, l := range looks() {
			file, width := p.name+"-"+l.name+".png", 110
			if l.width > l.height {
				width = 260
			}
			fmt.Fprintf(&b, ` <a href="%s"><img src="%s" width="%d" alt="%s, %s"></a> |`,
				file, file, width, p.name, strings.ReplaceAll(l.name, "-", ", "))
		}
		b.WriteString("\n")
	}
	if err := os.WriteFile(filepath.Join(a.folder, "README.md"), b.Bytes(), 0o644); err != nil {
		a.t.Fatal(err)
	}
}

// The walk is the one of every person: in, through every page, and out.
func TestEveryPageHasItsPicture(t *testing.T) {
	a := openAlbum(t)
	is := serve(t, false)
	is.people(t)
	ask := is.gallery(t)

	a.visit(is.url + "/")
	a.shoot("welcome", "The front door, before anybody has signed in.")
	a.visit(ask)
	a.shoot("signin", "Signing in for an application.")
	a.signIn("alice", "not my password")
	a.shoot("signin-problem", "The same, after a wrong password.")
	a.goes(chromedp.SendKeys(chromedp.CSS("input[name=password]"), password+"\r"))
	a.shoot("consent", "A third party asks for access.")
	a.click("#consent-accept")
	a.visit(is.url + "/")
	a.shoot("home", "The front door of somebody who is signed in.")
	is.otherBrowsers(t)
	a.visit(is.url + "/account")
	a.shoot("account", "Who I am here, where I am signed in, and what I allowed to whom.")
	a.do(chromedp.Evaluate[chromedp.Void](`document.querySelector(".ledger").scrollIntoView()`))
	a.shoot("account-sessions", "The same, at its list of sessions.")
	a.visit(is.url + "/account/password")
	a.shoot("password", "Changing the password.")
	a.changePassword(password, "alice@example.com")
	a.shoot("password-problem", "The same, with a password that may not be.")
	a.visit(is.url + "/logout")
	a.shoot("signout", "Signing out asks.")
	a.click("#logout-yes")
	a.shoot("signedout", "And is done.")
	if status := a.visit(strings.Replace(ask, "%2Fcb", "%2Felsewhere", 1)); status != http.StatusBadRequest {
		t.Errorf("a wrong address answered %d", status)
	}
	a.shoot("failure", "A request that cannot be answered, for its developers.")

	d := runDemo(t)
	waitFor(t, d.orders)
	a.visit(d.orders + "/")
	a.shoot("demo", "A service of the demo, before signing in.")
	a.click("#signin")
	a.shoot("demo-signin", "Signing in with one click, in the demo only.")
	a.click("button[name=persona][value=alice]")
	a.shoot("demo-signedin", "The service knows who came, and says how.")
	a.click("#ask")
	a.shoot("demo-answer", "One service asked the other, in her name.")
	a.click("#signout")
	a.shoot("demo-signedout", "Signed out, and how soon the other service refused the very same token.")
	a.index()
}

// otherBrowsers signs alice in at a phone and at a desktop.
func (is *issuer) otherBrowsers(t *testing.T) {
	t.Helper()
	for _, agent := range []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
	} {
		browser := is.httpClient(t, true)
		browser.Transport = asBrowser{browser.Transport, agent}
		m := journeyField.FindStringSubmatch(fetch(t, browser, http.MethodGet, is.url+"/signin", nil))
		if m == nil {
			t.Fatal("no sign-in page")
		}
		fetch(t, browser, http.MethodPost, is.url+"/signin", url.Values{"journey": {m[1]}, "login": {"alice"}, "password": {password}})
	}
}

// asBrowser sends requests in the name of another browser.
type asBrowser struct {
	http.RoundTripper
	agent string
}

func (b asBrowser) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", b.agent)
	return b.RoundTripper.RoundTrip(r)
}
