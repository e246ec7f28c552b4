package archtest

// Module is the path that imports of our own begin with.
const Module = "github.com/signet-id/signet"

// Two words that stand for a set of imports where a pattern cannot.
const (
	ours    = "(anything of ours)"
	foreign = "(anything outside the standard library)"
)

// Rules are the tables that the house is held against. A pattern names folders
// relative to the module, or the import path of a leased part: "*" is exactly
// one element, a trailing "..." is any number of them, none included.
type Rules struct {
	Floors  []Floor
	Never   []Never
	Rooms   []Room
	Face    []string          // packages that strangers import
	Terms   map[string]string // a banned word inside a standard's own term, and whose term it is
	Excuses []Excuse
}

// Floor is one level of the house. Imports stay on their floor or go down.
type Floor struct {
	Name  string
	Rooms []string
}

// Never is an arrow that must not exist. When both patterns have a "*", an
// import within the same room is no arrow.
type Never struct {
	Who, Imports string
	But          string // an import of this pattern is allowed all the same
	Tests        bool   // test files are held to it as well
	Why          string
}

// Room says that What is imported by Only and nobody else. Test files may.
type Room struct {
	What []string
	Only []string
	Why  string
}

// Excuse lets one name at one place break one rule. It has a reason that a
// reviewer would accept, and goes when its violation goes.
type Excuse struct {
	Rule, Path, Name, Why string
}

// House is the drawing: docs/architecture.md in the form of tables.
func House() Rules {
	return Rules{
		Floors: floors(),
		Never:  nevers(),
		Rooms:  append(leased(), innerRooms()...),
		Face:   []string{"keys", "pkg/..."},
		Terms: map[string]string{
			"UserInfo":          "OpenID Connect Core §5.3",
			"BaseURL":           "RFC 3986 §5.1, base URI",
			"ClientData":        "WebAuthn §5.8.1",
			"AuthenticatorData": "WebAuthn §6.1",
		},
		Excuses: []Excuse{
			{Rule: "loose", Path: "internal/enginetest/enginetest.go", Name: "Skip", Why: "a test without its engine is left out, and says so"},
		},
	}
}

// floors from the top. A folder that no floor names is a violation: whoever
// adds a room decides here, in a reviewed line, how far down it stands.
func floors() []Floor {
	return []Floor{
		{"the door", []string{"cmd/...", "bench/...", "interop/...", "deploy/..."}},
		{"commands", []string{"internal/cli/...", "pkg/signettest/..."}},
		{"composition", []string{"internal/app/..."}},
		{"HTTP", []string{"internal/endpoint/...", "internal/httpd/..."}},
		{"rules", []string{
			"internal/session/...", "internal/grant/...", "internal/client/...", "internal/user/...",
			"internal/ended/...", "internal/status/...", "internal/token/...", "internal/authn/...",
			"internal/audit/...", "internal/admin/...", "internal/journey/...", "internal/visitor", "internal/assertion",
			"internal/lease", "internal/outbox",
		}},
		{"parts", []string{"keys", "internal/seal/...", "internal/pages/...", "internal/cookie", "internal/cors", "internal/remote"}},
		{"persistence", []string{"internal/store/..."}},
		{"ground", []string{
			"internal/fault", "internal/ident", "internal/object", "internal/record", "internal/slot", "internal/secret", "internal/config/...", "internal/telemetry/...", "internal/refusal",
			"internal/archtest", "internal/docstest", "internal/enginetest", "templates/...", "pkg/verify/...", "pkg/sso/...",
		}},
	}
}

func nevers() []Never {
	return []Never{
		{Who: "internal/endpoint/*/...", Imports: "internal/endpoint/*/...", Tests: true,
			Why: "endpoints meet in the store, never in code"},
		{Who: "internal/endpoint/...", Imports: "internal/httpd/...",
			Why: "an endpoint does not know which server carries it; app joins them"},
		{Who: "internal/httpd/...", Imports: "internal/endpoint/...",
			Why: "the server does not know what it carries; app joins them"},
		{Who: "internal/...", Imports: "pkg/...",
			Why: "the public face looks in; the house does not look out"},
		{Who: "keys", Imports: "pkg/...",
			Why: "the public face looks in; the house does not look out"},
		{Who: "pkg/verify/...", Imports: ours, But: "pkg/verify/...",
			Why: "a verifier must not drag the issuer along"},
		{Who: "pkg/sso/...", Imports: ours, But: "pkg/verify/...",
			Why: "a service that signs people in must not drag the issuer along"},
		{Who: "internal/fault", Imports: ours,
			Why: "the ground floor knows nothing but the standard library"},
		{Who: "internal/fault", Imports: foreign,
			Why: "the ground floor knows nothing but the standard library"},
		{Who: "internal/secret", Imports: foreign,
			Why: "the ground floor knows nothing but the standard library"},
	}
}

// engines are the only rooms that know a database.
func engines() []string {
	return []string{"internal/store/boltstore/...", "internal/store/pgstore/...", "internal/store/etcdstore/..."}
}

// leased parts have one room each, so that replacing one changes one folder.
func leased() []Room {
	return []Room{
		{What: []string{"github.com/ory/..."}, Only: []string{"internal/endpoint/oauth/..."},
			Why: "a leased part has one room: fosite's is endpoint/oauth"},
		{What: []string{"go.etcd.io/...", "github.com/jackc/..."}, Only: engines(),
			Why: "storage is a contract; only the engines know a database"},
		{What: []string{"google.golang.org/protobuf/..."}, Only: []string{"internal/record"},
			Why: "the form of the records is one room's; the others number their fields"},
		{What: []string{"github.com/lestrrat-go/..."},
			Only: []string{
				"keys", "internal/token/...", "pkg/verify/...", "pkg/signettest/...",
				"internal/authn/upstream/...", "internal/endpoint/oauth/...", "internal/assertion",
			},
			Why: "signing and checking are few places"},
		// An adapter of the verifier for Echo is a package of its own, so that
		// nobody imports what they do not use.
		{What: []string{"github.com/labstack/..."},
			Only: []string{"internal/endpoint/...", "internal/httpd/...", "internal/app/...", "pkg/verify/*", "bench/..."},
			Why:  "rules and operations do not know HTTP"},
		{What: []string{"testing/..."},
			Only: []string{"internal/store/storetest/...", "internal/enginetest", "pkg/signettest/..."},
			Why:  "what is shipped does not know that it is tested"},
	}
}

func innerRooms() []Room {
	return []Room{
		// The benchmarks measure the floor: bare Echo, and the engine alone.
		{What: engines(), Only: append(engines(), "internal/app/...", "bench/..."),
			Why: "one place chooses the engine"},
		{What: []string{"internal/store/storetest/..."}, Only: nil,
			Why: "the suite of the store contract is for tests"},
		{What: []string{"internal/enginetest"}, Only: []string{"bench/..."},
			Why: "a test or a benchmark starts real engines; what is shipped is given one"},
		{What: []string{"internal/config/..."},
			Only: []string{"internal/config/...", "internal/app/...", "internal/cli/...", "pkg/signettest/...", "bench/..."},
			Why:  "a room is given values, never the configuration itself"},
		{What: []string{"internal/telemetry/..."},
			Only: []string{"internal/telemetry/...", "internal/app/...", "internal/httpd/...", "internal/cli/..."},
			Why:  "a room is given a logger and a registry, never the whole of telemetry"},
		{What: []string{"internal/archtest"}, Only: nil,
			Why: "the drawing is checked by its own test"},
	}
}
