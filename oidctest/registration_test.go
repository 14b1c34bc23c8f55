package oidctest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

func (p *party) sendJSON(method, target, bearer string, doc any) answer {
	p.t.Helper()
	body, err := json.Marshal(doc)
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, target, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	return p.do(r)
}

func TestRegistrationIsChecked(t *testing.T) {
	op := New(t)
	p := &party{t: t, op: op}
	_, set := testKey(t)
	private := json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}]}`)
	const meta, uri = "invalid_client_metadata", "invalid_redirect_uri"
	type doc map[string]any
	for _, c := range []struct {
		name   string
		change doc
		code   string
	}{
		{"least", nil, ""},
		{"no redirect URIs", doc{"redirect_uris": nil}, uri},
		{"empty redirect URIs", doc{"redirect_uris": list()}, uri},
		{"redirect URI a string", doc{"redirect_uris": "https://rp.example/"}, meta},
		{"redirect URI relative", doc{"redirect_uris": list("/cb")}, uri},
		{"redirect URI with fragment", doc{"redirect_uris": list("https://rp.example/#")}, uri},
		{"redirect URI javascript", doc{"redirect_uris": list("javascript:alert(1)")}, uri},
		{"redirect URI custom for web", doc{"redirect_uris": list("app:/cb")}, uri},
		{"redirect URI custom for native", doc{"redirect_uris": list("app:/cb"), "application_type": "native"}, ""},
		{"redirect URI http for native", doc{"redirect_uris": list("http://rp.example/"), "application_type": "native"}, uri},
		{"redirect URI loopback for native", doc{"redirect_uris": list("http://127.0.0.1/cb"), "application_type": "native"}, ""},
		{"redirect URI http with implicit", doc{"redirect_uris": list("http://rp.example/"), "response_types": list("id_token"), "grant_types": list("implicit")}, uri},
		{"redirect URI localhost with implicit", doc{"redirect_uris": list("https://localhost/"), "response_types": list("id_token"), "grant_types": list("implicit")}, uri},
		{"redirect URI too long", doc{"redirect_uris": list("https://rp.example/" + strings.Repeat("x", maxURI))}, meta},
		{"implicit without its grant", doc{"response_types": list("id_token")}, meta},
		{"hybrid without its grant", doc{"response_types": list("code id_token"), "grant_types": list("authorization_code")}, meta},
		{"hybrid in another order", doc{"response_types": list("id_token code"), "grant_types": list("authorization_code", "implicit")}, ""},
		{"response type none", doc{"response_types": list("none")}, meta},
		{"unknown grant", doc{"grant_types": list("authorization_code", "password")}, meta},
		{"unknown application type", doc{"application_type": "toaster"}, meta},
		{"unknown subject type", doc{"subject_type": "secret"}, meta},
		{"unknown method", doc{"token_endpoint_auth_method": "password"}, meta},
		{"certificate without its subject", doc{"token_endpoint_auth_method": "tls_client_auth"}, meta},
		{"key JWT without keys", doc{"token_endpoint_auth_method": "private_key_jwt"}, meta},
		{"key JWT with keys", doc{"token_endpoint_auth_method": "private_key_jwt", "jwks": set}, ""},
		{"key JWT with HS256", doc{"token_endpoint_auth_method": "private_key_jwt", "jwks": set, "token_endpoint_auth_signing_alg": "HS256"}, meta},
		{"secret JWT with ES256", doc{"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "ES256"}, meta},
		{"keys twice", doc{"jwks": set, "jwks_uri": "https://rp.example/jwks"}, meta},
		{"private key", doc{"jwks": private}, meta},
		{"keys not a set", doc{"jwks": doc{"keys": 7}}, meta},
		{"alg none", doc{"id_token_signed_response_alg": "none"}, meta},
		{"unknown alg", doc{"userinfo_signed_response_alg": "RS1024"}, meta},
		{"HS256 without a secret", doc{"id_token_signed_response_alg": "HS256", "token_endpoint_auth_method": "none"}, meta},
		{"encryption without keys", doc{"id_token_encrypted_response_alg": "RSA-OAEP"}, meta},
		{"encryption with keys", doc{"id_token_encrypted_response_alg": "RSA-OAEP", "jwks": set}, ""},
		{"encryption under the secret", doc{"userinfo_encrypted_response_alg": "A128KW", "userinfo_encrypted_response_enc": "A256GCM"}, ""},
		{"enc without alg", doc{"id_token_encrypted_response_enc": "A256GCM"}, meta},
		{"unknown key management", doc{"id_token_encrypted_response_alg": "RSA1_5", "jwks": set}, meta},
		{"unknown enc", doc{"id_token_encrypted_response_alg": "dir", "id_token_encrypted_response_enc": "XC20P"}, meta},
		{"max age negative", doc{"default_max_age": -1}, meta},
		{"max age a string", doc{"default_max_age": "1"}, meta},
		{"auth time a string", doc{"require_auth_time": "yes"}, meta},
		{"contacts a string", doc{"contacts": "ops@rp.example"}, meta},
		{"initiate login over http", doc{"initiate_login_uri": "http://rp.example/start"}, meta},
		{"pairwise at two hosts", doc{"subject_type": "pairwise", "redirect_uris": list("https://a.example/", "https://b.example/")}, meta},
		{"pairwise at one", doc{"subject_type": "pairwise"}, ""},
		{"sector over http", doc{"sector_identifier_uri": "http://rp.example/s"}, meta},
		{"unknown members", doc{"colour": "blue"}, ""},
		{"statement that is no JWT", doc{"software_statement": "x"}, "invalid_software_statement"},
		{"null members", doc{"contacts": nil, "jwks_uri": nil}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.t = t
			m := doc{"redirect_uris": list(DefaultRedirectURI)}
			for k, v := range c.change {
				m[k] = v
			}
			a := p.sendJSON("POST", op.URL(EndpointRegistration), "", m)
			if c.code == "" {
				want(t, "status", a.status, 201)
				want(t, "cache", a.header.Get("Cache-Control"), "no-store")
				return
			}
			want(t, "status", a.status, 400)
			want(t, "error", a.json["error"], c.code)
		})
	}
	p.t = t
	for name, body := range map[string]string{"array": "[]", "null": "null", "two documents": `{"redirect_uris":["https://rp.example/"]}{}`, "empty": ""} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", op.URL(EndpointRegistration), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		want(t, name, p.do(r).json["error"], meta)
	}
	r, err := post(t.Context(), op.URL(EndpointRegistration), nil)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "form", p.do(r).json["error"], meta)
}

func TestRegistrationAnswersWithDefaults(t *testing.T) {
	op := NewWith(t, Config{SecretLifetime: time.Hour})
	p := &party{t: t, op: op}
	a := p.sendJSON("POST", op.URL(EndpointRegistration), "", map[string]any{"redirect_uris": list(DefaultRedirectURI), "client_name": "Name", "client_name#fr": "Nom", "colour": "blue"})
	for name, v := range map[string]any{
		"response_types": list("code"), "grant_types": list("authorization_code"), "application_type": "web", "token_endpoint_auth_method": "client_secret_basic",
		"id_token_signed_response_alg": "RS256", "subject_type": "public", "client_name#fr": "Nom", "colour": nil,
		"client_secret_expires_at": float64(op.Now().Add(time.Hour).Unix()),
	} {
		want(t, name, a.json[name], v)
	}
	p.client = Client{ID: a.json["client_id"].(string), Secret: a.json["client_secret"].(string), RedirectURIs: []string{DefaultRedirectURI}}
	p.browser = op.Browser()
	v := p.params("code")
	code := p.login(v).Params().Get("code")
	want(t, "login", p.redeem(code).status, 200)
	want(t, "listed", op.Clients()[0].ID, p.client.ID)
	op.Advance(time.Hour)
	want(t, "expired secret", p.redeem(p.login(v).Params().Get("code")).json["error"], "invalid_client")
}

func TestRegistrationManagement(t *testing.T) {
	op := NewWith(t, Config{InitialAccessToken: "initial", RotateRegistrationToken: true, AwkwardCredentials: true})
	p := &party{t: t, op: op}
	doc := map[string]any{"redirect_uris": list(DefaultRedirectURI)}
	want(t, "no token", p.sendJSON("POST", op.URL(EndpointRegistration), "", doc).status, 401)
	want(t, "wrong token", p.sendJSON("POST", op.URL(EndpointRegistration), "x", doc).status, 401)
	a := p.sendJSON("POST", op.URL(EndpointRegistration), "initial", doc)
	want(t, "status", a.status, 201)
	uri, token, id := a.json["registration_client_uri"].(string), a.json["registration_access_token"].(string), a.json["client_id"].(string)

	want(t, "read without token", p.get(uri, "").status, 401)
	want(t, "read another", p.get(op.URL(EndpointManagement)+"nobody", token).status, 401)
	a = p.get(uri, token)
	want(t, "read", a.json["client_id"], id)
	want(t, "old token after rotation", p.get(uri, token).status, 401)
	token = a.json["registration_access_token"].(string)

	for _, c := range []struct {
		name   string
		change map[string]any
	}{
		{"no client_id", map[string]any{"client_id": nil}},
		{"other client_id", map[string]any{"client_id": "other"}},
		{"other secret", map[string]any{"client_secret": "other"}},
		{"registration token", map[string]any{"registration_access_token": token}},
		{"issue date", map[string]any{"client_id_issued_at": 1}},
		{"bad metadata", map[string]any{"redirect_uris": list()}},
	} {
		m := map[string]any{"client_id": id, "redirect_uris": list("https://rp.example/new")}
		for k, v := range c.change {
			m[k] = v
		}
		want(t, c.name, p.sendJSON("PUT", uri, token, m).status, 400)
	}
	a = p.sendJSON("PUT", uri, token, map[string]any{"client_id": id, "client_secret": a.json["client_secret"], "redirect_uris": list("https://rp.example/new"), "client_name": "New"})
	want(t, "update", a.status, 200)
	want(t, "updated", a.json["redirect_uris"], list("https://rp.example/new"))
	want(t, "in force", op.Clients()[0].RedirectURIs, []string{"https://rp.example/new"})
	token = a.json["registration_access_token"].(string)
	want(t, "unknown method", p.sendJSON("PATCH", uri, token, doc).status, 405)
	want(t, "delete", p.sendJSON("DELETE", uri, token, doc).status, 204)
	want(t, "gone", p.get(uri, token).status, 401)
	want(t, "clients", len(op.Clients()), 0)
}

func TestRegistrationCanBeOff(t *testing.T) {
	op := NewWith(t, Config{NoRegistration: true, ImplicitRefused: true, NoIssParameter: true})
	p := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	want(t, "status", p.sendJSON("POST", op.URL(EndpointRegistration), "", map[string]any{}).status, 404)
	meta := p.get(op.URL(EndpointDiscovery), "").json
	want(t, "registration_endpoint", meta["registration_endpoint"], nil)
	want(t, "response types", meta["response_types_supported"], list("code"))
	want(t, "iss announced", meta["authorization_response_iss_parameter_supported"], nil)
	want(t, "iss sent", p.login(p.params("code")).Params().Has("iss"), false)
	want(t, "implicit", p.login(p.params("id_token")).Params().Get("error"), "unsupported_response_type")
}

func TestSectorIdentifier(t *testing.T) {
	// The document lives at another provider's host, whose certificate the
	// client of this one trusts.
	host := New(t)
	host.Intercept(EndpointNone, func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.Write([]byte(`["https://a.example/","https://b.example/"]`)); err != nil {
			t.Error(err)
		}
	})
	op := NewWith(t, Config{Client: host.HTTPClient()})
	p := &party{t: t, op: op}
	doc := map[string]any{"subject_type": "pairwise", "sector_identifier_uri": host.Issuer + "/sector", "redirect_uris": list("https://a.example/", "https://b.example/")}
	want(t, "both named", p.sendJSON("POST", op.URL(EndpointRegistration), "", doc).status, 201)
	doc["redirect_uris"] = list("https://c.example/")
	want(t, "another", p.sendJSON("POST", op.URL(EndpointRegistration), "", doc).json["error"], "invalid_client_metadata")

	public := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	a := newParty(t, op, Client{SubjectType: "pairwise", SectorIdentifierURI: "https://a.example/s", IDTokenSignedResponseAlg: "EdDSA"})
	b := newParty(t, op, Client{SubjectType: "pairwise", SectorIdentifierURI: "https://a.example/other", IDTokenSignedResponseAlg: "EdDSA"})
	c := newParty(t, op, Client{SubjectType: "pairwise", SectorIdentifierURI: "https://c.example/s", IDTokenSignedResponseAlg: "EdDSA"})
	sub := func(p *party) string {
		_, claims := p.verify(p.login(p.params("id_token")).Params().Get("id_token"))
		return claims["sub"].(string)
	}
	want(t, "one sector", sub(a), sub(b))
	want(t, "two sectors", sub(a) == sub(c), false)
	want(t, "public", sub(a) == sub(public), false)
}
