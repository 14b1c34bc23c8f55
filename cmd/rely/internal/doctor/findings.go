package doctor

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"rely.example/oidc"
)

// findings collects them in the order in which a reader meets them.
type findings []Finding

func (f *findings) say(l Level, spec, format string, args ...any) {
	*f = append(*f, Finding{Level: l, Text: fmt.Sprintf(format, args...), Spec: spec})
}

// sayIf says it if it is so.
func (f *findings) sayIf(is bool, l Level, spec, format string, args ...any) {
	if is {
		f.say(l, spec, format, args...)
	}
}

func words(list []string) string { return strings.Join(list, ", ") }

// works is what can be used.
func (md metadata) works() []Finding {
	var f findings
	types := md.ResponseTypesSupported
	f.sayIf(types == nil || md.hasType("code"), Works, "Core 3.1", "Login by authorization code, which rely protects by PKCE with S256, state and nonce.")
	if more := without(types, "code"); len(more) > 0 {
		f.say(Works, "Core 3.2, 3.3", "Login by other response types: %s.", words(more))
	}
	f.sayIf(slices.Contains(md.ResponseModesSupported, "form_post"), Works, "OAuth 2.0 Form Post Response Mode", "Answers by form post, which leave nothing in the browser's history.")
	f.sayIf(md.AuthorizationResponseIssParameterSupported, Works, "RFC 9207", "It names itself in its answers, so that none is taken for another provider's.")
	f.say(Works, "Core 9", "Client authentication: %s.", words(md.TokenEndpointAuthMethodsSupported))
	f.sayIf(len(asymmetric(md.IDTokenSigningAlgValuesSupported)) > 0, Works, "Core 2", "ID Tokens signed with %s.", words(asymmetric(md.IDTokenSigningAlgValuesSupported)))
	f.sayIf(len(md.IDTokenEncryptionAlgValuesSupported) > 0, Works, "Core 10.2", "ID Tokens encrypted for the client.")
	f.sayIf(md.UserInfoEndpoint != "", Works, "Core 5.3", "Claims about the user by UserInfo.")
	f.sayIf(md.ClaimsParameterSupported, Works, "Core 5.5", "Single claims can be asked for.")
	f.sayIf(slices.Contains(md.GrantTypesSupported, "refresh_token"), Works, "Core 12", "Tokens can be refreshed.")
	f.sayIf(md.RevocationEndpoint != "", Works, "RFC 7009", "Tokens can be revoked.")
	f.sayIf(md.IntrospectionEndpoint != "", Works, "RFC 7662", "Tokens can be introspected.")
	f.sayIf(md.RegistrationEndpoint != "", Works, "Registration 3", "Clients register by themselves.")
	if ways := md.logouts(); len(ways) > 0 {
		f.say(Works, "", "Logout: %s.", words(ways))
	}
	f.sayIf(md.PushedAuthorizationRequestEndpoint != "", Works, "RFC 9126", "Authentication requests can be pushed%s.", must(md.RequirePushedAuthorizationRequests))
	f.sayIf(md.RequestParameterSupported || md.RequireSignedRequestObject, Works, "RFC 9101", "Authentication requests can be signed%s.", must(md.RequireSignedRequestObject))
	f.sayIf(len(md.jarmModes()) > 0, Works, "JARM 2.3", "Answers can be signed: %s.", words(md.jarmModes()))
	f.sayIf(len(md.AuthorizationDetailsTypesSupported) > 0, Works, "RFC 9396", "Authorization details of the types %s.", words(md.AuthorizationDetailsTypesSupported))
	f.sayIf(len(md.DPoPSigningAlgValuesSupported) > 0, Works, "RFC 9449", "Access tokens bound to a key of the client's (DPoP), by %s.", words(md.DPoPSigningAlgValuesSupported))
	f.sayIf(md.TLSClientCertificateBoundAccessTokens, Works, "RFC 8705 3", "Access tokens bound to the client's certificate.")
	for _, g := range []struct{ grant, spec, text string }{
		{"client_credentials", "RFC 6749 4.4", "Tokens for a service itself (client credentials)."},
		{"urn:ietf:params:oauth:grant-type:device_code", "RFC 8628", "Logins on devices without a browser."},
		{"urn:openid:params:grant-type:ciba", "CIBA Core", "Logins on another device of the user's (CIBA)."},
		{"urn:ietf:params:oauth:grant-type:token-exchange", "RFC 8693", "Tokens in exchange for tokens."},
		{"urn:ietf:params:oauth:grant-type:jwt-bearer", "RFC 7523 2.1", "Tokens for assertions (JWT bearer)."},
	} {
		f.sayIf(slices.Contains(md.GrantTypesSupported, g.grant), Works, g.spec, "%s", g.text)
	}
	return f
}

