package oidctest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaysToRun(t *testing.T) {
	logIn := func(t *testing.T, op *OP) {
		t.Helper()
		p := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
		meta := p.get(op.Issuer+discoveryPath, "").json
		want(t, "issuer", meta["issuer"], op.Issuer)
		_, claims := p.verify(p.redeem(p.newCode()).json["id_token"].(string))
		want(t, "iss", claims["iss"], op.Issuer)
	}
	t.Run("TLS", func(t *testing.T) { logIn(t, New(t)) })
	t.Run("plain http", func(t *testing.T) {
		op := NewWith(t, Config{PlainHTTP: true, Path: "/t1"})
		want(t, "issuer", strings.HasPrefix(op.Issuer, "http://127.0.0.1:") && strings.HasSuffix(op.Issuer, "/t1"), true)
		want(t, "certificate", op.Certificate() == nil, true)
		logIn(t, op)
	})
	t.Run("another name", func(t *testing.T) {
		op := NewWith(t, Config{Hosts: []string{"login.example"}})
		p := &party{t: t, op: op}
		a := p.get("https://login.example/.well-known/webfinger?resource=acct:bob@login.example", "")
		want(t, "status", a.status, 200)
	})
	t.Run("embedded", func(t *testing.T) {
		var h http.Handler
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }))
		defer server.Close()
		op := NewWith(t, Config{Issuer: server.URL + "/op"})
		h = op.Handler()
		logIn(t, op)
	})
	t.Run("tenants", func(t *testing.T) {
		op := NewWith(t, Config{Path: "/t1"})
		other, err := op.Tenant(Config{Path: "/t2"})
		if err != nil {
			t.Fatal(err)
		}
		logIn(t, op)
		logIn(t, other)
		p := &party{t: t, op: op}
		for _, o := range []*OP{op, other} {
			want(t, "RFC 8414", p.get("https://"+op.Host+metadataPath+o.c.Path, "").json["issuer"], o.Issuer)
			a := p.get("https://"+op.Host+webFingerPath+"?resource="+url.QueryEscape(o.Issuer), "")
			want(t, "WebFinger", a.json["links"].([]any)[0].(map[string]any)["href"], o.Issuer)
		}
		if _, err := op.Tenant(Config{Path: "/t2"}); err == nil {
			t.Error("two providers at one path")
		}
	})
	t.Run("in memory and in a bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			op := NewWith(t, Config{InMemory: true})
			want(t, "issuer", op.Issuer, "https://op.test")
			logIn(t, op)
			p := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
			access := p.redeem(p.newCode()).json["access_token"].(string)
			time.Sleep(defaultTokenLifetime) // of the bubble: no time passes
			want(t, "expired", p.get(op.URL(EndpointUserInfo), access).status, 401)
		})
	})
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]Config{
		"path without slash":    {Path: "t1"},
		"path with final slash": {Path: "/t1/"},
		"path with query":       {Path: "/t1?a"},
		"issuer without host":   {Issuer: "https:///x"},
		"issuer with slash":     {Issuer: "https://op.test/"},
		"issuer with query":     {Issuer: "https://op.test?a=b"},
		"negative lifetime":     {CodeLifetime: -1},
		"negative grace":        {RefreshGrace: -1},
		"nobody":                {Users: []User{}},
		"nameless":              {Users: []User{{Sub: "1"}}},
		"address":               {Addr: "nowhere.invalid:99999"},
	} {
		if op, err := Start(c); err == nil {
			t.Errorf("%s: accepted", name)
			if err := op.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestWebFinger(t *testing.T) {
	op := New(t)
	p := &party{t: t, op: op}
	_, port, _ := strings.Cut(op.Host, ":")
	for _, c := range []struct {
		query  string
		status int
		links  int
	}{
		{"resource=acct:alice@" + op.Host, 200, 1},
		{"resource=acct:alice@localhost", 200, 1},
		{"resource=acct:chlo%C3%A9@localhost:" + port, 200, 1},
		{"resource=acct:nobody@" + op.Host, 404, 0},
		{"resource=acct:alice@elsewhere.example", 404, 0},
		{"resource=acct:alice@localhost:1", 404, 0},
		{"resource=" + url.QueryEscape(op.Issuer), 200, 1},
		{"resource=" + url.QueryEscape(op.Issuer+"/alice"), 200, 1},
		{"resource=" + url.QueryEscape("https://alice@"+op.Host), 200, 1},
		{"resource=" + url.QueryEscape(op.Issuer+"/nobody"), 404, 0},
		{"resource=" + url.QueryEscape("https://elsewhere.example/"), 404, 0},
		{"resource=mailto:alice@" + op.Host, 404, 0},
		{"", 400, 0},
		{"resource=a&resource=b", 400, 0},
		{"resource=alice", 400, 0},
		{"resource=" + url.QueryEscape(op.Issuer) + "&rel=" + url.QueryEscape(issuerRel), 200, 1},
		{"resource=" + url.QueryEscape(op.Issuer) + "&rel=avatar", 200, 0},
		{"resource=" + url.QueryEscape(op.Issuer) + "&rel=avatar&rel=" + url.QueryEscape(issuerRel), 200, 1},
	} {
		a := p.get(op.URL(EndpointWebFinger)+"?"+c.query, "")
		want(t, c.query+": status", a.status, c.status)
		links, _ := a.json["links"].([]any)
		want(t, c.query+": links", len(links), c.links)
		want(t, c.query+": type", a.header.Get("Content-Type"), "application/jrd+json")
		want(t, c.query+": CORS", a.header.Get("Access-Control-Allow-Origin"), "*")
	}
}

func TestUserInfoIsChecked(t *testing.T) {
	op := New(t)
	p := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	access := p.redeem(p.newCode()).json["access_token"].(string)
	at := op.URL(EndpointUserInfo)
	send := func(method, target string, form url.Values, auth ...string) answer {
		r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Header["Authorization"] = auth
		return p.do(r)
	}
	token := url.Values{"access_token": {access}}
	want(t, "header", send("GET", at, nil, "Bearer "+access).status, 200)
	want(t, "header in another case", send("GET", at, nil, "bEARER "+access).status, 200)
	want(t, "POST with header", send("POST", at, nil, "Bearer "+access).status, 200)
	want(t, "body", send("POST", at, token).status, 200)
	want(t, "both", send("POST", at, token, "Bearer "+access).status, 400)
	want(t, "query", send("GET", at+"?"+token.Encode(), nil).status, 400)
	want(t, "PUT", send("PUT", at, nil, "Bearer "+access).status, 405)
	none := send("GET", at, nil)
	want(t, "nothing", none.status, 401)
	want(t, "challenge without an error", none.header.Get("WWW-Authenticate"), `Bearer realm="oidctest"`)
	wrong := send("GET", at, nil, "Bearer x")
	want(t, "wrong", wrong.status, 401)
	want(t, "challenge", strings.Contains(wrong.header.Get("WWW-Authenticate"), `error="invalid_token"`), true)
	want(t, "basic", send("GET", at, nil, "Basic x").status, 401)
	op.Advance(defaultTokenLifetime)
	want(t, "expired", send("GET", at, nil, "Bearer "+access).status, 401)
}

func TestClaimsFollowScopesAndRequests(t *testing.T) {
	op := New(t)
	op.AddUser(User{Username: "eve", Name: "Eve", Claims: map[string]any{"groups": list("a", "b"), "email": "eve@custom.example"}})
	p := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	ask := func(user, scope, claims string) (idToken, userInfo map[string]any) {
		p.browser = op.Browser()
		p.browser.User = user
		v := p.params("code")
		v.Set("scope", scope)
		if claims != "" {
			v.Set("claims", claims)
		}
		a := p.redeem(p.login(v).Params().Get("code"))
		_, idToken = p.verify(a.json["id_token"].(string))
		return idToken, p.get(op.URL(EndpointUserInfo), a.json["access_token"].(string)).json
	}
	_, ui := ask("alice", "openid", "")
	want(t, "openid alone", ui, map[string]any{"sub": "alice-248289761001"})
	_, ui = ask("alice", "openid address phone", "")
	want(t, "country", ui["address"].(map[string]any)["country"], "United Kingdom")
	want(t, "phone verified", ui["phone_number_verified"], true)
	want(t, "email", ui["email"], nil)
	id, ui := ask("alice", "openid", `{"userinfo":{"email":null,"nickname":{"essential":true}},"id_token":{"locale":null,"auth_time":{"essential":true}}}`)
	want(t, "requested", []any{ui["email"], ui["email_verified"], ui["nickname"], ui["locale"]}, []any{"alice@example.com", nil, "Al", nil})
	want(t, "in the ID Token", []any{id["locale"], id["auth_time"] != nil, id["email"]}, []any{"en-GB", true, nil})
	_, ui = ask("chloé", "openid profile", "")
	want(t, "languages", ui["name#ja-Kana-JP"], "クロエ")
	_, ui = ask("eve", "openid profile", "")
	want(t, "further claims", ui["groups"], list("a", "b"))
	want(t, "email needs its scope", ui["email"], nil)
	_, ui = ask("bob", "openid email", "")
	want(t, "not verified", ui["email_verified"], false)
	want(t, "dan", func() any { _, ui := ask("dan", "openid profile email", ""); return len(ui) }(), 1)
}

func TestLogoutIsChecked(t *testing.T) {
	op := New(t)
	p := newParty(t, op, Client{PostLogoutRedirectURIs: []string{"https://rp.example/bye?a=b"}, IDTokenSignedResponseAlg: "HS256"})
	hint := p.redeem(p.newCode()).json["id_token"].(string)
	op.Advance(time.Hour) // an expired hint is good (RP-Initiated Logout 2)
	for _, c := range []struct {
		name   string
		v      url.Values
		status int
		to     string
	}{
		{"hint", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://rp.example/bye?a=b"}, "state": {"s"}}, 303, "https://rp.example/bye?a=b&state=s"},
		{"client", url.Values{"client_id": {p.client.ID}, "post_logout_redirect_uri": {"https://rp.example/bye?a=b"}}, 303, "https://rp.example/bye?a=b"},
		{"nothing", url.Values{}, 200, ""},
		{"no client", url.Values{"post_logout_redirect_uri": {"https://rp.example/bye?a=b"}}, 400, ""},
		{"unregistered", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://rp.example/bye"}}, 400, ""},
		{"foreign hint", url.Values{"id_token_hint": {hint + "x"}}, 400, ""},
		{"another client", url.Values{"id_token_hint": {hint}, "client_id": {"other"}}, 400, ""},
		{"twice", url.Values{"state": {"a", "b"}}, 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := post(t.Context(), op.URL(EndpointEndSession), c.v)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range []answer{p.get(op.URL(EndpointEndSession)+"?"+c.v.Encode(), ""), p.do(r)} {
				want(t, "status", a.status, c.status)
				want(t, "to", a.header.Get("Location"), c.to)
			}
		})
	}
}

func TestTampering(t *testing.T) {
	op := New(t)
	p := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	op.TamperMetadata(func(m map[string]any) { m["tampered"] = m["issuer"] })
	op.TamperJRD(func(m map[string]any) { m["tampered"] = true })
	op.TamperJWKS(func(m map[string]any) { m["tampered"] = len(m["keys"].([]any)) })
	op.TamperRegistration(func(m map[string]any) { m["tampered"] = m["client_name"] })
	op.TamperIDToken(func(h, c map[string]any) { h["tampered"], c["tampered"] = h["alg"], c["sub"] })
	op.TamperTokenResponse(func(m map[string]any) { m["tampered"] = true })
	op.TamperUserInfo(func(m map[string]any) { m["tampered"] = m["sub"] })
	op.TamperAuthResponse(func(v url.Values) { v.Set("tampered", v.Get("state")) })
	op.Break(IssuerOther) // a free-hand edit sees what a fault has done

	want(t, "metadata", p.get(op.URL(EndpointDiscovery), "").json["tampered"], attacker)
	want(t, "JRD", p.get(op.URL(EndpointWebFinger)+"?resource=acct:bob@localhost", "").json["tampered"], true)
	want(t, "JWKS", p.get(op.URL(EndpointJWKS), "").json["tampered"], 6) // five sign, one opens request objects
	want(t, "registration", p.sendJSON("POST", op.URL(EndpointRegistration), "", map[string]any{"redirect_uris": list("https://rp.example/"), "client_name": "N"}).json["tampered"], "N")
	cb := p.login(p.params("code"))
	want(t, "response", cb.Params().Get("tampered"), "state-1")
	a := p.redeem(cb.Params().Get("code"))
	want(t, "token response", a.json["tampered"], true)
	header, claims := p.verify(a.json["id_token"].(string))
	want(t, "ID Token", []any{header["tampered"], claims["tampered"]}, []any{"EdDSA", "alice-248289761001"})
	want(t, "UserInfo", p.get(op.URL(EndpointUserInfo), a.json["access_token"].(string)).json["tampered"], "alice-248289761001")
	want(t, "error response", p.redeem("x").json["tampered"], true)

	op.TamperMetadata(nil)
	want(t, "stopped", p.get(op.URL(EndpointDiscovery), "").json["tampered"], nil)
}

func TestInterceptAndLog(t *testing.T) {
	op := New(t)
	p := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	op.Intercept(EndpointToken, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, len(body))
	})
	a := p.redeem("a-code")
	want(t, "status", a.status, http.StatusTeapot)
	want(t, "body was there", string(a.body) > "0", true)
	got := op.Requests(EndpointToken)
	want(t, "recorded", []any{len(got), got[0].Form.Get("code"), got[0].Status, got[0].Method}, []any{1, "a-code", http.StatusTeapot, "POST"})
	for _, s := range []string{fmt.Sprint(got[0]), fmt.Sprintf("%+v %#v", got[0], got[0]), fmt.Sprint(got[0].Auth), fmt.Sprintf("%#v", got[0].Auth), got[0].LogValue().String(), fmt.Sprintf("%v %+v %#v", p.client, p.client, p.client), slog.AnyValue(p.client).Resolve().String()} {
		if strings.Contains(s, p.client.Secret) || strings.Contains(s, "a-code") {
			t.Errorf("a secret shows: %s", s)
		}
	}
	op.Intercept(EndpointToken, nil)
	want(t, "restored", p.redeem("x").status, 400)
	p.get(op.Issuer+"/nothing", "")
	want(t, "elsewhere", len(op.Requests(EndpointNone)), 1)
	p.sendJSON("POST", op.URL(EndpointRegistration), "", map[string]any{"a": 1})
	want(t, "JSON", string(op.Requests(EndpointRegistration)[0].JSON), `{"a":1}`)
	op.ClearLog()
	want(t, "cleared", len(op.Received()), 0)
}

func TestLogIsBounded(t *testing.T) {
	op := NewWith(t, Config{Issuer: "https://op.test"})
	for i := range maxLog + 10 {
		n := op.record(Request{Path: fmt.Sprint(i)})
		op.finished(n, Request{Status: i})
	}
	got := op.Received()
	if len(got) > maxLog {
		t.Errorf("%d requests", len(got))
	}
	last := got[len(got)-1]
	want(t, "last", []any{last.Path, last.Status}, []any{fmt.Sprint(maxLog + 9), maxLog + 9})
}

func TestShelfIsBounded(t *testing.T) {
	var s shelf[int]
	now := time.Unix(1000, 0)
	for i := range 3 * maxShelf {
		s.put(fmt.Sprint(i), i, now.Add(time.Second))
		s.drop(fmt.Sprint(i - 5))
	}
	if len(s.entries) > maxShelf || len(s.order) > 2*maxShelf+1 {
		t.Errorf("%d entries, %d in order", len(s.entries), len(s.order))
	}
	s = shelf[int]{}
	for i := range maxShelf + 1 {
		s.put(fmt.Sprint(i), i, now.Add(time.Second))
	}
	_, first := s.get("0", now)
	_, second := s.get("1", now)
	want(t, "oldest goes first", []bool{first, second}, []bool{false, true})
	_, late := s.get("1", now.Add(time.Second))
	want(t, "expired", late, false)
}

func TestCloseEndsWhatNeverEnds(t *testing.T) {
	op, err := Start(Config{})
	if err != nil {
		t.Fatal(err)
	}
	op.Break(MetadataSlow)
	res, err := op.HTTPClient().Get(op.URL(EndpointDiscovery))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(io.Discard, res.Body) // ends with an error of some kind
		_ = res.Body.Close()
	})
	for range 2 {
		if err := op.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
}

