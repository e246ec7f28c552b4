// Package verify checks Signet's access tokens inside the service that receives
// them: offline, in microseconds, without asking the issuer.
//
//	v, err := verify.New("https://id.example.com", "https://orders.example.com")
//	if err != nil { … }
//	defer v.Close()
//	mux.Handle("GET /orders", v.Require("orders:read")(list))
//	tok, ok := verify.FromContext(r.Context()) // inside list
//
// The two arguments are the whole configuration that most services need: who
// issues the tokens, and the name by which tokens mean this service. Both are
// required, because a verifier without an audience accepts tokens that were
// meant for somebody else.
//
// # What it owns
//
// It owns the judgement of a token, the issuer's public keys as last heard, the
// memory of tokens judged before, and the challenges that RFC 6750, RFC 9470
// and RFC 9728 ask for. It never issues, never keeps a token that could be used
// again (it remembers digests and claims), never reads a token from a URL, never
// trusts a key that the token itself brings along, and imports nothing but the
// standard library.
//
//	raw ─▶ size ─▶ remembered? ──yes──▶ key still published ─▶ exp ───────────┐
//	                   │ no                                                   ▼
//	                   └▶ form ─▶ typ ─▶ alg ─▶ crit ─▶ signature             Token ─▶ scope
//	                            ─▶ iss ─▶ aud ─▶ times ─▶ cnf ────────────────▲
//
//	issuer ──discovery, JWKS──▶ one goroutine ──whole set──▶ every Verify
//	                               │
//	                               └──▶ disk snapshot (optional)
//
// # Keys
//
// New asks nobody anything, so a service starts while the issuer is down. The
// first use starts one goroutine that fetches the keys and follows them ahead
// of their expiry; only that first use waits. While the issuer is away the last
// set serves for up to 24 hours, then every token is refused with
// [KeysUnavailable]. A set is always replaced as a whole: a key that the issuer
// removed is dead, and so are the remembered tokens that it signed. [Verifier.Close]
// ends the goroutine.
//
// # What is refused for now
//
// A token with a cnf claim (DPoP, RFC 9449; mutual TLS, RFC 8705) is refused: to
// accept it as a bearer token would undo the binding that its client asked for.
//
// # Errors
//
// Every refusal is an [*Error] with a [Reason] out of a closed list. A Reason is
// itself an error, so errors.Is(err, verify.Expired) works. The middleware
// answers by itself; who calls [Verifier.Verify] without it finds the status and
// the WWW-Authenticate value in [Error.Status] and [Error.Challenge].
package verify
