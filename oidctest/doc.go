// Package oidctest is an OpenID Provider for tests and for development.
//
// In a test one line starts it, on a loopback port with its own certificate,
// and it is closed with the test:
//
//	op := oidctest.New(t)
//	client := op.AddClient(oidctest.Client{RedirectURIs: []string{"https://rp.example/callback"}})
//	callback, err := op.Browser().Login(ctx, authorizationURL)
//
// Outside a test, [Start] runs the same provider from a [Config]: on plain
// http for a demonstration, with a login page for a person, under a path, or
// without a socket of its own.
//
// # Correct until told otherwise
//
// The provider does what the specifications ask of one and refuses what they
// tell one to refuse, with the error they name. So it judges the requests of
// the relying party under test: a missing nonce, a redirect_uri that is not
// registered to the letter, a second use of a code or a secret sent the wrong
// way is an error here, as it would be in production.
//
// It implements OpenID Connect Core 1.0 (code, implicit and hybrid flow),
// Discovery 1.0 with WebFinger (RFC 7033), Dynamic Client Registration 1.0
// with RFC 7591 and the management of RFC 7592, OAuth 2.0 Multiple Response
// Types and Form Post Response Mode, PKCE (RFC 7636), RFC 8414, RFC 9207,
// RFC 7009, RP-Initiated, Front-Channel and Back-Channel Logout 1.0, and
// Session Management 1.0.
//
// # Wrong on demand
//
// [OP.Break] switches on a [Fault], one rule that a provider can break;
// [OP.Mend] switches it off. [Faults] lists them all, with the section each
// breaks and what a relying party must do about it. What no switch covers is
// within reach of the Tamper methods, which edit one message, and of
// [OP.Intercept], which replaces an endpoint.
//
// [OP.Requests] tells what the provider was asked, so that a test can assert
// that no further call was made.
//
// # What it is not
//
// It is not a provider for production: whoever opens its login page chooses
// whom to be, and its state is lost when it is closed. Its state is bounded,
// so that it can stay up for months.
//
// The package imports nothing of the relying party it helps to test: a
// misreading of the specification there is not repeated here.
package oidctest
