package oidc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
)

// roundTrip is a network of one answer.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answers is a network in which every request meets one answer.
func answers(status int, header http.Header, body []byte, seen func(*http.Request)) *http.Client {
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if seen != nil {
			seen(r)
		}
		return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, nil
	})}
}

var jsonHeader = http.Header{"Content-Type": {"application/json"}}

// FuzzIdentifier: whatever is asked is asked at the host that a URL parser reads
// out of the request, which is public and on a port that is allowed; what was
// accepted in its normal form is accepted again with the same meaning.
func FuzzIdentifier(f *testing.F) {
	for _, s := range []string{"alice@example.com", "example.com", "example.com:8080/path?q#f", "https://example.com/joe", "acct:alice%40x@example.com", "alice@example.com:8443", "https://a@b", "=nat", "http://x",
		"https://[::1]/", "[::ffff:127.0.0.1]", "xn--mnchen-3ya.example", "a@b@c", "https://exa%6dple.com", "https:\\\\x", "foo@example.com#f", "127.1", "0x7f.1", "example.com.", "ACCT:a@EXAMPLE.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, identifier string) {
		ask := func(identifier string) (asked *url.URL, err error) {
			client := answers(404, nil, nil, func(r *http.Request) { asked = r.URL })
			_, err = oidc.FindIssuer(context.Background(), identifier, &oidc.Options{HTTPClient: client})
			return asked, err
		}
		u, err := ask(identifier)
		if err == nil {
			t.Fatalf("%q: an issuer out of a 404", identifier)
		}
		if u == nil {
			return
		}
		again, parseErr := url.Parse(u.String())
		if parseErr != nil || again.Host != u.Host || u.User != nil || u.Scheme != "https" || u.Path != "/.well-known/webfinger" || u.Fragment != "" {
			t.Fatalf("%q asks %v (%v)", identifier, u, parseErr)
		}
		if port := u.Port(); port != "" && port != "443" && port != "8443" {
			t.Fatalf("%q asks port %s", identifier, port)
		}
		host := strings.ToLower(u.Hostname())
		if addr, err := netip.ParseAddr(host); err == nil && (addr.Unmap().IsLoopback() || addr.Unmap().IsPrivate() || addr.IsLinkLocalUnicast() || addr.Unmap().IsUnspecified()) {
			t.Fatalf("%q asks %s", identifier, host)
		}
		if host == "localhost" || strings.ContainsAny(host, "@%\\ ") {
			t.Fatalf("%q asks %s", identifier, host)
		}
		q, err := url.ParseQuery(u.RawQuery)
		if err != nil || len(q["resource"]) != 1 || len(q) != 2 || strings.Contains(q.Get("resource"), "#") {
			t.Fatalf("%q asks for %v, %v", identifier, q, err)
		}
		if !strings.Contains(strings.ToLower(q.Get("resource")), host) {
			t.Fatalf("%q asks %s for %s", identifier, host, q.Get("resource"))
		}
		if strings.Contains(q.Get("resource"), "@") && strings.HasPrefix(q.Get("resource"), "https:") {
			return // user@host:port, whose normal form a person must not write
		}
		twice, _ := ask(q.Get("resource"))
		if twice == nil || twice.String() != u.String() {
			t.Fatalf("%q asks %v, its normal form %v", identifier, u, twice)
		}
	})
}

