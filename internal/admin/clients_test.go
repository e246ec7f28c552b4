package admin_test

import (
	"slices"
	"testing"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/keys"
)

func shop() admin.ClientSettings {
	return admin.ClientSettings{RedirectURIs: &[]string{"https://shop.example.com/callback"}}
}

func TestAClientIsThirdPartyRequiresPKCEAndSignsES256UnlessSaidOtherwise(t *testing.T) {
	h := newHouse(t)
	made, err := h.AddClient(t.Context(), "shop", shop())
	if err != nil {
		t.Fatal(err)
	}
	if made.FirstParty || !made.PKCE || made.IDTokenAlg != "ES256" || made.AuthMethod != client.AuthBasic || made.Refresh != client.RefreshSession {
		t.Errorf("got %+v", made.ClientView)
	}
	if kept, _ := h.Clients.Find("shop"); !kept.CheckSecret(made.Secret.Reveal()) {
		t.Error("the secret that was handed out is not the client's")
	}
}

func TestAPublicClientGetsNoSecret(t *testing.T) {
	h := newHouse(t)
	settings := shop()
	settings.AuthMethod = ptr(client.AuthNone)
	made, err := h.AddClient(t.Context(), "app", settings)
	if err != nil {
		t.Fatal(err)
	}
	if !made.Secret.Absent() || len(made.SecretsCreated) != 0 {
		t.Error("a public client has a secret")
	}
	_, err = h.RotateSecret(t.Context(), "app", false)
	wantKind(t, err, fault.Invalid, "client_id")
}

func TestAPublicClientMustUsePKCE(t *testing.T) {
	h := newHouse(t)
	settings := shop()
	settings.AuthMethod, settings.PKCE = ptr(client.AuthNone), ptr(false)
	_, err := h.AddClient(t.Context(), "app", settings)
	wantKind(t, err, fault.Invalid, "pkce")
}

func TestAPublicClientWithoutRedirectURIIsToldToNameOne(t *testing.T) {
	h := newHouse(t)
	_, err := h.AddClient(t.Context(), "app", admin.ClientSettings{AuthMethod: ptr(client.AuthNone)})
	wantKind(t, err, fault.Invalid, "redirect_uri")
}

func TestAClientWithoutRedirectURIIsAMachine(t *testing.T) {
	h := newHouse(t)
	made, err := h.AddClient(t.Context(), "robot", admin.ClientSettings{Scope: ptr("orders:read  orders:write")})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(made.Grants, []string{client.GrantCredentials}) || made.Refresh != client.RefreshNone || made.Scope != "orders:read orders:write" {
		t.Errorf("got %+v", made.ClientView)
	}
}

func TestAClientOfAnAlgorithmFindsItsKeyMade(t *testing.T) {
	h := newHouse(t)
	has := func(alg keys.Algorithm) bool {
		return slices.ContainsFunc(h.ListKeys(), func(k admin.KeyView) bool { return k.Algorithm == alg && k.State == keys.Active })
	}
	settings := shop()
	settings.IDTokenAlg = ptr("EdDSA")
	if _, err := h.AddClient(t.Context(), "shop", settings); err != nil {
		t.Fatal(err)
	}
	if !has(keys.EdDSA) {
		t.Error("adding: there is no EdDSA key")
	}
	if has(keys.RS256) {
		t.Error("there is an RSA key that nobody needs")
	}
	if _, err := h.SetClient(t.Context(), "shop", admin.ClientSettings{IDTokenAlg: ptr("RS256")}); err != nil {
		t.Fatal(err)
	}
	if !has(keys.RS256) {
		t.Error("setting: there is no RS256 key")
	}
}