// remarks are what a reader of the metadata should know: rules that the document
// breaks without harm, and what makes logins weaker.
func (md metadata) remarks() []Finding {
	var f findings
	f.sayIf(strings.HasPrefix(md.Issuer, "http://"), Weak, "Discovery 3", "The issuer is an http URL: whatever is sent there can be read and changed on the way.")
	f.sayIf(md.ResponseTypesSupported == nil, Weak, "Discovery 3", "response_types_supported is missing, although it is required.")
	f.sayIf(md.SubjectTypesSupported == nil, Weak, "Discovery 3", "subject_types_supported is missing, although it is required.")
	algs := md.IDTokenSigningAlgValuesSupported
	switch {
	case algs == nil:
		f.say(Weak, "Discovery 3", "id_token_signing_alg_values_supported is missing, although it is required.")
	case !slices.Contains(algs, "RS256"):
		f.say(Note, "Discovery 3", "It does not announce RS256 for ID Tokens, which every provider must support.")
	}
	f.sayIf(slices.Contains(algs, "none"), Weak, "Core 3.1.3.7", "It offers ID Tokens without signature (alg none). rely accepts none.")
	switch {
	case md.CodeChallengeMethodsSupported == nil:
		f.say(Weak, "RFC 9700 2.1.1", "It does not announce PKCE with S256. rely sends the challenge all the same; whether the provider compares it, only a login shows.")
	case !slices.Contains(md.CodeChallengeMethodsSupported, "S256"):
		f.say(Weak, "RFC 9700 2.1.1", "It does not announce PKCE with S256, but %s. rely sends S256 all the same.", words(md.CodeChallengeMethodsSupported))
	}
	f.sayIf(slices.Contains(md.CodeChallengeMethodsSupported, "plain"), Weak, "RFC 9700 2.1.1", "It takes PKCE with plain, which protects nothing. rely never uses it.")
	f.sayIf(!md.AuthorizationResponseIssParameterSupported, Weak, "RFC 9207", "It does not name itself in authentication responses: an application with several providers cannot tell them apart by the answer, and needs a redirect URI for each.")
	f.sayIf(len(md.ScopesSupported) > 0 && !slices.Contains(md.ScopesSupported, "openid"), Weak, "Discovery 3", "scopes_supported lacks openid, which it must hold.")
	f.sayIf(slices.Contains(md.GrantTypesSupported, "password"), Weak, "RFC 9700 2.4", "It takes users' passwords from clients (grant type password).")
	f.sayIf(slices.Contains(algsOf(md), "RSA1_5"), Weak, "RFC 8725 3.2", "It encrypts with RSA1_5, which leaks by its errors. Choose another algorithm for the client.")
	f.sayIf(len(md.TokenEndpointAuthMethodsSupported) == 1 && md.TokenEndpointAuthMethodsSupported[0] == oidc.AuthNone, Note, "RFC 6749 2.1", "All its clients are public: whoever knows the client_id can pose as the application.")
	f.sayIf(md.RegistrationEndpoint == "", Note, "Registration 3", "It offers no dynamic registration: register a client on its pages, and give it with --client-id.")
	f.sayIf(md.UserInfoEndpoint == "", Note, "Core 5.3", "It has no UserInfo endpoint: what it knows about a user is in the ID Token.")
	f.sayIf(md.EndSessionEndpoint == "", Note, "RP-Initiated Logout 2.1", "It has no end_session_endpoint: a logout ends the session of the application alone.")
	if u, err := url.Parse(md.Issuer); err == nil {
		var hosts []string
		for _, e := range []string{md.AuthorizationEndpoint, md.TokenEndpoint, md.UserInfoEndpoint, md.JWKSURI} {
			if eu, err := url.Parse(e); err == nil && eu.Host != "" && eu.Host != u.Host && !slices.Contains(hosts, eu.Host) {
				hosts = append(hosts, eu.Host)
			}
		}
		f.sayIf(len(hosts) > 0, Note, "", "Endpoints are at another host than the issuer: %s.", words(hosts))
	}
	return f
}

// must says that something is not only possible.
func must(required bool) string {
	if required {
		return ", and must be"
	}
	return ""
}

func (md metadata) hasType(want string) bool {
	return slices.Contains(md.ResponseTypesSupported, want)
}

func (md metadata) logouts() []string {
	var ways []string
	for _, w := range []struct {
		has  bool
		text string
	}{
		{md.EndSessionEndpoint != "", "started by the application"},
		{md.BackchannelLogoutSupported, "back channel"},
		{md.FrontchannelLogoutSupported, "front channel"},
		{md.CheckSessionIframe != "", "session iframe"},
	} {
		if w.has {
			ways = append(ways, w.text)
		}
	}
	return ways
}

// jarmModes are the response modes of JARM section 2.3 that are announced.
func (md metadata) jarmModes() []string {
	var out []string
	for _, m := range md.ResponseModesSupported {
		if m == "jwt" || strings.HasSuffix(m, ".jwt") {
			out = append(out, m)
		}
	}
	return out
}

// algsOf are all algorithms that the OP encrypts keys with.
func algsOf(md metadata) []string {
	return slices.Concat(md.IDTokenEncryptionAlgValuesSupported, md.UserInfoEncryptionAlgValuesSupported, md.RequestObjectEncryptionAlgValuesSupported)
}

// asymmetric leaves the algorithms that need no shared secret.
func asymmetric(algs []string) []string {
	var out []string
	for _, a := range algs {
		if a != "none" && !strings.HasPrefix(a, "HS") {
			out = append(out, a)
		}
	}
	return out
}

func without(list []string, drop string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == drop })
}

// sentence is an error as one, in the words of package oidc.
func sentence(err error) string {
	text := strings.TrimPrefix(err.Error(), "oidc: ")
	var lacks *oidc.UnsupportedError
	if errors.As(err, &lacks) {
		text = "No login works here: " + lacks.Feature + " cannot be had"
		if lacks.Detail != "" {
			text += "; " + lacks.Detail
		}
	}
	return strings.TrimSuffix(text, ".") + "."
}