// FuzzProviderMetadata: accepted metadata is the same when it was written and
// read again, and a Provider of it has https endpoints alone.
func FuzzProviderMetadata(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://op.example","authorization_endpoint":"https://op.example/a","token_endpoint":"https://op.example/t","jwks_uri":"https://op.example/k","response_types_supported":["code"],"x":{"y":null}}`))
	f.Add([]byte(`{"issuer":"https://op.example","ISSUER":"x","mtls_endpoint_aliases":{"token_endpoint":"https://m.example"}}`))
	f.Add([]byte(`{"issuer":"http://op.example","scopes_supported":[]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		md, err := oidc.ParseProviderMetadata(doc)
		if err != nil {
			if !errors.Is(err, oidc.MalformedResponse) {
				t.Fatal(err)
			}
			return
		}
		written, err := json.Marshal(md)
		if err != nil {
			t.Fatal(err)
		}
		again, err := oidc.ParseProviderMetadata(written)
		if err != nil {
			t.Fatalf("%s\nwas accepted, and as %s\nis not: %v", doc, written, err)
		}
		md.Raw, again.Raw = nil, nil
		if twice, _ := json.Marshal(again); string(twice) != string(written) {
			t.Fatalf("%s\nbecame\n%s", written, twice)
		}
		p, err := oidc.NewProvider(md, &oidc.Options{HTTPClient: answers(404, nil, nil, nil)})
		if err != nil {
			return
		}
		got := p.Metadata()
		for _, u := range []string{got.Issuer, got.AuthorizationEndpoint, got.TokenEndpoint, got.UserInfoEndpoint, got.JWKSURI, got.RegistrationEndpoint, got.RevocationEndpoint, got.EndSessionEndpoint} {
			if v, err := url.Parse(u); u != "" && (err != nil || v.Scheme != "https" || v.Host == "" || v.User != nil || v.Fragment != "") {
				t.Fatalf("%s is in use", u)
			}
		}
	})
}

// meaning is what encoding/json reads in an object that was accepted. Its numbers
// stay as they are written: not every one that JSON allows is a float64.
func meaning(t *testing.T, doc []byte) (members map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		t.Fatalf("%q was accepted: %v", doc, err)
	}
	return members
}

// fuzzClient is a client of an OP whose network answers as a fuzz target says.
func fuzzClient(t testing.TB, network *http.Client, edit ...func(*oidc.ClientMetadata)) *oidc.Client {
	t.Helper()
	p, err := oidc.NewProvider(oidc.ProviderMetadata{
		Issuer: "https://op.example", AuthorizationEndpoint: "https://op.example/a", TokenEndpoint: "https://op.example/t", UserInfoEndpoint: "https://op.example/u", JWKSURI: "https://op.example/k",
	}, &oidc.Options{HTTPClient: network, Now: func() time.Time { return time.Unix(1.7e9, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, ResponseTypes: []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}}
	for _, e := range edit {
		e(&m)
	}
	c, err := oidc.NewClient(p, oidc.ClientConfig{ID: "c", Secret: "a secret that is long enough", Metadata: m})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// FuzzAuthResponse: no answer of a browser makes tokens by itself, and without
// the state of the login nothing is sent to the OP.
func FuzzAuthResponse(f *testing.F) {
	for _, s := range []string{"code=a&state=S&iss=https%3A%2F%2Fop.example", "error=access_denied&state=S", "state=S&id_token=a.b.c&access_token=x&token_type=bearer", "code=a&code=b", "%zz", "state=S&response=x", "response", "response=a.e30.c", "a;b", "code=a#state=S"} {
		for i := range 6 {
			f.Add(s, i, "query")
		}
		f.Add(s, 0, "form")
		f.Add(s, 3, "url")
	}
	f.Fuzz(func(t *testing.T, raw string, rt int, how string) {
		called := false
		c := fuzzClient(t, answers(404, nil, nil, func(*http.Request) { called = true }))
		types := c.Metadata().ResponseTypes
		req, err := c.Begin(context.Background(), oidc.AuthParams{ResponseType: types[uint(rt)%uint(len(types))]})
		if err != nil {
			t.Fatal(err)
		}
		state := req.Pending.State
		raw = strings.ReplaceAll(raw, "state=S", "state="+state)
		var a oidc.AuthResponse
		switch how {
		case "form":
			r := httptest.NewRequest("POST", redirectURI, strings.NewReader(raw))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			a, err = oidc.ReadAuthResponse(r)
		case "url":
			a, err = oidc.ReadAuthURL(redirectURI + "?" + raw)
		case "fragment":
			a, err = oidc.ReadAuthFragment(raw)
		default:
			a, err = oidc.ReadAuthQuery(raw)
		}
		if err != nil {
			if !errors.Is(err, oidc.MalformedAuthResponse) && !errors.Is(err, oidc.DuplicateParameter) && !errors.Is(err, oidc.NotANavigation) &&
				!errors.Is(err, oidc.UnexpectedParameter) {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		req.Pending.ResponseMode = a.Mode()
		tok, err := c.Finish(context.Background(), req.Pending, a)
		if err == nil || tok != nil {
			t.Fatalf("%q makes %v, %v", raw, tok, err)
		}
		if key, _ := a.PendingKey(); called && key != state {
			t.Fatalf("%q reaches the OP with another state", raw)
		}
		if strings.ContainsAny(err.Error(), "\r\n\x1b\x00") {
			t.Fatalf("%q", err)
		}
	})
}

// FuzzClientMetadata: what was accepted is written and read again with the same
// meaning, unknown members included.
func FuzzClientMetadata(f *testing.F) {
	f.Add([]byte(`{"redirect_uris":["https://rp.example/cb"],"client_name#fr":"x","default_max_age":5,"jwks":{"keys":[]},"y":null}`))
	f.Add([]byte(`{"require_auth_time":true,"grant_types":[],"x":{"a":1e400}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var m oidc.ClientMetadata
		if m.UnmarshalJSON(doc) != nil {
			return
		}
		written, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("%s was accepted and cannot be written: %v", doc, err)
		}
		var again oidc.ClientMetadata
		if err := json.Unmarshal(written, &again); err != nil {
			t.Fatalf("%s became %s: %v", doc, written, err)
		}
		twice, err := json.Marshal(again)
		if err != nil || string(twice) != string(written) {
			t.Fatalf("%s\nbecame\n%s (%v)", written, twice, err)
		}
		if len(again.Extra) != len(m.Extra) || !reflect.DeepEqual(again.RedirectURIs, m.RedirectURIs) && len(m.RedirectURIs) > 0 {
			t.Fatalf("%s lost something: %s", doc, written)
		}
	})
}