func TestManyAtOnce(t *testing.T) {
	op := New(t)
	p := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			q := &party{t: t, op: op, client: p.client, browser: op.Browser()}
			cb, err := q.browser.Login(context.Background(), op.URL(EndpointAuthorization)+"?"+q.params("code").Encode())
			if err != nil {
				t.Error(err)
				return
			}
			op.Break(NonceWrong)
			op.RotateKeys()
			op.Mend()
			_ = op.Received()
			r, err := post(context.Background(), op.URL(EndpointToken), url.Values{
				"grant_type": {"authorization_code"}, "code": {cb.Params().Get("code")}, "redirect_uri": {DefaultRedirectURI}, "code_verifier": {testVerifier}})
			if err != nil {
				t.Error(err)
				return
			}
			r.SetBasicAuth(q.client.ID, q.client.Secret)
			res, err := op.HTTPClient().Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			var doc map[string]any
			if err := json.NewDecoder(res.Body).Decode(&doc); err != nil || doc["id_token"] == nil {
				t.Errorf("%v: %v", doc, err)
			}
			if err := res.Body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestDistributedClaims(t *testing.T) {
	op := New(t)
	op.Break(UserInfoDistributed)
	p := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	access := p.redeem(p.newCode()).json["access_token"].(string)
	ui := p.get(op.URL(EndpointUserInfo), access).json
	want(t, "names", ui["_claim_names"], map[string]any{"phone_number": "src1", "address": "src1"})
	source := ui["_claim_sources"].(map[string]any)["src1"].(map[string]any)
	want(t, "the UserInfo token is no use there", p.get(source["endpoint"].(string), access).status, 401)
	want(t, "its token is no use at UserInfo", p.get(op.URL(EndpointUserInfo), source["access_token"].(string)).status, 401)
	_, claims := p.verify(string(p.get(source["endpoint"].(string), source["access_token"].(string)).body))
	want(t, "phone_number", claims["phone_number"], "+44 20 7946 0123")
}

func TestAlgNoneOnlyWhenAllowed(t *testing.T) {
	doc := map[string]any{"redirect_uris": list(DefaultRedirectURI), "id_token_signed_response_alg": "none"}
	p := &party{t: t, op: New(t)}
	want(t, "not allowed", p.sendJSON("POST", p.op.URL(EndpointRegistration), "", doc).status, 400)
	p = &party{t: t, op: NewWith(t, Config{AllowAlgNone: true})}
	want(t, "allowed", p.sendJSON("POST", p.op.URL(EndpointRegistration), "", doc).status, 201)
	doc["response_types"], doc["grant_types"] = list("id_token"), list("implicit")
	want(t, "never in the front channel", p.sendJSON("POST", p.op.URL(EndpointRegistration), "", doc).status, 400)
	q := newParty(t, p.op, Client{IDTokenSignedResponseAlg: "none", ResponseTypes: []string{"code"}})
	idToken := q.redeem(q.newCode()).json["id_token"].(string)
	want(t, "no signature", strings.HasSuffix(idToken, "."), true)
}

func TestLogKeepsItsSize(t *testing.T) {
	op := NewWith(t, Config{Issuer: "https://op.test"})
	body := make([]byte, maxLogBody)
	for range maxLogBytes/maxLogBody + 50 {
		op.record(Request{Body: body})
	}
	if n := len(op.Received()); n > maxLogBytes/maxLogBody || n < maxLogBytes/maxLogBody-1 {
		t.Errorf("%d requests of 64 KiB are kept", n)
	}
	op.ClearLog()
	want(t, "bytes", op.logBytes, 0)
}

func TestObserveSeesEachRequestFinished(t *testing.T) {
	seen := make(chan Request, 1)
	op := NewWith(t, Config{Observe: func(r Request) { seen <- r }})
	res, err := op.HTTPClient().Get(op.URL(EndpointJWKS))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if r := <-seen; r.Endpoint != EndpointJWKS || r.Status != 200 {
		t.Fatalf("observed %v with status %d, want the request for the keys with status 200", r, r.Status)
	}
}
