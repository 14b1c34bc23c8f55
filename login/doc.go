// Package login is the web floor of an OpenID Connect Relying Party: login,
// sessions and every logout for net/http, on top of package rp. It is the only
// package with cookies and HTML.
//
//	m, err := login.New(login.Config{
//		Origin:    "https://app.example",
//		Directory: rp.Configured("https://op.example", nil, client),
//		Store:     new(memstore.Store),
//	})
//	mux.Handle("/auth/", m.Handler())
//	mux.Handle("/", m.Require(app))
//
// and app finds who is logged in by FromContext. Register
// https://app.example/auth/callback as the redirect URI of the client,
// /auth/logout/return as its post_logout_redirect_uri, and, where the OP does
// them, the logout URIs of Paths.
//
// Require and Load wrap handlers, Handler serves the rest; Start, Callback,
// Session, Logout, BackChannel and End are the same steps one at a time, for an
// application with pages or a router of its own.
//
// # Sessions
//
// A session is a record in the store; the browser has a random id of 256 bits in
// a cookie that no other host can set and no script can read. The id is new with
// every login. Each request asks the store, so that a logout, here or by the OP,
// counts from the next request on; what was opened once is not opened again. With
// Config.Storeless everything is in a sealed cookie, and what needs a memory is
// not possible.
//
// # What is checked
//
// An answer of the OP is believed in the browser alone that began the login: each
// login has a cookie of its own, so that several tabs may log in at once. A page
// to return to is a path at the application's own origin. A logout is a POST of
// the application's own pages. Requests of another site, prefetches, and answers
// that belong to nothing begin nothing and end nothing. No URL is made of what a
// request says about its host.
//
// # Pages
//
// The pages of this package say calmly what happened, in light and dark, under a
// Content-Security-Policy without anything inline but what its hash names. Config.OnError
// replaces those about errors. A page of the application with a form that logs
// out needs a form-action of its policy that allows the OP.
package login
