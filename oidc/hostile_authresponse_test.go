package oidc_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// response edits the authentication response of every login.
func response(op *oidctest.OP, f func(url.Values)) { op.TamperAuthResponse(f) }

// withParam sets a parameter of the response; "" removes it.
func withParam(name, value string) func(url.Values) {
	return func(v url.Values) {
		v.Set(name, value)
		if value == "" {
			v.Del(name)
		}
	}
}

// TestHostileAuthResponse breaks the response that the browser delivers. In no
// case is the token endpoint asked.
func TestHostileAuthResponse(t *testing.T) {
	op := newOP(t)
	long := strings.Repeat("a", 10<<10)
	for _, c := range []struct {
		name  string
		types string // "": code
		mode  string
		edit  func(url.Values)
		want  oidc.Reason
	}{
		{"096_state_missing", "", "", withParam("state", ""), oidc.BadState},
		{"096_state_empty", "", "", func(v url.Values) { v["state"] = []string{""} }, oidc.BadState},
		{"096_state_missing_in_a_fragment", "id_token", "", withParam("state", ""), oidc.BadState},
		{"097_state_too_long", "", "", withParam("state", strings.Repeat("s", oidc.MaxState+1)), oidc.BadState},
		{"099_iss_of_another", "", "", withParam("iss", "https://attacker.example"), oidc.BadResponseIssuer},
		{"099_iss_with_a_slash", "", "", withParam("iss", op.Issuer+"/"), oidc.BadResponseIssuer},
		{"099_iss_in_upper_case", "", "", withParam("iss", strings.ToUpper(op.Issuer)), oidc.BadResponseIssuer},
		{"099_iss_encoded_twice", "", "", withParam("iss", url.QueryEscape(op.Issuer)), oidc.BadResponseIssuer},
		{"099_iss_of_another_beside_an_id_token", "code id_token", "", withParam("iss", "https://attacker.example"), oidc.BadResponseIssuer},
		{"099_iss_of_another_in_an_error", "", "", func(v url.Values) {
			v.Set("iss", "https://attacker.example")
			v.Set("error", "access_denied")
			v.Del("code")
		}, oidc.BadResponseIssuer},
		{"100_iss_missing_though_announced", "", "", withParam("iss", ""), oidc.BadResponseIssuer},
		{"100_iss_empty", "", "", func(v url.Values) { v["iss"] = []string{""} }, oidc.BadResponseIssuer},
		{"100_iss_missing_without_id_token", "code token", "", withParam("iss", ""), oidc.BadResponseIssuer},
		{"102_code_twice", "", "", func(v url.Values) { v["code"] = append(v["code"], "other") }, oidc.DuplicateParameter},
		{"102_code_twice_and_equal", "", "", func(v url.Values) { v["code"] = append(v["code"], v.Get("code")) }, oidc.DuplicateParameter},
		{"102_code_twice_in_a_form", "", "form_post", func(v url.Values) { v["code"] = append(v["code"], "other") }, oidc.DuplicateParameter},
		{"102_code_twice_in_a_fragment", "code id_token", "", func(v url.Values) { v["code"] = append(v["code"], "other") }, oidc.DuplicateParameter},
		{"103_state_twice", "", "", func(v url.Values) { v["state"] = append(v["state"], "other") }, oidc.DuplicateParameter},
		{"103_iss_twice", "", "", func(v url.Values) { v["iss"] = append(v["iss"], "https://attacker.example") }, oidc.DuplicateParameter},
		{"103_id_token_twice", "id_token", "", func(v url.Values) { v["id_token"] = append(v["id_token"], "x") }, oidc.DuplicateParameter},
		{"104_code_and_error", "", "", withParam("error", "access_denied"), oidc.UnexpectedParameter},
		{"104_error_and_id_token", "id_token", "", withParam("error", "access_denied"), oidc.UnexpectedParameter},
		{"104_error_and_access_token", "id_token token", "", func(v url.Values) { v.Set("error", "access_denied"); v.Del("id_token") }, oidc.UnexpectedParameter},
		{"105_code_missing", "", "", withParam("code", ""), oidc.MissingParameter},
		{"105_code_empty", "", "", func(v url.Values) { v["code"] = []string{""} }, oidc.MissingParameter},
		{"105_code_too_long", "", "", withParam("code", long), oidc.MalformedAuthResponse},
		{"105_code_missing_in_hybrid", "code id_token", "", withParam("code", ""), oidc.MissingParameter},
		{"105_id_token_missing", "id_token", "", withParam("id_token", ""), oidc.MissingParameter},
		{"105_access_token_missing", "id_token token", "", withParam("access_token", ""), oidc.MissingParameter},
		{"105_token_type_missing", "id_token token", "", withParam("token_type", ""), oidc.BadTokenType},
		{"105_token_type_mac", "code token", "", withParam("token_type", "mac"), oidc.BadTokenType},
		{"105_access_token_with_a_line_break", "id_token token", "", withParam("access_token", "a\r\nX: y"), oidc.BadTokenResponse},
		{"105_access_token_nobody_asked_for", "", "", withParam("access_token", "injected"), oidc.UnexpectedParameter},
		{"105_id_token_nobody_asked_for", "", "", withParam("id_token", "injected"), oidc.UnexpectedParameter},
		{"105_code_nobody_asked_for", "id_token", "", withParam("code", "injected"), oidc.UnexpectedParameter},
		{"122_response_beside_plain_parameters", "", "", withParam("response", "a.b.c"), oidc.UnexpectedParameter},
		{"122_response_in_place_of_the_code", "", "", func(v url.Values) { v.Del("code"); v.Set("response", "a.b.c") }, oidc.UnexpectedParameter},
		{"122_response_alone", "", "", func(v url.Values) {
			clear(v)
			v.Set("response", hs256(t, jwt{claims: map[string]any{"code": "x"}}, "secret"))
		}, oidc.BadState},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer op.TamperAuthResponse(nil)
			r := setup(t, op)
			if c.types != "" {
				r = setup(t, op, types(c.types))
			}
			r.params.ResponseMode = c.mode
			response(op, c.edit)
			op.ClearLog()
			r.refused(c.want)
			wantNoCall(t, op, oidctest.EndpointToken, oidctest.EndpointUserInfo)
		})
	}
	t.Run("097_state_of_nobody", func(t *testing.T) {
		r := setup(t, op)
		pending, cb := r.begin()
		for _, state := range []string{pending.State + "x", pending.State[1:], strings.ToUpper(pending.State), strings.Repeat("A", 43)} {
			v := cb.URL.Query()
			v.Set("state", state)
			a, err := oidc.ReadAuthQuery(v.Encode())
			if err != nil {
				t.Fatal(err)
			}
			op.ClearLog()
			_, err = r.c.Finish(t.Context(), pending, a)
			r.reason(err, oidc.BadState)
			wantNoCall(t, op, oidctest.EndpointToken)
		}
	})
	t.Run("097_pending_without_state", func(t *testing.T) {
		r := setup(t, op)
		pending, cb := r.begin()
		pending.State = ""
		v := cb.URL.Query()
		v.Del("state")
		a, err := oidc.ReadAuthQuery(v.Encode())
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.c.Finish(t.Context(), pending, a)
		r.reason(err, oidc.BadState)
	})
	t.Run("098_login_that_another_browser_began", func(t *testing.T) {
		r := setup(t, op)
		_, attackers := r.begin()
		victims, _ := r.begin()
		a, err := read(attackers)
		if err != nil {
			t.Fatal(err)
		}
		op.ClearLog()
		// The victim's browser delivers the attacker's code: the Pending that
		// this browser is bound to has another state.
		_, err = r.c.Finish(t.Context(), victims, a)
		r.reason(err, oidc.BadState)
		wantNoCall(t, op, oidctest.EndpointToken)
	})
	t.Run("098_code_of_another_login", func(t *testing.T) {
		r := setup(t, op)
		_, attackers := r.begin()
		victims, cb := r.begin()
		v := cb.URL.Query()
		v.Set("code", attackers.Params().Get("code"))
		a, err := oidc.ReadAuthQuery(v.Encode())
		if err != nil {
			t.Fatal(err)
		}
		// An injected code meets PKCE at the OP (RFC 7636 section 1).
		_, err = r.c.Finish(t.Context(), victims, a)
		r.refusal(err, "invalid_grant")
	})
	t.Run("100_iss_missing_beside_an_id_token", func(t *testing.T) {
		defer op.TamperAuthResponse(nil)
		r := setup(t, op, types("code id_token"))
		response(op, withParam("iss", ""))
		r.mustLogin() // the ID Token's own iss was checked before the code was used
	})
	t.Run("100_iss_not_announced", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.NoIssParameter = true })
		r := setup(t, op)
		r.mustLogin()
		response(op, withParam("iss", "https://attacker.example"))
		r.refused(oidc.BadResponseIssuer)
	})
	t.Run("099_quirk_encoded_issuer", func(t *testing.T) {
		defer op.TamperAuthResponse(nil)
		r := setup(t, op)
		r.client(func(c *oidc.ClientConfig) { c.Quirks.EncodedResponseIssuer = true })
		response(op, withParam("iss", url.QueryEscape(op.Issuer)))
		r.mustLogin()
		response(op, withParam("iss", "https://attacker.example"))
		r.refused(oidc.BadResponseIssuer)
	})
	t.Run("101_callback_of_another_op", func(t *testing.T) {
		other := newOP(t)
		a, b := setup(t, op), setup(t, other)
		pending, cb := a.begin()
		op.ClearLog()
		_, err := b.finish(pending, cb)
		b.reason(err, oidc.WrongClient)
		wantNoCall(t, op, oidctest.EndpointToken)
		wantNoCall(t, other, oidctest.EndpointToken)
	})
	t.Run("101_callback_of_another_client", func(t *testing.T) {
		a, b := setup(t, op), setup(t, op)
		pending, cb := a.begin()
		op.ClearLog()
		_, err := b.finish(pending, cb)
		b.reason(err, oidc.WrongClient)
		wantNoCall(t, op, oidctest.EndpointToken)
	})
	t.Run("106_forged_error", func(t *testing.T) {
		r := setup(t, op)
		pending, _ := r.begin()
		a, err := oidc.ReadAuthQuery("error=access_denied&error_description=You+won&state=forged&iss=" + url.QueryEscape(op.Issuer))
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.c.Finish(t.Context(), pending, a)
		r.reason(err, oidc.BadState)
		if _, ok := errors.AsType[*oidc.OPError](err); ok || strings.Contains(err.Error(), "won") {
			t.Errorf("the attacker's words are shown: %v", err)
		}
		a, err = oidc.ReadAuthQuery("error=access_denied&error_description=You+won")
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.PendingKey()
		wantReason(t, err, oidc.BadState)
	})
	t.Run("107_hostile_error_description", func(t *testing.T) {
		defer op.TamperAuthResponse(nil)
		r := setup(t, op)
		words := "<script>alert(1)</script>\r\nSet-Cookie: a=b\x1b[31mred\u202egnp.exe\x00\ufeff\xff" + strings.Repeat("x", 2000)
		response(op, func(v url.Values) {
			v.Del("code")
			v.Set("error", "access_denied")
			v.Set("error_description", words)
		})
		_, err := r.login()
		oe := r.refusal(err, "access_denied")
		if oe.Description != words {
			t.Error("the words were changed: a caller can escape them, not restore them")
		}
		var logged strings.Builder
		slog.New(slog.NewTextHandler(&logged, nil)).Error("login", "err", err)
		for name, s := range map[string]string{"error": err.Error(), "log": logged.String()} {
			if strings.ContainsAny(strings.TrimSuffix(s, "\n"), "\r\n\x1b\u202e\x00\ufeff") || !utf8.ValidString(s) || len(s) > 1000 {
				t.Errorf("the %s is not fit for a terminal: %q", name, s)
			}
		}
	})
	t.Run("107_hostile_error_code", func(t *testing.T) {
		defer op.TamperAuthResponse(nil)
		r := setup(t, op)
		response(op, func(v url.Values) { v.Del("code"); v.Set("error", "a\r\nb\x1b"+strings.Repeat("x", 1000)) })
		_, err := r.login()
		if s := err.Error(); strings.ContainsAny(s, "\r\n\x1b") || len(s) > 500 {
			t.Errorf("%q", s)
		}
	})
	for _, c := range []struct{ asked, comes string }{{"", "fragment"}, {"", "form_post"}, {"fragment", "query"}, {"form_post", "query"}, {"form_post", "fragment"}} {
		t.Run("108_asked_for_"+c.asked+"_comes_as_"+c.comes, func(t *testing.T) {
			r := setup(t, op)
			r.params.ResponseMode = c.asked
			pending, cb := r.begin()
			other := &oidctest.Callback{Mode: c.comes, URL: mustURL(redirectURI)}
			switch c.comes {
			case "fragment":
				other.URL = mustURL(redirectURI + "#" + cb.Params().Encode())
			case "query":
				other.URL.RawQuery = cb.Params().Encode()
			default:
				other.Form = cb.Params()
			}
			op.ClearLog()
			_, err := r.finish(pending, other)
			r.reason(err, oidc.WrongResponseMode)
			wantNoCall(t, op, oidctest.EndpointToken)
			r.client(func(c *oidc.ClientConfig) { c.Quirks.AnyResponseMode = true })
			if _, err := r.finish(pending, other); err != nil {
				t.Errorf("with the quirk: %v", err)
			}
		})
	}
	t.Run("109_query_and_body_disagree", func(t *testing.T) {
		r := setup(t, op)
		r.params.ResponseMode = "form_post"
		_, cb := r.begin()
		for _, q := range []string{"code=B", "state=B", "error=x", "iss=x", "id_token=x"} {
			cb.URL.RawQuery = q
			_, err := oidc.ReadAuthResponse(cb.Request())
			wantReason(t, err, oidc.DuplicateParameter)
		}
		cb.URL.RawQuery = "tenant=blue"
		if _, err := oidc.ReadAuthResponse(cb.Request()); err != nil {
			t.Errorf("the redirect URI's own query: %v", err)
		}
		cb.URL.RawQuery = "%zz"
		_, err := oidc.ReadAuthResponse(cb.Request())
		wantReason(t, err, oidc.MalformedAuthResponse)
	})
	t.Run("109_query_and_fragment_disagree", func(t *testing.T) {
		_, err := oidc.ReadAuthURL(redirectURI + "?code=A#code=B&state=s")
		wantReason(t, err, oidc.DuplicateParameter)
		_, err = oidc.ReadAuthURL(redirectURI + "?a=%zz#code=B&state=s")
		wantReason(t, err, oidc.MalformedAuthResponse)
		if a, err := oidc.ReadAuthURL(redirectURI + "?tenant=blue#code=B&state=s"); err != nil || a.Mode() != oidc.ModeFragment {
			t.Errorf("got %v, %v", a, err)
		}
		if a, err := oidc.ReadAuthURL(redirectURI + "?code=B&state=s#"); err != nil || a.Mode() != oidc.ModeQuery {
			t.Errorf("got %v, %v", a, err)
		}
	})
	t.Run("113_multipart_of_200_mib", func(t *testing.T) {
		body := &countingReader{}
		req := httptest.NewRequest(http.MethodPost, redirectURI, body)
		req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		_, err := oidc.ReadAuthResponse(req)
		wantReason(t, err, oidc.NotANavigation)
		if body.n != 0 {
			t.Errorf("%d bytes were read first", body.n)
		}
	})
	t.Run("113_form_of_200_mib", func(t *testing.T) {
		body := &countingReader{}
		req := httptest.NewRequest(http.MethodPost, redirectURI, body)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		_, err := oidc.ReadAuthResponse(req)
		wantReason(t, err, oidc.MalformedAuthResponse)
		if body.n > oidc.MaxAuthResponse+64<<10 {
			t.Errorf("%d bytes were read", body.n)
		}
	})
	t.Run("113_long_query_fragment_and_form", func(t *testing.T) {
		huge := "code=" + strings.Repeat("a", oidc.MaxAuthResponse)
		for name, err := range map[string]error{
			"query":    second(oidc.ReadAuthQuery(huge)),
			"fragment": second(oidc.ReadAuthFragment("#" + huge)),
			"url":      second(oidc.ReadAuthURL(redirectURI + "?" + huge + strings.Repeat("a", oidc.MaxAuthURL))),
			"form":     second(oidc.ReadAuthForm(url.Values{"code": {huge}})),
			"request":  second(oidc.ReadAuthResponse(&http.Request{Method: "GET", URL: &url.URL{RawQuery: huge}})),
		} {
			t.Run(name, func(t *testing.T) { wantReason(t, err, oidc.MalformedAuthResponse) })
		}
	})
	t.Run("113_body_that_breaks_off", func(t *testing.T) {
		req := httptest.NewRequest(http.MethodPost, redirectURI, io.MultiReader(strings.NewReader("code=a"), brokenReader{}))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		_, err := oidc.ReadAuthResponse(req)
		wantReason(t, err, oidc.Unreachable)
		_, err = oidc.ReadAuthResponse(&http.Request{Method: "POST", URL: &url.URL{}, Header: req.Header})
		wantReason(t, err, oidc.NotANavigation)
	})
	t.Run("114_login_too_old", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		pending, cb := r.begin()
		op.Advance(oidc.DefaultLoginLifetime + time.Second)
		op.ClearLog()
		_, err := r.finish(pending, cb)
		r.reason(err, oidc.LoginExpired)
		wantNoCall(t, op, oidctest.EndpointToken)
		r.client(func(c *oidc.ClientConfig) { c.LoginLifetime = time.Minute })
		pending, cb = r.begin()
		op.Advance(61 * time.Second)
		_, err = r.finish(pending, cb)
		r.reason(err, oidc.LoginExpired)
	})
	t.Run("114_login_from_the_future", func(t *testing.T) {
		r := setup(t, op)
		pending, cb := r.begin()
		pending.Created = pending.Created.Add(oidc.DefaultClockSkew + time.Second)
		_, err := r.finish(pending, cb)
		r.reason(err, oidc.LoginExpired)
	})
	for _, c := range []struct{ name, method, header, value string }{
		{"head", "HEAD", "", ""}, {"options", "OPTIONS", "", ""}, {"put", "PUT", "", ""}, {"delete", "DELETE", "", ""}, {"patch", "PATCH", "", ""}, {"odd_method", "get", "", ""},
		{"prefetch", "GET", "Sec-Purpose", "prefetch"}, {"prerender", "GET", "Sec-Purpose", "prefetch;prerender"}, {"old_prefetch", "GET", "Purpose", "prefetch"},
		{"post_without_type", "POST", "", ""}, {"post_json", "POST", "Content-Type", "application/json"}, {"post_text", "POST", "Content-Type", "text/plain"},
	} {
		t.Run("120_"+c.name, func(t *testing.T) {
			r := setup(t, op)
			_, cb := r.begin()
			req := cb.Request()
			req.Method = c.method
			if c.header != "" {
				req.Header.Set(c.header, c.value)
			}
			_, err := oidc.ReadAuthResponse(req)
			wantReason(t, err, oidc.NotANavigation)
		})
	}
	t.Run("120_nothing_of_a_response", func(t *testing.T) {
		for _, q := range []string{"", "utm_source=x", "foo"} {
			_, err := oidc.ReadAuthQuery(q)
			wantReason(t, err, oidc.NotANavigation)
		}
		for _, q := range []string{"code=%zz", "code=a;b", "%"} {
			_, err := oidc.ReadAuthQuery(q)
			wantReason(t, err, oidc.MalformedAuthResponse)
			_, err = oidc.ReadAuthFragment(q)
			wantReason(t, err, oidc.MalformedAuthResponse)
		}
		req := httptest.NewRequest(http.MethodPost, redirectURI, strings.NewReader("code=%zz"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		_, err := oidc.ReadAuthResponse(req)
		wantReason(t, err, oidc.MalformedAuthResponse)
	})
	for name, place := range map[string]string{"host": "https://evil.example/callback", "scheme": "http://rp.example/callback", "path": "https://rp.example/callback/x", "port": "https://rp.example:8443/callback"} {
		t.Run("121_another_"+name, func(t *testing.T) {
			r := setup(t, op)
			pending, cb := r.begin()
			a, err := oidc.ReadAuthURL(place + "?" + cb.URL.RawQuery)
			if err != nil {
				t.Fatal(err)
			}
			op.ClearLog()
			_, err = r.c.Finish(t.Context(), pending, a)
			r.reason(err, oidc.WrongRedirectURI)
			wantNoCall(t, op, oidctest.EndpointToken)
			if a, err = oidc.ReadAuthURL("/callback?" + cb.URL.RawQuery); err != nil {
				t.Fatal(err)
			}
			if _, err = r.c.Finish(t.Context(), pending, a); err != nil {
				t.Errorf("a place that is not known for sure: %v", err)
			}
		})
	}
	t.Run("123_login_required", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		before := r.mustLogin()
		r.params.Prompt = []string{"none"}
		op.ClearLog()
		tok, err := r.login() // of a browser without a session at the OP
		oe := r.refusal(err, "login_required")
		if tok != nil || oe.Hint == "" || oe.StatusCode != 0 {
			t.Errorf("got %v, %v", tok, oe)
		}
		wantNoCall(t, op, oidctest.EndpointToken)
		if _, err := r.c.UserInfo(t.Context(), before); err != nil {
			t.Errorf("the session that was there: %v", err)
		}
	})
}

// TestOPErrors keeps every error code, listed or not.
func TestOPErrors(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	for _, code := range []string{"access_denied", "interaction_required", "consent_required", "account_selection_required", "invalid_scope", "unmet_authentication_requirements",
		"invalid_target", "temporarily_unavailable", "server_error", "of_our_own"} {
		response(op, func(v url.Values) {
			v.Del("code")
			v.Set("error", code)
			v.Set("error_uri", "https://op.example/help")
		})
		_, err := r.login()
		oe := r.refusal(err, code)
		if oe.Endpoint != oidc.StepAuthorization || oe.URI != "https://op.example/help" {
			t.Errorf("%s: %+v", code, oe)
		}
		if want := code == "temporarily_unavailable" || code == "server_error"; oe.Temporary() != want {
			t.Errorf("%s: Temporary is %v", code, oe.Temporary())
		}
	}
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

func second[T any](_ T, err error) error { return err }

// countingReader is 200 MiB of a form.
type countingReader struct{ n int }

func (c *countingReader) Read(b []byte) (int, error) {
	if c.n >= 200<<20 {
		return 0, io.EOF
	}
	for i := range b {
		b[i] = 'a'
	}
	c.n += len(b)
	return len(b), nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("broken") }
