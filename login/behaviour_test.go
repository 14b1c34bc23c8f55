package login_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
)

// loginURL is where an answer to a fetch says to log in.
func loginURL(t *testing.T, res *http.Response) string {
	t.Helper()
	var body struct {
		Error string `json:"error"`
		Login string `json:"login_url"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || body.Error != "insufficient_user_authentication" {
		t.Fatalf("got %+v, %v", body, err)
	}
	return strings.TrimPrefix(body.Login, origin)
}

// TestStepUpByURL: a script sends its user where the answer says, and can go on.
func TestStepUpByURL(t *testing.T) {
	r := setup(t)
	b := r.browser()
	b.mustLogin("/")
	r.op.Advance(10 * time.Minute)
	for _, path := range []string{"/silver/x", "/fresh/x"} {
		res := b.fetch(path)
		wantStatus(t, res, http.StatusUnauthorized)
		b.mustLoginBy(loginURL(t, res), "/page?x=1")
		wantStatus(t, b.fetch(path), http.StatusOK)
	}
	for _, bad := range []string{"max_age=-1", "max_age=x", "max_age=99999999999999999999", "acr_values=" + strings.Repeat("a", 600), "acr_values=+"} {
		wantStatus(t, b.navigate("/auth/login?"+bad), http.StatusBadRequest)
	}
	// What Params asks for beside stays.
	ask := r.manager(func(c *login.Config) {
		c.Params = func(*http.Request, string) (oidc.AuthParams, error) {
			return oidc.AuthParams{Claims: &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"email": nil}}}, nil
		}
	})
	b.app = r.mux(ask)
	u, err := url.Parse(b.navigate("/auth/login?acr_values=gold").Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if c := u.Query().Get("claims"); !strings.Contains(c, `"email"`) || !strings.Contains(c, `"gold"`) || !strings.Contains(c, `"essential":true`) {
		t.Errorf("claims %s", c)
	}
}

func TestLoggedOutPage(t *testing.T) {
	r := setup(t, func(c *login.Config) { c.LoggedOut = "/bye" })
	b := r.browser()
	if res := b.post("/auth/logout", nil); res.Header.Get("Location") != origin+"/bye" {
		t.Errorf("without a session: sent to %q", res.Header.Get("Location"))
	}
	b.mustLogin("/")
	to, err := b.at.Logout(t.Context(), b.post("/auth/logout", nil).Header.Get("Location"))
	if err != nil || to == nil {
		t.Fatalf("at the OP: %v, %v", to, err)
	}
	if res := b.navigate(to.RequestURI()); res.Header.Get("Location") != origin+"/bye" {
		t.Errorf("after the return: sent to %q", res.Header.Get("Location"))
	}
	wantStatus(t, b.send(request("PUT", "/auth/logout"), false), http.StatusMethodNotAllowed)
	wantStatus(t, b.send(request("PUT", "/auth/logout/return"), false), http.StatusMethodNotAllowed)
	wantStatus(t, b.send(request("PUT", "/auth/frontchannel"), false), http.StatusMethodNotAllowed)
}

// TestFrontChannelByCookie: an OP of the same site needs no iss and sid.
func TestFrontChannelByCookie(t *testing.T) {
	r := setup(t)
	b, other := r.browser(), r.browser()
	b.mustLogin("/")
	other.mustLogin("/")
	wantStatus(t, b.send(request("GET", "/auth/frontchannel", "Sec-Fetch-Dest", "iframe"), false), http.StatusOK)
	if b.loggedIn() || b.sessionCookie() != "" {
		t.Error("the session is still there")
	}
	if !other.loggedIn() {
		t.Error("another browser was logged out")
	}
	other.send(request("GET", "/auth/frontchannel"), false)
	r.store.down()
	wantStatus(t, r.browser().send(request("GET", "/auth/frontchannel?"+url.Values{"iss": {r.op.Issuer}, "sid": {"x"}}.Encode()), false), http.StatusServiceUnavailable)
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{&login.Error{Reason: login.NoSession}, 401}, {&login.Error{Reason: login.StepUpNeeded}, 401}, {&login.Error{Reason: login.Forbidden}, 403},
		{&login.Error{Reason: login.LoginRefused}, 403}, {&login.Error{Reason: login.CrossSite}, 403}, {&login.Error{Reason: login.BadRequest}, 400},
		{&login.Error{Reason: login.StoreUnavailable}, 503}, {&login.Error{Reason: login.TooLarge}, 500}, {&rp.Error{Reason: rp.WrongBrowser}, 400},
		{&rp.Error{Reason: rp.StoreUnavailable}, 503}, {&rp.Error{Reason: rp.LoggedOut}, 403}, {&rp.Error{Reason: rp.UnknownIssuer}, 400},
		{&oidc.ProtocolError{Reason: oidc.BadState, Step: oidc.StepAuthorization}, 400}, {&oidc.ProtocolError{Reason: oidc.BadNonce, Step: oidc.StepIDToken}, 502},
		{&oidc.OPError{Endpoint: "authorization", Code: "access_denied"}, 403}, {&oidc.OPError{Endpoint: "token", Code: "invalid_client", StatusCode: 401}, 502},
		{&oidc.TransportError{Step: oidc.StepToken, Err: errors.New("refused")}, 503}, {context.DeadlineExceeded, 503}, {errors.New("anything else"), 500},
		{&oidc.UnsupportedError{Feature: "x"}, 500},
	} {
		if got := login.Status(c.err); got != c.status {
			t.Errorf("%v: status %d, want %d", c.err, got, c.status)
		}
	}
}

// TestErrorPages: each page says something of its own, in words.
func TestErrorPages(t *testing.T) {
	for name, c := range map[string]struct {
		fault oidctest.Fault
		title string
	}{
		"wrong_nonce": {oidctest.NonceWrong, "Your provider&#39;s answer was refused"},
		"op_down":     {oidctest.TokenUnavailable, "Please try again in a moment"},
	} {
		t.Run(name, func(t *testing.T) {
			r := setup(t)
			r.op.Break(c.fault)
			res := r.browser().login("/page")
			if page := text(res); res.StatusCode < 500 || !strings.Contains(page, c.title) || !strings.Contains(page, `href="/auth/login"`) {
				t.Errorf("status %d: %s", res.StatusCode, page)
			}
		})
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	r := setup(t)
	key := string(r.key)
	j, err := json.Marshal(r.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprintf("%v %+v %#v", r.config, r.config, r.config), r.config.LogValue().String(), string(j), fmt.Sprintf("%v %#v", r.m, r.m)} {
		if strings.Contains(s, key) || strings.Contains(s, "[7 7") || strings.Contains(s, "0x7, 0x7") {
			t.Errorf("it prints %s", s)
		}
	}
}

// TestPlainFunctions is a login and a logout without Handler, in an application
// with a router of its own.
func TestPlainFunctions(t *testing.T) {
	r := setup(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/in", func(w http.ResponseWriter, q *http.Request) {
		if err := r.m.Start(w, q, login.StartOptions{ReturnTo: "/mine"}); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/auth/callback", func(w http.ResponseWriter, q *http.Request) {
		s, to, err := r.m.Callback(w, q)
		if err != nil || to != "/mine" || s.Identity() != (oidc.Identity{Issuer: r.op.Issuer, Subject: r.op.Users()[0].Sub}) {
			t.Errorf("Callback: %v, %q, %v", s, to, err)
		}
		http.Redirect(w, q, to, http.StatusSeeOther)
	})
	mux.HandleFunc("/who", func(w http.ResponseWriter, q *http.Request) {
		if _, err := r.m.Session(q); err != nil {
			w.WriteHeader(login.Status(err))
		}
	})
	mux.HandleFunc("/out", func(w http.ResponseWriter, q *http.Request) {
		if err := r.m.Logout(w, q); err != nil {
			w.WriteHeader(login.Status(err))
		}
	})
	b := r.browser()
	b.app = mux
	wantStatus(t, b.fetch("/who"), http.StatusUnauthorized)
	if got := b.login("/in").Header.Get("Location"); got != "/mine" {
		t.Errorf("sent to %q", got)
	}
	wantStatus(t, b.fetch("/who"), http.StatusOK)
	wantStatus(t, b.fetch("/out"), http.StatusForbidden)
	wantStatus(t, b.post("/out", nil), http.StatusSeeOther)
	wantStatus(t, b.fetch("/who"), http.StatusUnauthorized)
}

// TestStartRefusesWhatCannotComeBack: before the browser leaves.
func TestStartRefusesWhatCannotComeBack(t *testing.T) {
	op := newOP(t)
	for name, uri := range map[string]string{"another_path": origin + "/elsewhere", "another_host": "https://other.example/auth/callback", "prefix": origin + "/auth/callbackx"} {
		t.Run(name, func(t *testing.T) {
			m, err := login.New(login.Config{Origin: origin, Directory: rp.Only(newClient(t, op, uri)), Storeless: true, Now: op.Now, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			if err := m.Start(w, request("GET", "/"), login.StartOptions{}); !errors.Is(err, login.BadConfig) || len(w.Result().Cookies()) != 0 {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestDynamic is an application for whatever OP the policy allows: it discovers,
// registers and logs in, each OP at a redirect URI of its own.
func TestDynamic(t *testing.T) {
	op := newOP(t)
	d := &rp.Dynamic{
		Allow: rp.AllowIssuers(op.Issuer), RedirectBase: origin + "/auth/callback/",
		Metadata: oidc.ClientMetadata{PostLogoutRedirectURIs: []string{origin + "/auth/logout/return"}, BackchannelLogoutURI: origin + "/auth/backchannel"},
		Options:  &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}, Now: op.Now},
	}
	r := setupAt(t, op, func(c *login.Config) {
		c.Directory = d
		c.AllowIssuer = func(issuer string) bool { return issuer == op.Issuer }
	})
	b := r.browser()
	wantStatus(t, b.navigate("/auth/login?issuer=https://evil.example"), http.StatusBadRequest)
	b.mustLoginBy("/auth/login?return_to=/page&issuer="+url.QueryEscape(op.Issuer), "/page")
	s := b.session()
	token, err := op.LogoutToken(s.ClientID, oidctest.Logout{Subject: s.Subject})
	if err != nil {
		t.Fatal(err)
	}
	registrations := len(op.Requests(oidctest.EndpointRegistration))
	wantStatus(t, r.backChannel(token), http.StatusOK)
	if b.loggedIn() {
		t.Error("the session outlives the logout")
	}
	// A stranger's logout token has nobody discovered or registered.
	wantStatus(t, r.backChannel("e30.eyJpc3MiOiJodHRwczovL2V2aWwuZXhhbXBsZSJ9.e30"), http.StatusBadRequest)
	if n := len(op.Requests(oidctest.EndpointRegistration)); n != registrations || n != 1 {
		t.Errorf("%d registrations", n)
	}
}
