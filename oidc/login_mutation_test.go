package oidc_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
)

// TestReadAuthResponseBounds: the bounds hold at the byte, and for what stands
// beside a form.
func TestReadAuthResponseBounds(t *testing.T) {
	form := func(size int) string {
		const start = "code=c&state="
		return start + strings.Repeat("s", size-len(start))
	}
	post := func(target, body string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	for _, c := range []struct {
		name string
		r    *http.Request
		want oidc.Reason // "" is accepted
	}{
		{"form_of_the_bound", post("/callback", form(oidc.MaxAuthResponse)), ""},
		{"form_beyond_it", post("/callback", form(oidc.MaxAuthResponse+1)), oidc.MalformedAuthResponse},
		{"query_of_the_bound", httptest.NewRequest(http.MethodGet, "/callback?"+form(oidc.MaxAuthResponse), nil), ""},
		{"query_beyond_it", httptest.NewRequest(http.MethodGet, "/callback?"+form(oidc.MaxAuthResponse+1), nil), oidc.MalformedAuthResponse},
		{"query_beside_a_form", post("/callback?"+strings.Repeat("x", oidc.MaxAuthResponse), form(100)), ""},
		{"query_beyond_it_beside_a_form", post("/callback?"+strings.Repeat("x", oidc.MaxAuthResponse+1), form(100)), oidc.MalformedAuthResponse},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := oidc.ReadAuthResponse(c.r)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantReason(t, err, c.want)
		})
	}
	for _, purpose := range []string{"prefetch", "prefetch;prerender", "prerender"} {
		for _, name := range []string{"Sec-Purpose", "Purpose"} {
			r := httptest.NewRequest(http.MethodGet, "/callback?code=c&state=s", nil)
			r.Header.Set(name, purpose)
			_, err := oidc.ReadAuthResponse(r)
			wantReason(t, err, oidc.NotANavigation)
		}
	}
}

// TestReadAuthBounds is the same for what a program read itself.
func TestReadAuthBounds(t *testing.T) {
	long := func(size int) string { return "code=c&state=" + strings.Repeat("s", size-len("code=c&state=")) }
	urlOf := func(size int) string { // all of it in a query that nobody reads, before a fragment
		const start, end = "https://rp.example/callback?x=", "#code=c&state=s"
		return start + strings.Repeat("x", size-len(start)-len(end)) + end
	}
	formOf := func(size int) url.Values {
		return url.Values{"code": {"c"}, "state": {strings.Repeat("s", size-len("code")-len("c")-len("state"))}}
	}
	for _, c := range []struct {
		name string
		read func(size int) error
		max  int
	}{
		{"query", func(n int) error { _, err := oidc.ReadAuthQuery(long(n)); return err }, oidc.MaxAuthResponse},
		{"fragment", func(n int) error { _, err := oidc.ReadAuthFragment("#" + long(n)); return err }, oidc.MaxAuthResponse},
		{"form", func(n int) error { _, err := oidc.ReadAuthForm(formOf(n)); return err }, oidc.MaxAuthResponse},
		{"url", func(n int) error { _, err := oidc.ReadAuthURL(urlOf(n)); return err }, oidc.MaxAuthResponse + oidc.MaxAuthURL},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.read(c.max); err != nil {
				t.Errorf("at the bound: %v", err)
			}
			wantReason(t, c.read(c.max+1), oidc.MalformedAuthResponse)
		})
	}
	// The form stays the caller's.
	form := url.Values{"code": {"c"}, "state": {"s"}, "other": {"o"}}
	a, err := oidc.ReadAuthForm(form)
	if err != nil {
		t.Fatal(err)
	}
	form.Set("state", "changed")
	form["code"][0] = "changed"
	if key, err := a.PendingKey(); err != nil || key != "s" || form.Get("other") != "o" {
		t.Errorf("got state %q and %v; the caller's form has other=%q", key, err, form.Get("other"))
	}
}

// TestAuthResponseHolds: what is not there is not there, neither for a check nor in
// print; a state may be as long as the bound.
func TestAuthResponseHolds(t *testing.T) {
	_, err := oidc.ReadAuthForm(url.Values{"code": nil, "state": {}})
	wantReason(t, err, oidc.NotANavigation)
	for size, ok := range map[int]bool{oidc.MaxState: true, oidc.MaxState + 1: false} {
		a, err := oidc.ReadAuthQuery("code=c&state=" + strings.Repeat("s", size))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.PendingKey(); ok && err != nil {
			t.Error(err)
		} else if !ok {
			wantReason(t, err, oidc.BadState)
		}
		if text := fmt.Sprint(a); !strings.Contains(text, "code,state") || strings.Contains(text, "error") {
			t.Errorf("printed as %s", text)
		}
	}
}

