package cli_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/cli"
	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

func TestTheOutboxIsListedAndRetriedFromTheCommandLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.db")
	run := func(line string) (code int, out, errs string) {
		t.Helper()
		var o, e strings.Builder
		code = cli.Run(t.Context(), cli.Program{
			Args: strings.Fields(line), Stdin: strings.NewReader(""), Stdout: &o, Stderr: &e, Version: "v1",
			Environ: []string{"SIGNET_ISSUER=https://id.example.com", "SIGNET_STORE=bolt://" + path},
		})
		return code, o.String(), e.String()
	}
	want := func(line string, code int, texts ...string) {
		t.Helper()
		got, out, errs := run(line)
		if got != code {
			t.Errorf("%s: exit code %d, want %d: %s", line, got, code, errs)
		}
		for _, text := range texts {
			if !strings.Contains(out+errs, text) {
				t.Errorf("%s: no %q in\n%s%s", line, text, out, errs)
			}
		}
	}
	want("outbox list", 0, "Every client has been told of every logout.")
	want("outbox list --given-up", 0, "No logout call was given up.")

	s, err := boltstore.Open(path, boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	ops, err := outbox.Ops([]outbox.Call{{ClientID: "shop", Subject: "alice"}}, time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	// As the outbox keeps what it gave up.
	const dead = `{"calls":[{"client_id":"blog","sub":"bob","sid":"s2"}],"created":"2026-01-01T00:00:00Z","attempts":450,` +
		`"given_up":"2026-01-04T10:30:00Z","error":"it answered 500"}`
	if _, err := s.Commit(t.Context(), append(ops, store.Put("outbox/dead/AAAAAAAAAAAAAAAAAAAAAA", []byte(dead)))...); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	want("outbox list", 0, "ID", "shop", "alice", "all", "next try", "AAAAAAAAAAAAAAAAAAAAAA", "blog", "bob", "s2", "450",
		"given up 2026-01-04 10:30 UTC", "it answered 500")
	if _, out, _ := run("outbox list --given-up"); strings.Contains(out, "shop") || !strings.Contains(out, "blog") {
		t.Errorf("--given-up lists\n%s", out)
	}
	_, out, _ := run("outbox list --json")
	var list struct {
		Calls []struct {
			ID       string `json:"id"`
			ClientID string `json:"client_id"`
		} `json:"calls"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Calls) != 2 || list.Calls[0].ClientID != "blog" {
		t.Errorf("%v in %s", err, out)
	}

	want("outbox retry", 2, "ID is missing", "signet outbox retry --all")
	want("outbox retry --all AAAAAAAAAAAAAAAAAAAAAA", 2, "exclude each other")
	want("outbox retry nothing", 1, `no call in the outbox is named "nothing"`)
	want("outbox retry AAAAAAAAAAAAAAAAAAAAAA", 0, "One call is tried now")
	want("outbox list --given-up --json", 0, `"calls": []`)
	want("outbox retry --all", 0, "No logout call was given up.")
	want("outbox retry "+list.Calls[0].ID+" "+list.Calls[1].ID+" --json", 0, `"retried": 2`)
	want("outbox", 2, "needs a command: list, retry")
}
