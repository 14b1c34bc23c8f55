package oidctest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// unsealed is a JWT whose signature the OP itself recognizes, or none.
func unsealed(t *testing.T, op *OP, token string) (header, claims map[string]any, own bool) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a compact JWS: %q", token)
	}
	for i, v := range []*map[string]any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, v); err != nil {
			t.Fatal(err)
		}
	}
	_, own = (&exchange{op: op}).ownToken(token)
	return header, claims, own
}

func TestLogoutToken(t *testing.T) {
	op := New(t)
	c := op.AddClient(Client{IDTokenSignedResponseAlg: "ES256"})
	token, err := op.LogoutToken(c.ID, Logout{Subject: "alice", SessionID: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	header, claims, own := unsealed(t, op, token)
	if !own || header["alg"] != "ES256" || header["typ"] != "logout+jwt" {
		t.Errorf("header %v, own signature %v", header, own)
	}
	events, _ := claims["events"].(map[string]any)
	if _, ok := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any); !ok {
		t.Errorf("events are %v", claims["events"])
	}
	for name, want := range map[string]any{"iss": op.Issuer, "aud": c.ID, "sub": "alice", "sid": "s1"} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	again, err := op.LogoutToken(c.ID, Logout{SessionID: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, second, _ := unsealed(t, op, again); second["jti"] == claims["jti"] || second["sub"] != nil {
		t.Errorf("the second token has jti %v and sub %v", second["jti"], second["sub"])
	}
	if _, err := op.LogoutToken("nobody", Logout{SessionID: "s1"}); err == nil {
		t.Error("a token for an unknown client")
	}
	if _, err := op.LogoutToken(c.ID, Logout{SessionID: "s1"}, "no such fault"); err == nil {
		t.Error("a token with an unknown fault")
	}
}

// TestLogoutFaults asks of each fault that it breaks what it says, and nothing
// else.
func TestLogoutFaults(t *testing.T) {
	op := New(t)
	c := op.AddClient(Client{})
	now := float64(time.Now().Unix())
	absent := func(name string) func(h, c map[string]any, own bool) bool {
		return func(_, c map[string]any, own bool) bool { return own && c[name] == nil }
	}
	broken := map[LogoutFault]func(header, claims map[string]any, own bool) bool{
		LogoutAlgNone:    func(h, _ map[string]any, own bool) bool { return !own && h["alg"] == "none" },
		LogoutAlgOther:   func(h, _ map[string]any, own bool) bool { return own && h["alg"] == "ES256" },
		LogoutKeyOther:   func(h, _ map[string]any, own bool) bool { return !own && h["alg"] == "RS256" },
		LogoutIssOther:   func(_, c map[string]any, _ bool) bool { return c["iss"] != op.Issuer },
		LogoutAudOther:   func(_, c2 map[string]any, own bool) bool { return own && c2["aud"] != c.ID },
		LogoutIatMissing: absent("iat"),
		LogoutIatFuture:  func(_, c map[string]any, own bool) bool { return own && c["iat"].(float64) > now+3600 },
		LogoutIatOld: func(_, c map[string]any, own bool) bool {
			return own && c["iat"].(float64) < now-86400*365 && c["exp"].(float64) > now
		},
		LogoutExpired:      func(_, c map[string]any, own bool) bool { return own && c["exp"].(float64) < now },
		LogoutJTIMissing:   absent("jti"),
		LogoutNobody:       func(_, c map[string]any, own bool) bool { return own && c["sub"] == nil && c["sid"] == nil },
		LogoutEventMissing: absent("events"),
		LogoutEventOther: func(_, c map[string]any, own bool) bool {
			e, ok := c["events"].(map[string]any)
			return own && ok && len(e) == 1 && e[logoutEvent] == nil
		},
		LogoutEventText: func(_, c map[string]any, own bool) bool {
			e, _ := c["events"].(map[string]any)
			return own && e[logoutEvent] == "yes"
		},
		LogoutNonce:    func(_, c map[string]any, own bool) bool { return own && c["nonce"] != nil },
		LogoutTypOther: func(h, _ map[string]any, own bool) bool { return own && h["typ"] == "at+jwt" },
	}
	honest, err := op.LogoutToken(c.ID, Logout{Subject: "a", SessionID: "s"})
	if err != nil {
		t.Fatal(err)
	}
	h, cl, own := unsealed(t, op, honest)
	for _, f := range LogoutFaults() {
		t.Run(string(f.Fault), func(t *testing.T) {
			is := broken[f.Fault]
			if is == nil {
				t.Fatal("no test for this fault")
			}
			if is(h, cl, own) {
				t.Error("the honest token is broken too")
			}
			token, err := op.LogoutToken(c.ID, Logout{Subject: "a", SessionID: "s"}, f.Fault)
			if err != nil {
				t.Fatal(err)
			}
			if h, cl, own := unsealed(t, op, token); !is(h, cl, own) {
				t.Errorf("it is not broken: %v %v, own signature %v", h, cl, own)
			}
		})
	}
}

// TestLogoutTellsClients walks from a login to a logout whose clients hear of it.
func TestLogoutTellsClients(t *testing.T) {
	var mu sync.Mutex
	var got []url.Values
	rp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.PostForm)
	}))
	defer rp.Close()
	op := NewWith(t, Config{SessionManagement: true})
	back := "https://rp.example/out"
	c := op.AddClient(Client{PostLogoutRedirectURIs: []string{back}, Metadata: map[string]any{
		"backchannel_logout_uri": rp.URL + "/back", "frontchannel_logout_uri": "https://rp.example/front", "frontchannel_logout_session_required": true}})
	deaf := op.AddClient(Client{})
	b := op.Browser()
	sid := ""
	op.TamperIDToken(func(_, claims map[string]any) { sid, _ = claims["sid"].(string) })
	for _, client := range []Client{c, deaf} {
		v := (&party{client: client}).params("code id_token")
		cb, err := b.Login(t.Context(), op.URL(EndpointAuthorization)+"?"+v.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if (sid != "") != (client.ID == c.ID) {
			t.Errorf("sid is %q for client %s", sid, client.ID)
		}
		if client.ID == c.ID {
			defer func(sid string) {
				if len(got) != 1 {
					t.Fatalf("%d logout tokens, want 1", len(got))
				}
				if _, claims, own := unsealed(t, op, got[0].Get("logout_token")); !own || claims["sid"] != sid || claims["aud"] != c.ID || claims["sub"] != op.Users()[0].Sub {
					t.Errorf("the logout token says %v", claims)
				}
				want := "https://rp.example/front?" + url.Values{"iss": {op.Issuer}, "sid": {sid}}.Encode()
				if u := op.FrontChannelLogoutURL(c.ID, sid); u != want {
					t.Errorf("front-channel logout URL %q, want %q", u, want)
				}
			}(sid)
		}
		if state := cb.Params().Get("session_state"); strings.Count(state, ".") != 1 || strings.Contains(state, " ") {
			t.Errorf("session_state %q", state)
		}
	}
	to, err := b.Logout(t.Context(), op.URL(EndpointEndSession)+"?"+url.Values{"client_id": {c.ID}, "post_logout_redirect_uri": {back}, "state": {"s1"}}.Encode())
	if err != nil || to == nil || to.String() != back+"?state=s1" {
		t.Fatalf("sent to %v, %v", to, err)
	}
	if op.FrontChannelLogoutURL(deaf.ID, "x") != "" || op.FrontChannelLogoutURL("nobody", "x") != "" {
		t.Error("a client without the URI has one")
	}
	res, err := op.HTTPClient().Get(op.URL(EndpointCheckSession))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || !strings.Contains(res.Header.Get("Content-Security-Policy"), hashSource(checkScript)) {
		t.Errorf("check_session: %d", res.StatusCode)
	}
}

func TestNoSessionManagement(t *testing.T) {
	op := New(t)
	res, err := op.HTTPClient().Get(op.URL(EndpointCheckSession))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNotFound || op.metadata()["check_session_iframe"] != nil {
		t.Errorf("status %d", res.StatusCode)
	}
}