// FuzzTokenResponse: no token response makes Tokens without an ID Token that the
// OP signed, and no error repeats one of its tokens.
func FuzzTokenResponse(f *testing.F) {
	for _, s := range []string{`{"access_token":"abcdefgh","token_type":"Bearer","id_token":"a.b.c","expires_in":1e400}`, `{"error":"invalid_grant"}`, `null`, `{"access_token":7}`,
		`{"access_token":"abcdefgh","token_type":"Bearer","id_token":"eyJhbGciOiJub25lIn0.e30."}`, `{"access_token":"a","access_token":"b"}`} {
		f.Add([]byte(s), 200)
		f.Add([]byte(s), 400)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 200 || status > 599 {
			return
		}
		c := fuzzClient(t, answers(status, jsonHeader, body, nil))
		req, err := c.Begin(context.Background(), oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := oidc.ReadAuthQuery("code=the-code-itself&state=" + req.Pending.State)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := c.Finish(context.Background(), req.Pending, a)
		if err == nil || tok != nil {
			t.Fatalf("%s makes %v", body, tok)
		}
		for _, s := range []string{"the-code-itself", req.Pending.State, req.Pending.Verifier, "a secret that is long enough"} {
			if strings.Contains(err.Error(), s) {
				t.Fatalf("the error tells a secret: %v", err)
			}
		}
		// A refresh without an old ID Token may do without a new one.
		n, err := c.Refresh(context.Background(), &oidc.Tokens{RefreshToken: "the-refresh-token"})
		if err == nil && (n.AccessToken == "" || n.RefreshToken == "" || n.IDToken != nil || !n.Expiry.IsZero() && n.Expiry.Before(time.Unix(1.7e9, 0))) {
			t.Fatalf("%s refreshes to %+v", body, n)
		}
	})
}

