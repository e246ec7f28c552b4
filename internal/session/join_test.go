package session_test

import (
	"slices"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/session"
)

func TestAClientIsInASessionOnceAndInTheOrderOfTheFirstSignIn(t *testing.T) {
	begun, _ := policy.Begin(signIn(time.Now()), session.Origin{})
	one, joined := begun.Join("orders")
	if !joined {
		t.Error("the first client did not join")
	}
	two, joined := one.Join("billing")
	if !joined || !slices.Equal(two.Clients, []string{"orders", "billing"}) {
		t.Errorf("the clients are %v", two.Clients)
	}
	again, joined := two.Join("orders")
	if joined || len(again.Clients) != 2 {
		t.Errorf("a client joined twice: %v", again.Clients)
	}
	// Two that join one copy of a record don't see each other.
	three, _ := two.Join("shop")
	one, _ = three.Join("a")
	other, _ := three.Join("b")
	if one.Clients[3] != "a" || other.Clients[3] != "b" {
		t.Errorf("%v and %v share memory", one.Clients, other.Clients)
	}
}

func TestTheClientsAndTheEpochOfASessionAreReadBack(t *testing.T) {
	s := newStore(t)
	begun, h := policy.Begin(signIn(time.Now()), session.Origin{})
	begun.Epoch = 7
	begun, _ = begun.Join("orders")
	put(t, s, policy, begun)
	if got, ok := get(t, s, h); !ok || got.Epoch != 7 || !slices.Equal(got.Clients, []string{"orders"}) {
		t.Errorf("read %+v", got)
	}
}
