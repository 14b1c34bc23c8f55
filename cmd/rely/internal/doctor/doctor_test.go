package doctor

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rely.example/oidc"
)

// good is the metadata of an OP with nothing wrong, which fits every profile.
func good() map[string]any {
	return map[string]any{
		"issuer":                   "https://op.example",
		"authorization_endpoint":   "https://op.example/authorize",
		"token_endpoint":           "https://op.example/token",
		"userinfo_endpoint":        "https://op.example/userinfo",
		"jwks_uri":                 "https://op.example/keys",
		"registration_endpoint":    "https://op.example/register",
		"revocation_endpoint":      "https://op.example/revoke",
		"end_session_endpoint":     "https://op.example/logout",
		"scopes_supported":         []string{"openid", "email"},
		"response_types_supported": []string{"code", "code id_token"},
		"response_modes_supported": []string{"query", "form_post", "jwt"},
		"grant_types_supported":    []string{"authorization_code", "refresh_token"},
		"subject_types_supported":  []string{"public"},

		"id_token_signing_alg_values_supported":            []string{"RS256", "ES256"},
		"token_endpoint_auth_methods_supported":            []string{"client_secret_basic", "private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"ES256", "PS256"},
		"code_challenge_methods_supported":                 []string{"S256"},
		"authorization_response_iss_parameter_supported":   true,
		"pushed_authorization_request_endpoint":            "https://op.example/par",
		"request_parameter_supported":                      true,
		"request_object_signing_alg_values_supported":      []string{"ES256"},
		"authorization_signing_alg_values_supported":       []string{"ES256"},
		"dpop_signing_alg_values_supported":                []string{"ES256"},
		"tls_client_certificate_bound_access_tokens":       true,
	}
}

// examine judges the good metadata with one change.
func examine(t *testing.T, security string, change map[string]any) *Report {
	t.Helper()
	doc := good()
	maps.Copy(doc, change)
	maps.DeleteFunc(doc, func(_ string, v any) bool { return v == nil })
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	md, err := oidc.ParseProviderMetadata(raw)
	if err != nil {
		t.Fatal(err)
	}
	p, err := oidc.NewProvider(md, &oidc.Options{InsecureAllowHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return Examine(p, security, nil)
}

func TestNothingWrong(t *testing.T) {
	r := examine(t, "", nil)
	for _, f := range r.Findings {
		if f.Level != Works {
			t.Errorf("%s: %s", f.Level, f.Text)
		}
	}
	if len(r.At(Works)) < 10 {
		t.Errorf("only %d things work: %v", len(r.At(Works)), r.At(Works))
	}
	for _, p := range r.Profiles {
		if len(p.Lacks) > 0 {
			t.Errorf("%s lacks %v", p.Name, p.Lacks)
		}
	}
	if len(r.Profiles) != len(Names()) {
		t.Errorf("%d profiles, want %v", len(r.Profiles), Names())
	}
}

// TestRemarks flips one member of the good metadata and expects one finding.
func TestRemarks(t *testing.T) {
	for _, c := range []struct {
		name   string
		change map[string]any
		level  Level
		text   string
	}{
		{"http", map[string]any{"issuer": "http://op.example", "authorization_endpoint": "http://op.example/a", "token_endpoint": "http://op.example/t",
			"userinfo_endpoint": "http://op.example/u", "jwks_uri": "http://op.example/k"}, Weak, "The issuer is an http URL"},
		{"no response types", map[string]any{"response_types_supported": nil}, Weak, "response_types_supported is missing"},
		{"no subject types", map[string]any{"subject_types_supported": nil}, Weak, "subject_types_supported is missing"},
		{"no algorithms", map[string]any{"id_token_signing_alg_values_supported": nil}, Weak, "id_token_signing_alg_values_supported is missing"},
		{"no RS256", map[string]any{"id_token_signing_alg_values_supported": []string{"ES256"}}, Note, "does not announce RS256"},
		{"none", map[string]any{"id_token_signing_alg_values_supported": []string{"none", "RS256"}}, Weak, "alg none"},
		{"PKCE silent", map[string]any{"code_challenge_methods_supported": nil}, Weak, "does not announce PKCE with S256"},
		{"no iss", map[string]any{"authorization_response_iss_parameter_supported": nil}, Weak, "does not name itself"},
		{"no openid", map[string]any{"scopes_supported": []string{"email"}}, Weak, "scopes_supported lacks openid"},
		{"password", map[string]any{"grant_types_supported": []string{"authorization_code", "password"}}, Weak, "takes users' passwords"},
		{"RSA1_5", map[string]any{"id_token_encryption_alg_values_supported": []string{"RSA1_5"}}, Weak, "RSA1_5"},
		{"public", map[string]any{"token_endpoint_auth_methods_supported": []string{"none"}}, Note, "All its clients are public"},
		{"no registration", map[string]any{"registration_endpoint": nil}, Note, "no dynamic registration"},
		{"no UserInfo", map[string]any{"userinfo_endpoint": nil}, Note, "no UserInfo endpoint"},
		{"no logout", map[string]any{"end_session_endpoint": nil}, Note, "no end_session_endpoint"},
		{"elsewhere", map[string]any{"token_endpoint": "https://tokens.example/token"}, Note, "at another host than the issuer: tokens.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := examine(t, "", c.change)
			var others []Finding
			for _, f := range r.Findings {
				if f.Level != Works {
					others = append(others, f)
				}
			}
			if len(others) != 1 || others[0].Level != c.level || !strings.Contains(others[0].Text, c.text) {
				t.Errorf("got %v, want one %s finding with %q", others, c.level, c.text)
			}
			if r.Advice.Go == "" || len(r.Advice.Commands) == 0 {
				t.Error("no client is advised, although a login works")
			}
		})
	}
}

// TestLacks flips one member and expects the profiles that ask for it to lack it.
func TestLacks(t *testing.T) {
	for _, c := range []struct {
		name   string
		change map[string]any
		want   map[string]string // by profile, a part of the one thing that it lacks
	}{
		{"PKCE", map[string]any{"code_challenge_methods_supported": []string{"plain"}},
			map[string]string{OAuth21: "7.5.2", FAPI1Advanced: "5.2.2 (18)", FAPI2Security: "5.3.2.2", FAPI2MessageSigning: "5.3.2.2"}},
		{"password", map[string]any{"grant_types_supported": []string{"password"}},
			map[string]string{OAuth21: "password", FAPI2Security: "password", FAPI2MessageSigning: "password"}},
		{"PAR", map[string]any{"pushed_authorization_request_endpoint": nil},
			map[string]string{FAPI2Security: "pushed", FAPI2MessageSigning: "pushed"}},
		{"iss", map[string]any{"authorization_response_iss_parameter_supported": false},
			map[string]string{FAPI2Security: "(iss)", FAPI2MessageSigning: "(iss)"}},
		{"shared secrets alone", map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_basic"}},
			map[string]string{FAPI1Advanced: "5.2.2 (14)", FAPI2Security: "private_key_jwt", FAPI2MessageSigning: "private_key_jwt"}},
		{"no certificate", map[string]any{"tls_client_certificate_bound_access_tokens": nil},
			map[string]string{FAPI1Advanced: "certificate"}},
		{"ID Tokens by RSA PKCS #1", map[string]any{"id_token_signing_alg_values_supported": []string{"RS256"}},
			map[string]string{FAPI1Advanced: "8.6", FAPI2Security: "5.4.1", FAPI2MessageSigning: "5.4.1"}},
		{"assertions by RSA PKCS #1", map[string]any{"token_endpoint_auth_signing_alg_values_supported": []string{"RS256"}},
			map[string]string{FAPI2Security: "assertions", FAPI2MessageSigning: "assertions"}},
		{"no request objects", map[string]any{"request_object_signing_alg_values_supported": []string{"RS256"}},
			map[string]string{FAPI1Advanced: "request objects signed", FAPI2MessageSigning: "JAR"}},
		{"no JARM", map[string]any{"response_modes_supported": []string{"query"}},
			map[string]string{FAPI2MessageSigning: "JARM"}},
		{"JARM by RSA PKCS #1", map[string]any{"authorization_signing_alg_values_supported": []string{"RS256"}},
			map[string]string{FAPI2MessageSigning: "answers signed with"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := examine(t, "", c.change)
			for _, p := range r.Profiles {
				want, lacking := c.want[p.Name]
				switch {
				case !lacking && len(p.Lacks) > 0:
					t.Errorf("%s lacks %v, want nothing", p.Name, p.Lacks)
				case lacking && len(p.Lacks) != 1:
					t.Errorf("%s lacks %v, want one thing", p.Name, p.Lacks)
				case lacking && !strings.Contains(p.Lacks[0].Text+" "+p.Lacks[0].Spec, want):
					t.Errorf("%s lacks %v, want %q", p.Name, p.Lacks[0], want)
				}
			}
		})
	}
}

func TestBroken(t *testing.T) {
	for _, change := range []map[string]any{
		{"jwks_uri": nil},
		{"token_endpoint": nil},
		{"authorization_endpoint": nil},
		{"id_token_signing_alg_values_supported": []string{"none"}},
	} {
		r := examine(t, "", change)
		if b := r.At(Broken); len(b) != 1 {
			t.Errorf("%v: %v is broken, want one thing", change, b)
		}
		if r.Advice.Go != "" || r.Advice.Commands != nil {
			t.Errorf("%v: a client is advised that cannot work", change)
		}
	}
}

// TestAdvice: what is advised compiles, as far as names and syntax go, is written
// as gofmt writes, and the commands say the same.
func TestAdvice(t *testing.T) {
	for _, c := range []struct {
		name, security string
		change         map[string]any
		source         []string
		commands       []string
	}{
		{name: "plain", source: []string{`Secret: os.Getenv("CLIENT_SECRET")`},
			commands: []string{"rely register https://op.example", "rely login https://op.example"}},
		{name: "by hand", change: map[string]any{"registration_endpoint": nil, "token_endpoint_auth_methods_supported": []string{"client_secret_post"}},
			source:   []string{`TokenEndpointAuthMethod: "client_secret_post"`},
			commands: []string{"rely login https://op.example --client-id ID --client-secret-file secret.txt --auth-method client_secret_post"}},
		{name: "public", change: map[string]any{"token_endpoint_auth_methods_supported": []string{"none"}},
			source:   []string{`TokenEndpointAuthMethod: "none"`},
			commands: []string{"rely register https://op.example --auth-method none", "rely login https://op.example"}},
		{name: "profile", security: FAPI2Security, source: []string{"Keys: []oidc.Key{key}", "Profile: oidc.FAPI2Security", "DPoP: oidc.DPoPES256()", `TokenEndpointAuthMethod: "private_key_jwt"`, `IDTokenSignedResponseAlg: "ES256"`},
			commands: []string{"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client.pem",
				"rely register https://op.example --auth-method private_key_jwt --key client.pem --security fapi2-security --id-token-alg ES256", "rely login https://op.example"}},
		{name: "RSA key", security: FAPI1Advanced, change: map[string]any{"token_endpoint_auth_signing_alg_values_supported": []string{"PS256"}},
			source: []string{`TokenEndpointAuthSigningAlg: "PS256"`},
			commands: []string{"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out client.pem",
				"rely register https://op.example --auth-method private_key_jwt --key client.pem --auth-signing-alg PS256 --security fapi1-advanced --cert certificate.pem --id-token-alg ES256", "rely login https://op.example"}},
		{name: "no code", change: map[string]any{"response_types_supported": []string{"id_token"}},
			source:   []string{`ResponseTypes: []string{"id_token"}`},
			commands: []string{"rely register https://op.example --response-type id_token", "rely login https://op.example --response-type id_token"}},
		{name: "shell", change: map[string]any{"issuer": "https://op.example/$(reboot)'", "registration_endpoint": nil},
			commands: []string{`rely login 'https://op.example/$(reboot)'\''' --client-id ID --client-secret-file secret.txt`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := examine(t, c.security, c.change).Advice
			e, err := parser.ParseExpr(a.Go)
			if err != nil {
				t.Fatalf("%v:\n%s", err, a.Go)
			}
			namesExist(t, reflect.TypeFor[oidc.ClientConfig](), e)
			spaces := strings.Join(strings.Fields(a.Go), " ")
			for _, want := range c.source {
				if !strings.Contains(spaces, want) {
					t.Errorf("there is no %s in\n%s", want, a.Go)
				}
			}
			if c.commands != nil && !slices.Equal(a.Commands, c.commands) {
				t.Errorf("got  %s\nwant %s", strings.Join(a.Commands, "\n     "), strings.Join(c.commands, "\n     "))
			}
		})
	}
}

// namesExist compares the names in a literal with the fields that there are.
func namesExist(t *testing.T, typ reflect.Type, e ast.Expr) {
	t.Helper()
	lit, ok := e.(*ast.CompositeLit)
	if !ok || typ.Kind() != reflect.Struct {
		return
	}
	for _, el := range lit.Elts {
		kv := el.(*ast.KeyValueExpr)
		name := fmt.Sprint(kv.Key)
		f, ok := typ.FieldByName(name)
		if !ok {
			t.Errorf("%v has no field %s", typ, name)
			continue
		}
		namesExist(t, f.Type, kv.Value)
	}
}
