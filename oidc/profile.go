package oidc

import (
	"net/url"
	"slices"
	"strings"

	"rely.example/internal/jose"
)

// Profile is a published selection from what OAuth 2.0 and OpenID Connect leave
// open. NewClient then refuses whatever the profile forbids, with everything that
// is wrong in one ProfileError; requests are made and responses checked as it
// says. The zero value is no profile: this package's own defaults.
type Profile string

const (
	// FAPI1Advanced is Financial-grade API Security Profile 1.0, Part 2: signed
	// request objects, response type "code id_token" or signed responses (JARM),
	// client authentication by key or certificate, and certificate-bound tokens.
	FAPI1Advanced Profile = "FAPI 1.0 Advanced"
	// FAPI2Security is the FAPI 2.0 Security Profile: response type code, pushed
	// requests, client authentication by key or certificate, and tokens bound by
	// DPoP or certificate.
	FAPI2Security Profile = "FAPI 2.0 Security Profile"
	// FAPI2MessageSigning is FAPI2Security with signed request objects, and signed
	// responses if ClientConfig.ResponseMode is ModeJWT.
	FAPI2MessageSigning Profile = "FAPI 2.0 Message Signing"
	// OAuth21 is the draft of OAuth 2.1: no access token from the authorization
	// endpoint, PKCE with S256, and no plain http.
	OAuth21 Profile = "OAuth 2.1"
)

// fapi2 reports whether the rules of the FAPI 2.0 Security Profile hold.
func (p Profile) fapi2() bool { return p == FAPI2Security || p == FAPI2MessageSigning }

func (p Profile) fapi() bool { return p == FAPI1Advanced || p.fapi2() }

// pushes reports whether every request is pushed.
func (p Profile) pushes() bool { return p.fapi2() }

// signsRequests reports whether every request is in a signed request object.
func (p Profile) signsRequests() bool { return p == FAPI1Advanced || p == FAPI2MessageSigning }

// algorithms are those of signatures that the profile admits; nil: any.
func (p Profile) algorithms() (list []string, spec string) {
	switch {
	case p == FAPI1Advanced:
		return []string{"PS256", "ES256"}, "FAPI 1.0 Part 2, 8.6"
	case p.fapi2():
		return []string{"PS256", "ES256", "EdDSA", "Ed25519"}, "FAPI 2.0 Security Profile 5.4.1 (1)"
	}
	return nil, ""
}

// admits leaves of algorithms those that the profile admits.
func (p Profile) admits(algs []string) []string {
	allowed, _ := p.algorithms()
	if allowed == nil {
		return algs
	}
	return slices.DeleteFunc(slices.Clone(algs), func(a string) bool { return !slices.Contains(allowed, a) })
}

// announcedOr are the algorithms that the profile admits and the OP announces, or
// if it announces none all that the profile admits.
func (p Profile) announcedOr(announced []string) []string {
	if len(announced) == 0 {
		allowed, _ := p.algorithms()
		return allowed
	}
	return p.admits(announced)
}

// Violation is one rule of a profile that a configuration breaks, or that the OP
// makes it break.
type Violation struct {
	// Spec is the section, e.g. "FAPI 2.0 Security Profile 5.3.3.1 (2)".
	Spec string
	// Detail says what is wrong, and what to change.
	Detail string
}

// ProfileError says that a client cannot be one of its profile, with every reason
// at once. errors.Is finds ProfileViolation in it.
type ProfileError struct {
	Profile    Profile
	Violations []Violation
}

func (e *ProfileError) Error() string {
	parts := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		parts[i] = v.Detail + " (" + v.Spec + ")"
	}
	return message("ClientConfig.Profile", string(e.Profile)+": "+string(ProfileViolation), strings.Join(parts, "; "), "")
}

// Unwrap returns ProfileViolation.
func (e *ProfileError) Unwrap() error { return ProfileViolation }

// fillProfile sets what the profile decides and the configuration leaves open.
func (c *ClientConfig) fillProfile() error {
	switch c.Profile {
	case "", FAPI1Advanced, FAPI2Security, FAPI2MessageSigning, OAuth21:
	default:
		return &InputError{Reason: BadConfig, Field: "ClientConfig.Profile", Detail: quote(string(c.Profile)) + " is none of the profiles of this package"}
	}
	if c.Profile.signsRequests() && c.RequestObject == nil {
		c.RequestObject = &RequestObject{}
	}
	if c.Profile == FAPI1Advanced && c.ResponseMode == "" && slices.Equal(c.Metadata.responseTypes(), []string{"code"}) {
		c.ResponseMode = ModeJWT // Part 2, 5.2.2 (2): without an ID Token in front
	}
	return nil
}

// violations collects what a profile forbids.
type violations []Violation

func (v *violations) add(broken bool, spec, detail string) {
	if one := (Violation{spec, detail}); broken && !slices.Contains(*v, one) {
		*v = append(*v, one)
	}
}

