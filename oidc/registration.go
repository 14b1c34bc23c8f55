package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"rely.example/internal/fetch"
	"rely.example/internal/strictjson"
)

// Registration is what an OP and a client agreed: the result of Register, or the
// same written by hand from what an OP's page says. By hand it needs ClientID
// and Metadata.RedirectURIs, and mostly Secret.
//
// Export and ImportRegistration keep one between runs of a program. Printed,
// logged or marshalled to JSON it shows no secret.
type Registration struct {
	ClientID string
	// Secret is empty for a public client, or one with keys of its own.
	Secret string
	// SecretExpires is when the Secret dies; zero means never.
	SecretExpires time.Time
	// Issued is when the OP registered the client; zero if it does not say.
	Issued time.Time
	// URI and AccessToken manage the registration (RFC 7592); empty if the OP
	// offers no management.
	URI, AccessToken string
	// Metadata is what was registered: the request with the OP's changes.
	Metadata ClientMetadata
}

// registrationWire is Registration section 3.2 and RFC 7591 section 3.2.1.
type registrationWire struct {
	ClientID      string              `json:"client_id"`
	Secret        string              `json:"client_secret,omitempty"`
	Issued        *strictjson.Seconds `json:"client_id_issued_at,omitempty"`
	SecretExpires *strictjson.Seconds `json:"client_secret_expires_at,omitempty"`
	URI           string              `json:"registration_client_uri,omitempty"`
	AccessToken   string              `json:"registration_access_token,omitempty"`
}

// registrationNames are the members that are no metadata. It is read only.
var registrationNames = []string{"client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at", "registration_client_uri", "registration_access_token"}

// Register registers a client (Registration section 3, RFC 7591). initialToken is
// the initial access token that some OPs want, sent as it is; empty means none.
//
// GrantTypes are derived from ResponseTypes where m leaves them out. The answer
// is compared with m: an OP that registers other redirect URIs, a weaker
// authentication method or another signing algorithm than it was asked for is
// refused with BadRegistration, since a login would be less safe than its
// author believes. With a software statement (RFC 7591 section 2.3) what that holds
// is what was asked for.
func (p *Provider) Register(ctx context.Context, m ClientMetadata, initialToken string) (_ *Registration, err error) {
	ctx, call := p.call(ctx, "Register")
	defer call.end(&err)
	md := p.md()
	if md.RegistrationEndpoint == "" {
		return nil, &UnsupportedError{Feature: "dynamic registration", Detail: "the OP has no registration_endpoint; register the client at the OP's own pages"}
	}
	all, err := m.withStatement()
	if err != nil {
		return nil, err
	}
	if len(all.RedirectURIs) == 0 {
		return nil, &InputError{Reason: BadConfig, Field: "ClientMetadata.RedirectURIs", Detail: "at least one is required (Registration 2)"}
	}
	m = m.clone()
	if err := m.check(); err != nil {
		return nil, err
	}
	if len(all.GrantTypes) == 0 && len(m.ResponseTypes) > 0 {
		m.GrantTypes = grantTypesFor(m.ResponseTypes)
	}
	return p.registrationExchange(ctx, http.MethodPost, md.RegistrationEndpoint, initialToken, m, nil)
}

// ReadRegistration asks the OP what is registered (RFC 7592 section 2.1). The
// result replaces r: the OP may have changed the secret and the access token.
func (p *Provider) ReadRegistration(ctx context.Context, r *Registration) (_ *Registration, err error) {
	ctx, call := p.call(ctx, "ReadRegistration")
	defer call.end(&err)
	if err := p.manageable(r); err != nil {
		return nil, err
	}
	return p.registrationExchange(ctx, http.MethodGet, r.URI, r.AccessToken, r.Metadata, r)
}

// UpdateRegistration replaces the registered metadata by m (RFC 7592 section
// 2.2). The result replaces r.
func (p *Provider) UpdateRegistration(ctx context.Context, r *Registration, m ClientMetadata) (_ *Registration, err error) {
	ctx, call := p.call(ctx, "UpdateRegistration")
	defer call.end(&err)
	if err := p.manageable(r); err != nil {
		return nil, err
	}
	m = m.clone()
	if err := m.check(); err != nil {
		return nil, err
	}
	if len(m.GrantTypes) == 0 && len(m.ResponseTypes) > 0 {
		m.GrantTypes = grantTypesFor(m.ResponseTypes)
	}
	return p.registrationExchange(ctx, http.MethodPut, r.URI, r.AccessToken, m, r)
}

