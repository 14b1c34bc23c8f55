package oidc

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rely.example/internal/fetch"
	"rely.example/internal/strictjson"
)

// resourceWellKnown is RFC 9728 section 3.
const resourceWellKnown = "/.well-known/oauth-protected-resource"

// MaxAuthorizationServers is how many authorization servers one API may name.
const MaxAuthorizationServers = 64

// ProtectedResource describes an API (RFC 9728 section 2): which authorization
// servers' tokens it takes, and how. Members that are not here are in Signed, if
// it has them, and in Raw.
type ProtectedResource struct {
	// Resource is the API's identifier: a URL, compared exactly.
	Resource string `json:"resource"`
	// AuthorizationServers are issuer identifiers, to Discover.
	AuthorizationServers []string `json:"authorization_servers,omitempty"`
	// JWKSURI is where the keys are with which the API signs its answers.
	JWKSURI                           string   `json:"jwks_uri,omitempty"`
	ScopesSupported                   []string `json:"scopes_supported,omitempty"`
	BearerMethodsSupported            []string `json:"bearer_methods_supported,omitempty"`
	ResourceSigningAlgValuesSupported []string `json:"resource_signing_alg_values_supported,omitempty"`
	ResourceName                      string   `json:"resource_name,omitempty"`
	ResourceDocumentation             string   `json:"resource_documentation,omitempty"`
	ResourcePolicyURI                 string   `json:"resource_policy_uri,omitempty"`
	ResourceTOSURI                    string   `json:"resource_tos_uri,omitempty"`

	TLSClientCertificateBoundAccessTokens bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	AuthorizationDetailsTypesSupported    []string `json:"authorization_details_types_supported,omitempty"`
	DPoPSigningAlgValuesSupported         []string `json:"dpop_signing_alg_values_supported,omitempty"`
	DPoPBoundAccessTokensRequired         bool     `json:"dpop_bound_access_tokens_required,omitempty"`

	// Raw is the document as it came.
	Raw json.RawMessage `json:"-"`
	// Signer is the one of ResourceParams.Signers who vouches for the metadata, and
	// Signed what it signed. Both are empty where none was asked for or there is none.
	Signer string          `json:"-"`
	Signed json.RawMessage `json:"-"`
}

// ResourceParams are the choices of FindResource.
type ResourceParams struct {
	// MetadataURL is where a challenge of the API says that the metadata is
	// (ResourceChallenge.Metadata). Empty means the place that follows from the
	// identifier.
	MetadataURL string

	// Signers are whose word about an API counts: the iss of signed metadata must be
	// the issuer of one of them, and its keys verify it (RFC 9728 section 3.3). A
	// signer that is no OP is made by NewProvider of its issuer and jwks_uri, or of
	// its JWKS. Nil means that signed metadata is ignored, good or bad (section 2.2).
	Signers []*Provider

	// Algorithms are what signed metadata may be signed with. Nil means every
	// algorithm of a key pair that is supported.
	Algorithms []string

	// RequireSigned refuses metadata that is not signed, and takes nothing but what
	// is: who can change the document can then add nothing to it. Zero means that
	// what is signed takes precedence over the same member beside it.
	RequireSigned bool
}

// FindResource fetches the metadata of the API with that identifier (RFC 9728
// section 3), which is an https URL without fragment. The document is where the
// well-known part stands between host and path, or where p says.
//
// Its resource must be the identifier, byte for byte (section 3.3): an API cannot
// pose as another, and have a token for that one asked for. Which of
// AuthorizationServers is trusted is for the caller to say.
func FindResource(ctx context.Context, resource string, p ResourceParams, o *Options) (_ *ProtectedResource, err error) {
	e, err := newEnv(o)
	if err != nil {
		return nil, err
	}
	ctx, call := e.call(ctx, "FindResource", printable(resource), "")
	defer call.end(&err)
	defer e.http.CloseIdleConnections()
	if err := p.check(); err != nil {
		return nil, err
	}
	k := e.checker(ctx, StepResource)
	place, err := e.resourcePlace(resource) // also where a challenge says another: the identifier is what is compared
	if err != nil {
		return nil, err
	}
	if p.MetadataURL == "" {
		p.MetadataURL = place
	}
	res, err := e.do(ctx, &fetch.Request{Purpose: StepResource, URL: p.MetadataURL, Accept: []string{"application/json"}})
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, e.refused(StepResource, res)
	}
	r, err := readResource(k, res.Body, resource)
	if err != nil {
		return nil, err
	}
	if len(p.Signers) > 0 {
		if r, err = e.vouchedFor(ctx, k, r, resource, &p); err != nil {
			return nil, err
		}
	}
	if err := e.checkResource(k, r); err != nil {
		return nil, err
	}
	return r, nil
}

