package keys

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"testing"
)

func unbase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The examples of RFC 8037, appendix A.1 to A.5.
func TestEd25519IsAsRFC8037Shows(t *testing.T) {
	private := ed25519.NewKeyFromSeed(unbase64(t, "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
	_, id, err := publish(EdDSA, private.Public())
	if want := "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; err != nil || id != want {
		t.Errorf("thumbprint = %s, %v; want %s", id, err, want)
	}
	input := []byte("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
	want := "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	got, err := EdDSA.sign(private, input)
	if err != nil || base64.RawURLEncoding.EncodeToString(got) != want {
		t.Errorf("signature = %x, %v; want %s", got, err, want)
	}
	if !EdDSA.verifies(private.Public(), input, unbase64(t, want)) {
		t.Error("the RFC's signature does not verify")
	}
}

// The example of RFC 7638 §3.1.
func TestAThumbprintIsAsRFC7638Shows(t *testing.T) {
	modulus := "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi" +
		"FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d" +
		"0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-cs" +
		"FCur-kEgU8awapJzKnqDKgw"
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(unbase64(t, modulus)), E: 65537}
	_, id, err := publish(RS256, public)
	if want := "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; err != nil || id != want {
		t.Errorf("thumbprint = %s, %v; want %s", id, err, want)
	}
}

func TestAShortRAndSArePaddedToTheCurve(t *testing.T) {
	for name, test := range map[string]struct {
		der  []byte
		want [64]byte // zero: refused
	}{
		"one byte each":       {[]byte{0x30, 6, 2, 1, 5, 2, 1, 7}, [64]byte{31: 5, 63: 7}},
		"a sign byte":         {[]byte{0x30, 7, 2, 2, 0, 0x80, 2, 1, 7}, [64]byte{31: 0x80, 63: 7}},
		"negative":            {der: []byte{0x30, 6, 2, 1, 0x85, 2, 1, 7}},
		"trailing bytes":      {der: []byte{0x30, 6, 2, 1, 5, 2, 1, 7, 0}},
		"three integers":      {der: []byte{0x30, 9, 2, 1, 5, 2, 1, 7, 2, 1, 7}},
		"longer than a curve": {der: append([]byte{0x30, 38, 2, 33, 1}, append(make([]byte, 32), 2, 1, 7)...)},
		"empty":               {},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fixedWidth(test.der)
			if refused := test.want == [64]byte{}; refused != (err != nil) {
				t.Fatalf("fixedWidth = %x, %v", got, err)
			}
			if err == nil && [64]byte(got) != test.want {
				t.Errorf("fixedWidth = %x, want %x", got, test.want)
			}
		})
	}
}

// RFC 7518 §3.5: the salt is as long as the hash. Many verifiers take any length,
// so that only a strict one notices.
func TestAPS256SignatureHasASaltOf32Bytes(t *testing.T) {
	private, err := PS256.generate()
	if err != nil {
		t.Fatal(err)
	}
	signature, err := PS256.sign(private, []byte("input"))
	if err != nil {
		t.Fatal(err)
	}
	public := private.Public().(*rsa.PublicKey)
	strict := &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}
	if err := rsa.VerifyPSS(public, crypto.SHA256, digest([]byte("input")), signature, strict); err != nil {
		t.Error(err)
	}
	longer, err := private.Sign(rand.Reader, digest([]byte("input")), &rsa.PSSOptions{SaltLength: 64, Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	if PS256.verifies(public, []byte("input"), longer) {
		t.Error("a salt of 64 bytes was accepted")
	}
}

func TestAKeyOfAnotherKindIsNotAccepted(t *testing.T) {
	for _, made := range Algorithms() {
		private, err := made.generate()
		if err != nil {
			t.Fatal(err)
		}
		for _, asked := range Algorithms() {
			_, madeRSA := private.(*rsa.PrivateKey)
			want := made == asked || madeRSA && (asked == RS256 || asked == PS256)
			if got := asked.accepts(private); got != want {
				t.Errorf("%s accepts a key of %s = %t, want %t", asked, made, got, want)
			}
		}
	}
}