// FuzzChallenge: whatever WWW-Authenticate says, the error is an OPError that a
// terminal can show.
func FuzzChallenge(f *testing.F) {
	for _, s := range []string{`Bearer error="invalid_token", error_description="a \"b\" c"`, `Bearer`, `Bearer error=x,error=y`, `Bearer error="`, `=`, `Bearer realm="a, error=b", error="c"`, "Bearer error=\"\x1b[31m\"", `Bearer error = "spaced"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c := fuzzClient(t, answers(401, http.Header{"Www-Authenticate": {value}}, nil, nil))
		err := c.Revoke(context.Background(), "x", "")
		if _, ok := errors.AsType[*oidc.UnsupportedError](err); !ok {
			t.Fatal(err)
		}
		_, err = c.Refresh(context.Background(), &oidc.Tokens{RefreshToken: "r"})
		oe, ok := errors.AsType[*oidc.OPError](err)
		if !ok || oe.StatusCode != 401 {
			t.Fatalf("%q: %v", value, err)
		}
		if oe.Code != "" && !strings.Contains(strings.ReplaceAll(value, `\`, ""), strings.ReplaceAll(oe.Code, `\`, "")) {
			t.Fatalf("%q has the code %q", value, oe.Code)
		}
		if s := oe.Error(); strings.ContainsAny(s, "\r\n\x1b\x00") || len(s) > 2000 {
			t.Fatalf("%q", s)
		}
	})
}

// FuzzIDToken: claims come out of a token that the OP signed for this login, and
// of no other.
func FuzzIDToken(f *testing.F) {
	good := `{"iss":"https://op.example","sub":"alice","aud":"c","exp":1700000100,"iat":1700000000,"nonce":"n"}`
	for _, s := range []string{good, `{"iss":"https://op.example"}`, `null`, `[]`, strings.Replace(good, `"c"`, `["c"]`, 1), strings.Replace(good, `"alice"`, `7`, 1), strings.Replace(good, `"exp":1700000100`, `"exp":1e400`, 1), strings.Replace(good, `{`, `{"x":1e400,`, 1),
		strings.Replace(good, `{`, `{"events":{},`, 1), strings.Replace(good, `{`, `{"sub":"bob",`, 1), strings.Replace(good, `{`, `{"azp":"c","auth_time":1,`, 1)} {
		f.Add([]byte(`{"alg":"RS256"}`), []byte(s), true)
		f.Add([]byte(`{"alg":"none"}`), []byte(s), false)
	}
	keys := marshal(map[string]any{"keys": []any{map[string]any{"kty": "RSA", "n": b64(opKey().N.Bytes()), "e": "AQAB"}}})
	f.Fuzz(func(t *testing.T, header, payload []byte, signed bool) {
		c := fuzzClient(t, answers(200, jsonHeader, keys, nil))
		raw := b64(header) + "." + b64(payload) + "."
		if signed {
			raw = signRS256(header, payload)
		}
		id, err := c.VerifyIDToken(context.Background(), raw, oidc.ExpectedIDToken{Nonce: "n"})
		if err != nil {
			if id != nil {
				t.Fatalf("a token beside the error %v", err)
			}
			if _, ok := errors.AsType[*oidc.ProtocolError](err); !ok {
				t.Fatal(err)
			}
			return
		}
		if !signed {
			t.Fatalf("%s.%s is believed without a signature", header, payload)
		}
		claims := meaning(t, payload)
		if claims["iss"] != "https://op.example" || claims["sub"] != id.Subject || id.Subject == "" || claims["nonce"] != "n" || id.Raw() != raw {
			t.Fatalf("%s is believed", payload)
		}
		var again, want map[string]any
		wantErr := json.Unmarshal(payload, &want) // of a number that no float64 is
		if err := id.Claims(&again); (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(again, want) {
			t.Fatalf("%v are not the claims that were signed, %v (%v, %v)", again, want, err, wantErr)
		}
	})
}
