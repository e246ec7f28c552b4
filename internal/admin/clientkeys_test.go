package admin_test

import (
	"encoding/json"
	"testing"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/seal"
)

// ed25519 is the public key of RFC 8037 appendix A.2.
func ed25519() *json.RawMessage {
	return new(json.RawMessage(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"ed1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
}

func TestAClientThatIsRegisteredByItsKeysSignsAndHasNoSecret(t *testing.T) {
	h := newHouse(t)
	made, err := h.AddClient(t.Context(), "signer", admin.ClientSettings{JWKS: ed25519()})
	if err != nil {
		t.Fatal(err)
	}
	if made.AuthMethod != client.AuthKeyJWT || !made.Secret.Absent() || len(made.SecretsCreated) != 0 || made.HasSecrets() {
		t.Errorf("got %+v", made.ClientView)
	}
	_, err = h.RotateSecret(t.Context(), "signer", false)
	wantKind(t, err, fault.Invalid, "client_id")
}

func TestKeysReplaceTheirPlaceAndTheOtherWayRound(t *testing.T) {
	h := newHouse(t)
	if _, err := h.AddClient(t.Context(), "signer", admin.ClientSettings{JWKS: ed25519()}); err != nil {
		t.Fatal(err)
	}
	view, err := h.SetClient(t.Context(), "signer", admin.ClientSettings{JWKSURI: ptr("https://orders.example.com/jwks")})
	if err != nil || len(view.JWKS) != 0 || view.JWKSURI == "" {
		t.Errorf("got %+v, %v", view, err)
	}
	view, err = h.SetClient(t.Context(), "signer", admin.ClientSettings{JWKS: ed25519()})
	if err != nil || len(view.JWKS) == 0 || view.JWKSURI != "" {
		t.Errorf("got %+v, %v", view, err)
	}
	_, err = h.SetClient(t.Context(), "signer", admin.ClientSettings{JWKS: ed25519(), JWKSURI: ptr("https://orders.example.com/jwks")})
	wantKind(t, err, fault.Invalid, "jwks")
	_, err = h.SetClient(t.Context(), "signer", admin.ClientSettings{JWKSURI: ptr("")})
	wantKind(t, err, fault.Invalid, "jwks") // it would have nothing left to authenticate with
}

func TestAMethodIsChangedTogetherWithWhatItNeeds(t *testing.T) {
	h := newHouse(t)
	if _, err := h.AddClient(t.Context(), "robot", admin.ClientSettings{}); err != nil {
		t.Fatal(err)
	}
	_, err := h.SetClient(t.Context(), "robot", admin.ClientSettings{AuthMethod: ptr(client.AuthKeyJWT)})
	wantKind(t, err, fault.Invalid, "jwks")
	view, err := h.SetClient(t.Context(), "robot", admin.ClientSettings{AuthMethod: ptr(client.AuthKeyJWT), JWKS: ed25519(), AuthSigningAlg: ptr("EdDSA")})
	if err != nil || len(view.SecretsCreated) != 0 || view.AuthSigningAlg != "EdDSA" {
		t.Errorf("got %+v, %v: want the secret gone", view, err)
	}
	view, err = h.SetClient(t.Context(), "robot", admin.ClientSettings{AuthMethod: ptr(client.AuthBasic)})
	if err != nil || view.AuthSigningAlg != "" || !view.HasSecrets() {
		t.Errorf("got %+v, %v: want the algorithm gone", view, err)
	}
}

// Only what makes MACs is kept where it can be read again.
func TestTheSecretOfAClientThatMakesMACsCanBeOpenedAndNoOther(t *testing.T) {
	h := newHouse(t)
	opener, ok := h.Box.(*seal.Box)
	if !ok {
		t.Fatal("the box of the tests is no seal.Box")
	}
	opened := func(id string) []string {
		t.Helper()
		c, _ := h.Clients.Find(id)
		secrets, err := c.OpenSecrets(opener)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, s := range secrets {
			out = append(out, s.Reveal())
		}
		return out
	}
	made, err := h.AddClient(t.Context(), "mac", admin.ClientSettings{AuthMethod: ptr(client.AuthSecretJWT)})
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := h.RotateSecret(t.Context(), "mac", false)
	if err != nil {
		t.Fatal(err)
	}
	if got := opened("mac"); len(got) != 2 || got[0] != made.Secret.Reveal() || got[1] != rotated.Reveal() {
		t.Errorf("%d secrets can be opened, want the two that were handed out", len(got))
	}
	if _, err := h.AddClient(t.Context(), "plain", admin.ClientSettings{}); err != nil {
		t.Fatal(err)
	}
	if got := opened("plain"); len(got) != 0 {
		t.Errorf("%d secrets of a client that sends its secret can be opened", len(got))
	}
	// From sending it to making MACs: what is a digest can't make one.
	view, err := h.SetClient(t.Context(), "plain", admin.ClientSettings{AuthMethod: ptr(client.AuthSecretJWT)})
	if err != nil || len(view.SecretsCreated) != 0 {
		t.Errorf("got %+v, %v", view, err)
	}
	// And back: the sealed copy goes, the secret still works.
	if _, err := h.SetClient(t.Context(), "mac", admin.ClientSettings{AuthMethod: ptr(client.AuthBasic)}); err != nil {
		t.Fatal(err)
	}
	c, _ := h.Clients.Find("mac")
	if got := opened("mac"); len(got) != 0 || !c.CheckSecret(rotated.Reveal()) {
		t.Errorf("%d secrets can still be opened, or the secret is lost", len(got))
	}
}
