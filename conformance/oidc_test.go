package conformance_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// oidcTests are the tests of the OpenID Connect modules by name.
func oidcTests() map[string]func(*testing.T, variant) {
	out := make(map[string]func(*testing.T, variant))
	for _, group := range []map[string]func(*run){
		idTokenTests(), signatureTests(), discoveryTests(), userInfoTests(), logoutTests(), requestTests(),
	} {
		for name, test := range group {
			if name != "" {
				name = "-" + name
			}
			out[oidcPrefix+name] = func(t *testing.T, v variant) { test(newRun(t, v)) }
		}
	}
	return out
}

// rejected is a module whose ID Token must be refused for a reason, with no call
// afterwards.
func rejected(reason oidc.Reason, spoil func(r *run)) func(*run) {
	return func(r *run) {
		r.start()
		spoil(r)
		wantReason(r, r.login(), reason)
		r.wantCalls(firstIDToken)
	}
}

// claimSuffix appends to a claim that is a string, as the suite does to iss, aud
// and nonce.
func claimSuffix(name, suffix string) func(*run) {
	return func(r *run) {
		r.claims(func(c map[string]any) {
			if s, ok := c[name].(string); ok {
				c[name] = s + suffix
			}
		})
	}
}

func noClaim(name string) func(*run) {
	return func(r *run) { r.claims(func(c map[string]any) { delete(c, name) }) }
}

// faults switches faults of the OP on.
func faults(f ...oidctest.Fault) func(*run) {
	return func(r *run) { r.op.Break(f...) }
}

// idTokenTests are the modules about the ID Token.
func idTokenTests() map[string]func(*run) {
	return map[string]func(*run){
		"": func(r *run) {
			info := r.complete()
			if info != nil && info.Subject != r.tokens.IDToken.Subject {
				r.Errorf("UserInfo is about %q, the ID Token about %q", info.Subject, r.tokens.IDToken.Subject)
			}
			r.wantCalls(askedUserInfo)
		},
		"nonce-unless-code-flow": func(r *run) {
			r.complete()
			r.wantCalls(askedUserInfo)
			nonce := r.requested().Get("nonce")
			if nonce == "" || len(nonce) > 43 {
				r.Errorf("nonce has %d characters, want 1 to 43", len(nonce))
			}
		},
		"client-secret-basic": secretBasic,

		"nonce-invalid": rejected(oidc.BadNonce, claimSuffix("nonce", "1")),
		"invalid-iss":   rejected(oidc.BadIssuer, claimSuffix("iss", "1")),
		"invalid-aud":   rejected(oidc.BadAudience, claimSuffix("aud", "1")),
		"missing-aud":   rejected(oidc.BadAudience, noClaim("aud")),
		"missing-iat":   rejected(oidc.MissingClaim, noClaim("iat")),
		"missing-sub":   rejected(oidc.BadSubject, noClaim("sub")),

		"missing-chash":  rejected(oidc.BadCodeHash, faults(oidctest.CHashMissing)),
		"invalid-chash":  rejected(oidc.BadCodeHash, claimSuffix("c_hash", "1")),
		"missing-athash": rejected(oidc.BadAccessTokenHash, faults(oidctest.ATHashMissing)),
		"invalid-athash": rejected(oidc.BadAccessTokenHash, claimSuffix("at_hash", "1")),
	}
}

// secretBasic demands client_secret_basic, whatever the variant says: id and
// secret are form-encoded before they are joined (RFC 6749, section 2.3.1), which
// the odd characters of both would show.
func secretBasic(r *run) {
	r.metadata.TokenEndpointAuthMethod = oidc.AuthSecretBasic
	r.complete()
	r.wantCalls(askedUserInfo)
	q := r.op.Requests(oidctest.EndpointToken)[0]
	id, secret, ok := (&http.Request{Header: q.Header}).BasicAuth()
	if !ok || strings.ContainsAny(id+secret, " :&") || q.Form.Has("client_secret") || q.Form.Has("client_assertion") {
		r.Errorf("the client did not authenticate by client_secret_basic alone")
	}
	if got, err := url.QueryUnescape(id); err != nil || got != r.c.ID() || got == id {
		r.Errorf("client_id is sent as %q, which is not the form-encoding of %q", id, r.c.ID())
	}
}
