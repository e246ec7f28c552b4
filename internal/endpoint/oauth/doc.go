// Package oauth is the authorization server: /authorize, /authorize/resume,
// /token, /revoke and /introspect. It is the only room that knows fosite, and none
// of fosite's types leaves it.
//
//	/authorize ─▶ checks, the last of them fosite's ─▶ journey.Next ─▶ page, or
//	              redirect with a sealed code
//	/token     ─▶ form ─▶ client ─▶ what is presented ─▶ narrowing ─▶ tokens ─▶
//	              one Commit ─▶ answer
//
// fosite judges authorization requests, cut down to what our own checks admitted
// (ADR 1, ADR 15). A token request has a unit of work: it is read in one round
// trip, and what began or went on is written by one Commit, which demands that
// all still stands that it was decided on.
//
// The package never shows a page other than an error, and never authenticates a
// person: both happen where the journey sends them.
package oauth
