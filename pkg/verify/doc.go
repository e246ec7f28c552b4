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
// It owns the judgement of a token, the issuer's public keys and its endings as
// last heard, the memory of tokens judged before, and the challenges that RFC
// 6750, RFC 9470 and RFC 9728 ask for. It never issues, never keeps a token that
// could be used again (it remembers digests and claims), never reads a token from
// a URL, never trusts a key that the token itself brings along, and imports
// nothing but the standard library.
//
//	raw ─▶ size ─▶ remembered? ──yes──▶ key still published ─▶ exp ───────────┐
//	                   │ no                                                   ▼
//	                   └▶ form ─▶ typ ─▶ alg ─▶ crit ─▶ signature      status bit ─▶ scope
//	                            ─▶ iss ─▶ aud ─▶ times ─▶ cnf ────────────────▲
//
//	issuer ──discovery, JWKS──▶ one goroutine ──whole set──▶ every Verify
//	   │   │                       │
//	   │   │                       └──▶ disk snapshot (optional)
//	   │   └──stream of endings──▶ one goroutine ──bits, then the time──▶ every Verify
//	   └──status lists──▶ one goroutine ──▲
//
// # Keys
//
// New asks nobody anything, so a service starts while the issuer is down. The
// first use starts the goroutine that fetches the keys and follows them ahead
// of their expiry; only that first use waits. While the issuer is away the last
// set serves for up to 24 hours, then every token is refused with
// [KeysUnavailable]. A set is always replaced as a whole: a key that the issuer
// removed is dead, and so are the remembered tokens that it signed. The stream
// says when keys change, and they are fetched within the second.
//
// # Endings
//
// Signet's tokens point to one bit of a status list (IETF Token Status List).
// Once it is set, the token is refused with [Ended], on its very next use. The
// first use starts to follow the issuer's stream, which tells of each ending as
// it happens, signed; a token whose list is held costs no request, and a
// remembered one some ten nanoseconds more.
//
//	the stream …         what is known of a list                 EndingsStaleness
//	is heard             all there is; every message confirms it under 15 s
//	was cut              what was told before, and no more       counts from the last message
//	resumes              what was told meanwhile, first          starts over
//	cannot resume        nothing new, until it is fetched and    counts on, until then
//	                     complete to where the stream is
//	does not pass        the list, asked for at its ttl          up to the ttl, about a minute
//
// How old knowledge may be is for each route to say, with [WithMaxStaleness] or
// [Verifier.MaxStaleness]: beyond it the token is refused with [EndingsStale],
// accepted, or accepted and marked, see [Token.Stale]. Without either it is marked
// beyond one minute, so a service goes on while its issuer is away. A bit that was
// set is never forgotten while a token of it may live: no answer to any of this
// lets a token pass that is known to have ended.
//
// What is not genuine (another signature, a list of before the gap, a message out
// of its place) is ignored, counted in [Stats] and logged, and whatever may be
// missing then is fetched anew. Knowledge is as old as the wall clock or the
// monotonic one says, whichever says more: neither a suspended machine nor a clock
// that is set back makes it young.
//
// [Verifier.Close] ends all goroutines.
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
