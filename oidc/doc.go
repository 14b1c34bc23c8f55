// Package oidc is the protocol of an OpenID Connect Relying Party: every
// message that a client sends to an OpenID Provider (OP) or receives from one,
// and every check that it owes. It keeps no state, sets no cookie and writes no
// HTML. Most web applications want the floors above it: package
// rely.example/login has handlers, sessions and every logout for net/http, and
// package rely.example/rp, beneath it, keeps logins and tokens in a store. The
// command in rely.example/cmd/rely shows all of it at work.
//
// # The six steps
//
// A login follows the message flow of OpenID Connect. Each step is one call,
// each may be left out when its result is known already, and the result of a
// dynamic step has the same type as the value that is written by hand:
//
//	FindIssuer            alice@example.com -> https://op.example.com (WebFinger)
//	Discover              the issuer's metadata          or NewProvider
//	Provider.Register     client_id and client_secret    or a Registration by hand
//	Client.Begin          the authentication request, and the Pending to keep
//	Client.Finish         the response, the code, the ID Token; then Tokens
//	Client.UserInfo       claims about the end-user
//
// Between Begin and Finish the application keeps the [Pending] for the browser
// that started the login, finds it again by [AuthResponse.PendingKey], and
// hands it to Finish once. Afterwards Client.Refresh renews the Tokens and
// Client.Revoke ends them.
//
// # What is checked
//
// A check that can be made without the application is made inside, and cannot
// be forgotten: the issuer of the metadata, state, the iss parameter
// of RFC 9207, nonce, PKCE with S256, the signature under one algorithm agreed
// beforehand, issuer, audience, authorized party, times, at_hash and c_hash,
// auth_time and acr where they were asked for, and the sub of a UserInfo
// response. What remains with the application is to keep the Pending where only
// the same browser reaches it, to use it once, and to know its users by issuer
// and subject together ([IDToken.Identity]), never by e-mail address.
//
// # Errors
//
// The type of an error says whose fault it is: [*ProtocolError] (the OP, or
// someone who poses as it, broke a rule), [*OPError] (the OP answered that it
// will not), [*UnsupportedError] (both are right and cannot work together),
// [*InputError] (the caller) and [*TransportError] (the network). The [Reason]
// inside is compared with errors.Is:
//
//	if errors.Is(err, oidc.BadNonce) { ... }
//
// No error holds a secret, a token or a code.
//
// # Safety
//
// Every address that a stranger may choose is reached over https only and is
// refused when it leads to a loopback, private or link-local network, unless
// [Options] names it. The ways out of a rule are fields whose names begin with
// Insecure, and the named [Quirks], each of which loosens one check.
//
// The specifications, as they are cited at each rule: Core is OpenID Connect
// Core 1.0 incorporating errata set 2, Discovery and Registration are its
// companions OpenID Connect Discovery 1.0 and Dynamic Client Registration 1.0.
package oidc
