// Package authn says what "authenticated" means: who it is, how they proved it,
// how strong that is, and when it was.
//
//	password/  ──┐
//	passkey …  ──┼──▶ Result{Subject, AMR, ACR, Time} ──▶ session ──▶ ID token
//	second factor ─With─▶ the same Result, stronger
//
// A Result exists only after a proof; a method that fails returns an error. It
// says nothing of consent, of the session's life or of what the user may do. It
// never reads a password, a key or a store: the methods below it do.
package authn

import (
	"slices"
	"time"
)

// The methods, as RFC 8176 names them in the amr claim.
const (
	AMRPassword    = "pwd"
	AMROneTime     = "otp" // TOTP, HOTP, a code sent elsewhere
	AMRHardwareKey = "hwk" // a key that cannot leave its device
	AMRSoftwareKey = "swk" // a key that can, such as a synced passkey
	AMRPIN         = "pin" // what unlocks a key on its device
	AMRFingerprint = "fpt"
	AMRFace        = "face"
	AMRMultiFactor = "mfa" // kept beside the methods when there are two kinds
)

// The classes of the acr claim, weaker first. They are published as
// acr_values_supported, and a Result always has one of them.
const (
	ACROneFactor  = "1"
	ACRTwoFactors = "2" // of different kinds: known, owned, or part of the body
)

// ACRValues lists the classes, weaker first.
func ACRValues() []string { return []string{ACROneFactor, ACRTwoFactors} }

// Result is a proof of identity that was made. Its JSON is for records; the
// names are those of the claims.
type Result struct {
	Subject string    `json:"sub"`
	AMR     []string  `json:"amr"`
	ACR     string    `json:"acr"`
	Time    time.Time `json:"auth_time"`
}

// New is the Result of proving subject by these methods at the given time,
// which is kept to the second: auth_time has no more, and must not differ
// between what is kept and what was said.
func New(subject string, at time.Time, methods ...string) Result {
	return Result{Subject: subject, Time: at.UTC().Truncate(time.Second)}.with(methods)
}

// With adds methods that the same person proved at the given time. auth_time
// becomes that time: it is when the End-User was last authenticated.
func (r Result) With(at time.Time, methods ...string) Result {
	r.Time = at.UTC().Truncate(time.Second)
	return r.with(methods)
}

func (r Result) with(methods []string) Result {
	amr := slices.DeleteFunc(slices.Concat(r.AMR, methods), func(m string) bool { return m == AMRMultiFactor })
	r.ACR = ACROneFactor
	if kinds(amr) > 1 {
		amr = append(amr, AMRMultiFactor)
		r.ACR = ACRTwoFactors
	}
	slices.Sort(amr)
	r.AMR = slices.Compact(amr)
	return r
}

// Satisfies reports whether r is as strong as the class asked for, or stronger.
// Nobody satisfies a class that is not ours.
func (r Result) Satisfies(acr string) bool {
	asked := slices.Index(ACRValues(), acr)
	return asked >= 0 && slices.Index(ACRValues(), r.ACR) >= asked
}

// kinds counts the different kinds of factor among the methods: two passwords
// are one factor.
func kinds(methods []string) int {
	seen := make(map[string]bool)
	for _, method := range methods {
		switch method {
		case AMRPassword, AMRPIN:
			seen["known"] = true
		case AMROneTime, AMRHardwareKey, AMRSoftwareKey:
			seen["owned"] = true
		case AMRFingerprint, AMRFace:
			seen["body"] = true
		}
	}
	return len(seen)
}
