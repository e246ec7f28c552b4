package grant_test

import (
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
)

func TestARefreshTokenNamesItsGrantAndGeneration(t *testing.T) {
	ring := newRing(t, newStore(t))
	g := newGrant(ring)
	for _, generation := range []uint32{0, 1, math.MaxUint32} {
		g.Generation = generation
		token := refreshToken(t, ring, g)
		got, err := grant.ParseRefreshToken(ring, token)
		if err != nil || got.Ref != g.Ref || got.Generation != generation {
			t.Errorf("ParseRefreshToken = %+v, %v, want %+v at %d", got, err, g.Ref, generation)
		}
		if !strings.HasPrefix(token, "sgr_") {
			t.Errorf("%q does not begin as secret scanners look for it", token)
		}
	}
}

func TestOneGenerationHasOneToken(t *testing.T) {
	ring := newRing(t, newStore(t))
	g := newGrant(ring)
	next := g.Next(time.Now(), ring.MACKey())
	first, repeated := refreshToken(t, ring, next), refreshToken(t, ring, next)
	if first != repeated {
		t.Error("a repeated refresh gets another successor")
	}
	if first == refreshToken(t, ring, g) {
		t.Error("rotation gave the same token")
	}
}

// Every part is under the MAC: a client that could change one would continue
// somebody else's grant, or a generation that it was never given.
func TestARefreshTokenWithAnyBitChangedIsRefused(t *testing.T) {
	ring := newRing(t, newStore(t))
	token := refreshToken(t, ring, newGrant(ring))
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "sgr_"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			changed := "sgr_" + base64.RawURLEncoding.EncodeToString(raw)
			if got, err := grant.ParseRefreshToken(ring, changed); !errors.Is(err, grant.ErrNotARefreshToken) || got != (grant.Presented{}) {
				t.Errorf("byte %d bit %d changed: ParseRefreshToken = %+v, %v", i, bit, got, err)
			}
			raw[i] ^= 1 << bit
		}
	}
}

func TestWhatIsNoRefreshTokenOfOursIsRefused(t *testing.T) {
	ring := newRing(t, newStore(t))
	g := newGrant(ring)
	token := refreshToken(t, ring, g)
	other := newRing(t, newStore(t))
	theirs := g
	theirs.MACKey = other.MACKey()
	for name, text := range map[string]string{
		"nothing": "", "the prefix alone": "sgr_", "no prefix": token[4:], "another prefix": "sgs_" + token[4:],
		"SGR_": "SGR_" + token[4:], "cut": token[:len(token)-1], "longer": token + "A", "padded": token + "=",
		"a line break": token + "\n", "a line break within": token[:9] + "\r\n" + token[9:],
		"another issuer": refreshToken(t, other, theirs),
	} {
		if got, err := grant.ParseRefreshToken(ring, text); !errors.Is(err, grant.ErrNotARefreshToken) {
			t.Errorf("%s: ParseRefreshToken = %+v, %v, want ErrNotARefreshToken", name, got, err)
		}
	}
}

func TestAGrantWithMalformedNamesHasNoRefreshToken(t *testing.T) {
	ring := newRing(t, newStore(t))
	for _, ref := range []grant.Ref{{}, {Subject: "alice", SessionID: ident.New(), ID: ident.New()}, {Subject: ident.New(), SessionID: ident.New(), ID: "x"}} {
		g := newGrant(ring)
		g.Ref = ref
		if token, err := g.RefreshToken(ring); err == nil {
			t.Errorf("RefreshToken of %+v = %q, want an error", ref, token)
		}
	}
	g := newGrant(ring)
	g.MACKey++
	if token, err := g.RefreshToken(ring); err == nil {
		t.Errorf("RefreshToken under a key that is gone = %q, want an error", token)
	}
}

