package oidc_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestSignedIntrospectionAtTheBounds: the answer is of now, give or take the skew of
// the clocks; what it is about is an object.
func TestSignedIntrospectionAtTheBounds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	op := newOP(t, nowAt(now))
	r := setup(t, op, func(m *oidc.ClientMetadata) { m.IntrospectionSignedResponseAlg = "RS256" })
	const age, skew = 5 * time.Minute, oidc.DefaultClockSkew
	for name, c := range map[string]struct {
		header string
		change map[string]any
		want   oidc.Reason // "": accepted
	}{
		"now":                 {``, nil, ""},
		"typ_with_its_tree":   {`"typ":"application/Token-Introspection+JWT"`, nil, ""},
		"typ_missing":         {`"x":1`, nil, oidc.BadType},
		"typ_jwt":             {`"typ":"JWT"`, nil, oidc.BadType},
		"iat_at_the_end":      {``, map[string]any{"iat": now.Add(skew).Unix()}, ""},
		"iat_after_it":        {``, map[string]any{"iat": now.Add(skew + time.Second).Unix()}, oidc.TokenNotYetValid},
		"iat_at_the_start":    {``, map[string]any{"iat": now.Add(-age - skew).Unix()}, ""},
		"iat_before_it":       {``, map[string]any{"iat": now.Add(-age - skew - time.Second).Unix()}, oidc.TokenTooOld},
		"iat_a_string":        {``, map[string]any{"iat": "now"}, oidc.BadClaim},
		"iss_a_number":        {``, map[string]any{"iss": 7}, oidc.BadClaim},
		"iat_missing":         {``, map[string]any{"iat": nil}, oidc.MissingClaim},
		"iss_of_another":      {``, map[string]any{"iss": op.Issuer + "/"}, oidc.BadIssuer},
		"aud_of_another":      {``, map[string]any{"aud": "https://other.example"}, oidc.BadAudience},
		"aud_of_several":      {``, map[string]any{"aud": []string{"https://other.example", r.c.ID()}}, ""},
		"member_null":         {``, map[string]any{"token_introspection": nil}, oidc.MissingClaim},
		"member_a_list":       {``, map[string]any{"token_introspection": []any{}}, oidc.MissingClaim},
		"member_a_string":     {``, map[string]any{"token_introspection": "{}"}, oidc.MissingClaim},
		"active_beside_it":    {``, map[string]any{"token_introspection": map[string]any{}, "active": true}, oidc.MissingClaim},
		"expired_all_by_self": {``, map[string]any{"token_introspection": map[string]any{"active": true, "exp": 1}}, oidc.TokenExpired},
	} {
		t.Run(name, func(t *testing.T) {
			claims := map[string]any{"iss": op.Issuer, "aud": r.c.ID(), "iat": now.Unix(), "token_introspection": map[string]any{"active": true, "sub": "alice"}}
			maps.Copy(claims, c.change)
			header := c.header
			if header == "" {
				header = `"typ":"token-introspection+jwt"`
			}
			op.Intercept(oidctest.EndpointIntrospection, respond(200, "application/token-introspection+jwt", signRS256([]byte(`{"alg":"RS256",`+header+`}`), marshal(claims))+"\n"))
			i, err := r.c.Introspect(t.Context(), "x", "")
			if c.want != "" {
				r.in(t).reason(err, c.want)
				return
			}
			if err != nil || !i.Active || !i.Signed || i.Subject != "alice" {
				t.Errorf("got %v, %v", i, err)
			}
		})
	}
}

// TestIntrospectionIsEncryptedAsAgreed: an answer that is signed alone is refused where
// it was to be encrypted too.
func TestIntrospectionIsEncryptedAsAgreed(t *testing.T) {
	op := newOP(t)
	r := setupWith(t, op, []oidc.Key{encryptionKey(t)}, func(m *oidc.ClientMetadata) { m.IntrospectionEncryptedResponseAlg = "ECDH-ES" })
	if i, err := r.c.Introspect(t.Context(), "x", ""); err != nil || !i.Signed {
		t.Fatalf("got %v, %v", i, err)
	}
	claims := map[string]any{"iss": op.Issuer, "aud": r.c.ID(), "iat": op.Now().Unix(), "token_introspection": map[string]any{"active": true}}
	op.Intercept(oidctest.EndpointIntrospection, respond(200, "application/token-introspection+jwt", signRS256([]byte(`{"alg":"RS256","typ":"token-introspection+jwt"}`), marshal(claims))))
	_, err := r.c.Introspect(t.Context(), "x", "")
	r.reason(err, oidc.BadEncryption)
}

