package doctor

import (
	"slices"

	"rely.example/oidc"
)

// The names of the profiles, as --security takes them.
const (
	OAuth21              = "oauth21"
	FAPI1Advanced        = "fapi1-advanced"
	FAPI2Security        = "fapi2-security"
	FAPI2MessageSigning  = "fapi2-message-signing"
	fapi2Spec            = "FAPI 2.0 Security Profile "
	messageSigningSpec   = "FAPI 2.0 Message Signing "
	fapi1Spec            = "FAPI 1.0 Part 2, "
	oauth21Spec          = "OAuth 2.1 "
	senderConstraintText = "access tokens bound to the client, by DPoP or by certificate"
)

// Names are the names of the profiles.
func Names() []string { return []string{OAuth21, FAPI1Advanced, FAPI2Security, FAPI2MessageSigning} }

// Profile is a security profile, and what an OP's metadata lacks for it. Much of
// a profile shows in no metadata, so that an OP which lacks nothing may fit, and
// one that lacks something does not as long as it announces all that it can do.
type Profile struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Lacks is empty if nothing is known to be missing.
	Lacks []Lack `json:"lacks"`
}

// Lack is one thing that a profile asks for and the metadata does not have.
type Lack struct {
	Text string `json:"text"`
	Spec string `json:"spec"`
}

// requirement is one rule of a profile that metadata can show.
type requirement struct {
	met  bool
	text string
	spec string
}

func (md metadata) profiles() []Profile {
	return []Profile{
		lacks(OAuth21, "OAuth 2.1", md.oauth21()),
		lacks(FAPI1Advanced, "FAPI 1.0 Advanced", md.fapi1()),
		lacks(FAPI2Security, "FAPI 2.0 Security Profile", md.fapi2()),
		lacks(FAPI2MessageSigning, "FAPI 2.0 Message Signing", append(md.fapi2(), md.messageSigning()...)),
	}
}

func lacks(name, title string, rules []requirement) Profile {
	p := Profile{Name: name, Title: title, Lacks: []Lack{}}
	for _, r := range rules {
		if !r.met {
			p.Lacks = append(p.Lacks, Lack{r.text, r.spec})
		}
	}
	return p
}

func (md metadata) codeFlow() bool {
	return md.ResponseTypesSupported == nil || md.hasType("code")
}

func (md metadata) s256() bool { return slices.Contains(md.CodeChallengeMethodsSupported, "S256") }

// strongAuth says whether a client can authenticate without a shared secret.
func (md metadata) strongAuth() bool {
	return overlap(md.TokenEndpointAuthMethodsSupported, "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
}

// oauth21 is draft-ietf-oauth-v2-1.
func (md metadata) oauth21() []requirement {
	return []requirement{
		{md.codeFlow(), "response type code", oauth21Spec + "4.1"},
		{md.s256(), "PKCE with S256", oauth21Spec + "7.5.2"},
		{!slices.Contains(md.GrantTypesSupported, "password"), "refusal of users' passwords (grant type password is offered)", oauth21Spec + "10"},
	}
}

// fapi1 is FAPI 1.0 Part 2, section 5.2.2: what the OP must support.
func (md metadata) fapi1() []requirement {
	algs := []string{"PS256", "ES256"}
	jarm := md.codeFlow() && len(md.jarmModes()) > 0
	rules := []requirement{
		{md.RequestParameterSupported || md.RequestURIParameterSupported && md.RequestObjectSigningAlgValuesSupported != nil || md.RequireSignedRequestObject,
			"signed request objects", fapi1Spec + "5.2.2 (1)"},
		{overlap(md.RequestObjectSigningAlgValuesSupported, algs...), "request objects signed with PS256 or ES256", fapi1Spec + "8.6"},
		{jarm || slices.ContainsFunc(md.ResponseTypesSupported, func(t string) bool { return t == "code id_token" || t == "id_token code" }),
			"response type code id_token, or code with signed answers (JARM)", fapi1Spec + "5.2.2 (2)"},
		{overlap(md.IDTokenSigningAlgValuesSupported, algs...), "ID Tokens signed with PS256 or ES256", fapi1Spec + "8.6"},
		{md.TLSClientCertificateBoundAccessTokens, "access tokens bound to the client's certificate", fapi1Spec + "5.2.2 (5)"},
		{md.strongAuth(), "client authentication by private_key_jwt or certificate", fapi1Spec + "5.2.2 (14)"},
	}
	if md.PushedAuthorizationRequestEndpoint != "" {
		rules = append(rules, requirement{md.s256(), "PKCE with S256 for pushed requests", fapi1Spec + "5.2.2 (18)"})
	}
	return rules
}

// fapi2 is the FAPI 2.0 Security Profile, section 5.3.2.
func (md metadata) fapi2() []requirement {
	algs := []string{"PS256", "ES256", "EdDSA", "Ed25519"}
	rules := []requirement{
		{md.codeFlow(), "response type code", fapi2Spec + "5.3.2.2"},
		{md.PushedAuthorizationRequestEndpoint != "", "pushed authorization requests", fapi2Spec + "5.3.2.2"},
		{md.s256(), "PKCE with S256", fapi2Spec + "5.3.2.2"},
		{md.AuthorizationResponseIssParameterSupported, "its name (iss) in its answers", fapi2Spec + "5.3.2.2"},
		{md.strongAuth(), "client authentication by private_key_jwt or certificate", fapi2Spec + "5.3.2.1"},
		{len(md.DPoPSigningAlgValuesSupported) > 0 || md.TLSClientCertificateBoundAccessTokens, senderConstraintText, fapi2Spec + "5.3.2.1"},
		{overlap(md.IDTokenSigningAlgValuesSupported, algs...), "ID Tokens signed with PS256, ES256 or EdDSA", fapi2Spec + "5.4.1"},
		{!slices.Contains(md.GrantTypesSupported, "password"), "refusal of users' passwords (grant type password is offered)", fapi2Spec + "5.3.2.1"},
	}
	if a := md.TokenEndpointAuthSigningAlgValuesSupported; slices.Contains(md.TokenEndpointAuthMethodsSupported, oidc.AuthPrivateKey) && a != nil {
		rules = append(rules, requirement{overlap(a, algs...), "client assertions signed with PS256, ES256 or EdDSA", fapi2Spec + "5.4.1"})
	}
	return rules
}

// messageSigning is FAPI 2.0 Message Signing, sections 5.3 and 5.4. Introspection
// (section 5.5) is a matter of resource servers.
func (md metadata) messageSigning() []requirement {
	algs := []string{"PS256", "ES256", "EdDSA", "Ed25519"}
	return []requirement{
		{overlap(md.RequestObjectSigningAlgValuesSupported, algs...), "signed requests (JAR) by PS256, ES256 or EdDSA", messageSigningSpec + "5.3.1"},
		{len(md.jarmModes()) > 0, "signed answers (JARM)", messageSigningSpec + "5.4.1"},
		{len(md.jarmModes()) == 0 || md.AuthorizationSigningAlgValuesSupported == nil || overlap(md.AuthorizationSigningAlgValuesSupported, algs...),
			"answers signed with PS256, ES256 or EdDSA", messageSigningSpec + "5.4.1"},
	}
}

// overlap says whether list has one of want.
func overlap(list []string, want ...string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return slices.Contains(want, s) })
}