func TestARefusedClientMakesNoKey(t *testing.T) {
	h := newHouse(t)
	_, err := h.AddClient(t.Context(), "bad name", admin.ClientSettings{IDTokenAlg: ptr("EdDSA")})
	wantKind(t, err, fault.Invalid, "client_id")
	_, err = h.SetClient(t.Context(), "absent", admin.ClientSettings{IDTokenAlg: ptr("EdDSA")})
	wantKind(t, err, fault.NotFound, "client_id")
	_, err = h.AddClient(t.Context(), "shop", admin.ClientSettings{IDTokenAlg: ptr("none")})
	wantKind(t, err, fault.Invalid, "id_token_alg")
	if n := len(h.ListKeys()); n != 1 {
		t.Errorf("there are %d keys, want the first alone", n)
	}
}

func TestWhatIsNotNamedStays(t *testing.T) {
	h := newHouse(t)
	if _, err := h.AddClient(t.Context(), "shop", shop()); err != nil {
		t.Fatal(err)
	}
	before, _ := h.Clients.Find("shop")
	view, err := h.SetClient(t.Context(), "shop", admin.ClientSettings{Title: ptr("The shop"), Networks: &[]string{"10.0.0.0/8"}})
	if err != nil {
		t.Fatal(err)
	}
	after, _ := h.Clients.Find("shop")
	if view.Title != "The shop" || !slices.Equal(view.Networks, []string{"10.0.0.0/8"}) {
		t.Errorf("got %+v", view)
	}
	if !slices.Equal(after.RedirectURIs, before.RedirectURIs) || len(after.Secrets) != 1 || after.IDTokenAlg != before.IDTokenAlg || !after.PKCE {
		t.Errorf("got %+v, want all but title and networks as before", after)
	}
}

func TestGrantAndRefreshSettingStayInStep(t *testing.T) {
	h := newHouse(t)
	if _, err := h.AddClient(t.Context(), "shop", shop()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name    string
		s       admin.ClientSettings
		grants  []string
		refresh client.Refresh
	}{
		{"no refresh tokens", admin.ClientSettings{Refresh: ptr(client.RefreshNone)}, []string{client.GrantCode}, client.RefreshNone},
		{"offline ones", admin.ClientSettings{Refresh: ptr(client.RefreshOffline)}, []string{client.GrantCode, client.GrantRefresh}, client.RefreshOffline},
		{"the grant is gone", admin.ClientSettings{Grants: &[]string{client.GrantCode}}, []string{client.GrantCode}, client.RefreshNone},
		{"and back", admin.ClientSettings{Grants: &[]string{client.GrantCode, client.GrantRefresh}}, []string{client.GrantCode, client.GrantRefresh}, client.RefreshSession},
	} {
		view, err := h.SetClient(t.Context(), "shop", step.s)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if !slices.Equal(view.Grants, step.grants) || view.Refresh != step.refresh {
			t.Errorf("%s: got %v and %s, want %v and %s", step.name, view.Grants, view.Refresh, step.grants, step.refresh)
		}
	}
	_, err := h.SetClient(t.Context(), "shop", admin.ClientSettings{Grants: &[]string{client.GrantCode}, Refresh: ptr(client.RefreshSession)})
	wantKind(t, err, fault.Invalid, "refresh")
}

func TestBecomingPublicDropsTheSecrets(t *testing.T) {
	h := newHouse(t)
	if _, err := h.AddClient(t.Context(), "shop", shop()); err != nil {
		t.Fatal(err)
	}
	view, err := h.SetClient(t.Context(), "shop", admin.ClientSettings{AuthMethod: ptr(client.AuthNone)})
	if err != nil {
		t.Fatal(err)
	}
	if !view.Public() || len(view.SecretsCreated) != 0 {
		t.Errorf("got %+v", view)
	}
}

