package oidc_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// TestHostileLogout forges logout tokens and front-channel requests. What is kept
// of them is the concern of the floors above.
func TestHostileLogout(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	op := newOP(t, nowAt(now))
	r := setup(t, op)
	good := func() map[string]any {
		return map[string]any{"iss": op.Issuer, "aud": r.c.ID(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": "j-1", "sub": "alice", "sid": "s-1", "events": map[string]any{logoutEvent: map[string]any{}}}
	}
	sign := func(typ string, claims map[string]any) string {
		return signRS256([]byte(`{"alg":"RS256","typ":"`+typ+`"}`), marshal(claims))
	}
	without := func(name string) func(map[string]any) {
		return func(c map[string]any) { delete(c, name) }
	}
	with := func(name string, v any) func(map[string]any) {
		return func(c map[string]any) { c[name] = v }
	}
	for _, c := range []struct {
		name string
		edit func(map[string]any)
		want oidc.Reason // "": accepted
	}{
		{"265_sub_and_sid", func(map[string]any) {}, ""},
		{"265_sub_alone", without("sid"), ""},
		{"265_sid_alone", without("sub"), ""},
		{"255_events_missing", without("events"), oidc.BadType},
		{"255_events_of_another_kind", with("events", map[string]any{"https://example.com/other": map[string]any{}}), oidc.BadType},
		{"255_events_a_list", with("events", []any{logoutEvent}), oidc.BadType},
		{"255_events_null", with("events", nil), oidc.BadType},
		{"256_event_a_string", with("events", map[string]any{logoutEvent: "x"}), oidc.BadType},
		{"256_event_null", with("events", map[string]any{logoutEvent: nil}), oidc.BadType},
		{"257_nonce", with("nonce", "n"), oidc.BadNonce},
		{"258_iat_missing", without("iat"), oidc.MissingClaim},
		{"259_iat_in_the_future", with("iat", now.Add(time.Hour).Unix()), oidc.TokenNotYetValid},
		{"261_jti_missing", without("jti"), oidc.MissingClaim},
		{"262_foreign_iss", with("iss", "https://attacker.example"), oidc.BadIssuer},
		{"263_old_iat", with("iat", now.AddDate(-2, 0, 0).Unix()), oidc.TokenTooOld},
		{"263_expired", with("exp", now.Add(-time.Hour).Unix()), oidc.TokenExpired},
		{"264_wrong_aud", with("aud", "other"), oidc.BadAudience},
		{"264_no_sub_and_no_sid", func(c map[string]any) { delete(c, "sub"); delete(c, "sid") }, oidc.BadSubject},
		{"264_sub_too_long", with("sub", strings.Repeat("a", 300)), oidc.BadSubject},
		{"264_sub_of_the_bound", with("sub", strings.Repeat("a", oidc.MaxSubject)), ""},
		{"264_sub_beyond_it", with("sub", strings.Repeat("a", oidc.MaxSubject+1)), oidc.BadSubject},
		{"264_sid_a_number", with("sid", 7), oidc.BadClaim},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := good()
			c.edit(claims)
			tok, err := r.c.VerifyLogoutToken(t.Context(), sign("logout+jwt", claims))
			if c.want != "" {
				r.in(t).reason(err, c.want)
				if tok != nil {
					t.Error("a token beside the error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if sub, _ := claims["sub"].(string); tok.Subject != sub || tok.Issuer != op.Issuer || tok.ID != "j-1" || !tok.IssuedAt.Equal(now) || tok.Expiry.IsZero() {
				t.Errorf("got %+v", tok)
			}
		})
	}
	for typ, want := range map[string]oidc.Reason{"": "", "x": oidc.BadType, "logout+jwt": "", "application/logout+jwt": "", "JWT": "", "at+jwt": oidc.BadType, "id_token+jwt": oidc.BadType} {
		t.Run("260_typ_"+strings.NewReplacer("+", "_", "/", "_").Replace(typ), func(t *testing.T) {
			_, err := r.c.VerifyLogoutToken(t.Context(), sign(typ, good()))
			if want == "" && err != nil {
				t.Error(err)
			} else if want != "" {
				r.in(t).reason(err, want)
			}
		})
	}
	for name, c := range map[string]struct {
		raw  string
		want oidc.Reason
	}{
		"alg_none":     {b64([]byte(`{"alg":"none"}`)) + "." + b64(marshal(good())) + ".", oidc.BadAlgorithm},
		"wrong_alg":    {hs256(t, jwt{claims: good()}, r.reg.Secret), oidc.BadAlgorithm},
		"wrong_key":    {signed(sign("logout+jwt", good()), sign("logout+jwt", map[string]any{})), oidc.BadSignature},
		"no_token":     {"hello", oidc.MalformedToken},
		"payload_null": {signRS256([]byte(`{"alg":"RS256"}`), []byte("null")), oidc.MalformedToken},
	} {
		t.Run("264_"+name, func(t *testing.T) {
			_, err := r.c.VerifyLogoutToken(t.Context(), c.raw)
			r.in(t).reason(err, c.want)
		})
	}
	t.Run("264_id_token_in_its_place", func(t *testing.T) {
		_, err := r.c.VerifyLogoutToken(t.Context(), r.mustLogin().IDToken.Raw())
		if err == nil {
			t.Error("accepted")
		}
	})
	t.Run("264_unsigned_client", func(t *testing.T) {
		r := r.in(t)
		r.client(func(c *oidc.ClientConfig) {
			c.Metadata.IDTokenSignedResponseAlg, c.InsecureAllowUnsignedIDToken = "none", true
		})
		_, err := r.c.VerifyLogoutToken(t.Context(), b64([]byte(`{"alg":"none"}`))+"."+b64(marshal(good()))+".")
		wantUnsupported(t, err)
	})
	iss := url.QueryEscape(op.Issuer)
	for name, c := range map[string]struct {
		query string
		sid   string
		want  oidc.Reason
	}{
		"both":         {"iss=" + iss + "&sid=s-1", "s-1", ""},
		"neither":      {"", "", ""},
		"foreign_iss":  {"iss=https%3A%2F%2Fattacker.example&sid=s-1", "", oidc.BadIssuer},
		"sid_alone":    {"sid=s-1", "", oidc.MissingParameter},
		"iss_alone":    {"iss=" + iss, "", oidc.MissingParameter},
		"sid_twice":    {"iss=" + iss + "&sid=a&sid=b", "", oidc.DuplicateParameter},
		"iss_twice":    {"iss=" + iss + "&iss=x&sid=b", "", oidc.DuplicateParameter},
		"sid_at_bound": {"iss=" + iss + "&sid=" + strings.Repeat("a", oidc.MaxState), strings.Repeat("a", oidc.MaxState), ""},
		"sid_too_long": {"iss=" + iss + "&sid=" + strings.Repeat("a", oidc.MaxState+1), "", oidc.MissingParameter},
	} {
		t.Run("269_front_channel_"+name, func(t *testing.T) {
			q, err := url.ParseQuery(c.query)
			if err != nil {
				t.Fatal(err)
			}
			sid, err := r.c.FrontChannelLogout(q)
			if c.want != "" {
				r.in(t).reason(err, c.want)
			} else if err != nil || sid != c.sid {
				t.Errorf("got %q, %v", sid, err)
			}
		})
	}
	t.Run("269_front_channel_session_required", func(t *testing.T) {
		r := r.in(t)
		r.client(func(c *oidc.ClientConfig) { c.Metadata.FrontchannelLogoutSessionRequired = true })
		_, err := r.c.FrontChannelLogout(url.Values{})
		r.reason(err, oidc.MissingParameter)
	})
}

// signed is one token under the signature of another.
func signed(token, other string) string {
	return token[:strings.LastIndexByte(token, '.')] + other[strings.LastIndexByte(other, '.'):]
}

// TestLogoutRequest asks the OP to end its session too.
func TestLogoutRequest(t *testing.T) {
	const after = "https://rp.example/bye"
	op := newOP(t)
	r := setup(t, op, func(m *oidc.ClientMetadata) { m.PostLogoutRedirectURIs = []string{after} })
	tok := r.mustLogin()
	req, err := r.c.Logout(oidc.LogoutParams{IDToken: tok.IDToken, PostLogoutRedirectURI: after, LogoutHint: "alice", UILocales: []string{"fr", "en"}})
	if err != nil {
		t.Fatal(err)
	}
	u := mustURL(req.URL())
	if q := u.Query(); q.Get("id_token_hint") != tok.IDToken.Raw() || q.Get("client_id") != r.c.ID() || q.Get("post_logout_redirect_uri") != after || q.Get("state") != req.State ||
		q.Get("logout_hint") != "alice" || q.Get("ui_locales") != "fr en" || len(req.State) < 22 || req.Post() {
		t.Errorf("sent %v", q)
	}
	if action, fields := req.Form(); fields.Encode() != u.Query().Encode() || !strings.HasPrefix(req.URL(), action+"?") {
		t.Errorf("the form differs: %s %v", action, fields)
	}
	back, err := op.Browser().Logout(t.Context(), req.URL())
	if err != nil || back == nil {
		t.Fatalf("got %v, %v", back, err)
	}
	if err := r.c.FinishLogout(back.Query(), req.State); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		query, state string
		want         oidc.Reason
	}{"wrong": {"state=x", req.State, oidc.BadState}, "missing": {"", req.State, oidc.BadState}, "nothing begun": {"", "", oidc.BadState}, "twice": {"state=a&state=a", "a", oidc.DuplicateParameter}} {
		q, _ := url.ParseQuery(c.query)
		err := r.c.FinishLogout(q, c.state)
		if wantReason(t, err, c.want); err == nil {
			t.Error(name)
		}
	}
	for _, text := range []string{fmt.Sprintf("%+v", req), fmt.Sprintf("%#v", *req), fmt.Sprint(req.LogValue())} {
		if strings.Contains(text, req.State) || strings.Contains(text, tok.IDToken.Raw()) {
			t.Errorf("printed %s", text)
		}
	}
	bare, err := r.c.Logout(oidc.LogoutParams{})
	if err != nil || bare.State != "" || mustURL(bare.URL()).Query().Encode() != "client_id="+url.QueryEscape(r.c.ID()) {
		t.Errorf("got %v, %v", bare, err)
	}
	_, err = r.c.Logout(oidc.LogoutParams{PostLogoutRedirectURI: "https://attacker.example/"})
	wantInput(t, err, oidc.BadParameter)
	other := setup(t, newOP(t)).mustLogin()
	_, err = r.c.Logout(oidc.LogoutParams{IDToken: other.IDToken})
	wantInput(t, err, oidc.BadParameter)
	for more, post := range map[int]bool{0: false, 1: true} {
		hint := strings.Repeat("a", oidc.MaxAuthURL-len(bare.URL())-len("&logout_hint=")+more)
		if long, err := r.c.Logout(oidc.LogoutParams{LogoutHint: hint}); err != nil || len(long.URL()) != oidc.MaxAuthURL+more || long.Post() != post {
			t.Errorf("a URL of MaxAuthURL and %d: %v, %v", more, long, err)
		}
	}
	member(op, "end_session_endpoint", op.Issuer+"/logout?state=fixed")
	if err := r.p.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = r.c.Logout(oidc.LogoutParams{PostLogoutRedirectURI: after})
	wantReason(t, err, oidc.BadMetadata)
	member(op, "end_session_endpoint", nil)
	if err := r.p.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = r.c.Logout(oidc.LogoutParams{})
	wantUnsupported(t, err)
}

// TestSessionFrame is what a page of Session Management loads.
func TestSessionFrame(t *testing.T) {
	op := newOP(t)
	member(op, "check_session_iframe", "https://op.example:8443/frame?x")
	r := setup(t, op)
	frame, ok := r.c.SessionFrame(&oidc.Tokens{SessionState: "abc.def"})
	if want := (oidc.SessionFrame{URL: "https://op.example:8443/frame?x", Origin: "https://op.example:8443", Message: r.c.ID() + " abc.def"}); !ok || frame != want {
		t.Errorf("got %+v, %v", frame, ok)
	}
	for _, state := range []string{"", "a b"} {
		if _, ok := r.c.SessionFrame(&oidc.Tokens{SessionState: state}); ok {
			t.Errorf("session_state %q", state)
		}
	}
	if _, ok := setup(t, newOP(t)).c.SessionFrame(&oidc.Tokens{SessionState: "abc.def"}); ok {
		t.Error("an OP without such a page")
	}
}