// DeleteRegistration ends the registration (RFC 7592 section 2.3).
func (p *Provider) DeleteRegistration(ctx context.Context, r *Registration) (err error) {
	ctx, call := p.call(ctx, "DeleteRegistration")
	defer call.end(&err)
	if err := p.manageable(r); err != nil {
		return err
	}
	res, err := p.env.do(ctx, &fetch.Request{Purpose: StepRegistration, Method: http.MethodDelete, URL: r.URI,
		Header: bearer(r.AccessToken), Credentialed: true})
	if err != nil {
		return err
	}
	if res.Status != http.StatusNoContent && res.Status != http.StatusOK {
		return p.env.refused(StepRegistration, res)
	}
	return nil
}

// manageable refuses to send the registration access token anywhere but to the
// OP (hostile catalogue case 77).
func (p *Provider) manageable(r *Registration) error {
	if r == nil || r.URI == "" || r.AccessToken == "" {
		return &UnsupportedError{Feature: "registration management", Detail: "the registration has no registration_client_uri and registration_access_token (RFC 7592)"}
	}
	md := p.md()
	if !sameOrigin(r.URI, md.Issuer) && !sameOrigin(r.URI, md.RegistrationEndpoint) {
		return &ProtocolError{Reason: ForeignRegistrationURI, Step: StepRegistration, Spec: "RFC 7592 3",
			Detail: "registration_client_uri is neither at the issuer's origin nor at the registration endpoint's; the access token was not sent"}
	}
	return nil
}

