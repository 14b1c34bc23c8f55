package oidc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// hidden marks every secret of these tests, so that one that shows is found
// whatever stands around it.
const hidden = "s3cr3t-that-nobody-prints"

// secretValues are a value of each type that holds a secret.
func secretValues(t *testing.T) map[string]any {
	t.Helper()
	op := newOP(t)
	known := op.AddClient(oidctest.Client{Secret: hidden})
	p, err := discoverAt(t, op)
	if err != nil {
		t.Fatal(err)
	}
	config := oidc.ClientConfig{ID: known.ID, Secret: hidden, Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}, Keys: []oidc.Key{testKey()}}
	c, err := oidc.NewClient(p, config)
	if err != nil {
		t.Fatal(err)
	}
	req, err := c.Begin(t.Context(), oidc.AuthParams{LoginHint: hidden, IDTokenHint: hidden})
	if err != nil {
		t.Fatal(err)
	}
	pending := req.Pending
	pending.State, pending.Nonce, pending.Verifier = hidden, hidden, hidden
	res, err := oidc.ReadAuthQuery("code=" + hidden + "&state=" + hidden + "&id_token=" + hidden + "&error_description=" + hidden)
	if err != nil {
		t.Fatal(err)
	}
	op.Intercept(oidctest.EndpointDevice, respond(200, "application/json", `{"device_code":"`+hidden+`","user_code":"`+hidden+
		`","verification_uri":"https://op.example/device","verification_uri_complete":"https://op.example/device?c=`+hidden+`","expires_in":60}`))
	device, err := c.BeginDevice(t.Context(), oidc.DeviceParams{})
	if err != nil {
		t.Fatal(err)
	}
	ciba := oidc.CIBALogin{Issuer: op.Issuer, ClientID: "c", AuthReqID: hidden, NotificationToken: hidden, Mode: oidc.CIBAPush}
	push := httptest.NewRequest("POST", "/", strings.NewReader(`{"auth_req_id":"`+hidden+`","access_token":"`+hidden+`"}`))
	push.Header.Set("Content-Type", "application/json")
	push.Header.Set("Authorization", "Bearer "+hidden)
	notification, err := oidc.ReadCIBANotification(push)
	if err != nil {
		t.Fatal(err)
	}
	tok := oidc.Tokens{AccessToken: hidden, RefreshToken: hidden, TokenType: "Bearer", Raw: json.RawMessage(`{"access_token":"` + hidden + `"}`), Expiry: time.Unix(1e9, 0)}
	return map[string]any{
		"ClientConfig":                config,
		"Client":                      c,
		"Client value":                *c,
		"zero Client":                 oidc.Client{},
		"Registration":                oidc.Registration{ClientID: "c", Secret: hidden, AccessToken: hidden, URI: "https://op.example/register/c"},
		"Pending":                     pending,
		"AuthRequest":                 req,
		"AuthParams":                  oidc.AuthParams{Scopes: []string{"email"}, LoginHint: hidden, IDTokenHint: hidden, Extra: url.Values{"x": {hidden}}},
		"ExpectedIDToken":             oidc.ExpectedIDToken{Nonce: hidden, AccessToken: hidden, Code: hidden},
		"AuthRequest as a value":      *req,
		"DeviceLogin":                 device,
		"DeviceLogin as a value":      *device,
		"CIBALogin":                   &ciba,
		"CIBALogin as a value":        ciba,
		"CIBANotification":            notification,
		"CIBANotification as a value": *notification,
		"AuthResponse":                res,
		"Tokens":                      tok,
		"SecretBasic":                 oidc.SecretBasic(hidden),
		"SecretPost":                  oidc.SecretPost(hidden),
		"SecretJWT":                   oidc.SecretJWT(hidden, "HS512"),
		"PrivateKeyJWT":               oidc.PrivateKeyJWT(oidc.Key{ID: "k", Private: []byte(hidden)}),
		"Key":                         oidc.Key{ID: "k", Private: []byte(hidden)},
		"HTTP request":                oidc.AuthenticatedRequest{ClientID: "c", Endpoint: "https://op.example/token", Form: url.Values{"code": {hidden}, "client_secret": {hidden}}, Header: http.Header{"Authorization": {"Basic " + hidden}}},
		"masked message":              oidc.FrontMessage{Params: url.Values{"code": {hidden}}}.Masked(),
	}
}

