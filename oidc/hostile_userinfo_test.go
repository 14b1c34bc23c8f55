package oidc_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestHostileUserInfo breaks the UserInfo endpoint. What the test OP can do wrong
// by itself is in TestHostileFaults.
func TestHostileUserInfo(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	tok := r.mustLogin()
	ask := func(t *testing.T, h http.HandlerFunc) (*oidc.UserInfo, error) {
		op.Intercept(oidctest.EndpointUserInfo, h)
		defer op.Intercept(oidctest.EndpointUserInfo, nil)
		op.ClearLog()
		ui, err := r.c.UserInfo(t.Context(), tok)
		wantCalls(t, op, oidctest.EndpointUserInfo, 1)
		if err != nil {
			r.wire.check(t, err)
		}
		return ui, err
	}
	sub := `"sub":"` + tok.IDToken.Subject + `"`
	for _, c := range []struct {
		name, body string
		want       oidc.Reason // "": accepted
	}{
		{"230_sub_differs", `{"sub":"mallory"}`, oidc.SubjectMismatch},
		{"230_sub_in_another_case", `{"sub":"` + strings.ToUpper(tok.IDToken.Subject) + `"}`, oidc.SubjectMismatch},
		{"230_sub_with_a_space", `{"sub":"` + tok.IDToken.Subject + ` "}`, oidc.SubjectMismatch},
		{"230_sub_a_number", `{"sub":7}`, oidc.MalformedResponse},
		{"231_sub_missing", `{"name":"x"}`, oidc.SubjectMismatch},
		{"231_sub_null", `{"sub":null}`, oidc.SubjectMismatch},
		{"231_sub_empty", `{"sub":""}`, oidc.SubjectMismatch},
		{"232_sub_twice", `{` + sub + `,"sub":"mallory"}`, oidc.MalformedResponse},
		{"232_sub_twice_escaped", `{` + sub + `,"s\u0075b":"mallory"}`, oidc.MalformedResponse},
		{"233_case_variants", `{` + sub + `,"SUB":"mallory","Email":"root@example.com"}`, ""},
		{"233_case_variant_alone", `{"SUB":"` + tok.IDToken.Subject + `"}`, oidc.SubjectMismatch},
		{"238_deep", `{` + sub + `,"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, oidc.MalformedResponse},
		{"227_email_verified_string", `{` + sub + `,"email":"a@b.example","email_verified":"true"}`, ""},
		{"227_email_verified_one", `{` + sub + `,"email":"a@b.example","email_verified":1}`, ""},
		{"227_email_verified_null", `{` + sub + `,"email":"a@b.example","email_verified":null}`, ""},
		{"227_email_verified_upper_case", `{` + sub + `,"email":"a@b.example","email_verified":"TRUE"}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ui, err := ask(t, respond(200, "application/json", c.body))
			if c.want != "" {
				r.in(t).reason(err, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := ui.VerifiedEmail(); ok || ui.Email == "root@example.com" {
				t.Errorf("got %+v", ui.StandardClaims)
			}
		})
	}
	for name, f := range hostileBodies("application/json", sub) {
		n := map[string]string{"endless": "239", "gzip_bomb": "239", "slow_loris": "239"}[name]
		if n == "" {
			n = "238"
		}
		t.Run(n+"_"+name, func(t *testing.T) {
			op := newOP(t)
			r := setup(t, op)
			tok := r.mustLogin()
			o := options(op)
			o.Timeout = f.timeout
			p, err := oidc.NewProvider(r.p.Metadata(), o)
			if err != nil {
				t.Fatal(err)
			}
			r.p = p
			r.client()
			op.Intercept(oidctest.EndpointUserInfo, f.handler)
			_, err = r.c.UserInfo(t.Context(), tok)
			r.reason(err, f.want)
		})
	}
	t.Run("234_html", func(t *testing.T) {
		for _, ct := range []string{"text/html", "text/plain", "", "application/jwt"} {
			_, err := ask(t, respond(200, ct, `{`+sub+`}`))
			r.in(t).reason(err, oidc.UnexpectedMediaType)
		}
	})
	t.Run("240_redirect", func(t *testing.T) {
		other := newOP(t)
		for _, to := range []string{other.URL(oidctest.EndpointUserInfo), "http://" + op.Host + "/userinfo", op.URL(oidctest.EndpointUserInfo)} {
			_, err := ask(t, redirect(to))
			r.in(t).reason(err, oidc.UnexpectedRedirect)
		}
		if len(other.Received()) != 0 {
			t.Error("the access token went elsewhere")
		}
	})
	t.Run("241_error_body", func(t *testing.T) {
		_, err := ask(t, respond(500, "text/html", "<script>alert(1)</script> at 10.1.2.3"))
		if s := err.Error(); strings.Contains(s, "script") || strings.Contains(s, "10.1.2.3") {
			t.Errorf("the body is repeated: %s", s)
		}
	})
	t.Run("242_refusals", func(t *testing.T) {
		for name, c := range map[string]struct {
			h         http.HandlerFunc
			code      string
			temporary bool
		}{
			"challenge":      {challenge(401, `Bearer realm="x", error="invalid_token", error_description="it, \"expired\""`), "invalid_token", false},
			"bare challenge": {challenge(401, `Bearer`), "", false},
			"unquoted":       {challenge(403, `bearer ERROR=insufficient_scope , scope=openid`), "insufficient_scope", false},
			"body":           {respond(401, "application/problem+json", `{"error":"invalid_token"}`), "invalid_token", false},
			"in a 200":       {respond(200, "application/json", `{"error":"invalid_token"}`), "invalid_token", false},
			"overloaded":     {challenge(503, ""), "", true},
			"rate limited":   {challenge(429, ""), "", true},
			"method":         {respond(405, "text/plain", ""), "", false},
		} {
			_, err := ask(t, c.h)
			if oe := r.in(t).refusal(err, c.code); oe.Temporary() != c.temporary || oe.Endpoint != oidc.StepUserInfo {
				t.Errorf("%s: %+v", name, oe)
			}
		}
		op.Advance(time.Hour)
		_, err := r.c.UserInfo(t.Context(), tok)
		r.in(t).refusal(err, "invalid_token")
		op.Advance(-time.Hour)
	})
	t.Run("243_bearer_in_the_header", func(t *testing.T) {
		op.ClearLog()
		if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
		req := op.Requests(oidctest.EndpointUserInfo)[0]
		if req.Header.Get("Authorization") != "Bearer "+tok.AccessToken || len(req.Query) != 0 || req.Form != nil || req.Method != "GET" || req.Header.Get("Accept") != "application/json" {
			t.Errorf("sent %v %v %v", req, req.Query, req.Header)
		}
	})
	t.Run("231_nothing_to_compare_with", func(t *testing.T) {
		_, err := r.c.UserInfo(t.Context(), nil)
		wantInput(t, err, oidc.NoAccessToken)
		_, err = r.c.UserInfo(t.Context(), &oidc.Tokens{IDToken: tok.IDToken})
		wantInput(t, err, oidc.NoAccessToken)
		_, err = r.c.UserInfo(t.Context(), &oidc.Tokens{AccessToken: "x"})
		wantInput(t, err, oidc.BadParameter)
		_, err = r.c.UserInfo(t.Context(), &oidc.Tokens{AccessToken: "x", TokenType: "DPoP", IDToken: tok.IDToken})
		wantUnsupported(t, err)
		md := byHand(op)
		md.UserInfoEndpoint = ""
		p, err := oidc.NewProvider(md, r.opts)
		if err != nil {
			t.Fatal(err)
		}
		c, err := oidc.NewClient(p, r.reg.ClientConfig())
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.UserInfo(t.Context(), tok)
		wantUnsupported(t, err)
	})
}

// TestSignedUserInfo demands the signature that was registered.
func TestSignedUserInfo(t *testing.T) {
	op := newOP(t)
	for _, alg := range []string{"RS256", "ES256", "HS256"} {
		t.Run(alg, func(t *testing.T) {
			r := setup(t, op, func(m *oidc.ClientMetadata) { m.UserInfoSignedResponseAlg = alg })
			tok := r.mustLogin()
			ui, err := r.c.UserInfo(t.Context(), tok)
			if err != nil || !ui.Signed || ui.Subject != tok.IDToken.Subject {
				t.Fatalf("got %v, %v", ui, err)
			}
			if len(ui.Raw()) == 0 {
				t.Error("no raw claims")
			}
		})
	}
	r := setup(t, op, func(m *oidc.ClientMetadata) { m.UserInfoSignedResponseAlg = "RS256" })
	tok := r.mustLogin()
	header := []byte(`{"alg":"RS256"}`)
	for name, c := range map[string]struct {
		body string
		want oidc.Reason // "": accepted
	}{
		"no iss and aud": {signRS256(header, []byte(`{"sub":"`+tok.IDToken.Subject+`"}`)), ""},
		"nbf":            {signRS256(header, []byte(`{"sub":"x","nbf":9999999999}`)), oidc.TokenNotYetValid},
		"typ":            {signRS256([]byte(`{"alg":"RS256","typ":"at+jwt"}`), []byte(`{"sub":"x"}`)), oidc.BadType},
		"exp a string":   {signRS256(header, []byte(`{"sub":"x","exp":"x"}`)), oidc.BadClaim},
		"payload null":   {signRS256(header, []byte(`null`)), oidc.MalformedToken},
		"not a token":    {"hello", oidc.MalformedToken},
		"other sub":      {signRS256(header, []byte(`{"sub":"x"}`)), oidc.SubjectMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			defer op.Intercept(oidctest.EndpointUserInfo, nil)
			op.Intercept(oidctest.EndpointUserInfo, respond(200, "application/jwt; charset=utf-8", "\n"+c.body+"\n"))
			_, err := r.c.UserInfo(t.Context(), tok)
			if c.want != "" {
				r.in(t).reason(err, c.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStandardClaims reads every claim of Core section 5.1 and names those of a
// wrong type.
func TestStandardClaims(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	r.params.Scopes = []string{"profile", "email", "address", "phone"}
	tok := r.mustLogin()
	ui, err := r.c.UserInfo(t.Context(), tok)
	if err != nil {
		t.Fatal(err)
	}
	u := op.Users()[0]
	got := ui.StandardClaims
	want := oidc.StandardClaims{
		Subject: u.Sub, Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName, MiddleName: u.MiddleName, Nickname: u.Nickname, PreferredUsername: u.PreferredUsername,
		Profile: u.Profile, Picture: u.Picture, Website: u.Website, Email: u.Email, EmailVerified: true, Gender: u.Gender, Birthdate: u.Birthdate, Zoneinfo: u.Zoneinfo, Locale: u.Locale,
		PhoneNumber: u.PhoneNumber, PhoneNumberVerified: true, UpdatedAt: time.Unix(u.UpdatedAt, 0).UTC(),
	}
	if got.Address == nil || *got.Address != oidc.Address(*u.Address) {
		t.Errorf("address %+v, want %+v", got.Address, u.Address)
	}
	got.Address = nil
	if got != want || len(ui.Malformed) != 0 {
		t.Errorf("got  %+v\nwant %+v\nmalformed %v", got, want, ui.Malformed)
	}
	if email, ok := ui.VerifiedEmail(); !ok || email != u.Email {
		t.Errorf("verified email %q, %v", email, ok)
	}
	var more struct {
		Name string `json:"name"`
	}
	if err := ui.Claims(&more); err != nil || more.Name != u.Name {
		t.Errorf("got %+v, %v", more, err)
	}

	sub := `"sub":"` + u.Sub + `"`
	defer op.Intercept(oidctest.EndpointUserInfo, nil)
	op.Intercept(oidctest.EndpointUserInfo, respond(200, "application/json", `{`+sub+`,"name":7,"email":["a"],"email_verified":"true","phone_number_verified":"false","updated_at":"2026-01-01","address":"x","locale":null,"zoneinfo":""}`))
	ui, err = r.c.UserInfo(t.Context(), tok)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(ui.Malformed, " ") != "address email email_verified name phone_number_verified updated_at" {
		t.Errorf("malformed: %v", ui.Malformed)
	}
	if ui.Name != "" || ui.EmailVerified || ui.Address != nil || !ui.UpdatedAt.IsZero() {
		t.Errorf("got %+v", ui.StandardClaims)
	}
	r.client(func(c *oidc.ClientConfig) { c.Quirks.EmailVerifiedString = true })
	op.Intercept(oidctest.EndpointUserInfo, respond(200, "application/json", `{`+sub+`,"email":"a@b.example","email_verified":"true","phone_number_verified":"false"}`))
	if ui, err = r.c.UserInfo(t.Context(), tok); err != nil || !ui.EmailVerified || ui.PhoneNumberVerified || len(ui.Malformed) != 0 {
		t.Errorf("with the quirk: %+v, %v", ui, err)
	}
}
