package config

import (
	"slices"
	"strings"
)

// entry is all that is known of one key.
type entry struct {
	key      string
	doc      string // sentences for explain and the manual
	example  string
	unset    string // what an empty default means
	min, max string // inclusive, written as in the file
	oneOf    []string
	envOnly  bool // a secret: never in the file
	fileOnly bool // too rich for a variable

	field func(*Config) any
	// wrong says what is wrong with the value beyond bounds and choices, and
	// what to do; it may look at other keys, and sees them all.
	wrong func(Config) (text, fix string)
}

// env is the key's name in the environment.
func (e entry) env() string {
	if e.fileOnly {
		return ""
	}
	return envPrefix + strings.ToUpper(strings.ReplaceAll(e.key, ".", "_"))
}

// table is every key, in the order of the file and of the manual.
func table() []entry {
	return slices.Concat(identityKeys(), httpKeys(), operatorKeys(), signingKeys(),
		tokenKeys(), sessionKeys(), endingKeys(), passwordKeys(), clientKeys(), finalKeys())
}

func identityKeys() []entry {
	return []entry{
		{
			key:     "issuer",
			doc:     "The https URL that names this issuer: the iss of every token, and the place where services find its keys. Choose it once; changing it makes every client and every service a stranger.",
			example: "https://id.example.com",
			unset:   "none: it must be set",
			field:   func(c *Config) any { return &c.Issuer },
			wrong:   wrongIssuer,
		}, {
			key:     "name",
			doc:     "What people read on the pages and in their authenticator: the name of your organisation.",
			example: "Example Inc.",
			field:   func(c *Config) any { return &c.Name },
			wrong:   wrongName,
		}, {
			key:     "store",
			doc:     "Where the records live. A bolt store is one file that one server opens; a relative path starts at the working directory. PostgreSQL is postgres://USER@HOST/DATABASE and etcd is etcd://HOST:PORT,HOST:PORT,HOST:PORT/PREFIX; any number of servers share them. A server that is not on this machine is reached by TLS and must prove its name: sslrootcert=FILE in PostgreSQL's query, ca=FILE in etcd's, name your own authority; sslcert and sslkey, or cert and key, a client's certificate.",
			example: "bolt:///var/lib/signet/signet.db",
			field:   func(c *Config) any { return &c.Store },
			wrong:   wrongStore,
		}, {
			key:     "store_password",
			doc:     "The password of the user that store names. It is read from the environment only.",
			example: "the password",
			unset:   "none: the file of store_password_file, or what is in store",
			envOnly: true,
			field:   func(c *Config) any { return &c.StorePassword },
			wrong:   wrongStorePassword,
		}, {
			key:     "store_password_file",
			doc:     "The file that holds the password of the user that store names, readable by the server alone.",
			example: "/run/secrets/signet-store",
			unset:   "none: what is in store",
			field:   func(c *Config) any { return &c.StorePasswordFile },
			wrong:   wrongStorePasswordFile,
		},
	}
}

func httpKeys() []entry {
	return []entry{
		{
			key:     "http.address",
			doc:     "The address and port that browsers and services reach, directly or through a proxy. Without a host the server listens on every interface.",
			example: "0.0.0.0:443",
			field:   func(c *Config) any { return &c.HTTP.Address },
			wrong:   wrongHTTPAddress,
		}, {
			key:     "http.tls.certificate",
			doc:     "The PEM file of the certificate and its chain. It is read again when it changes, without a restart. Leave it out when a proxy terminates TLS.",
			example: "/etc/signet/tls.crt",
			unset:   "none: a proxy terminates TLS",
			field:   func(c *Config) any { return &c.HTTP.TLS.Certificate },
			wrong: func(c Config) (string, string) {
				return wrongPair(c.HTTP.TLS.Certificate, c.HTTP.TLS.Key, "http.tls.key")
			},
		}, {
			key:     "http.tls.key",
			doc:     "The PEM file of the certificate's private key, readable by the server alone.",
			example: "/etc/signet/tls.key",
			unset:   "none: a proxy terminates TLS",
			field:   func(c *Config) any { return &c.HTTP.TLS.Key },
			wrong: func(c Config) (string, string) {
				return wrongPair(c.HTTP.TLS.Key, c.HTTP.TLS.Certificate, "http.tls.certificate")
			},
		}, {
			key:     "http.trusted_proxies",
			doc:     "The networks of your own proxies. Only their X-Forwarded-For is believed; from anybody else it is ignored, so nobody can choose the address that limits count by.",
			example: "[10.0.0.0/8]",
			unset:   "none: forwarding headers are ignored",
			field:   func(c *Config) any { return &c.HTTP.TrustedProxies },
			wrong:   wrongProxies,
		}, {
			key:     "http.max_body",
			doc:     "The largest request body that is read; a larger one is answered with 413.",
			example: "128KiB",
			min:     "4KiB", max: "1MiB",
			field: func(c *Config) any { return &c.HTTP.MaxBody },
		}, {
			key:     "http.timeout",
			doc:     "How long a request may take to arrive, and its response to leave. Streams are exempt.",
			example: "15s",
			min:     "1s", max: "5m",
			field: func(c *Config) any { return &c.HTTP.Timeout },
		},
	}
}