// spellings are the ways in which a value gets into a log.
func spellings(t *testing.T, v any) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out[verb] = fmt.Sprintf(verb, v)
		out["in a slice "+verb] = fmt.Sprintf(verb, []any{v})
		out["in a map "+verb] = fmt.Sprintf(verb, map[string]any{"v": v})
		out["in a struct "+verb] = fmt.Sprintf(verb, struct{ V any }{v})
		out["in an error "+verb] = fmt.Sprintf(verb, fmt.Errorf("login: %v", v))
	}
	var text, js bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("login", "v", v, slog.Group("g", "v", v), "list", []any{v})
	slog.New(slog.NewJSONHandler(&js, nil)).Info("login", "v", v, slog.Group("g", "v", v), "list", []any{v})
	out["slog text"], out["slog JSON"] = text.String(), js.String()
	for name, v := range map[string]any{"JSON": v, "JSON in a struct": struct{ V any }{v}} {
		if b, err := json.Marshal(v); err == nil {
			out[name] = string(b)
		} else {
			out[name] = err.Error()
		}
	}
	return out
}

// TestRedaction prints every type that holds a secret in every way.
func TestRedaction(t *testing.T) {
	for name, v := range secretValues(t) {
		for how, s := range spellings(t, v) {
			if strings.Contains(s, hidden) || strings.Contains(s, fmt.Sprintf("%x", hidden)) {
				t.Errorf("%s by %s shows a secret: %s", name, how, s)
			}
		}
	}
}

