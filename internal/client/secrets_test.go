package client_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/secret"
)

func newBox(t *testing.T, fill byte) *seal.Box {
	t.Helper()
	box, err := seal.NewBox(bytes.Repeat([]byte{fill}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestASecretThatMakesMACsIsKeptSealedForItsClientAlone(t *testing.T) {
	box := newBox(t, 1)
	c := client.Client{ID: "orders", AuthMethod: client.AuthSecretJWT}
	first, second := client.NewSecret(), client.NewSecret()
	for _, s := range []secret.Value{first, second} {
		if err := c.RotateSealed(s, box, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	open, err := c.OpenSecrets(box)
	if err != nil || !slices.EqualFunc(open, []secret.Value{first, second}, secret.Value.Equal) {
		t.Errorf("OpenSecrets = %d secrets, %v, want both, in order", len(open), err)
	}
	if bytes.Contains(c.Secrets[0].Sealed, []byte(first.Reveal()[:8])) {
		t.Error("the secret is readable at rest")
	}
	if _, err := c.OpenSecrets(newBox(t, 2)); !errors.Is(err, seal.ErrForged) {
		t.Errorf("under another key: %v", err)
	}
	c.ID = "billing"
	if _, err := c.OpenSecrets(box); !errors.Is(err, seal.ErrForged) {
		t.Errorf("in another client's record: %v", err)
	}
}

func TestTheSecretOfAnyOtherClientIsKeptAsADigestAlone(t *testing.T) {
	for _, method := range []string{client.AuthBasic, client.AuthPost} {
		c := client.Client{ID: "orders", AuthMethod: method}
		s := client.NewSecret()
		if err := c.RotateSealed(s, newBox(t, 1), time.Now()); err != nil {
			t.Fatal(err)
		}
		if len(c.Secrets[0].Sealed) != 0 || !c.CheckSecret(s.Reveal()) {
			t.Errorf("%s: got %+v", method, c.Secrets[0])
		}
		if open, err := c.OpenSecrets(newBox(t, 1)); err != nil || len(open) != 0 {
			t.Errorf("%s: OpenSecrets = %v, %v", method, open, err)
		}
	}
}

func TestARotationThatCanNotSealChangesNothing(t *testing.T) {
	c := client.Client{ID: "orders", AuthMethod: client.AuthSecretJWT}
	broken := errors.New("no key")
	if err := c.RotateSealed(client.NewSecret(), brokenBox{broken}, time.Now()); !errors.Is(err, broken) || len(c.Secrets) != 0 {
		t.Errorf("got %v, %+v", err, c.Secrets)
	}
}

type brokenBox struct{ err error }

func (b brokenBox) Seal(string, []byte) ([]byte, error) { return nil, b.err }

func TestAChangeOfMethodDropsWhatTheNewOneHasNoUseFor(t *testing.T) {
	box := newBox(t, 1)
	for _, tt := range []struct {
		from, to              string
		secrets, sealed       bool
		public                bool
		algorithm, wantedLeft string
	}{
		{client.AuthBasic, client.AuthPost, true, false, false, "", ""},
		{client.AuthBasic, client.AuthSecretJWT, false, false, false, "", ""}, // a digest makes no MAC
		{client.AuthSecretJWT, client.AuthBasic, true, false, false, "HS256", ""},
		{client.AuthSecretJWT, client.AuthSecretJWT, true, true, false, "HS256", "HS256"},
		{client.AuthSecretJWT, client.AuthKeyJWT, false, false, false, "HS256", ""},
		{client.AuthBasic, client.AuthNone, false, false, true, "", ""},
	} {
		c := client.Client{ID: "orders", AuthMethod: tt.from, AuthSigningAlg: tt.algorithm}
		if err := c.RotateSealed(client.NewSecret(), box, time.Now()); err != nil {
			t.Fatal(err)
		}
		shared := c.Secrets
		had := slices.Clone(shared)
		c.SetAuthMethod(tt.to)
		sealed := len(c.Secrets) > 0 && len(c.Secrets[0].Sealed) > 0
		if got := len(c.Secrets) > 0; got != tt.secrets || sealed != tt.sealed || c.Public != tt.public || c.AuthMethod != tt.to || c.AuthSigningAlg != tt.wantedLeft {
			t.Errorf("%s to %s: got %+v", tt.from, tt.to, c)
		}
		if !bytes.Equal(shared[0].Sealed, had[0].Sealed) {
			t.Errorf("%s to %s: the slice that other readers share was changed", tt.from, tt.to)
		}
	}
}

func TestWhichMethodsHaveSecretsAndWhichAssert(t *testing.T) {
	for method, want := range map[string]struct{ secrets, asserts bool }{
		client.AuthBasic: {true, false}, client.AuthPost: {true, false}, client.AuthNone: {false, false},
		client.AuthKeyJWT: {false, true}, client.AuthSecretJWT: {true, true}, "": {false, false},
	} {
		c := client.Client{AuthMethod: method}
		if c.HasSecrets() != want.secrets || c.Asserts() != want.asserts || (len(c.AssertionAlgs()) > 0) != want.asserts {
			t.Errorf("%q: secrets %t, asserts %t by %v", method, c.HasSecrets(), c.Asserts(), c.AssertionAlgs())
		}
	}
}