func TestARotatedSecretLeavesTheOneBeforeValidUntilTheNext(t *testing.T) {
	h := newHouse(t)
	made, err := h.AddClient(t.Context(), "shop", shop())
	if err != nil {
		t.Fatal(err)
	}
	rotate := func(revokeOld bool) string {
		t.Helper()
		s, err := h.RotateSecret(t.Context(), "shop", revokeOld)
		if err != nil {
			t.Fatal(err)
		}
		return s.Reveal()
	}
	valid := func(s string) bool { c, _ := h.Clients.Find("shop"); return c.CheckSecret(s) }
	first := made.Secret.Reveal()
	second := rotate(false)
	if !valid(first) || !valid(second) {
		t.Error("after one rotation both must be valid")
	}
	third := rotate(false)
	if valid(first) || !valid(second) || !valid(third) {
		t.Error("after two rotations the first must be dead, the others valid")
	}
	fourth := rotate(true)
	if valid(second) || valid(third) || !valid(fourth) {
		t.Error("a rotation that revokes must leave the new secret alone")
	}
}

func TestADisabledClientIsEnabledAgainAndARemovedOneIsGone(t *testing.T) {
	h := newHouse(t)
	if _, err := h.AddClient(t.Context(), "shop", shop()); err != nil {
		t.Fatal(err)
	}
	if view, err := h.DisableClient(t.Context(), "shop"); err != nil || !view.Disabled {
		t.Errorf("disable: %+v, %v", view, err)
	}
	if view, err := h.EnableClient(t.Context(), "shop"); err != nil || view.Disabled {
		t.Errorf("enable: %+v, %v", view, err)
	}
	if err := h.RemoveClient(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	_, err := h.ShowClient("shop")
	wantKind(t, err, fault.NotFound, "client_id")
	if list := h.ListClients(); len(list) != 0 {
		t.Errorf("listed: %v", list)
	}
}

// What a client holds ends with it: its users' tokens and its own. Their sessions
// and grants are not its to lose.
func TestDisablingAndRemovingAClientEndItsTokensAndNoGrant(t *testing.T) {
	for name, end := range map[string]func(*house) error{
		"disable": func(h *house) error { _, err := h.DisableClient(h.t.Context(), "shop"); return err },
		"remove":  func(h *house) error { return h.RemoveClient(h.t.Context(), "shop") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.ofClients = []slot.Range{{First: slot.At(1, 64), Count: 64}}
			if _, err := h.AddClient(t.Context(), "shop", shop()); err != nil {
				t.Fatal(err)
			}
			alice := h.add("alice")
			h.signIn(alice.Subject)
			if err := end(h); err != nil {
				t.Fatal(err)
			}
			last := h.lastEnding(ended.KindClient, ended.ByOperator)
			if last.ClientID != "shop" || !slices.Equal(last.Slots, h.ofClients) {
				t.Errorf("slots %v of %q ended, want %v of shop", last.Slots, last.ClientID, h.ofClients)
			}
			if n := h.alive(alice.Subject); n != 2 {
				t.Errorf("%d of her session and grant are alive, want both", n)
			}
			if c, known := h.Clients.Find("shop"); known && c.TokenEpoch != 1 {
				t.Errorf("the client's epoch is %d, want 1: no token may carry a slot of before", c.TokenEpoch)
			}
		})
	}
}

func TestEndingAClientThatIsNotThereIsNotFound(t *testing.T) {
	h := newHouse(t)
	_, err := h.DisableClient(t.Context(), "shop")
	wantKind(t, err, fault.NotFound, "client_id")
	wantKind(t, h.RemoveClient(t.Context(), "shop"), fault.NotFound, "client_id")
	if n := len(h.journal()); n != 0 {
		t.Errorf("%d endings were recorded, want none", n)
	}
}

func TestRotatingAKeyIsRefusedForWhatIsNoAlgorithm(t *testing.T) {
	h := newHouse(t)
	_, err := h.RotateKeys(t.Context(), "HS256")
	wantKind(t, err, fault.Invalid, "alg")
	rotated, err := h.RotateKeys(t.Context())
	if err != nil || len(rotated) != 1 || rotated[0].State != keys.Next {
		t.Errorf("got %+v, %v, want the successor of the one key", rotated, err)
	}
}
