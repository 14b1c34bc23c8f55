package conformance_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// logoutTests are the modules about logins and logouts that begin elsewhere, and
// logouts that begin here. They run on the web floor.
func logoutTests() map[string]func(*run) {
	out := map[string]func(*run){
		"3rd-party-init-login":         thirdPartyLogin,
		"session-management":           sessionManagement,
		"rp-init-logout":               rpLogout,
		"rp-init-logout-other-state":   rpLogoutState(func(p url.Values) { p.Set("state", p.Get("state")+"1") }),
		"rp-init-logout-no-state":      rpLogoutState(func(p url.Values) { p.Del("state") }),
		"rp-frontchannel-rpinitlogout": frontChannelByRP,
		"rp-frontchannel-opinitlogout": frontChannelByOP,
		"rp-backchannel-rpinitlogout":  backChannelLogout(""),
	}
	for name, c := range map[string]struct {
		fault  oidctest.LogoutFault
		reason oidc.Reason
	}{
		"alg-none":    {oidctest.LogoutAlgNone, oidc.BadAlgorithm},
		"no-event":    {oidctest.LogoutEventMissing, oidc.BadType},
		"with-nonce":  {oidctest.LogoutNonce, oidc.BadNonce},
		"wrong-alg":   {oidctest.LogoutAlgOther, oidc.BadAlgorithm},
		"wrong-aud":   {oidctest.LogoutAudOther, oidc.BadAudience},
		"wrong-event": {oidctest.LogoutEventOther, oidc.BadType},
		"wrong-iss":   {oidctest.LogoutIssOther, oidc.BadIssuer},
	} {
		out["rp-backchannel-rpinitlogout-"+name] = backChannelLogout(c.reason, c.fault)
	}
	return out
}

// thirdPartyLogin: another site sends the browser to initiate_login_uri, by GET
// and by POST; nothing was at the OP before.
func thirdPartyLogin(r *run) {
	a := newApp(r)
	if n := len(a.op.Requests(oidctest.EndpointAuthorization)); n != 0 {
		a.Fatalf("%d authorization requests before the visit", n)
	}
	res := a.get(initiate + "?" + url.Values{"iss": {a.op.Issuer}, "login_hint": {"alice"}}.Encode())
	a.throughOP(a.redirected(res))
	a.wantCalls(loggedIn)
	if hint := a.requested().Get("login_hint"); hint != "alice" {
		a.Errorf("login_hint %q", hint)
	}
	a.op.ClearLog()
	clear(a.cookies)
	a.throughOP(a.redirected(a.post(initiate, url.Values{"iss": {a.op.Issuer}}, true)))
	if n := len(a.op.Requests(oidctest.EndpointAuthorization)); n != 1 {
		a.Errorf("%d authorization requests after the POST, want 1", n)
	}
	// An issuer that is not configured begins nothing.
	if res := a.get(initiate + "?iss=" + url.QueryEscape("https://attacker.example")); res.StatusCode < 400 {
		a.Errorf("a login at a stranger's begins: status %d", res.StatusCode)
	}
}

// sessionManagement: the OP's iframe says that nothing has changed, and after the
// logout that something has.
func sessionManagement(r *run) {
	// A client_id with a space would break the message (Session Management 1.0,
	// section 3.1), so the suite's static client has none.
	r.plainID = true
	a := newApp(r, func(c *oidctest.Config) { c.SessionManagement, c.AwkwardCredentials = true, false })
	a.logIn()
	a.wantCalls(loggedIn)
	frame := dataOf(a.get(origin + "/auth/session"))
	if frame["url"] != a.op.URL(oidctest.EndpointCheckSession) || frame["origin"] != "https://op.test" || frame["message"] == "" {
		a.Fatalf("the session frame has %v", frame)
	}
	if got := a.browser.CheckSession(origin, frame["message"]); got != "unchanged" {
		a.Errorf("before the logout the OP's iframe says %s", got)
	}
	a.logOut()
	if got := a.browser.CheckSession(origin, frame["message"]); got != "changed" {
		a.Errorf("after the logout the OP's iframe says %s", got)
	}
	a.wantCalls(loggedIn, oidctest.EndpointEndSession)
}

// rpLogout: the request has id_token_hint, state and a registered URI to come
// back to; logouts by both channels follow, and the way back is handled.
func rpLogout(r *run) {
	a := newApp(r)
	a.logIn()
	back := a.logOut()
	a.wantCalls(loggedIn, oidctest.EndpointEndSession)
	q := a.op.Requests(oidctest.EndpointEndSession)[0].Query
	if q.Get("id_token_hint") == "" || q.Get("post_logout_redirect_uri") != logoutReturn || q.Get("state") == "" {
		a.Error("id_token_hint, post_logout_redirect_uri or state is missing")
	}
	if back.Query().Get("state") != q.Get("state") {
		a.Fatal("the OP sends another state")
	}
	a.loadFrames()
	a.wantBackChannel("")
	if res := a.get(back.String()); res.StatusCode >= 400 {
		a.Errorf("the way back ends with status %d: %v", res.StatusCode, a.errs)
	}
	if len(a.errs) > 0 {
		a.Errorf("errors: %v", a.errs)
	}
}

