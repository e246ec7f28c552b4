package config

import (
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// wrongSocket knows the kernel's limit: 104 bytes with the final zero on the
// systems with the least.
func wrongSocket(c Config) (text, fix string) {
	const longest = 103
	if len(c.SocketPath()) > longest {
		return fmt.Sprintf("the path is longer than the %d bytes that a socket may have", longest), "set admin.socket to a shorter one, such as /run/signet/signet.sock"
	}
	return "", ""
}

func wrongEncryptionKey(c Config) (text, fix string) {
	const shortest = 32
	switch key := c.Keys.EncryptionKey; {
	case key.Absent():
		return "", ""
	case utf8.RuneCountInString(key.Reveal()) < shortest:
		return fmt.Sprintf("is shorter than %d characters", shortest), "make one with: openssl rand -base64 32"
	case c.Keys.EncryptionKeyFile != "" || len(c.Keys.EncryptionKeyCommand) > 0:
		return "the key comes from two places", oneKeySource
	}
	return "", ""
}

const oneKeySource = "keep one of keys.encryption_key, keys.encryption_key_file and keys.encryption_key_command"

// wrongKeyFile wants a key that all nodes have where nodes share an engine: one of
// them would otherwise make its own, and the others open nothing.
func wrongKeyFile(c Config) (text, fix string) {
	named, command := c.Keys.EncryptionKeyFile != "", len(c.Keys.EncryptionKeyCommand) > 0
	switch e, _ := parseEngine(c.Store); {
	case named && command:
		return "the key comes from two places", oneKeySource
	case e.Shared() && !named && !command && c.Keys.EncryptionKey.Absent():
		return fmt.Sprintf("is missing: with %s, all nodes share one key, and none makes it", e.Kind),
			"make it once, with (umask 077; openssl rand -base64 32 > signet.key), give each node a copy, and name the file here"
	}
	return "", ""
}

func wrongKeyCommand(c Config) (text, fix string) {
	if argv := c.Keys.EncryptionKeyCommand; len(argv) > 0 && strings.TrimSpace(argv[0]) == "" {
		return "does not name a program", "write the program first, then its arguments: [vault, kv, get, -field=key, secret/signet]"
	}
	return "", ""
}

func wrongAbsolute(c Config) (text, fix string) {
	if c.Sessions.Absolute < c.Sessions.Idle {
		return fmt.Sprintf("%s is less than sessions.idle (%s)", showDuration(c.Sessions.Absolute), showDuration(c.Sessions.Idle)),
			"raise it, or lower sessions.idle"
	}
	return "", ""
}

// cost is one of the equally strong settings of argon2id in the OWASP Password
// Storage Cheat Sheet: the less memory, the more passes.
type cost struct {
	memory Size
	time   int
}

func owaspCosts() []cost {
	return []cost{{46 * MiB, 1}, {19 * MiB, 2}, {12 * MiB, 3}, {9 * MiB, 4}, {7 * MiB, 5}}
}

func wrongPasswordCost(c Config) (text, fix string) {
	strong := slices.ContainsFunc(owaspCosts(), func(least cost) bool {
		return c.Passwords.Memory >= least.memory && c.Passwords.Time >= least.time
	})
	if strong {
		return "", ""
	}
	var pairs []string
	for _, least := range owaspCosts() {
		pairs = append(pairs, fmt.Sprintf("%s with time %d", least.memory, least.time))
	}
	return fmt.Sprintf("%s with passwords.time %d is weaker than OWASP recommends", c.Passwords.Memory, c.Passwords.Time),
		"use at least " + strings.Join(pairs, ", or ")
}

// wrongContact admits what RFC 9116 §2.5.3 shows and a browser or mail program
// opens: one address without spaces, so that it stays one line of the document.
func wrongContact(c Config) (text, fix string) {
	const example = "write mailto:security@example.com, or the https address of a page"
	contact := c.Security.Contact
	if contact == "" {
		return "", ""
	}
	u, err := url.Parse(contact)
	if err != nil || strings.ContainsFunc(contact, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "is not an address", example
	}
	switch address, err := mail.ParseAddress(u.Opaque); {
	case u.Scheme == "https" && u.Hostname() != "" && u.User == nil:
	case u.Scheme == "mailto" && err == nil && address.Address == u.Opaque:
	default:
		return fmt.Sprintf("%q is neither a mailto: nor an https: address", contact), example
	}
	return "", ""
}

// wrongScopes judges each scope under its own name, so that each has its line.
func (c Config) wrongScopes() []Problem {
	const longest = 200
	var out []Problem
	for _, name := range sortedKeys(c.Scopes) {
		p := Problem{Key: scopesKey + "." + name}
		description := c.Scopes[name]
		switch {
		case !isScope(name):
			p.Text, p.Fix = "is not a scope (RFC 6749 §3.3)", `use letters, digits and signs such as : . / - without spaces, " and \`
		case slices.Contains(standardScopes(), name):
			p.Text, p.Fix = "is defined by OpenID Connect", "remove it: it exists already"
		case strings.TrimSpace(description) == "":
			p.Text, p.Fix = "has no description", "write what a person allows by it, such as: See your orders"
		case utf8.RuneCountInString(description) > longest || strings.ContainsFunc(description, unicode.IsControl) || !utf8.ValidString(description):
			p.Text, p.Fix = "has a description that does not fit the page", fmt.Sprintf("write one line of at most %d characters", longest)
		}
		if p.Text != "" {
			out = append(out, p)
		}
	}
	return out
}

func standardScopes() []string {
	return []string{"openid", "profile", "email", "address", "phone", "offline_access"}
}

// isScope is RFC 6749 §3.3: 1*( %x21 / %x23-5B / %x5D-7E ).
func isScope(name string) bool {
	const longest = 100
	for i := range len(name) {
		if b := name[i]; b < 0x21 || b > 0x7e || b == '"' || b == '\\' {
			return false
		}
	}
	return name != "" && len(name) <= longest
}
