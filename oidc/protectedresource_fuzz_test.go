package oidc_test

import (
	"context"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
)

const fuzzAPI = "https://api.example/v1"

// wantSafe asserts what is true of all metadata that is believed: it is of the API
// that was asked, and sends nobody to a place in the clear or to a script.
func wantSafe(t *testing.T, r *oidc.ProtectedResource) {
	t.Helper()
	if r.Resource != fuzzAPI || len(r.AuthorizationServers) > oidc.MaxAuthorizationServers {
		t.Fatalf("believed %+v", r)
	}
	for _, s := range append([]string{r.JWKSURI}, r.AuthorizationServers...) {
		if u, err := url.Parse(s); s != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "") {
			t.Fatalf("%q is believed", s)
		}
	}
	for _, s := range []string{r.ResourceDocumentation, r.ResourcePolicyURI, r.ResourceTOSURI} {
		if s != "" && !strings.HasPrefix(strings.ToLower(s), "https://") && !strings.HasPrefix(strings.ToLower(s), "http://") {
			t.Fatalf("%q is a page", s)
		}
	}
}

// wantRefusal asserts that an error comes alone, and is one to be told apart.
func wantRefusal(t *testing.T, r *oidc.ProtectedResource, err error) {
	t.Helper()
	if r != nil {
		t.Fatalf("metadata beside the error %v", err)
	}
	if _, ok := errors.AsType[*oidc.ProtocolError](err); !ok {
		t.Fatal(err)
	}
	if s := err.Error(); strings.ContainsAny(s, "\r\n\x1b\x00") {
		t.Fatalf("%q", s)
	}
}

// FuzzProtectedResource: whatever an API says of itself, what is believed is safe,
// and nobody counts as its signer.
func FuzzProtectedResource(f *testing.F) {
	for _, s := range []string{`{"resource":"https://api.example/v1","authorization_servers":["https://op.example"],"jwks_uri":"https://api.example/k","resource_tos_uri":"https://api.example/tos"}`,
		`{"resource":"https://api.example/v1/"}`, `{"resource":"https://api.example/v1","authorization_servers":["http://op.example","https://op.example?x"]}`, `{"resource":"https://api.example/v1","resource":"x"}`,
		`{"resource":"https://api.example/v1","resource_policy_uri":"javascript:alert(1)"}`, `{"resource":"https://api.example/v1","signed_metadata":"a.e30.c","resource_name#fr":"x"}`, `null`, `[]`, `{"Resource":"https://api.example/v1"}`,
		`{"resource":"https://api.example/v1","authorization_servers":[],"tls_client_certificate_bound_access_tokens":"yes"}`, `{"resource":"https://api.example/v1","resource_signing_alg_values_supported":["none"]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		o := &oidc.Options{HTTPClient: answers(200, jsonHeader, doc, nil)}
		r, err := oidc.FindResource(context.Background(), fuzzAPI, oidc.ResourceParams{}, o)
		if err != nil {
			wantRefusal(t, r, err)
			return
		}
		wantSafe(t, r)
		if r.Signer != "" || r.Signed != nil || string(r.Raw) != string(doc) {
			t.Fatalf("signed by %q: %s of %s", r.Signer, r.Signed, r.Raw)
		}
	})
}

// FuzzSignedResource: what counts as signed was signed by the signer, for this API;
// it wins over what stands beside it, and where metadata must be signed nothing else
// counts.
func FuzzSignedResource(f *testing.F) {
	good := `{"iss":"https://signer.example","resource":"https://api.example/v1","authorization_servers":["https://op.example"]}`
	for _, s := range []string{good, `{"iss":"https://signer.example"}`, `null`, `[]`, strings.Replace(good, `"https://signer.example"`, `"https://attacker.example"`, 1), strings.Replace(good, "v1", "v2", 1),
		strings.Replace(good, "{", `{"signed_metadata":"a.e30.c",`, 1), strings.Replace(good, "{", `{"exp":1,`, 1), strings.Replace(good, "{", `{"x":1e400,`, 1), strings.Replace(good, "{", `{"aud":"x",`, 1), strings.Replace(good, "{", `{"iss":"x",`, 1),
		strings.Replace(good, `["https://op.example"]`, `null`, 1), strings.Replace(good, `["https://op.example"]`, `"https://op.example"`, 1), strings.Replace(good, "{", `{"jwks_uri":"http://x",`, 1)} {
		f.Add([]byte(`{"alg":"RS256"}`), []byte(s), true, true)
		f.Add([]byte(`{"alg":"RS256","typ":"at+jwt"}`), []byte(s), true, false)
		f.Add([]byte(`{"alg":"none"}`), []byte(s), false, false)
		f.Add([]byte(`{"alg":"HS256"}`), []byte(s), false, true)
	}
	jwks := marshal(map[string]any{"keys": []any{map[string]any{"kty": "RSA", "n": b64(opKey().N.Bytes()), "e": "AQAB"}}})
	f.Fuzz(func(t *testing.T, header, payload []byte, signed, required bool) {
		now := func() time.Time { return time.Unix(1.7e9, 0) }
		signer, err := oidc.NewProvider(oidc.ProviderMetadata{Issuer: "https://signer.example", JWKS: jwks}, &oidc.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		raw := b64(header) + "." + b64(payload) + "." + b64([]byte("no signature of anybody"))
		if signed {
			raw = signRS256(header, payload)
		}
		doc := marshal(map[string]any{"resource": fuzzAPI, "authorization_servers": []string{"https://plain.example"}, "resource_name": "Plain", "signed_metadata": raw})
		r, err := oidc.FindResource(context.Background(), fuzzAPI, oidc.ResourceParams{Signers: []*oidc.Provider{signer}, RequireSigned: required},
			&oidc.Options{HTTPClient: answers(200, jsonHeader, doc, nil), Now: now})
		if err != nil {
			wantRefusal(t, r, err)
			return
		}
		wantSafe(t, r)
		if !signed || r.Signer != "https://signer.example" || string(r.Signed) != string(payload) {
			t.Fatalf("%s.%s is believed of %q", header, payload, r.Signer)
		}
		claims := meaning(t, payload)
		_, nested := claims["signed_metadata"]
		if claims["iss"] != r.Signer || claims["resource"] != fuzzAPI || nested || claims["aud"] != nil {
			t.Fatalf("%s is believed", payload)
		}
		servers, there := claims["authorization_servers"]
		list, _ := servers.([]any)
		want := []string{"https://plain.example"}
		if there || required {
			want = nil
			for _, s := range list {
				want = append(want, s.(string))
			}
		}
		if len(r.AuthorizationServers)+len(want) > 0 && !reflect.DeepEqual(r.AuthorizationServers, want) {
			t.Fatalf("%s: the servers are %v, want %v", payload, r.AuthorizationServers, want)
		}
		if _, there := claims["resource_name"]; !there && (r.ResourceName == "Plain") == required {
			t.Fatalf("%s: the name is %q", payload, r.ResourceName)
		}
	})
}