// rpLogoutState: the way back has another state, or none, which is noticed. The
// session is over all the same.
func rpLogoutState(edit func(url.Values)) func(*run) {
	return func(r *run) {
		a := newApp(r)
		a.logIn()
		a.op.TamperLogoutReturn(edit)
		back := a.logOut()
		a.wantCalls(loggedIn, oidctest.EndpointEndSession)
		a.loadFrames()
		if res := a.get(back.String()); res.StatusCode != http.StatusBadRequest {
			a.Errorf("the way back ends with status %d", res.StatusCode)
		}
		if len(a.errs) != 1 {
			a.Fatalf("errors: %v, want one", a.errs)
		}
		wantReason(a, a.errs[0], oidc.BadState)
		if a.loggedIn() {
			a.Error("there is a session again")
		}
	}
}

// frontChannelByRP: the page on which the OP logs out has our frame.
func frontChannelByRP(r *run) {
	a := newApp(r)
	a.logIn()
	back := a.logOut()
	a.loadFrames()
	if res := a.get(back.String()); res.StatusCode >= 400 {
		a.Errorf("the way back ends with status %d: %v", res.StatusCode, a.errs)
	}
	a.wantCalls(loggedIn, oidctest.EndpointEndSession)
}

// frontChannelByOP: the person logs out at the OP; the frame ends the session
// here, and nothing is asked of the OP.
func frontChannelByOP(r *run) {
	a := newApp(r)
	a.logIn()
	a.op.BreakLogout(oidctest.LogoutIssOther) // or the back channel would end it before the frame
	if _, err := a.browser.Logout(a.Context(), a.op.URL(oidctest.EndpointEndSession)); err != nil {
		a.Fatalf("the logout at the OP: %v", err)
	}
	a.loadFrames()
	if a.loggedIn() {
		a.Error("the session is still there")
	}
	a.wantCalls(loggedIn, oidctest.EndpointEndSession)
}

// backChannelLogout: the OP posts a logout token, by itself and because of a
// logout that began here. A good one, which reason "" says, is answered with
// exactly 200; a bad one with exactly 400, for that reason, and ends nothing.
func backChannelLogout(reason oidc.Reason, faults ...oidctest.LogoutFault) func(*run) {
	return func(r *run) {
		if r.v["response_mode"] == oidc.ModeFormPost && slices.Contains(faults, oidctest.LogoutAlgOther) {
			r.metadata.IDTokenSignedResponseAlg = "ES256" // then the wrong one is RS256
		}
		a := newApp(r)
		a.op.BreakLogout(faults...)
		a.logIn()
		if _, err := a.op.SendLogout(a.Context(), a.c.ID(), oidctest.Logout{Subject: a.op.Users()[0].Sub}, faults...); err != nil {
			a.Fatal(err)
		}
		a.wantBackChannel(reason)
		if in := a.loggedIn(); in != (reason != "") {
			a.Errorf("after the logout token: logged in is %v", in)
		}
		a.wantCalls(loggedIn)
		if !a.loggedIn() {
			a.op.Advance(time.Second) // a login of the same second would be over too
			a.logIn()
		}
		a.op.ClearLog()
		back := a.logOut()
		a.wantBackChannel(reason)
		if res := a.get(back.String()); res.StatusCode >= 400 {
			a.Errorf("the way back ends with status %d: %v", res.StatusCode, a.errs)
		}
		a.wantExactly(oidctest.EndpointEndSession)
	}
}

// wantBackChannel asserts how the one logout token was answered, and why, and
// forgets it.
func (a *app) wantBackChannel(reason oidc.Reason) {
	a.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	status := http.StatusOK
	if reason != "" {
		status = http.StatusBadRequest
		if len(a.refused) != 1 || !strings.Contains(a.refused[0], "logout: "+string(reason)) {
			a.Errorf("logout tokens were refused with %q, want one with reason %q", a.refused, reason)
		}
	}
	if !slices.Equal(a.statuses, []int{status}) || !slices.Equal(a.caching, []string{"no-store"}) {
		a.Errorf("logout tokens were answered with %v, Cache-Control %q; want once %d, no-store", a.statuses, a.caching, status)
	}
	a.statuses, a.caching, a.refused = nil, nil, nil
}
