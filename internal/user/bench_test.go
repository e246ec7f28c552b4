package user_test

import (
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

// hash is as long as ours are.
const hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"

// usual is a person as most directories have them; full has every claim.
func usual() user.User {
	at := time.Now().UTC().Truncate(time.Millisecond)
	return user.User{
		Subject: "AAAAAAAAAAAAAAAAAAAAAA", Login: "alice.ahlgren@example.com", Name: "Alice Ahlgren", GivenName: "Alice", FamilyName: "Ahlgren",
		Email: "alice.ahlgren@example.com", EmailVerified: true, Roles: []string{"clerk"}, Groups: []string{"staff"},
		Password: user.NewPasswordHash(hash), Created: at, Updated: at, PasswordChanged: at, Epoch: 3, TokenEpoch: 1,
	}
}

func detailed() user.User {
	u, f := usual(), full()
	u.Profile = f.Profile
	return u
}

func recordOf(t testing.TB, u user.User) store.Record {
	t.Helper()
	op, err := user.Replace(u, 1)
	if err != nil {
		t.Fatal(err)
	}
	return store.Record{Key: op.Key, Value: op.Value, Version: 1}
}

func BenchmarkDecode(b *testing.B) {
	for name, u := range map[string]user.User{"usual": usual(), "every claim": detailed()} {
		b.Run(name, func(b *testing.B) {
			rec := recordOf(b, u)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := user.Decode(rec); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(rec.Value)), "bytes")
		})
	}
}

func BenchmarkReplace(b *testing.B) {
	u := usual()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := user.Replace(u, 1); err != nil {
			b.Fatal(err)
		}
	}
}
