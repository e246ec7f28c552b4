package keys_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/keys"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestTheJWKSHasThePublicMembersOfEachKeyAndNoOthers(t *testing.T) {
	r := open(t, &storage{}, policy, keys.Algorithms()...)
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(r.JWKS().Body, &set); err != nil {
		t.Fatal(err)
	}
	want := []struct{ alg, kty, crv, members string }{
		{"ES256", "EC", "P-256", "alg crv kid kty use x y"},
		{"EdDSA", "OKP", "Ed25519", "alg crv kid kty use x"},
		{"RS256", "RSA", "", "alg e kid kty n use"},
		{"PS256", "RSA", "", "alg e kid kty n use"},
	}
	if len(set.Keys) != len(want) {
		t.Fatalf("%d keys, want %d", len(set.Keys), len(want))
	}
	for i, k := range set.Keys {
		var members []string
		for name := range k {
			members = append(members, name)
		}
		slices.Sort(members)
		// RFC 7518 §6.2.2, §6.3.2: d and the rest would give the private key away.
		if got := strings.Join(members, " "); got != want[i].members {
			t.Errorf("%s has members %q, want %q", k["alg"], got, want[i].members)
		}
		if k["alg"] != want[i].alg || k["kty"] != want[i].kty || k["crv"] != want[i].crv || k["use"] != "sig" {
			t.Errorf("key %d = %v, want %v", i, k, want[i])
		}
		if k["kid"] != r.List()[i].ID {
			t.Errorf("kid = %q, want %q", k["kid"], r.List()[i].ID)
		}
	}
}

func TestTheJWKSOfAnEmptyRingHasAnEmptyArray(t *testing.T) {
	r := open(t, &storage{}, policy)
	if got := string(r.JWKS().Body); got != `{"keys":[]}` { // RFC 7517 §5.1
		t.Errorf("JWKS = %s", got)
	}
}

func TestTheJWKSChangesWhenAKeyComesOrGoesAndOnlyThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, &storage{}, policy, keys.EdDSA)
		stop := run(t, r)
		alone := r.JWKS()
		if alone.MaxAge != policy.MaxAge || !strings.HasPrefix(alone.ETag, `"`) || !strings.HasSuffix(alone.ETag, `"`) {
			t.Errorf("MaxAge = %s, ETag = %s", alone.MaxAge, alone.ETag)
		}
		mustRotate(t, r)
		both := r.JWKS()
		if both.ETag == alone.ETag || bytes.Equal(both.Body, alone.Body) {
			t.Error("a new key changed nothing")
		}
		time.Sleep(policy.Publish)
		synctest.Wait()
		if len(keysOf(r, keys.EdDSA, keys.Retiring)) != 1 {
			t.Fatal("nothing retired")
		}
		if got := r.JWKS(); got.ETag != both.ETag || !bytes.Equal(got.Body, both.Body) {
			t.Error("an activation changed the JWKS")
		}
		time.Sleep(policy.Linger)
		synctest.Wait()
		if got := r.JWKS(); got.ETag == both.ETag {
			t.Error("a key that went changed nothing")
		}
		stop()
	})
}

// Ed25519 alone is here: what it makes of given random bytes is specified (RFC
// 8032 §5.1.5), so the file holds for every version of Go.
func TestTheWireFormatIsStable(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	synctest.Test(t, func(t *testing.T) {
		s := &storage{}
		r := open(t, s, policy, keys.EdDSA)
		token := sign(t, r, keys.EdDSA)
		got := fmt.Sprintf("JWKS\n%s\nETag\n%s\ntoken\n%s\nstored\n%s\n", r.JWKS().Body, r.JWKS().ETag, token, s.doc)
		name := filepath.Join("testdata", "wire.golden")
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}
