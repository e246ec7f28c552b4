package admin_test

import (
	"slices"
	"testing"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/keys"
)

func TestAUserinfoAlgorithmFindsItsKeyMadeAndNoneTakesItAway(t *testing.T) {
	h := newHouse(t)
	has := func(alg keys.Algorithm) bool {
		return slices.ContainsFunc(h.ListKeys(), func(k admin.KeyView) bool { return k.Algorithm == alg && k.State == keys.Active })
	}
	settings := shop()
	settings.UserinfoAlg = ptr("EdDSA")
	if made, err := h.AddClient(t.Context(), "shop", settings); err != nil || made.UserinfoAlg != "EdDSA" {
		t.Fatalf("got %+v, %v", made, err)
	}
	if !has(keys.EdDSA) {
		t.Error("adding: there is no EdDSA key")
	}
	if _, err := h.SetClient(t.Context(), "shop", admin.ClientSettings{UserinfoAlg: ptr("PS256")}); err != nil || !has(keys.PS256) {
		t.Errorf("setting: there is no PS256 key (%v)", err)
	}
	_, err := h.SetClient(t.Context(), "shop", admin.ClientSettings{UserinfoAlg: ptr("HS256")})
	wantKind(t, err, fault.Invalid, "userinfo_alg")
	_, err = h.SetClient(t.Context(), "absent", admin.ClientSettings{UserinfoAlg: ptr("RS256")})
	wantKind(t, err, fault.NotFound, "client_id")
	if has(keys.RS256) {
		t.Error("a key was made for a client that does not exist")
	}
	if view, err := h.SetClient(t.Context(), "shop", admin.ClientSettings{UserinfoAlg: ptr("none")}); err != nil || view.UserinfoAlg != "" {
		t.Errorf("none: got %+v, %v, want plain JSON", view, err)
	}
}

func TestIntrospectionIsForClientsThatCanProveWhoTheyAre(t *testing.T) {
	h := newHouse(t)
	if _, err := h.AddClient(t.Context(), "shop", shop()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if view, err := h.SetClient(t.Context(), "shop", admin.ClientSettings{Introspects: ptr(want)}); err != nil || view.Introspects != want {
			t.Errorf("got %+v, %v, want introspection %v", view, err, want)
		}
	}
	public := shop()
	public.AuthMethod, public.Introspects = ptr("none"), ptr(true)
	_, err := h.AddClient(t.Context(), "app", public)
	wantKind(t, err, fault.Invalid, "introspect")
}

func TestAPhoneNumberIsVerifiedOnlyWhenSaid(t *testing.T) {
	h := newHouse(t)
	h.add("alice")
	profile := func(s admin.ProfileSettings) admin.UserSettings { return admin.UserSettings{ProfileSettings: s} }
	_, err := h.SetUser(t.Context(), "alice", profile(admin.ProfileSettings{PhoneNumberVerified: ptr(true)}))
	wantKind(t, err, fault.Invalid, "phone_number_verified")
	for _, step := range []struct {
		s    admin.ProfileSettings
		want bool
	}{
		{admin.ProfileSettings{PhoneNumber: ptr("+1 555 0100"), PhoneNumberVerified: ptr(true)}, true},
		{admin.ProfileSettings{Nickname: ptr("al")}, true},
		{admin.ProfileSettings{PhoneNumber: ptr("+1 555 0199")}, false}, // another number is another proof
		{admin.ProfileSettings{PhoneNumberVerified: ptr(true)}, true},
		{admin.ProfileSettings{PhoneNumberVerified: ptr(false)}, false},
	} {
		got, err := h.SetUser(t.Context(), "alice", profile(step.s))
		if err != nil || got.PhoneNumberVerified != step.want {
			t.Errorf("got %+v, %v, want verified %v", got, err, step.want)
		}
	}
}

func TestAPartOfAnAddressChangesAlone(t *testing.T) {
	h := newHouse(t)
	h.add("alice")
	for _, part := range []admin.AddressSettings{
		{StreetAddress: ptr("1 Rue Neuve"), Locality: ptr("Lyon")}, {Country: ptr("France")}, {StreetAddress: ptr("2 Rue Neuve")},
	} {
		if _, err := h.SetUser(t.Context(), "alice", admin.UserSettings{ProfileSettings: admin.ProfileSettings{Address: &part}}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := h.ShowUser(t.Context(), "alice")
	if err != nil || got.Address.StreetAddress != "2 Rue Neuve" || got.Address.Locality != "Lyon" || got.Address.Country != "France" {
		t.Errorf("got %+v, %v", got.Address, err)
	}
}
