package interop

import (
	"os"
	"strconv"
	"testing"
)

// A power cut may come at any moment. Whatever was acknowledged before it holds
// after it, and whatever was under way happened in full or not at all: the
// composed server is killed under load, round after round on one file, and its
// clients compare what they know with what they find. What had ended stays so,
// for everybody who can be asked, and relying parties are told in the end.
func TestCrashLosesNothingAndRevivesNothing(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	if text := os.Getenv("SIGNET_CRASH_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("SIGNET_CRASH_ROUNDS is %q, want a number", text)
		}
		rounds = n
	}
	v := newVictim(t, t.TempDir())
	l := &ledger{t: t, victim: v, party: newParty(t)}
	v.start(t)
	l.found(t.Context())
	for round := range rounds {
		before, beforeAccess := len(l.families), len(l.access)
		follower := l.follow()
		l.strike(round)
		v.start(t)
		l.audit(before, beforeAccess, follower)
		follower.Close()
		if t.Failed() {
			break
		}
	}
	l.auditAll()
	t.Logf("%d operations acknowledged, %d cut short, %d kills, violations %d (%d sign-ins, %d grants, %d users, %d clients, %d access tokens)",
		l.operations.Load(), l.doubts.Load(), v.kills, l.violations.Load(), len(l.sessions), len(l.families), len(l.logins), len(l.clients), len(l.access))
}
