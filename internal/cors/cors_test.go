package cors_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/signet-id/signet/internal/cors"
)

// names are the headers that a browser or a cache looks at.
func names() []string {
	return []string{
		"Vary", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
		"Access-Control-Allow-Credentials",
	}
}

func TestAPageOfAnotherOriginMayCallAndSendNoCookie(t *testing.T) {
	const page = "https://spa.example"
	post := cors.New([]string{http.MethodPost}, "Authorization", "Content-Type")
	get := cors.New([]string{http.MethodGet, http.MethodHead})
	preflight := http.Header{"Origin": {page}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"x-a"}}
	everything := []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}
	for name, tt := range map[string]struct {
		policy *cors.Policy
		method string
		sent   http.Header
		over   bool
		want   http.Header
	}{
		"a call of the same origin": {post, http.MethodPost, nil, false, http.Header{"Vary": {"Origin"}}},
		"an empty origin is none":   {post, http.MethodPost, http.Header{"Origin": {""}}, false, http.Header{"Vary": {"Origin"}}},
		"a call across origins": {post, http.MethodPost, http.Header{"Origin": {page}}, false,
			http.Header{"Vary": {"Origin"}, "Access-Control-Allow-Origin": {"*"}}},
		"a page in a sandbox": {post, http.MethodPost, http.Header{"Origin": {"null"}}, false,
			http.Header{"Vary": {"Origin"}, "Access-Control-Allow-Origin": {"*"}}},
		"a preflight": {post, http.MethodOptions, preflight, true, http.Header{
			"Vary": everything, "Access-Control-Allow-Origin": {"*"},
			"Access-Control-Allow-Methods": {"POST"}, "Access-Control-Allow-Headers": {"Authorization,Content-Type"},
		}},
		"a preflight that may ask for any header": {get, http.MethodOptions, preflight, true, http.Header{
			"Vary": everything, "Access-Control-Allow-Origin": {"*"},
			"Access-Control-Allow-Methods": {"GET,HEAD"}, "Access-Control-Allow-Headers": {"x-a"},
		}},
		"OPTIONS that is no preflight": {post, http.MethodOptions, nil, true, http.Header{"Vary": {"Origin"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), tt.method, "/", nil)
			if tt.sent != nil {
				r.Header = tt.sent
			}
			got := http.Header{}
			if over := tt.policy.Answer(got, r); over != tt.over {
				t.Errorf("Answer = %t, want %t", over, tt.over)
			}
			for _, name := range names() {
				if got, want := got.Values(name), tt.want.Values(name); !slices.Equal(got, want) {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestWhatIsAddedToOneAnswerStaysThere(t *testing.T) {
	policy := cors.New([]string{http.MethodPost}, "Authorization")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "/", nil)
	r.Header.Set("Origin", "https://spa.example")
	first, second := http.Header{}, http.Header{}
	policy.Answer(first, r)
	for name := range first {
		first.Add(name, "added")
	}
	policy.Answer(second, r)
	for name, values := range second {
		if slices.Contains(values, "added") {
			t.Errorf("%s is %q after an answer was added to", name, values)
		}
	}
}