// check refuses what cannot work, or would verify less than it seems to.
func (p *ResourceParams) check() error {
	bad := func(field, detail string) error {
		return &InputError{Reason: BadParameter, Field: "ResourceParams." + field, Detail: detail}
	}
	if slices.Contains(p.Signers, nil) {
		return bad("Signers", "one of them is nil")
	}
	if p.RequireSigned && len(p.Signers) == 0 {
		return bad("Signers", "it is empty; nobody could have signed")
	}
	if p.Algorithms != nil && len(p.Algorithms) == 0 {
		return bad("Algorithms", "it is empty; nil means all")
	}
	for _, alg := range p.Algorithms {
		if !asymmetric(alg) {
			return bad("Algorithms", quote(alg)+" is no algorithm of a key pair that is supported")
		}
	}
	return nil
}

// readResource reads the document of the resource that was asked for.
func readResource(k *checker, doc []byte, resource string) (*ProtectedResource, error) {
	r := &ProtectedResource{Raw: slices.Clone(doc)}
	if err := strictjson.Unmarshal(doc, r); err != nil {
		return nil, k.failed(malformed(StepResource, "RFC 9728 3.2", err), "the metadata is JSON")
	}
	if err := k.that(r.Resource == resource, ResourceMismatch, "RFC 9728 3.3", "resource is the one that was asked for", resource, r.Resource); err != nil {
		return nil, err
	}
	return r, nil
}

// checkResource checks the members that lead somewhere (RFC 9728 section 2).
func (e *env) checkResource(k *checker, r *ProtectedResource) error {
	const spec = "RFC 9728 2"
	if err := k.that(len(r.AuthorizationServers) <= MaxAuthorizationServers, BadMetadata, spec, "there are not too many authorization_servers",
		strconv.Itoa(MaxAuthorizationServers)+" at most", strconv.Itoa(len(r.AuthorizationServers))); err != nil {
		return err
	}
	for _, issuer := range r.AuthorizationServers {
		if pe := e.checkIssuer(StepResource, issuer); pe != nil {
			pe.Spec, pe.Detail = spec, "authorization_servers: "+pe.Detail
			return k.failed(pe, "authorization_servers are issuer identifiers")
		}
	}
	if r.JWKSURI != "" {
		if _, err := e.http.CheckURL(r.JWKSURI); err != nil {
			return k.failed(unusable(StepResource, spec, "jwks_uri", err), "jwks_uri is an https URL")
		}
	}
	if err := k.that(!slices.Contains(r.ResourceSigningAlgValuesSupported, "none"), BadMetadata, spec,
		"resource_signing_alg_values_supported has no none", "", ""); err != nil {
		return err
	}
	for _, page := range []struct{ name, url string }{
		{"resource_documentation", r.ResourceDocumentation}, {"resource_policy_uri", r.ResourcePolicyURI}, {"resource_tos_uri", r.ResourceTOSURI},
	} {
		// They are made to be shown as links: none may be a script.
		if err := k.that(page.url == "" || isPage(page.url), BadMetadata, spec, page.name+" is a web page", "an http or https URL", page.url); err != nil {
			return err
		}
	}
	return nil
}