// TestLoginLifetimeAtTheBound: a login may take as long as LoginLifetime, and begin
// at most the skew of the clocks in the future.
func TestLoginLifetimeAtTheBound(t *testing.T) {
	const lifetime, skew = 10 * time.Minute, time.Minute
	now := time.Unix(1_700_000_000, 0)
	p, err := oidc.NewProvider(oidc.ProviderMetadata{Issuer: "https://op.example", AuthorizationEndpoint: "https://op.example/a",
		TokenEndpoint: "https://op.example/t", JWKSURI: "https://op.example/k"}, &oidc.Options{Now: func() time.Time { return now }, ClockSkew: skew})
	if err != nil {
		t.Fatal(err)
	}
	c, err := oidc.NewClient(p, oidc.ClientConfig{ID: "c", Secret: benchSecret, LoginLifetime: lifetime,
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
	if err != nil {
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]oidc.Reason{
		lifetime: oidc.BadState, lifetime + 1: oidc.LoginExpired, // BadState: the next check is reached
		-skew: oidc.BadState, -skew - 1: oidc.LoginExpired,
	} {
		a, err := oidc.ReadAuthQuery("code=c&state=another")
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Finish(t.Context(), oidc.Pending{Issuer: "https://op.example", ClientID: "c", RedirectURI: redirectURI, State: "s", Nonce: "n", Verifier: "v",
			ResponseType: "code", ResponseMode: oidc.ModeQuery, Created: now.Add(-age)}, a)
		wantReason(t, err, want)
	}
}

type sendFunc func(*http.Request) (*http.Response, error)

func (f sendFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestCodeAtTheBound: a code may be as long as MaxCode; a longer one is sent nowhere.
func TestCodeAtTheBound(t *testing.T) {
	sent := 0
	down := &http.Client{Transport: sendFunc(func(*http.Request) (*http.Response, error) {
		sent++
		return nil, errors.New("down")
	})}
	p, err := oidc.NewProvider(oidc.ProviderMetadata{Issuer: "https://op.example", AuthorizationEndpoint: "https://op.example/a",
		TokenEndpoint: "https://op.example/t", JWKSURI: "https://op.example/k"}, &oidc.Options{HTTPClient: down})
	if err != nil {
		t.Fatal(err)
	}
	c, err := oidc.NewClient(p, oidc.ClientConfig{ID: "c", Secret: benchSecret, Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []int{0, 1} {
		sent = 0
		a, err := oidc.ReadAuthQuery("state=s&code=" + strings.Repeat("c", oidc.MaxCode+more))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Finish(t.Context(), oidc.Pending{Issuer: "https://op.example", ClientID: "c", RedirectURI: redirectURI, State: "s", Nonce: "n", Verifier: "v",
			ResponseType: "code", ResponseMode: oidc.ModeQuery, Created: time.Now()}, a)
		if sent != 1-more || errors.Is(err, oidc.MalformedAuthResponse) != (more == 1) {
			t.Errorf("a code of MaxCode+%d bytes: %d requests, %v", more, sent, err)
		}
	}
}

// TestHybridTokensAreOfOneUser: both ID Tokens of a hybrid flow are good, each by
// itself, and about two users (Core section 3.3.3.6).
func TestHybridTokensAreOfOneUser(t *testing.T) {
	for _, rt := range []string{"code id_token", "code id_token token"} {
		t.Run(rt, func(t *testing.T) {
			op := newOP(t)
			r := setup(t, op, types(rt))
			r.params.ResponseType = rt
			r.mustLogin()
			forge(t, op, func(_ string, j jwt) string {
				j.claims["sub"] = "mallory"
				return j.payload(marshal(j.claims))
			})
			r.refused(oidc.SubjectMismatch)
		})
	}
}

// TestSessionStateOfTheTokenResponse: where both responses have one, the later holds.
func TestSessionStateOfTheTokenResponse(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	op.TamperAuthResponse(func(v url.Values) { v.Set("session_state", "front") })
	if got := r.mustLogin().SessionState; got != "front" {
		t.Errorf("got session_state %q of the authentication response, want front", got)
	}
	op.TamperTokenResponse(func(m map[string]any) { m["session_state"] = "back" })
	if got := r.mustLogin().SessionState; got != "back" {
		t.Errorf("got session_state %q, want that of the token response, back", got)
	}
}

// TestTypeOfAnIDToken: only a typ that names another kind of JWT is refused.
func TestTypeOfAnIDToken(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	for typ, ok := range map[string]bool{
		"JWT": true, "jwt": true, "id_token+jwt": true, "application/ID_Token+JWT": true, "x+json": true, "+": true,
		"at+jwt": false, "application/at+JWT": false, "logout+jwt": false, "x+id_token+jwt": false,
	} {
		t.Run(typ, func(t *testing.T) {
			op.TamperIDToken(func(header, _ map[string]any) { header["typ"] = typ })
			_, err := r.login()
			if ok && err != nil {
				t.Error(err)
			} else if !ok {
				r.reason(err, oidc.BadType)
			}
		})
	}
}

// TestImportTokensOfAnother: tokens are taken for the issuer and client they are of.
func TestImportTokensOfAnother(t *testing.T) {
	r := setup(t, newOP(t))
	data, err := r.mustLogin().Export()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oidc.ImportTokens(data, r.op.Issuer, r.c.ID()); err != nil {
		t.Error(err)
	}
	_, err = oidc.ImportTokens(data, "https://other.example", r.c.ID())
	wantInput(t, err, oidc.BadParameter)
	_, err = oidc.ImportTokens(data, "", r.c.ID())
	wantInput(t, err, oidc.BadParameter)
	_, err = oidc.ImportTokens(data, r.op.Issuer, "another")
	wantInput(t, err, oidc.BadParameter)
}