func operatorKeys() []entry {
	return []entry{
		{
			key:     "metrics.address",
			doc:     "The listener of /metrics, /healthz and /readyz, apart from the public one. Keep it within your own network. The word off means none.",
			example: "10.0.0.5:9464",
			field:   func(c *Config) any { return &c.Metrics.Address },
			wrong:   wrongMetricsAddress,
		}, {
			key:     "admin.socket",
			doc:     "The local socket through which the signet command reaches the running server. Whoever may write to it administers the issuer.",
			example: "/run/signet/signet.sock",
			unset:   "signet.sock next to a bolt store, else in the working directory",
			field:   func(c *Config) any { return &c.Admin.Socket },
			wrong:   wrongSocket,
		},
	}
}

func signingKeys() []entry {
	return []entry{
		{
			key:     "keys.encryption_key",
			doc:     "The secret that seals private keys and everything else at rest: at least 32 characters from a random source. It is read from the environment only.",
			example: "the output of: openssl rand -base64 32",
			unset:   "none: the file of keys.encryption_key_file",
			envOnly: true,
			field:   func(c *Config) any { return &c.Keys.EncryptionKey },
			wrong:   wrongEncryptionKey,
		}, {
			key:     "keys.encryption_key_file",
			doc:     "The file that holds the encryption key, readable by the server alone. The default is made by the server when it is missing, with mode 0600; keep a copy apart from the backup of the store.",
			example: "/run/secrets/signet-key",
			unset:   "signet.key next to a bolt store; with another engine it must be named",
			field:   func(c *Config) any { return &c.Keys.EncryptionKeyFile },
			wrong:   wrongKeyFile,
		}, {
			key:     "keys.encryption_key_command",
			doc:     "A program and its arguments, run once at start without a shell; what it prints is the encryption key. In the environment the items are separated by commas.",
			example: "[vault, kv, get, -field=key, secret/signet]",
			unset:   "none: the file of keys.encryption_key_file",
			field:   func(c *Config) any { return &c.Keys.EncryptionKeyCommand },
			wrong:   wrongKeyCommand,
		}, {
			key:     "keys.lifetime",
			doc:     "How long a key signs before the next one takes over.",
			example: "90d",
			min:     "1d", max: "365d",
			field: func(c *Config) any { return &c.Keys.Lifetime },
		}, {
			key:     "keys.jwks_max_age",
			doc:     "How long services may cache the public keys. A new key is published longer than this before it signs.",
			example: "5m",
			min:     "1m", max: "6h",
			field: func(c *Config) any { return &c.Keys.JWKSMaxAge },
		},
	}
}

func tokenKeys() []entry {
	return []entry{
		{
			key:     "tokens.access_lifetime",
			doc:     "How long an access token lives. A service that follows endings refuses the token of an ended session within a second; for those that do not, this is how long they go on believing it.",
			example: "5m",
			min:     "1m", max: "1h",
			field: func(c *Config) any { return &c.Tokens.AccessLifetime },
		}, {
			key:     "tokens.id_lifetime",
			doc:     "How long an ID token is valid; clients read it once, at sign-in.",
			example: "1h",
			min:     "1m", max: "1d",
			field: func(c *Config) any { return &c.Tokens.IDLifetime },
		}, {
			key:     "tokens.refresh_lifetime",
			doc:     "How long a refresh token may lie unused before it expires.",
			example: "90d",
			min:     "2h", max: "365d",
			field: func(c *Config) any { return &c.Tokens.RefreshLifetime },
		}, {
			key:     "tokens.reuse_window",
			doc:     "How long a refresh token presented again gets the same successor, because a response was lost or two tabs raced. Afterwards it counts as theft and ends the grant.",
			example: "30s",
			min:     "0s", max: "5m",
			field: func(c *Config) any { return &c.Tokens.ReuseWindow },
		}, {
			key:     "tokens.access_algorithm",
			doc:     "What signs access tokens.",
			example: "EdDSA",
			oneOf:   []string{"ES256", "EdDSA", "RS256", "PS256"},
			field:   func(c *Config) any { return &c.Tokens.AccessAlgorithm },
		},
	}
}

