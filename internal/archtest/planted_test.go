package archtest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/signet-id/signet/internal/archtest"
)

const ours = archtest.Module + "/"

// plant is a tree of files; check returns what the house rules find in it.
type plant map[string]string

func check(t *testing.T, p plant) []archtest.Violation {
	t.Helper()
	root := fstest.MapFS{}
	for name, text := range p {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	rules := archtest.House()
	rules.Excuses = nil
	found, err := archtest.Check(root, rules)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// wantOne fails unless exactly one violation is found, of that rule, whose line
// has all the words: the place, what is wrong and why.
func wantOne(t *testing.T, found []archtest.Violation, rule string, words ...string) {
	t.Helper()
	if len(found) != 1 {
		t.Fatalf("found %d violations, want 1: %v", len(found), found)
	}
	if found[0].Rule != rule {
		t.Errorf("rule %q, want %q: %s", found[0].Rule, rule, found[0])
	}
	for _, w := range words {
		if !strings.Contains(found[0].String(), w) {
			t.Errorf("%q does not say %q", found[0], w)
		}
	}
}

func wantNone(t *testing.T, found []archtest.Violation) {
	t.Helper()
	for _, v := range found {
		t.Errorf("found in a tree that is as drawn: %s", v)
	}
}

// importing is a package in dir that imports paths and does nothing else.
func importing(dir string, paths ...string) plant {
	name := dir[strings.LastIndex(dir, "/")+1:]
	return plant{dir + "/" + name + ".go": importer(name, paths...)}
}

func importer(name string, paths ...string) string {
	text := fmt.Sprintf("// Package %s is planted.\npackage %s\n\n", name, name)
	for _, p := range paths {
		text += fmt.Sprintf("import _ %q\n", p)
	}
	return text
}

func TestAPlantedImportIsFoundWithItsReason(t *testing.T) {
	for _, c := range []struct{ dir, imports, rule, why string }{
		{"internal/endpoint/logout", ours + "internal/endpoint/signin", "import", "endpoints meet in the store"},
		{"internal/endpoint/logout", ours + "internal/httpd", "import", "app joins them"},
		{"internal/httpd", ours + "internal/endpoint/logout", "import", "app joins them"},
		{"internal/token", ours + "pkg/verify", "import", "the house does not look out"},
		{"keys", ours + "pkg/verify", "import", "the house does not look out"},
		{"pkg/verify", ours + "internal/fault", "import", "must not drag the issuer along"},
		{"pkg/verify/verifygrpc", ours + "internal/fault", "import", "must not drag the issuer along"},
		{"pkg/sso", ours + "internal/secret", "import", "must not drag the issuer along"},
		{"internal/fault", ours + "internal/secret", "import", "ground floor"},
		{"internal/fault", "golang.org/x/text/language", "import", "ground floor"},
		{"internal/secret", "golang.org/x/crypto/hkdf", "import", "ground floor"},

		{"internal/token", "github.com/ory/fosite", "import", "fosite's is endpoint/oauth"},
		{"internal/endpoint/signin", "github.com/ory/fosite/handler/oauth2", "import", "internal/endpoint/oauth/..."},
		{"internal/session", "go.etcd.io/bbolt", "import", "storage is a contract"},
		{"internal/store", "go.etcd.io/etcd/client/v3", "import", "storage is a contract"},
		{"internal/app", "github.com/jackc/pgx/v5/pgxpool", "import", "storage is a contract"},
		{"internal/client", "github.com/lestrrat-go/jwx/v2/jwk", "import", "few places"},
		{"internal/endpoint/userinfo", "github.com/lestrrat-go/jwx/v2/jwt", "import", "few places"},
		{"internal/session", "github.com/labstack/echo/v4", "import", "do not know HTTP"},
		{"pkg/verify", "github.com/labstack/echo/v4", "import", "do not know HTTP"},
		{"internal/session", "testing", "import", "does not know that it is tested"},
		{"internal/app", "testing/synctest", "import", "does not know that it is tested"},

		{"internal/cli", ours + "internal/store/boltstore", "import", "one place chooses the engine"},
		{"internal/user", ours + "internal/store/pgstore", "import", "one place chooses the engine"},
		{"internal/app", ours + "internal/store/storetest", "import", "tests only"},
		{"internal/session", ours + "internal/config", "import", "never the configuration itself"},
		{"internal/session", ours + "internal/telemetry", "import", "never the whole of telemetry"},
		{"internal/app", ours + "internal/archtest", "import", "checked by its own test"},

		{"internal/store", ours + "internal/seal", "upward", "store (persistence) imports internal/seal (parts)"},
		{"internal/store/boltstore", ours + "internal/session", "upward", "an arrow never runs up"},
		{"internal/seal", ours + "internal/token", "upward", "an arrow never runs up"},
		{"internal/journey", ours + "internal/endpoint/signin", "upward", "an arrow never runs up"},
		{"internal/endpoint/signin", ours + "internal/app", "upward", "an arrow never runs up"},
		{"internal/app", ours + "internal/cli", "upward", "an arrow never runs up"},
		{"internal/cli", ours + "cmd/signet/demo", "upward", "an arrow never runs up"},
		{"templates", ours + "internal/pages", "upward", "an arrow never runs up"},
	} {
		t.Run(c.dir+" imports "+c.imports, func(t *testing.T) {
			wantOne(t, check(t, importing(c.dir, c.imports)), c.rule, c.dir, c.why)
		})
	}
}

func TestTheImportsOfTheDrawingAreAllowed(t *testing.T) {
	for dir, paths := range map[string][]string{
		"cmd/signet/demo":          {ours + "pkg/verify", "net/http"},
		"internal/cli":             {ours + "internal/app", ours + "internal/config", ours + "internal/telemetry", "github.com/spf13/cobra"},
		"pkg/signettest":           {ours + "internal/app", ours + "internal/config", ours + "pkg/verify", "testing", "github.com/lestrrat-go/jwx/v2/jwt"},
		"pkg/verify":               {"github.com/lestrrat-go/jwx/v2/jwt", "golang.org/x/sync/singleflight"},
		"pkg/verify/verifyecho":    {ours + "pkg/verify", "github.com/labstack/echo/v4"},
		"internal/app":             {ours + "internal/store/boltstore", ours + "internal/config", ours + "internal/endpoint/oauth", ours + "internal/httpd", "github.com/labstack/echo/v4"},
		"internal/httpd":           {ours + "internal/telemetry", "github.com/labstack/echo/v4"},
		"internal/endpoint/oauth":  {ours + "internal/grant", ours + "internal/journey", ours + "keys", "github.com/ory/fosite", "github.com/lestrrat-go/jwx/v2/jwk"},
		"internal/endpoint/oauth2": {ours + "internal/endpoint/oauth2/form", "github.com/labstack/echo/v4"},
		"internal/authn/upstream":  {ours + "internal/user", "github.com/lestrrat-go/jwx/v2/jwt"},
		"internal/session":         {ours + "internal/ended", ours + "internal/store", ours + "internal/fault"},
		"internal/store/boltstore": {ours + "internal/store", ours + "internal/fault", "go.etcd.io/bbolt"},
		"internal/store/storetest": {ours + "internal/store", "testing"},
		"keys":                     {ours + "internal/seal", "github.com/lestrrat-go/jwx/v2/jwk"},
		"internal/pages":           {ours + "templates"},
	} {
		t.Run(dir, func(t *testing.T) { wantNone(t, check(t, importing(dir, paths...))) })
	}
}

func TestATestMayReachForARealEngineButNotForASiblingEndpoint(t *testing.T) {
	p := importing("internal/endpoint/logout")
	p["internal/endpoint/logout/end_test.go"] = importer("logout_test",
		ours+"internal/store/boltstore", ours+"pkg/verify", ours+"internal/app", "github.com/ory/fosite", "testing")
	wantNone(t, check(t, p))

	p["internal/endpoint/logout/more_test.go"] = importer("logout_test", ours+"internal/endpoint/signin")
	wantOne(t, check(t, p), "import", "more_test.go", "endpoints meet in the store")
}

func TestAFolderThatNoFloorNamesIsFound(t *testing.T) {
	wantOne(t, check(t, importing("internal/attic")), "floor", "internal/attic stands on no floor")
}

func TestFoldersWithoutCodeOfThisModuleAreNotRead(t *testing.T) {
	const broken = "package attic\nfunc init() {}\n"
	wantNone(t, check(t, plant{
		"internal/app/testdata/attic.go":  broken,
		".ci/attic.go":                    broken,
		"docs/node_modules/attic.go":      broken,
		"interop/python/go.mod":           "module example.com/elsewhere\n",
		"interop/python/attic.go":         broken,
		"internal/app/_attic.go":          broken,
		"internal/app/notes.txt":          broken,
		"internal/app/testdata/x/y/a.go":  broken,
		"internal/app/.hidden/attic.go":   broken,
		"internal/app/_disabled/attic.go": broken,
	}))
}

func TestAFileThatDoesNotParseIsFoundAndTheRestIsJudged(t *testing.T) {
	p := importing("internal/session", "go.etcd.io/bbolt")
	p["internal/seal/seal.go"] = "package seal\nfunc {"
	found := check(t, p)
	if len(found) != 2 || found[0].Rule != "parse" || found[1].Rule != "import" {
		t.Errorf("found %v, want the broken file and the planted import", found)
	}
}

func TestAnExcuseCoversItsViolationOnlyAndGoesWithIt(t *testing.T) {
	root := fstest.MapFS{"internal/session/session.go": {Data: []byte(importer("session", "go.etcd.io/bbolt", "testing"))}}
	rules := archtest.House()
	rules.Excuses = []archtest.Excuse{
		{Rule: "import", Path: "internal/session/session.go", Name: "testing", Why: "planted"},
		{Rule: "import", Path: "internal/session/session.go", Name: "go.etcd.io/etcd", Why: "needed by nobody"},
	}
	found, err := archtest.Check(root, rules)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0].Name != "go.etcd.io/bbolt" || found[1].Rule != "excuse" {
		t.Errorf("found %v, want the import that has no excuse and the excuse that covers nothing", found)
	}
}

func TestEveryRuleAndEveryExcuseHasAReason(t *testing.T) {
	rules := archtest.House()
	for _, n := range rules.Never {
		if n.Why == "" {
			t.Errorf("never %s → %s has no reason", n.Who, n.Imports)
		}
	}
	for _, r := range rules.Rooms {
		if r.Why == "" {
			t.Errorf("room of %v has no reason", r.What)
		}
	}
	for _, e := range rules.Excuses {
		if e.Why == "" {
			t.Errorf("the excuse of %s in %s has no reason", e.Name, e.Path)
		}
	}
}

func TestThereAreAtMostEightFloors(t *testing.T) {
	if n := len(archtest.House().Floors); n > 8 {
		t.Errorf("%d floors; a newcomer redraws at most 8 from memory", n)
	}
}
