package cli_test

import (
	"context"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store/boltstore"
	"github.com/signet-id/signet/internal/user"
)

// signed-in LOGIN NAME leaves what a sign-in leaves in the store, of which no
// server may run, and keeps the session's sid as $NAME.
func beSignedIn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signed-in LOGIN NAME")
	}
	s, err := boltstore.Open(ts.MkAbs("signet.db"), boltstore.Options{})
	ts.Check(err)
	defer func() { ts.Check(s.Close()) }()
	u, _, err := user.NewDirectory(s).ByLogin(context.Background(), args[0])
	ts.Check(err)
	policy := session.Policy{Idle: time.Hour, Absolute: time.Hour}
	here, _ := policy.Begin(authn.Result{Subject: u.Subject, Time: time.Now()}, session.Origin{
		Address: "192.0.2.7", Agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
	})
	here, _ = here.Join("shop")
	op, err := policy.Put(here)
	ts.Check(err)
	_, err = s.Commit(context.Background(), op)
	ts.Check(err)
	ts.Setenv(args[1], here.ID)
}

// key NAME keeps the kid of the first key that the last command printed as $NAME.
func keepKey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: key NAME")
	}
	found := regexp.MustCompile(`(?m)^([A-Za-z0-9_-]{43}) `).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("no key was printed")
	}
	ts.Setenv(args[0], found[1])
}
