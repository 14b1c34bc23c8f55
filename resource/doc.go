// Package resource is for those who are an API: it lets requests through that
// bring a good access token, and answers the others as the specifications ask.
//
//	api, err := resource.New(resource.Config{
//		Resource:  "https://api.example/v1",
//		Providers: []*oidc.Provider{op},
//	})
//	http.Handle(api.MetadataPath(), api.Metadata())
//	http.Handle("/v1/things", api.Require(things, resource.Needs{Scopes: []string{"things:read"}}))
//
// A token is a JWT (RFC 9068), verified with the keys of its issuer, without a
// call to it; one that is opaque is asked about by the clients in
// Config.Introspect (RFC 7662), and refused where there are none. It comes in the Authorization header and nowhere else (RFC 6750
// section 2.1, RFC 9700 section 4.3.2). One that is bound to a key needs a DPoP
// proof (RFC 9449), one that is bound to a certificate needs the connection that
// has it (RFC 8705); a proof is good for one request, one URL and one token.
//
// [Server.Check] is the whole of it for one request, as a plain function;
// [Server.Refuse] writes the answer to what it refused, [Server.Require] is both as
// middleware.
package resource