func sessionKeys() []entry {
	return []entry{
		{
			key:     "sessions.idle",
			doc:     "A browser that was not seen for this long must sign in again.",
			example: "1h",
			min:     "5m", max: "365d",
			field: func(c *Config) any { return &c.Sessions.Idle },
		}, {
			key:     "sessions.absolute",
			doc:     "A browser must sign in again after this long, however busy it was.",
			example: "24h",
			min:     "5m", max: "365d",
			field: func(c *Config) any { return &c.Sessions.Absolute },
			wrong: wrongAbsolute,
		}, {
			key:     "sessions.limit",
			doc:     "How many browsers one person may be signed in with at once. One more sign-in ends the oldest session, with the grants that began in it. 0 means any number.",
			example: "5",
			min:     "0", max: "1000",
			field: func(c *Config) any { return &c.Sessions.Limit },
		},
	}
}

func endingKeys() []entry {
	return []entry{
		{
			key:     "audit.keep",
			doc:     "How long the audit log remembers what ended, when and why.",
			example: "365d",
			min:     "1d", max: "3650d",
			field: func(c *Config) any { return &c.Audit.Keep },
		}, {
			key:     "status.ttl",
			doc:     "How long a service that fetches the status lists without listening to the stream may go on believing the ones it has. The stream is not bound by it.",
			example: "30s",
			min:     "5s", max: "1h",
			field: func(c *Config) any { return &c.Status.TTL },
		}, {
			key:     "status.listeners_per_address",
			doc:     "How many services of one address may listen to the stream of endings at once; one more is answered with 429. Raise it where many services share one address.",
			example: "5000",
			min:     "1", max: "1000000",
			field: func(c *Config) any { return &c.Status.ListenersPerAddress },
		},
	}
}

func passwordKeys() []entry {
	return []entry{
		{
			key:     "passwords.concurrency",
			doc:     "How many password hashes run at once, each using passwords.memory, so that a storm of sign-ins never starves token requests. 0 means one less than there are processors, and at least one.",
			example: "4",
			min:     "0", max: "1024",
			field: func(c *Config) any { return &c.Passwords.Concurrency },
		}, {
			key:     "passwords.memory",
			doc:     "The memory of one argon2id hash. Together with passwords.time it must reach what OWASP recommends; existing hashes are renewed at the next sign-in.",
			example: "46MiB",
			min:     "7MiB", max: "1GiB",
			field: func(c *Config) any { return &c.Passwords.Memory },
			wrong: wrongPasswordCost,
		}, {
			key:     "passwords.time",
			doc:     "The passes of one argon2id hash over its memory.",
			example: "3",
			min:     "1", max: "20",
			field: func(c *Config) any { return &c.Passwords.Time },
		},
	}
}

func clientKeys() []entry {
	return []entry{
		{
			key:     "clients.private_networks",
			doc:     "Whether the addresses that clients name, such as jwks_uri, may lie in private networks or on this machine. Leave it false where clients belong to others: each could make this server look around in your network.",
			example: "true",
			field:   func(c *Config) any { return &c.Clients.PrivateNetworks },
		},
	}
}

func finalKeys() []entry {
	return []entry{
		{
			key:      "scopes",
			doc:      "The scopes of your own APIs, each with the sentence that people read when a third-party client asks for it. Those of OpenID Connect exist already.",
			example:  `{orders:read: See your orders}`,
			unset:    "none: the scopes of OpenID Connect",
			fileOnly: true,
			field:    func(c *Config) any { return &c.Scopes },
		}, {
			key:     "security.contact",
			doc:     "Where somebody who finds a flaw in your deployment may report it: a mailto: or https: address. It is published in /.well-known/security.txt (RFC 9116).",
			example: "mailto:security@example.com",
			unset:   "none: there is no security.txt",
			field:   func(c *Config) any { return &c.Security.Contact },
			wrong:   wrongContact,
		}, {
			key:     "log.level",
			doc:     "The least important line that is written.",
			example: "debug",
			oneOf:   []string{"debug", "info", "warn", "error"},
			field:   func(c *Config) any { return &c.Log.Level },
		}, {
			key:     "log.format",
			doc:     "json for machines, text for people.",
			example: "text",
			oneOf:   []string{"json", "text"},
			field:   func(c *Config) any { return &c.Log.Format },
		},
	}
}
