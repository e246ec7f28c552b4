package pages_test

import (
	"testing"

	"github.com/signet-id/signet/internal/pages"
)

// The texts are what today's browsers send.
func TestABrowserIsNamedAsItsPersonKnowsIt(t *testing.T) {
	const webkit = "AppleWebKit/537.36 (KHTML, like Gecko) "
	for agent, want := range map[string]struct {
		device   string
		handheld bool
	}{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                     {"Firefox on Linux", false},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + webkit + "Chrome/141.0.0.0 Safari/537.36":                                                     {"Chrome on Windows", false},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + webkit + "Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0":                                       {"Edge on Windows", false},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + webkit + "Chrome/141.0.0.0 Safari/537.36 OPR/122.0.0.0":                                       {"Opera on Windows", false},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                      {"Safari on macOS", false},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1":    {"Safari on iPhone", true},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141.0.0.0 Mobile/15E148 Safari/604.1": {"Chrome on iPhone", true},
		"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/140.0 Mobile/15E148 Safari/605.1.15":           {"Firefox on iPad", true},
		"Mozilla/5.0 (Linux; Android 10; K) " + webkit + "Chrome/141.0.0.0 Mobile Safari/537.36":                                                     {"Chrome on Android", true},
		"Mozilla/5.0 (Linux; Android 10; K) " + webkit + "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36":                                 {"Samsung Internet on Android", true},
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) " + webkit + "Chrome/141.0.0.0 Safari/537.36":                                                      {"Chrome on ChromeOS", false},
		"Mozilla/5.0 (X11; Linux x86_64) " + webkit + "HeadlessChrome/141.0.0.0 Safari/537.36":                                                       {"Chrome on Linux", false},
		"Mozilla/5.0 (Windows NT 10.0)": {"A browser on Windows", false},
		"curl/8.14.1":                   {"curl", false},
		"Go-http-client/1.1":            {"An unknown browser", false},
		"<script>alert(1)</script>":     {"An unknown browser", false},
		"":                              {"An unknown browser", false},
	} {
		if got := pages.Device(agent); got != want.device || pages.Handheld(agent) != want.handheld {
			t.Errorf("%s\nis %q, handheld %t; want %q, %t", agent, got, pages.Handheld(agent), want.device, want.handheld)
		}
	}
}