// checkProfile refuses a client that its profile does not admit.
func (c *Client) checkProfile(md *ProviderMetadata) error {
	var v violations
	switch p := c.c.Profile; {
	case p == "":
		return nil
	case p == OAuth21:
		c.violatesOAuth21(md, &v)
	case p == FAPI1Advanced:
		c.violatesFAPI(md, &v, fapiSections{
			tls: "FAPI 1.0 Part 2, 8.5", auth: "FAPI 1.0 Part 2, 5.2.2 (14)", bound: "FAPI 1.0 Part 2, 5.2.3 (1)",
			issuer: "FAPI 1.0 Part 1, 7.6", redirect: "FAPI 1.0 Part 1, 5.2.2 (20)",
		})
		c.violatesFAPI1(&v)
	default:
		c.violatesFAPI(md, &v, fapiSections{
			tls: "FAPI 2.0 Security Profile 5.2.2 (1)", auth: "FAPI 2.0 Security Profile 5.3.3.1 (2)", bound: "FAPI 2.0 Security Profile 5.3.3.1 (1)",
			issuer: "FAPI 2.0 Security Profile 5.3.3.1 (11)", redirect: "FAPI 2.0 Security Profile 5.3.2.2 (8)",
		})
		c.violatesFAPI2(md, &v)
	}
	if len(v) > 0 {
		return &ProfileError{c.c.Profile, v}
	}
	return nil
}

// fapiSections are where the two FAPI profiles have the same rule.
type fapiSections struct{ tls, auth, bound, issuer, redirect string }

// violatesFAPI is what both FAPI profiles forbid.
func (c *Client) violatesFAPI(md *ProviderMetadata, v *violations, at fapiSections) {
	o := &c.p.env.opts
	v.add(o.InsecureAllowHTTP, at.tls, "Options.InsecureAllowHTTP is set")
	v.add(!o.StrictTLS, at.tls, "Options.StrictTLS is not set: TLS 1.2 with other cipher suites would be accepted")
	v.add(o.InsecureSkipIssuerMatch, at.issuer, "Options.InsecureSkipIssuerMatch is set")
	switch m := c.auth.Method(); m {
	case AuthPrivateKey, AuthTLS, AuthSelfSignedTLS:
	default:
		v.add(true, at.auth, "the client authenticates by "+quote(m)+", expected private_key_jwt, tls_client_auth or self_signed_tls_client_auth")
	}
	for _, u := range c.c.Metadata.RedirectURIs {
		v.add(!secureRedirect(u, c.c.Metadata.ApplicationType), at.redirect, "the redirect URI "+quote(u)+" is not https")
	}
	c.violatesAlgorithms(md, v)
	v.add(c.c.InsecureAllowUnsignedIDToken, "FAPI 1.0 Part 2, 8.6, FAPI 2.0 Security Profile 5.4.1 (1)", "ClientConfig.InsecureAllowUnsignedIDToken is set")
}

// violatesAlgorithms looks at every algorithm of signatures that is agreed, and at
// what the client's keys sign with.
func (c *Client) violatesAlgorithms(md *ProviderMetadata, v *violations) {
	allowed, spec := c.c.Profile.algorithms()
	want := ", expected " + strings.Join(allowed, ", ")
	m := &c.c.Metadata
	for _, a := range []struct{ name, alg string }{
		{"IDTokenSignedResponseAlg", m.IDTokenSignedResponseAlg}, {"UserInfoSignedResponseAlg", m.UserInfoSignedResponseAlg},
		{"AuthorizationSignedResponseAlg", m.AuthorizationSignedResponseAlg}, {"RequestObjectSigningAlg", m.RequestObjectSigningAlg},
		{"TokenEndpointAuthSigningAlg", m.TokenEndpointAuthSigningAlg},
	} {
		v.add(a.alg != "" && !slices.Contains(allowed, a.alg), spec, "Metadata."+a.name+" is "+a.alg+want)
	}
	if announced := md.IDTokenSigningAlgValuesSupported; m.IDTokenSignedResponseAlg == "" && len(announced) > 0 && c.OpenID() {
		v.add(len(c.c.Profile.admits(announced)) == 0, spec, "the OP signs ID Tokens with "+printable(strings.Join(announced, ", "))+want)
	}
	// A key with a certificate may be there to be published alone (CertificateKey);
	// firstSigningKey passes over it if the profile does not admit its algorithm.
	keys := slices.DeleteFunc(slices.Clone(c.c.Keys), func(k Key) bool { return k.Use == "enc" || len(k.Certificates) > 0 })
	if a, ok := c.auth.(privateKeyJWT); ok {
		keys = append(keys, a.key)
	}
	for _, k := range keys {
		sk, err := k.signing()
		if err != nil {
			continue // what cannot sign is refused where it is to
		}
		v.add(!slices.Contains(allowed, sk.Alg), spec, "the key "+quote(sk.ID)+" signs with "+sk.Alg+want+"; say so in Key.Alg")
		_, err = jose.PublicKeySet(sk)
		v.add(err != nil, strings.Replace(spec, "(1)", "(2)", 1), "the key "+quote(sk.ID)+" cannot be used: it does not fit its algorithm, or is shorter than 2048 bits")
	}
}