// isPage reports whether a browser goes to the URL and does nothing else with it.
func isPage(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// resourcePlace is the path rule (RFC 9728 section 3.1): the well-known part stands
// between host and path, and a lone slash after the host goes.
func (e *env) resourcePlace(resource string) (string, error) {
	bad := func(detail string) (string, error) {
		return "", &InputError{Reason: BadParameter, Field: "resource", Detail: detail}
	}
	u, err := e.http.CheckURL(resource)
	if err != nil {
		return bad(printable(err.Error()) + " (RFC 9728 section 1.2)")
	}
	path := u.EscapedPath()
	if path == "/" {
		path = ""
	}
	place := u.Scheme + "://" + u.Host + resourceWellKnown + path
	if u.RawQuery != "" {
		place += "?" + u.RawQuery
	}
	return place, nil
}

// ServedBy reports whether an OP gives tokens for the API: the API names it, and it
// names the API, if it names any (RFC 9728 sections 2 and 4).
func (r *ProtectedResource) ServedBy(p *Provider) bool {
	named := p.md().ProtectedResources
	return slices.Contains(r.AuthorizationServers, p.Issuer()) && (len(named) == 0 || slices.Contains(named, r.Resource))
}

// ResourceChallenge is what an API wants of the next request (RFC 6750 section 3,
// RFC 9470 section 3, RFC 9728 section 5.1). It comes from the API alone: who asks a
// user to log in again for it bounds how often.
type ResourceChallenge struct {
	// Scheme is "bearer" or "dpop".
	Scheme string
	// Error is its code, such as "invalid_token", "insufficient_scope" or
	// "insufficient_user_authentication"; "" if it only wants a token.
	Error string
	// Scopes are those that a token needs.
	Scopes []string
	// ACRValues are authentication contexts of which the login must have one.
	ACRValues []string
	// MaxAge is how long ago the user may have logged in; nil means any time.
	MaxAge *time.Duration
	// Metadata is where the API describes itself, for FindResource; "" if it does
	// not say.
	Metadata string
}

// ReadResourceChallenge reads the WWW-Authenticate of an answer of an API. It
// reports whether there is a challenge for an access token in it; of several, the
// first that has an error counts.
func ReadResourceChallenge(h http.Header) (ResourceChallenge, bool) {
	var found ResourceChallenge
	ok := false
	for _, c := range readChallenges(h) {
		if c.scheme != "bearer" && c.scheme != "dpop" || ok && (found.Error != "" || c.params["error"] == "") {
			continue
		}
		found, ok = ResourceChallenge{
			Scheme: c.scheme, Error: c.params["error"], Scopes: strings.Fields(c.params["scope"]),
			ACRValues: strings.Fields(c.params["acr_values"]), Metadata: c.params["resource_metadata"],
		}, true
		if secs, err := strconv.ParseInt(c.params["max_age"], 10, 64); err == nil && secs >= 0 {
			age := time.Duration(min(secs, int64(maxExpiresIn/time.Second))) * time.Second
			found.MaxAge = &age
		}
	}
	return found, ok
}

// StepUp reports whether a new login, with p as it then is, may do what the API
// wants: it demands the authentication context and the age (RFC 9470 section 4), and
// asks for the scopes. p keeps what else it asks for.
func (c ResourceChallenge) StepUp(p *AuthParams) bool {
	switch c.Error {
	case "insufficient_user_authentication", "insufficient_scope":
	default:
		return false
	}
	for _, s := range c.Scopes {
		if s != "openid" && !slices.Contains(p.Scopes, s) {
			p.Scopes = append(slices.Clip(p.Scopes), s)
		}
	}
	if c.MaxAge != nil && (p.MaxAge == nil || *p.MaxAge > *c.MaxAge) {
		p.MaxAge = c.MaxAge
	}
	if len(c.ACRValues) == 0 {
		return true
	}
	p.ACRValues = slices.Clone(c.ACRValues)
	claims := ClaimsRequest{}
	if p.Claims != nil {
		claims = *p.Claims
	}
	if claims.IDToken = maps.Clone(claims.IDToken); claims.IDToken == nil {
		claims.IDToken = make(map[string]*ClaimRequest)
	}
	acr := &ClaimRequest{Essential: true}
	for _, v := range c.ACRValues {
		acr.Values = append(acr.Values, v)
	}
	claims.IDToken["acr"] = acr
	p.Claims = &claims
	return true
}
