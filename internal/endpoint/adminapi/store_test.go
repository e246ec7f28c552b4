package adminapi_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/transfer"
)

func TestTheRecordsAreListedALineEach(t *testing.T) {
	h := newHouse(t)
	for _, key := range []string{"x/1", "x/2", "x/\xff"} {
		if _, err := h.store.Commit(t.Context(), store.Put(key, []byte("of "+key))); err != nil {
			t.Fatal(err)
		}
	}
	encode := func(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/store/records?limit=10&prefix="+encode("x/")+"&after="+encode("x/1"), nil))
	var keys []string
	for lines := json.NewDecoder(w.Body); lines.More(); {
		var v admin.RecordView
		if err := lines.Decode(&v); err != nil {
			t.Fatal(err)
		}
		r := v.Record()
		if string(r.Value) != "of "+r.Key || !r.Exists() {
			t.Errorf("%q came as %+v", r.Key, r)
		}
		keys = append(keys, r.Key)
	}
	if strings.Join(keys, " ") != "x/2 x/\xff" {
		t.Errorf("listed %q", keys)
	}
	for _, wrong := range []string{"limit=0", "limit=x", "after=%25"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/store/records?"+wrong, nil))
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", wrong, w.Code)
		}
	}
}

// Whoever may open the socket is the operator; rooms change their records
// themselves all the same, by their own rules.
func TestWhoCopiesAStoreWritesItsOwnMarksAndNothingElse(t *testing.T) {
	h := newHouse(t)
	post := func(ops ...admin.RecordView) int {
		t.Helper()
		body, err := json.Marshal(map[string]any{"ops": ops})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/store/mark", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	own, foreign := admin.RecordView{Key: []byte(transfer.Prefix + "mark")}, admin.RecordView{Key: []byte("user/x"), Value: []byte("{}")}
	if got := post(own); got != http.StatusOK {
		t.Errorf("a mark: %d", got)
	}
	for _, ops := range [][]admin.RecordView{{foreign}, {own, foreign}, {{Key: []byte("user/x"), Deleted: true}}} {
		if got := post(ops...); got != http.StatusForbidden {
			t.Errorf("a record of a room: %d", got)
		}
	}
	recs, err := h.store.Get(t.Context(), "user/x")
	if err != nil || recs[0].Exists() {
		t.Errorf("it was written: %v, %v", recs, err)
	}
}

func TestTheChangesAreStreamedUntilTheServerStopsAndNeverEndQuietly(t *testing.T) {
	h := newHouse(t)
	stopping := make(chan struct{})
	h.operator.Stopping = stopping
	server := httptest.NewServer(h)
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/store/changes", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewReader(answer.Body)
	if line, err := lines.ReadString('\n'); line != "\n" || err != nil {
		t.Fatalf("it began with %q, %v", line, err)
	}
	if _, err := h.store.Commit(t.Context(), store.Put("x/1", []byte("one")), store.Delete("x/2")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"x/1", "x/2"} {
		var v admin.RecordView
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &v); err != nil || v.Event().Key != want || v.Deleted != (want == "x/2") {
			t.Errorf("told %s, %v; want %s", line, err, want)
		}
	}
	close(stopping)
	if rest, err := io.ReadAll(lines); err == nil {
		t.Errorf("the stream ended as if it was over, after %q", rest)
	}
}