// TestRedactionSaysWhatItIs keeps what is printed useful.
func TestRedactionSaysWhatItIs(t *testing.T) {
	for name, v := range secretValues(t) {
		s := fmt.Sprint(v)
		typ := strings.TrimPrefix(fmt.Sprintf("%T", v), "*")
		if strings.HasPrefix(typ, "oidc.") && typ != "oidc.FrontMessage" && !strings.HasPrefix(strings.ToLower(s), strings.ToLower(typ)+"{") {
			t.Errorf("%s prints as %s", name, s)
		}
	}
	for _, c := range []struct {
		v    any
		want string
	}{
		{oidc.Registration{ClientID: "c"}, "oidc.Registration{ClientID:c Secret:none AccessToken:none}"},
		{oidc.Key{ID: "k", Alg: "ES256"}, "oidc.Key{ID:k Alg:ES256 Use:}"},
		{oidc.Key{ID: "a\r\nb"}, "oidc.Key{ID:a??b Alg: Use:}"},
		{oidc.SecretJWT(hidden, ""), "oidc.SecretJWT{Alg:HS256}"},
		{oidc.SecretBasic(hidden), "oidc.SecretBasic{}"},
		{oidc.PrivateKeyJWT(oidc.Key{ID: "k"}), "oidc.PrivateKeyJWT{Key:k}"},
	} {
		if got := fmt.Sprint(c.v); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// TestRedactionBehindAPointer prints structs that keep secrets in fields of their
// own, where package fmt asks nobody how to print them.
func TestRedactionBehindAPointer(t *testing.T) {
	tok := &oidc.Tokens{AccessToken: hidden, RefreshToken: hidden}
	type session struct {
		tokens *oidc.Tokens
		client *oidc.Client
		config *oidc.ClientConfig
	}
	s := session{tok, nil, &oidc.ClientConfig{Secret: hidden}}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(verb, s); strings.Contains(text, hidden) {
			t.Errorf("%s shows a secret: %s", verb, text)
		}
	}
}

// TestJSONIsJSON marshals what holds odd text.
func TestJSONIsJSON(t *testing.T) {
	odd := "a\x00\"\\\u2028é\xff"
	for _, v := range []any{
		oidc.ClientConfig{ID: odd, Secret: hidden}, oidc.Key{ID: odd}, oidc.Registration{ClientID: odd, Secret: hidden}, oidc.Tokens{AccessToken: odd},
		oidc.Pending{State: odd, Issuer: odd}, oidc.AuthenticatedRequest{ClientID: odd},
	} {
		b, err := json.Marshal(v)
		if err != nil || !json.Valid(b) {
			t.Errorf("%T: %s, %v", v, b, err)
		}
	}
}

// TestRealLoginPrintsNothing prints what a login leaves behind.
func TestRealLoginPrintsNothing(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	tok := r.offline()
	ui, err := r.c.UserInfo(t.Context(), tok)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := r.begins()
	r.wire.secret(req.Pending.State, req.Pending.Nonce, req.Pending.Verifier, op.Users()[0].Email)
	for name, v := range map[string]any{"Tokens": tok, "IDToken": tok.IDToken, "IDToken value": *tok.IDToken, "UserInfo": ui, "AuthRequest": req, "Client": r.c, "Provider": r.p, "Registration": r.reg} {
		for how, s := range spellings(t, v) {
			if name == "UserInfo" && strings.Contains(how, "JSON") || name == "IDToken" && strings.Contains(how, "JSON") || strings.HasPrefix(name, "IDToken v") && strings.Contains(how, "JSON") {
				continue // claims are what these are for; a program that writes them as JSON means to
			}
			r.wire.check(t, fmt.Errorf("%s by %s: %s", name, how, s))
		}
	}
	for how, s := range spellings(t, tok.IDToken) {
		if strings.Contains(s, tok.IDToken.Raw()) {
			t.Errorf("the raw ID Token by %s", how)
		}
	}
	if got := tok.IDToken.Identity().String(); got != tok.IDToken.Subject+" at "+op.Issuer {
		t.Errorf("identity %s", got)
	}
}

// TestTraceMasks shows every exchange and message of a login without a secret.
func TestTraceMasks(t *testing.T) {
	op := newOP(t)
	secrets := &wire{} // what passes unmasked, of the same logins
	for _, unmasked := range []bool{true, false} {
		var mu sync.Mutex
		var seen strings.Builder
		r := &rig{t: t, op: op, opts: options(op), wire: secrets}
		r.opts.Trace = &oidc.Trace{
			InsecureUnmasked: unmasked,
			Exchange: func(ctx context.Context, e oidc.Exchange) {
				mu.Lock()
				defer mu.Unlock()
				fmt.Fprintf(&seen, "%s %s %s %v %s %d %v %s\n", e.Step, e.Method, e.URL, e.RequestHeader, e.RequestBody, e.Status, e.ResponseHeader, e.ResponseBody)
				if unmasked {
					secrets.exchange(ctx, e)
				}
			},
			Front: func(_ context.Context, m oidc.FrontMessage) {
				mu.Lock()
				defer mu.Unlock()
				fmt.Fprintf(&seen, "%s %v %s %s %v\n", m.Step, m.Response, m.Mode, m.Endpoint, m.Params)
			},
		}
		if _, err := oidc.FindIssuer(t.Context(), "acct:alice@"+op.Host, r.opts); err != nil {
			t.Fatal(err)
		}
		r.discover()
		r.register(types("code id_token token"))
		tok := r.offline()
		if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
		if _, err := r.c.Refresh(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
		if err := r.c.RevokeTokens(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
		text := seen.String()
		secrets.secret(tok.AccessToken, tok.RefreshToken, tok.IDToken.Raw(), tok.IDToken.Nonce, r.reg.Secret, r.reg.AccessToken)
		if unmasked {
			if !strings.Contains(text, tok.AccessToken) || !strings.Contains(text, r.reg.Secret) {
				t.Error("InsecureUnmasked shows nothing")
			}
			continue
		}
		secrets.check(t, errors.New(text))
		for _, step := range []string{oidc.StepWebFinger, oidc.StepDiscovery, oidc.StepRegistration, oidc.StepAuthorization, oidc.StepToken, oidc.StepKeys, oidc.StepUserInfo, oidc.StepRefresh, oidc.StepRevocation} {
			if !strings.Contains(text, step+" ") {
				t.Errorf("nothing of step %s", step)
			}
		}
		if !strings.Contains(text, `"client_id"`) || !strings.Contains(text, "redacted") {
			t.Error("the messages cannot be followed any more")
		}
	}
}

// TestMasked masks single messages.
func TestMasked(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"empty", "", ""},
		{"json", `{"access_token":"a","expires_in":5,"list":[{"code":"x"}]}`, `{"access_token":"[redacted]","expires_in":5,"list":[{"code":"[redacted]"}]}`},
		{"json cut short", `{"access_token":"a`, "[redacted]"},
		{"form", "code=a&grant_type=b", "code=%5Bredacted%5D&grant_type=b"},
		{"form that cannot be read", "code=%zz", "[redacted]"},
		{"jwt", "eyJhbGciOiJub25lIn0.e30.", "[redacted]"},
		{"encrypted jwt", "eyJhbGciOiJub25lIn0.a.b.c.d", "[redacted]"},
		{"word", "hello", "hello"},
		{"text", "hello = world", "hello = world"},
		{"lines", "a=b\nc=d", "a=b\nc=d"},
		{"dots that are no jwt", "1.2.3", "1.2.3"},
		{"part of a jwt", "eyJhbGciOiJub25lIn0", "eyJhbGciOiJub25lIn0"},
		{"page", "<p>hello = world", "<p>hello = world"},
		{"json behind a byte order mark", "\ufeff" + `{"access_token":"a","expires_in":5}`, "\ufeff" + `{"access_token":"[redacted]","expires_in":5}`},
		{"json behind a warning", "<br />\n<b>Warning</b>: x in <b>token.php</b>\n" + `{"access_token":"a"}`, "[redacted]"},
		{"json in a log line", `answer: "{\"refresh_token\":\"a\"}"`, "[redacted]"},
		{"list", `[{"access_token":"a"}]`, "[redacted]"},
		{"form with spaces", "access_token=a&scope=openid email", "[redacted]"},
		{"lines with a secret", "token_type=Bearer\naccess_token=a", "[redacted]"},
		{"json in a page", "<pre>{&quot;access_token&quot;:&quot;a&quot;}</pre>", "[redacted]"},
		{"a name behind another", "answer.access_token = a", "[redacted]"},
		{"colons", "client_secret : a", "[redacted]"},
		{"jwt in quotes", `"eyJhbGciOiJub25lIn0.e30.c2ln"`, "[redacted]"},
		{"jwt in a page", "<p>got eyJhbGciOiJub25lIn0.e30.c2ln.", "[redacted]"},
		{"other spellings", `{"accessToken":"a","Refresh_Token":"b","client-secret":"c","Code":7,"Message":"m"}`, `{"Code":7,"Message":"m","Refresh_Token":"[redacted]","accessToken":"[redacted]","client-secret":"[redacted]"}`},
		{"a name at the end", "<p>there was no access_token", "<p>there was no access_token"},
		{"spelling with other letters", `{"Zugang":"a","ÄccessToken":"b","access-tokenA":"c","ACCESS_TOKEN":"d"}`, `{"ACCESS_TOKEN":"[redacted]","Zugang":"a","access-tokenA":"c","ÄccessToken":"b"}`},
		{"other spelling in a text", "accessToken = a", "[redacted]"},
		{"page of an error", `<script nonce="x"></script><p>Error code: 502, state: down, access_token is missing`, `<script nonce="x"></script><p>Error code: 502, state: down, access_token is missing`},
		{"device", `{"user_code":"a","verification_uri":"https://op.example/","verification_uri_complete":"https://op.example/?c=a"}`,
			`{"user_code":"[redacted]","verification_uri":"https://op.example/","verification_uri_complete":"[redacted]"}`},
		{"keys", `{"keys":[{"kty":"RSA","n":"x"}]}`, `{"keys":[{"kty":"RSA","n":"x"}]}`},
	} {
		if got := (oidc.Exchange{ResponseBody: c.body, RequestBody: c.body}).Masked(); got.ResponseBody != c.want || got.RequestBody != c.want {
			t.Errorf("%s: got %s and %s, want %s", c.name, got.RequestBody, got.ResponseBody, c.want)
		}
	}
	for raw, want := range map[string]string{
		"https://op.example/a?code=x&tenant=y":  "https://op.example/a?code=%5Bredacted%5D&tenant=y",
		"https://op.example/a#access_token=x":   "https://op.example/a#%5Bredacted%5D",
		"https://u:p@op.example/":               "https://%5Bredacted%5D@op.example/",
		"https://op.example/?%zz":               "https://op.example/?[redacted]",
		"https://op.example/%zz":                "[redacted]",
		"https://op.example/register/client-id": "https://op.example/register/client-id",
	} {
		if got := (oidc.Exchange{URL: raw}).Masked().URL; got != want {
			t.Errorf("%s became %s, want %s", raw, got, want)
		}
	}
	h := http.Header{"Authorization": {"Bearer " + hidden}, "Proxy-Authorization": {hidden}, "Cookie": {hidden}, "Set-Cookie": {hidden}, "Dpop": {hidden}, "Private-Token": {hidden}, "X-Api-Key": {"a", hidden}, "x-client-SECRET": {hidden}, "Location": {"https://rp.example/?code=" + hidden}, "Accept": {"x"}}
	got := oidc.Exchange{RequestHeader: h, ResponseHeader: h}.Masked()
	if s := fmt.Sprint(got.RequestHeader, got.ResponseHeader); strings.Contains(s, hidden) || !strings.Contains(s, "Bearer") {
		t.Errorf("got %s", s)
	}
	if h.Get("Cookie") != hidden {
		t.Error("the header that was given is changed")
	}
	for name, want := range map[string]bool{"client_secret": true, "clientSecret": true, "CLIENT_SECRET": true, "code": true, "Code": false, "scope": false, "": false, "_": false} {
		if oidc.IsSecret(name) != want {
			t.Errorf("IsSecret(%q) is not %v", name, want)
		}
	}
	if m := (oidc.FrontMessage{Endpoint: "https://op.example/?code=" + hidden}).Masked(); strings.Contains(m.Endpoint, hidden) {
		t.Errorf("got %s", m.Endpoint)
	}
}
