package refusal_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/refusal"
)

func TestTheLogRemembersTheLatestAndNoMore(t *testing.T) {
	l := refusal.NewLog(3)
	for i := range 5 {
		l.Add(refusal.Entry{ID: fmt.Sprint(i)})
	}
	for id, want := range map[string]bool{"0": false, "1": false, "2": true, "4": true, "": false, "9": false} {
		if e, ok := l.Find(id); ok != want || (ok && e.ID != id) {
			t.Errorf("Find(%q) = %v, %v", id, e.ID, ok)
		}
	}
}

func TestTheManualExplainsEveryReason(t *testing.T) {
	manual, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range refusal.Reasons() {
		if !strings.Contains(string(manual), "\n### "+string(r)+"\n") {
			t.Errorf("docs/errors.md has no heading for %s", r)
		}
		if !strings.Contains(string(manual), "`"+r.Code()+"`") {
			t.Errorf("docs/errors.md does not name the code %s", r.Code())
		}
	}
	for line := range strings.Lines(string(manual)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "### ")
		if ok && refusal.Reason(name).Code() == "server_error" && name != string(refusal.ServerError) {
			t.Errorf("docs/errors.md explains %q, which is no reason", name)
		}
	}
}
