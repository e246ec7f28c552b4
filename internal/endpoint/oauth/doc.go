// Package oauth is the authorization server: /authorize, /authorize/resume,
// /token, /revoke and /introspect. It is the only room that knows fosite, and none of fosite's types
// leaves it.
//
//	/authorize ─▶ checks (ours) ─▶ fosite request ─▶ journey.Next ─▶ page, or
//	              fosite response ─▶ redirect with a sealed code
//	/token     ─▶ form and client (ours) ─▶ fosite request ─▶ narrowing ─▶
//	              fosite response ─▶ one Commit ─▶ answer
//
// fosite drives the code, PKCE and refresh state machines; what it can't do, or
// does wrong, happens before and after it (ADR 1). Its storage calls get only a
// context, so a request's unit of work travels there: storage methods read at
// most once and collect what is to be written, and one Commit follows.
//
// The package never shows a page other than an error, and never authenticates a
// person: both happen where the journey sends them.
package oauth