func (p *Provider) registrationExchange(ctx context.Context, method, uri, token string, asked ClientMetadata, before *Registration) (*Registration, error) {
	req := &fetch.Request{Purpose: StepRegistration, Method: method, URL: uri, Header: bearer(token), Credentialed: true,
		Accept: []string{"application/json"}}
	if method != http.MethodGet {
		body, err := json.Marshal(asked)
		if err != nil {
			return nil, err
		}
		if before != nil {
			// RFC 7592 section 2.2: client_id, and the secret if it is known.
			if body, err = withCredentials(body, before); err != nil {
				return nil, err
			}
		}
		req.Body = body
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := p.env.do(ctx, req)
	if err != nil {
		return nil, err
	}
	// Registration section 3.2 says 201; several OPs answer 200.
	if res.Status != http.StatusCreated && res.Status != http.StatusOK {
		return nil, p.env.refused(StepRegistration, res)
	}
	return p.readRegistration(ctx, res, asked, before)
}

func withCredentials(body []byte, r *Registration) ([]byte, error) {
	all := make(map[string]json.RawMessage)
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	all["client_id"], _ = json.Marshal(r.ClientID)
	if r.Secret != "" {
		all["client_secret"], _ = json.Marshal(r.Secret)
	}
	return json.Marshal(all)
}

// readRegistration reads an answer and holds it against what was asked.
func (p *Provider) readRegistration(ctx context.Context, res *fetch.Response, asked ClientMetadata, before *Registration) (*Registration, error) {
	c := p.env.checker(ctx, StepRegistration)
	var e errorBody
	if strictjson.Unmarshal(res.Body, &e) == nil && e.Error != "" {
		return nil, p.env.refused(StepRegistration, res)
	}
	var w registrationWire
	if err := strictjson.Unmarshal(res.Body, &w); err != nil {
		return nil, c.failed(malformed(StepRegistration, "RFC 7591 3.2.1", err), "the registration response is JSON")
	}
	var got ClientMetadata
	if err := got.UnmarshalJSON(res.Body); err != nil {
		return nil, c.failed(malformed(StepRegistration, "RFC 7591 3.2.1", err), "the registration response is JSON")
	}
	for _, n := range registrationNames {
		delete(got.Extra, n)
	}
	r := &Registration{ClientID: w.ClientID, Secret: w.Secret, URI: w.URI, AccessToken: w.AccessToken}
	if w.Issued != nil {
		r.Issued = w.Issued.Time()
	}
	if w.SecretExpires != nil && w.SecretExpires.Time().Unix() != 0 {
		r.SecretExpires = w.SecretExpires.Time()
	}
	if err := c.that(r.ClientID != "", BadRegistration, "RFC 7591 3.2.1", "client_id is present", "", ""); err != nil {
		return nil, err
	}
	if before != nil {
		if err := c.that(r.ClientID == before.ClientID, BadRegistration, "RFC 7592 3", "client_id has not changed", before.ClientID, r.ClientID); err != nil {
			return nil, err
		}
		// RFC 7592 section 3: what the OP does not mention stays.
		if r.URI == "" {
			r.URI = before.URI
		}
		if r.AccessToken == "" {
			r.AccessToken = before.AccessToken
		}
		if r.Secret == "" {
			r.Secret, r.SecretExpires = before.Secret, before.SecretExpires
		}
	}
	if err := c.that((r.URI == "") == (r.AccessToken == ""), BadRegistration, "Registration 3.2",
		"registration_client_uri and registration_access_token come together", "", ""); err != nil {
		return nil, err
	}
	var err error
	if r.Metadata, err = agreed(c, asked, got); err != nil {
		return nil, err
	}
	// Registration section 3.2: a client that is to use a secret gets one.
	needs := strings.HasPrefix(r.Metadata.TokenEndpointAuthMethod, "client_secret_")
	if err := c.that(!needs || r.Secret != "", BadRegistration, "Registration 3.2", "client_secret is there for "+r.Metadata.TokenEndpointAuthMethod, "client_secret", ""); err != nil {
		return nil, err
	}
	return r, nil
}

// authStrength orders the authentication methods: what proves more may replace
// what proves less, never the other way round.
func authStrength(method string) int {
	switch method {
	case "none":
		return 0
	case "client_secret_post", "client_secret_basic", "":
		return 1
	case "client_secret_jwt":
		return 2
	case "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth":
		return 3
	}
	return -1
}

// stronger reports whether a method that is known proves at least as much as
// another.
func stronger(m, than string) bool {
	return authStrength(than) >= 0 && authStrength(m) >= authStrength(than)
}

// agreed merges what was asked with what came, and refuses an answer that is
// less than was asked for (hostile catalogue case 75). The OP may leave members
// out, and may choose where nothing was asked (RFC 7591 section 3.2.1).
func agreed(c *checker, asked, got ClientMetadata) (ClientMetadata, error) {
	const spec = "RFC 7591 3.2.1"
	statement := asked.SoftwareStatement
	asked, err := asked.withStatement()
	if err != nil {
		return ClientMetadata{}, err
	}
	if asked.UserInfoSignedResponseAlg == "" && got.UserInfoSignedResponseAlg == "none" {
		// Some OPs write none for the default, plain JSON (Registration section 2).
		got.UserInfoSignedResponseAlg = ""
	}
	check := func(ok bool, title, want, have string) {
		if err == nil {
			err = c.that(ok, BadRegistration, spec, title, want, have)
		}
	}
	if got.SoftwareStatement != "" {
		check(got.SoftwareStatement == statement, "software_statement is returned as it was sent", "", "")
	}
	if got.RedirectURIs != nil {
		check(sameSet(asked.RedirectURIs, got.RedirectURIs), "redirect_uris are those asked for",
			strings.Join(asked.RedirectURIs, " "), strings.Join(got.RedirectURIs, " "))
	}
	if m := got.TokenEndpointAuthMethod; m != "" {
		ok := m == asked.TokenEndpointAuthMethod || stronger(m, asked.TokenEndpointAuthMethod)
		check(ok, "token_endpoint_auth_method is the one asked for", asked.TokenEndpointAuthMethod, m)
	}
	for _, a := range []struct{ name, asked, got string }{
		{"id_token_signed_response_alg", asked.IDTokenSignedResponseAlg, got.IDTokenSignedResponseAlg},
		{"userinfo_signed_response_alg", asked.UserInfoSignedResponseAlg, got.UserInfoSignedResponseAlg},
		{"id_token_encrypted_response_alg", asked.IDTokenEncryptedResponseAlg, got.IDTokenEncryptedResponseAlg},
		{"id_token_encrypted_response_enc", asked.IDTokenEncryptedResponseEnc, got.IDTokenEncryptedResponseEnc},
		{"userinfo_encrypted_response_alg", asked.UserInfoEncryptedResponseAlg, got.UserInfoEncryptedResponseAlg},
		{"userinfo_encrypted_response_enc", asked.UserInfoEncryptedResponseEnc, got.UserInfoEncryptedResponseEnc},
		{"authorization_signed_response_alg", asked.AuthorizationSignedResponseAlg, got.AuthorizationSignedResponseAlg},
		{"authorization_encrypted_response_alg", asked.AuthorizationEncryptedResponseAlg, got.AuthorizationEncryptedResponseAlg},
		{"authorization_encrypted_response_enc", asked.AuthorizationEncryptedResponseEnc, got.AuthorizationEncryptedResponseEnc},
		{"introspection_signed_response_alg", asked.IntrospectionSignedResponseAlg, got.IntrospectionSignedResponseAlg},
		{"introspection_encrypted_response_alg", asked.IntrospectionEncryptedResponseAlg, got.IntrospectionEncryptedResponseAlg},
		{"introspection_encrypted_response_enc", asked.IntrospectionEncryptedResponseEnc, got.IntrospectionEncryptedResponseEnc},
		{"request_object_encryption_alg", asked.RequestObjectEncryptionAlg, got.RequestObjectEncryptionAlg},
		{"request_object_encryption_enc", asked.RequestObjectEncryptionEnc, got.RequestObjectEncryptionEnc},
		{"request_object_signing_alg", asked.RequestObjectSigningAlg, got.RequestObjectSigningAlg},
		{"token_endpoint_auth_signing_alg", asked.TokenEndpointAuthSigningAlg, got.TokenEndpointAuthSigningAlg},
		{"subject_type", asked.SubjectType, got.SubjectType},
	} {
		if a.got == "" {
			continue
		}
		ok := a.got == a.asked || a.asked == "" && (a.got != "none" || !strings.HasPrefix(a.name, "id_token") && !strings.HasPrefix(a.name, "authorization"))
		check(ok, a.name+" is the one asked for", a.asked, a.got)
	}
	if got.ResponseTypes != nil {
		for _, rt := range asked.ResponseTypes {
			check(slices.ContainsFunc(got.ResponseTypes, func(g string) bool { return sameWords(g, rt) }),
				"response_types hold those asked for", rt, strings.Join(got.ResponseTypes, ", "))
		}
	}
	if err != nil {
		return ClientMetadata{}, err
	}
	return mergeMetadata(asked, got)
}

// mergeMetadata lays got over asked, member by member.
func mergeMetadata(asked, got ClientMetadata) (ClientMetadata, error) {
	base, err := json.Marshal(asked)
	if err != nil {
		return ClientMetadata{}, err
	}
	over, err := json.Marshal(got)
	if err != nil {
		return ClientMetadata{}, err
	}
	all := make(map[string]json.RawMessage)
	for _, layer := range [][]byte{base, over} {
		if err := json.Unmarshal(layer, &all); err != nil {
			return ClientMetadata{}, err
		}
	}
	merged, err := json.Marshal(all)
	if err != nil {
		return ClientMetadata{}, err
	}
	var m ClientMetadata
	return m, m.UnmarshalJSON(merged)
}

func sameSet(a, b []string) bool {
	x, y := slices.Clone(a), slices.Clone(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(slices.Compact(x), slices.Compact(y))
}

func bearer(token string) http.Header {
	h := make(http.Header)
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	return h
}

// ClientConfig is the configuration of a client that is registered so. keys are
// the private halves of what was registered as jwks or jwks_uri; none are
// needed for a client that authenticates with its secret. Whoever registered for
// anything encrypted sets Encryption too, and DPoP for DPoPBoundAccessTokens.
func (r *Registration) ClientConfig(keys ...Key) ClientConfig {
	return ClientConfig{
		ID:            r.ClientID,
		Secret:        r.Secret,
		SecretExpires: r.SecretExpires,
		Metadata:      r.Metadata.clone(),
		Keys:          slices.Clone(keys),
	}
}

// registrationExport is the form in which a Registration is kept.
type registrationExport struct {
	ClientID      string         `json:"client_id"`
	Secret        string         `json:"client_secret,omitempty"`
	SecretExpires time.Time      `json:"secret_expires,omitzero"`
	Issued        time.Time      `json:"issued,omitzero"`
	URI           string         `json:"uri,omitempty"`
	AccessToken   string         `json:"access_token,omitempty"`
	Metadata      ClientMetadata `json:"metadata"`
}

// Export returns the registration with its secrets, for a store that keeps them
// from other eyes.
func (r *Registration) Export() ([]byte, error) {
	return json.Marshal(registrationExport(*r))
}

// ImportRegistration reads what Export wrote.
func ImportRegistration(data []byte) (*Registration, error) {
	var x registrationExport
	if err := strictjson.Unmarshal(data, &x); err != nil || x.ClientID == "" {
		return nil, &InputError{Reason: BadParameter, Field: "registration", Detail: "it was not written by Export", Err: err}
	}
	r := Registration(x)
	return &r, nil
}

// Format prints what identifies the registration, and no secret.
func (r Registration) Format(f fmt.State, _ rune) {
	redact(f, "oidc.Registration", "ClientID", r.ClientID, "Secret", present(r.Secret), "AccessToken", present(r.AccessToken))
}

// LogValue is what slog logs: no secret.
func (r Registration) LogValue() slog.Value {
	return slog.GroupValue(slog.String("client_id", r.ClientID), slog.String("client_secret", present(r.Secret)))
}

// MarshalJSON writes the registration without its secrets; Export keeps them.
func (r Registration) MarshalJSON() ([]byte, error) {
	x := registrationExport(r)
	x.Secret, x.AccessToken = maskedIfPresent(r.Secret), maskedIfPresent(r.AccessToken)
	return json.Marshal(x)
}

func maskedIfPresent(s string) string {
	if s == "" {
		return ""
	}
	return masked
}
