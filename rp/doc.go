// Package rp is the part of an OpenID Connect Relying Party that has state: the
// logins under way, the grants that came of them, and the clients at many OPs.
// It sits on package oidc, which makes every message and every check, and on a
// store.Store, which keeps what must outlive a request.
//
// What a login needs later is kept under its state. Start keeps the pending
// login there, Finish takes it exactly once and puts the Grant in its place, and
// from then on the state is all that is needed:
//
//	req, err := r.Start(ctx, issuer, oidc.AuthParams{})       // send the browser to req.URL()
//	grant, err := r.Finish(ctx, response, rp.Arrival{...})    // the browser came back
//	tokens, err := r.Tokens(ctx, state)                       // always fresh
//	info, err := r.UserInfo(ctx, state)
//
// # A login belongs to a browser
//
// A state alone proves nothing: an attacker can begin a login and send its
// answer to somebody else's browser. So Finish wants to know what the browser
// brought along (Arrival.Binding): the state that the application kept in that
// browser's own session, or a value of the application's choice (Login.Binding).
//
// # Tokens are fresh
//
// Grant.Tokens refreshes before the access token dies, one refresh at a time
// across goroutines and processes, and hands out nothing that is not saved. A
// rotated refresh token that the store does not take waits in memory until it
// does. One that never arrived, because the connection or the process broke in
// that moment, is asked for once more with the old one: an OP with a grace for
// that answers, at any other the grant ends. If the OP says that the grant is
// over, it is over (GrantEnded); a passing failure leaves it as it was. A logout
// that comes while a refresh is under way wins.
//
// # Many OPs
//
// A Directory finds the client to use at an issuer: Only for clients that exist,
// Configured for an OP that may be down when the program starts, *Dynamic for
// discovery and registration on demand, and Each for any mixture of them. With
// more than one OP each has a redirect URI of its own, and Finish is told at
// which the answer arrived, so that no OP can answer in the place of another.
//
// # What is kept
//
// Every value in the store is sealed (AES-256-GCM under a key of its own, derived
// from Config.Keys), and bound to its place. Keys and tags are hashes. Who reads
// or writes the store learns no token and can make none be believed.
package rp
