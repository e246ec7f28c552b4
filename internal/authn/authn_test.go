package authn_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/authn"
)

var at = time.Date(2030, 1, 2, 3, 4, 5, 678, time.UTC)

func TestTwoFactorsOfOneKindAreOne(t *testing.T) {
	for _, c := range []struct {
		methods []string
		acr     string
		amr     []string
	}{
		{[]string{authn.AMRPassword}, "1", []string{"pwd"}},
		{[]string{authn.AMRPassword, authn.AMRPIN}, "1", []string{"pin", "pwd"}},
		{[]string{authn.AMROneTime, authn.AMRHardwareKey}, "1", []string{"hwk", "otp"}},
		{[]string{authn.AMRPassword, authn.AMROneTime}, "2", []string{"mfa", "otp", "pwd"}},
		{[]string{authn.AMRSoftwareKey, authn.AMRFace}, "2", []string{"face", "mfa", "swk"}},
		{[]string{"made-up", authn.AMRMultiFactor}, "1", []string{"made-up"}},
		{nil, "1", nil},
	} {
		r := authn.New("alice", at, c.methods...)
		if r.ACR != c.acr || !slices.Equal(r.AMR, c.amr) {
			t.Errorf("%v: acr %q amr %v, want %q %v", c.methods, r.ACR, r.AMR, c.acr, c.amr)
		}
	}
}

func TestASecondFactorMakesTheSameResultStronger(t *testing.T) {
	first := authn.New("alice", at, authn.AMRPassword)
	later := at.Add(time.Minute)
	both := first.With(later, authn.AMROneTime)
	if both.Subject != "alice" || both.ACR != authn.ACRTwoFactors {
		t.Errorf("got %+v, want alice with two factors", both)
	}
	if !both.Time.Equal(later.Truncate(time.Second)) {
		t.Errorf("time %v, want that of the second factor", both.Time)
	}
	if first.ACR != authn.ACROneFactor || !slices.Equal(first.AMR, []string{"pwd"}) {
		t.Errorf("the first result changed: %+v", first)
	}
}

func TestAStrongerResultSatisfiesTheWeakerClassOnly(t *testing.T) {
	one := authn.New("alice", at, authn.AMRPassword)
	two := one.With(at, authn.AMROneTime)
	for _, c := range []struct {
		r    authn.Result
		acr  string
		want bool
	}{
		{one, "1", true},
		{one, "2", false},
		{two, "1", true},
		{two, "2", true},
		{two, "urn:other", false},
		{two, "", false},
		{authn.Result{}, "1", false},
	} {
		if got := c.r.Satisfies(c.acr); got != c.want {
			t.Errorf("acr %q satisfies %q: %v, want %v", c.r.ACR, c.acr, got, c.want)
		}
	}
}

func TestAResultSurvivesItsRecord(t *testing.T) {
	want := authn.New("alice", at, authn.AMRPassword, authn.AMROneTime)
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got authn.Result
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if got.Subject != want.Subject || got.ACR != want.ACR || !slices.Equal(got.AMR, want.AMR) || !got.Time.Equal(want.Time) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
