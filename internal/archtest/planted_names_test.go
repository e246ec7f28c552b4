package archtest_test

import (
	"strings"
	"testing"
)

// session is a shipped file of internal/session with its package comment.
func session(body string) plant {
	return plant{"internal/session/session.go": "// Package session is planted.\npackage session\n\n" + body}
}

func TestAPlantedNameOrHabitIsFoundWithItsReason(t *testing.T) {
	for name, c := range map[string]struct{ body, rule, why string }{
		"a type named Manager":       {"type KeyManager struct{}", "name", `"manager" names nothing`},
		"a type named Data":          {"type grantData struct{}", "name", `"data" names nothing`},
		"a type named Info":          {"type JWTInfo struct{}", "name", `"info" names nothing`},
		"a type named Helpers":       {"type Helpers struct{}", "name", `"helpers" names nothing`},
		"a local type named Base":    {"func f() { type baseThing struct{} }", "name", `"base" names nothing`},
		"an exported func CommonKey": {"func CommonKey() {}", "name", `"common" names nothing`},

		"func init":               {"func init() {}", "init", "one place wires"},
		"an InsecureX field":      {"type o struct{ InsecureHTTP bool }", "loose", "no name in the house may loosen a check"},
		"a foreign Insecure flag": {"import \"crypto/tls\"\nvar _ = tls.Config{InsecureSkipVerify: true}", "loose", "InsecureSkipVerify"},
		"an unexported insecure":  {"type o struct{ insecureCookie bool }", "loose", "insecureCookie"},
		"a SkipX option":          {"func WithSkipIssuerCheck() {}", "loose", "WithSkipIssuerCheck"},

		"a Now field":             {"import \"time\"\ntype T struct{ Now func() time.Time }", "clock", "testing/synctest"},
		"a clock parameter":       {"import \"time\"\nfunc f(now func() time.Time) {}", "clock", "testing/synctest"},
		"a clock interface":       {"import \"time\"\ntype clock interface{ Now() time.Time }", "clock", "testing/synctest"},
		"time.Now as a value":     {"import \"time\"\nfunc f() { g(time.Now) }", "clock", "handed around"},
		"a promise in a comment":  {"// TO" + "DO: later\nfunc f() {}", "promise", "do it now"},
		"a promise of repair":     {"func f() {} // FIX" + "ME", "promise", "do it now"},
		"a context for somewhere": {"import \"context\"\nfunc f() { g(context.TO" + "DO()) }", "promise", "pass the caller's"},
	} {
		t.Run(name, func(t *testing.T) {
			wantOne(t, check(t, session(c.body)), c.rule, "internal/session/session.go:", c.why)
		})
	}
}

func TestHonestNamesAndHabitsAreLeftAlone(t *testing.T) {
	wantNone(t, check(t, session(`
import (
	"io/fs"
	"time"
)

// UserInfo, and what the terms of a standard are called.
type UserInfo struct{ BaseURL, Database string }

type base64Encoding struct{}

type key struct{ expires time.Time }

// Expires tells a time, and is no clock.
func (k key) Expires() time.Time { return k.expires }

type lasting interface{ Expires() time.Time }

func walk() error { skip := fs.SkipDir; return skip }

func skipSpace() {}

func later() time.Time {
	next := func() time.Time { return time.Now().Add(time.Hour) }
	return next()
}
`)))
}

func TestAPackageNamedAfterNothingIsFound(t *testing.T) {
	for _, name := range []string{"util", "utils", "common", "helpers", "tokenutil", "keymanager", "data", "impl"} {
		t.Run(name, func(t *testing.T) {
			wantOne(t, check(t, importing("internal/token/"+name)), "name", "say what it owns")
		})
	}
}

func TestUserinfoIsTheStandardsOwnPackageName(t *testing.T) {
	wantNone(t, check(t, importing("internal/endpoint/userinfo")))
}

func TestWhatLoosensBelongsToSignettest(t *testing.T) {
	wantNone(t, check(t, plant{
		"pkg/signettest/start.go": "// Package signettest is planted.\npackage signettest\n\nfunc SkipTLS() {}\n",
	}))
}

func TestAPackageWithoutACommentIsFound(t *testing.T) {
	wantOne(t, check(t, plant{"internal/seal/seal.go": "package seal\n"}), "comment", "opens with its name")
	wantOne(t, check(t, plant{"internal/seal/seal.go": "// Seals things.\npackage seal\n"}), "comment", "opens with its name")
	wantOne(t, check(t, plant{"cmd/signet/main.go": "package main\n"}), "comment", "package main")
	wantNone(t, check(t, plant{"cmd/signet/main.go": "// Signet is an issuer.\npackage main\n"}))
}

func TestTheMeasureIsKept(t *testing.T) {
	long := func(lines int) string { return strings.Repeat("//\n", lines) }
	function := func(lines int) string { return "func f() {\n" + strings.Repeat("\tg()\n", lines) + "}\n" }
	head := "// Package session is planted.\npackage session\n\n" // 3 lines

	wantNone(t, check(t, plant{"internal/session/a.go": head + long(397)}))
	wantOne(t, check(t, plant{"internal/session/a.go": head + long(398)}), "file length", "401 lines, at most 400")

	wantNone(t, check(t, session(function(60))))
	wantOne(t, check(t, session(function(61))), "function length", "f has 61 lines, at most 60")

	wantNone(t, check(t, plant{"cmd/signet/main.go": "// Signet.\npackage main\n" + long(38)}))
	wantOne(t, check(t, plant{"cmd/signet/main.go": "// Signet.\npackage main\n" + long(39)}), "file length", "41 lines, at most 40")
}

func TestTestsAndGeneratedFilesMayBeLong(t *testing.T) {
	long := "func f() {\n" + strings.Repeat("\tg()\n", 500) + "}\n"
	p := session("")
	p["internal/session/table_test.go"] = "package session\n\n" + long
	p["internal/session/table.go"] = "// Code generated by a table. DO NOT EDIT.\n\npackage session\n\n" + long
	wantNone(t, check(t, p))
}

func TestTheFaceMentionsNoTypeThatAStrangerCannotName(t *testing.T) {
	const head = "// Package keys is planted.\npackage keys\n\nimport \"github.com/signet-id/signet/internal/seal\"\n\n"
	for name, body := range map[string]string{
		"a parameter":        "func Open(b seal.Box) {}",
		"a result":           "func Open() *seal.Box { return nil }",
		"a method":           "type Ring struct{}\nfunc (r *Ring) Box() []seal.Box { return nil }",
		"an exported field":  "type Policy struct{ Box *seal.Box }",
		"an embedded type":   "type Policy struct{ seal.Box }",
		"an interface":       "type Store interface{ Get(seal.Box) error }",
		"an alias":           "type Box = seal.Box",
		"an exported const":  "const Purpose seal.Purpose = 1",
		"an anonymous field": "type Policy struct{ Inner struct{ Box seal.Box } }",
	} {
		t.Run(name, func(t *testing.T) {
			wantOne(t, check(t, plant{"keys/ring.go": head + body}), "face", "cannot name that type")
		})
	}
	wantNone(t, check(t, plant{"keys/ring.go": head +
		"type Ring struct{ box seal.Box }\nfunc open(b seal.Box) {}\ntype ring struct{ Box seal.Box }\nfunc (r ring) Get() seal.Box { return r.Box }\nfunc (r *Ring) Seal() { seal.Now() }\n"}))
}