func TestWhatPresentingARefreshTokenMeans(t *testing.T) {
	rotated := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		current, presented uint32
		after, window      time.Duration
		want               grant.Verdict
	}{
		"the first token":                           {0, 0, 0, window, grant.Current},
		"the current token":                         {7, 7, 300 * day, window, grant.Current},
		"the last token, at once":                   {7, 6, 0, window, grant.Repeated},
		"the last token, as the window ends":        {7, 6, window, window, grant.Repeated},
		"the last token, after the window":          {7, 6, window + 1, window, grant.Stolen},
		"the last token, long after":                {7, 6, day, window, grant.Stolen},
		"the last token, on a clock that is behind": {7, 6, -time.Second, window, grant.Repeated},
		"the last token, without a window":          {7, 6, 1, 0, grant.Stolen},
		"the token before the last, at once":        {7, 5, 0, window, grant.Stolen},
		"the first token of a long grant":           {7, 0, 0, window, grant.Stolen},
		"a token that never was":                    {7, 8, 0, window, grant.Unknown},
		"the greatest that never was":               {0, math.MaxUint32, 0, window, grant.Unknown},
		"before the greatest":                       {math.MaxUint32, math.MaxUint32 - 1, 0, window, grant.Repeated},
		"the first, when the current is greatest":   {math.MaxUint32, 0, 0, window, grant.Stolen},
	} {
		t.Run(name, func(t *testing.T) {
			g := grant.Grant{Generation: tt.current, Rotated: rotated}
			if got := g.Judge(tt.presented, rotated.Add(tt.after), tt.window); got != tt.want {
				t.Errorf("Judge = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestRotationChangesGenerationTimeAndKeyAndNothingElse(t *testing.T) {
	ring := newRing(t, newStore(t))
	g, now := newGrant(ring), time.Now()
	next := g.Next(now, g.MACKey+1)
	if next.Generation != 1 || !next.Rotated.Equal(now) || next.MACKey != g.MACKey+1 {
		t.Errorf("Next = %+v", next)
	}
	if next.Ref != g.Ref || !next.Authentication.Time.Equal(g.Authentication.Time) || !next.Created.Equal(g.Created) || next.Version != g.Version {
		t.Errorf("Next changed more than the generation: %+v, was %+v", next, g)
	}
}

// An offline grant may live for years. Its refresh tokens are made under a key
// that leaves after one.
func TestAGrantThatIsRefreshedNowAndThenLivesForYears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newRing(t, newStore(t))
		running := make(chan error, 1)
		go func() { running <- ring.Run(t.Context()) }()
		t.Cleanup(func() {
			if err := <-running; err != nil {
				t.Error(err)
			}
		})
		g := newGrant(ring)
		token := refreshToken(t, ring, g)
		for refreshed := range 12 {
			time.Sleep(364 * day) // as long as a refresh token may lie unused, nearly
			p, err := grant.ParseRefreshToken(ring, token)
			if err != nil || g.Judge(p.Generation, time.Now(), window) != grant.Current {
				t.Fatalf("year %d: ParseRefreshToken = %+v, %v", refreshed, p, err)
			}
			g = g.Next(time.Now(), ring.MACKey())
			token = refreshToken(t, ring, g)
		}
	})
}

// Whatever refresh token is accepted is, character for character, the one that
// was issued.
func FuzzARefreshTokenIsAcceptedAsIssuedOrNotAtAll(f *testing.F) {
	ring := newRing(f, newStore(f))
	g := newGrant(ring)
	f.Add(uint32(0), uint(4), uint(5), "A")
	f.Add(uint32(1), uint(0), uint(4), "sgr-")
	f.Add(uint32(7), uint(99), uint(99), "\n")
	f.Add(uint32(7), uint(500), uint(500), "=")
	f.Add(uint32(7), uint(0), uint(500), "sgr_")
	f.Fuzz(func(t *testing.T, generation uint32, from, to uint, with string) {
		g := g
		g.Generation = generation
		token := refreshToken(t, ring, g)
		from = min(from, uint(len(token)))
		to = max(from, min(to, uint(len(token))))
		text := token[:from] + with + token[to:]
		got, err := grant.ParseRefreshToken(ring, text)
		switch {
		case text == token && (err != nil || got != (grant.Presented{Ref: g.Ref, Generation: generation})):
			t.Errorf("ParseRefreshToken = %+v, %v, want %+v at %d", got, err, g.Ref, generation)
		case text != token && !errors.Is(err, grant.ErrNotARefreshToken):
			t.Errorf("ParseRefreshToken(%q) = %+v, %v, want ErrNotARefreshToken", text, got, err)
		}
	})
}

func BenchmarkRefreshToken(b *testing.B) {
	ring := newRing(b, newStore(b))
	g := newGrant(ring)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.RefreshToken(ring); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseRefreshToken(b *testing.B) {
	ring := newRing(b, newStore(b))
	token := refreshToken(b, ring, newGrant(ring))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := grant.ParseRefreshToken(ring, token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealACode(b *testing.B) {
	ring := newRing(b, newStore(b))
	c := newCode()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Seal(ring, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