// TestIntrospectionMembers: what is null is absent, and what could be an error's name
// is none beside active.
func TestIntrospectionMembers(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	for body, want := range map[string]oidc.Reason{
		`{"active":true,"error":"none of yours"}`: "", `{"active":false,"error":"none of yours"}`: "", `{"active":true,"cnf":null}`: "",
		`{"active":true,"scope":null,"username":null,"exp":null}`: "", `{"active":true,"cnf":{"of_another_kind":1}}`: "",
		`{"active":null}`: oidc.BadClaim, `{"active":1}`: oidc.BadClaim, `{"active":"true"}`: oidc.BadClaim, `{}`: oidc.MissingClaim, `[]`: oidc.MalformedResponse, `null`: oidc.MalformedResponse, `{"active":true`: oidc.MalformedResponse,
		`{"active":true,"cnf":"x"}`: oidc.MalformedResponse, `{"active":true,"cnf":{"jkt":7}}`: oidc.BadClaim, `{"active":true,"sub":7}`: oidc.BadClaim, `{"active":true,"scope":["a"]}`: oidc.BadClaim,
	} {
		op.Intercept(oidctest.EndpointIntrospection, respond(200, "application/json", body))
		i, err := r.c.Introspect(t.Context(), "x", "")
		switch {
		case want != "":
			r.reason(err, want)
		case err != nil:
			t.Errorf("%s: %v", body, err)
		case i.Active != strings.Contains(body, `"active":true`) || string(i.Raw()) != body:
			t.Errorf("%s: got %+v", body, i)
		}
	}
	op.Intercept(oidctest.EndpointIntrospection, respond(200, "application/json", `{"error":"invalid_request"}`))
	_, err := r.c.Introspect(t.Context(), "x", "")
	r.refusal(err, "invalid_request")
}

// TestIntrospectAtTheBounds: a token may be as long as MaxAccessToken; a longer one is
// sent nowhere.
func TestIntrospectAtTheBounds(t *testing.T) {
	sent := 0
	c := asks(t, func(w http.ResponseWriter, q *http.Request) {
		sent++
		respond(200, "application/json", `{"active":false}`)(w, q)
	}, oidc.ClientConfig{Secret: "s"})
	if _, err := c.Introspect(t.Context(), strings.Repeat("t", oidc.MaxAccessToken), ""); err != nil || sent != 1 {
		t.Errorf("at the bound: %v, %d requests", err, sent)
	}
	_, err := c.Introspect(t.Context(), strings.Repeat("t", oidc.MaxAccessToken+1), "")
	if wantInput(t, err, oidc.BadParameter); sent != 1 {
		t.Error("what is too long was sent")
	}
}

// TestIntrospectionAlgorithm: what is encrypted is signed too, by what is registered
// or else RS256; a secret is needed for what is signed with it alone.
func TestIntrospectionAlgorithm(t *testing.T) {
	r := setup(t, newOP(t))
	for name, c := range map[string]struct {
		alg, encryption, secret string
		field                   string // that is to blame; "": none
	}{
		"ES256":                  {"ES256", "", "", ""},
		"HS256":                  {"HS256", "", benchSecret, ""},
		"HS256_without_a_secret": {"HS256", "", "", "ClientConfig.Secret"},
		"encrypted":              {"", "ECDH-ES", "", ""},
		"encrypted_by_ES256":     {"ES256", "ECDH-ES", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := oidc.NewClient(r.p, oidc.ClientConfig{ID: "rp", Secret: c.secret, Encryption: oidc.JWE(), Keys: []oidc.Key{encryptionKey(t)}, Metadata: oidc.ClientMetadata{
				RedirectURIs: []string{redirectURI}, IntrospectionSignedResponseAlg: c.alg, IntrospectionEncryptedResponseAlg: c.encryption}})
			if c.field != "" {
				wantField(t, err, c.field)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