// violatesFAPI1 is Part 2 sections 5.2.2 and 5.2.3.
func (c *Client) violatesFAPI1(v *violations) {
	v.add(c.c.Certificate == nil, "FAPI 1.0 Part 2, 5.2.3 (1)", "ClientConfig.Certificate is nil: access tokens must be bound to a certificate")
	for _, rt := range c.c.Metadata.responseTypes() {
		v.add(rt != "code" && !sameWords(rt, "code id_token"), "FAPI 1.0 Part 2, 5.2.2 (2)", "response type "+quote(rt)+", expected code id_token, or code with signed responses")
		if rt == "code" {
			v.add(!strings.HasSuffix(c.c.ResponseMode, ModeJWT), "FAPI 1.0 Part 2, 5.2.2 (2)", "response type code needs ClientConfig.ResponseMode ModeJWT")
		}
	}
	v.add(c.c.Metadata.RequestObjectSigningAlg == "none", "FAPI 1.0 Part 2, 5.2.2 (1)", "request objects must be signed")
	v.add(c.c.MaxIDTokenAge < 0, "Core 3.1.3.7 (10)", "ClientConfig.MaxIDTokenAge is negative: how old an ID Token is must be limited")
}

// violatesFAPI2 is the Security Profile section 5.3.3 and Message Signing section 5.3.
func (c *Client) violatesFAPI2(md *ProviderMetadata, v *violations) {
	const sp = "FAPI 2.0 Security Profile "
	v.add(c.c.DPoP == nil && c.c.Certificate == nil, sp+"5.3.3.1 (1)", "neither ClientConfig.DPoP nor Certificate is set: access tokens must be bound")
	v.add(c.c.Quirks.AssertionAudienceEndpoint, sp+"5.3.3.1 (5)", "Quirks.AssertionAudienceEndpoint is set: the audience of assertions is the issuer")
	v.add(c.p.url == "", sp+"5.3.3.1 (9)", "the metadata was given by hand: it must be discovered")
	if !c.c.Metadata.usesRedirects() {
		return
	}
	for _, rt := range c.c.Metadata.responseTypes() {
		v.add(rt != "code", sp+"5.3.3.2 (1)", "response type "+quote(rt)+", expected code")
	}
	v.add(c.c.PAR == PARNever, sp+"5.3.3.2 (2)", "ClientConfig.PAR is PARNever: requests must be pushed")
	v.add(md.PushedAuthorizationRequestEndpoint == "", sp+"5.3.3.2 (2)", "the OP has no pushed_authorization_request_endpoint")
	v.add(md.CodeChallengeMethodsSupported != nil && !slices.Contains(md.CodeChallengeMethodsSupported, "S256"), sp+"5.3.3.2 (3)", "the OP does not take PKCE with S256")
	v.add(c.c.Profile == FAPI2MessageSigning && c.c.Metadata.RequestObjectSigningAlg == "none", "FAPI 2.0 Message Signing 5.3.2 (1)", "request objects must be signed")
}

// violatesOAuth21 is the draft.
func (c *Client) violatesOAuth21(md *ProviderMetadata, v *violations) {
	v.add(c.p.env.opts.InsecureAllowHTTP, "OAuth 2.1 1.5", "Options.InsecureAllowHTTP is set")
	for _, rt := range c.c.Metadata.responseTypes() {
		v.add(slices.Contains(strings.Fields(rt), "token"), "OAuth 2.1 10.1", "response type "+quote(rt)+" gives an access token to the browser")
	}
	for _, g := range c.c.Metadata.GrantTypes {
		v.add(g == "implicit" || g == "password", "OAuth 2.1 10.1, 10.2", "the grant type "+g+" is no more")
	}
	for _, u := range c.c.Metadata.RedirectURIs {
		v.add(!secureRedirect(u, c.c.Metadata.ApplicationType), "OAuth 2.1 1.5", "the redirect URI "+quote(u)+" is not https")
	}
	v.add(md.CodeChallengeMethodsSupported != nil && !slices.Contains(md.CodeChallengeMethodsSupported, "S256"), "OAuth 2.1 4.1.1", "the OP does not take PKCE with S256")
}

// secureRedirect admits https, and for a native application its loopback address
// (RFC 8252 section 7.3) and schemes of its own.
func secureRedirect(raw, applicationType string) bool {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return false
	case u.Scheme == "https":
		return true
	case u.Scheme == "http":
		return applicationType == "native" && isLoopbackName(u.Hostname())
	}
	return applicationType == "native"
}

// checkRequest refuses a single request that the profile does not admit.
func (p Profile) checkRequest(rt responseType, mode string) error {
	if p == FAPI1Advanced && !rt.idToken && !isSecured(mode) {
		return refuse("ResponseMode", "FAPI 1.0 Part 2, 5.2.2 (2): response type code needs a signed response")
	}
	if p.fapi2() && (rt.idToken || rt.token) {
		return refuse("ResponseType", "FAPI 2.0 Security Profile 5.3.3.2 (1): expected code")
	}
	if (p == FAPI1Advanced || p == OAuth21) && rt.token {
		return refuse("ResponseType", string(p)+": no access token comes from the authorization endpoint")
	}
	return nil
}
