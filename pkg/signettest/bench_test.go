package signettest_test

import (
	"testing"

	"github.com/signet-id/signet/pkg/signettest"
)

// What a test pays for an issuer of its own, and for a sign-in.

func BenchmarkStartAndStop(b *testing.B) {
	for name, options := range map[string][]signettest.Option{"port": nil, "process": {signettest.InProcess()}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if failed := try(func(t testing.TB) { signettest.Start(t, options...) }); len(failed) > 0 {
					b.Fatal(failed)
				}
			}
		})
	}
}

func BenchmarkToken(b *testing.B) {
	iss := signettest.Start(b, signettest.InProcess())
	for b.Loop() {
		iss.Token(b, "alice")
	}
}

func BenchmarkSignIn(b *testing.B) {
	for name, options := range map[string][]signettest.Option{"port": nil, "process": {signettest.InProcess()}} {
		b.Run(name, func(b *testing.B) {
			iss := signettest.Start(b, options...)
			alice, web := iss.User(b, "alice"), iss.Client(b, "web", callback)
			for b.Loop() {
				iss.SignIn(b, alice, web)
			}
		})
	}
}
