package token_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/keys"
)

// counting counts the signatures that are checked.
type counting struct {
	*keys.Ring
	checked int
}

func (c *counting) Verify(compact string) (keys.Header, []byte, error) {
	c.checked++
	return c.Ring.Verify(compact)
}

func TestATokenThatComesAgainIsCheckedOnce(t *testing.T) {
	c := &counting{Ring: newRing(t)}
	m := mintOf(c)
	compact := access(t, m, alice())
	first, err := m.ParseAccess(compact, now())
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.ParseAccess(compact, now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("it says something else the second time (-first +again):\n%s", diff)
	}
	if c.checked != 1 {
		t.Errorf("%d signatures were checked, want 1", c.checked)
	}
}

func TestARememberedTokenExpires(t *testing.T) {
	m := newMint(t)
	compact := access(t, m, alice())
	if _, err := m.ParseAccess(compact, now()); err != nil {
		t.Fatal(err)
	}
	wantNotActive(t, m, compact, now().Add(10*time.Minute))
}

// A key that is compromised takes with it what it signed, remembered or not.
func TestARememberedTokenEndsWithItsKey(t *testing.T) {
	ring := newRing(t)
	m := mintOf(ring)
	compact := access(t, m, alice())
	if _, err := m.ParseAccess(compact, now()); err != nil {
		t.Fatal(err)
	}
	for _, k := range ring.List() {
		if k.Algorithm == keys.ES256 && k.State == keys.Active {
			if _, err := ring.Compromise(t.Context(), k.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantNotActive(t, m, compact, now())
}

// What differs from a good token in a single letter is another token.
func TestMemoryMakesNoTokenGoodButTheOneThatWasChecked(t *testing.T) {
	m := newMint(t)
	compact := access(t, m, alice())
	if _, err := m.ParseAccess(compact, now()); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{5, len(compact) / 2, len(compact) - 10} {
		other := compact[:at] + swapped(compact[at]) + compact[at+1:]
		wantNotActive(t, m, other, now())
		wantNotActive(t, m, other, now()) // nor the second time
	}
}

func swapped(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func TestMemoryIsBounded(t *testing.T) {
	c := &counting{Ring: newRing(t)}
	m := mintOf(c)
	m.Memory = token.NewMemory(2)
	var all []string
	for _, id := range []string{"a", "b", "c"} {
		a := alice()
		a.ID = strings.Repeat(id, 32)
		all = append(all, access(t, m, a))
	}
	for _, compact := range append(all, all[0]) {
		if _, err := m.ParseAccess(compact, now()); err != nil {
			t.Fatal(err)
		}
	}
	if c.checked != 4 {
		t.Errorf("%d signatures were checked, want 4: the first token had made room for the third", c.checked)
	}
}
