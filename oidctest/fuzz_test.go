package oidctest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// quiet serves one request in memory.
func quiet(t *testing.T, op *OP, method, target, contentType, body, bearer string) *recorder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	rec := &recorder{header: http.Header{}, cancel: cancel}
	op.Handler().ServeHTTP(rec, r)
	return rec
}

// Whatever a request holds, the browser is sent to the registered redirect URI
// or nowhere, and a code is given only for what a code needs.
func FuzzAuthorizationRequest(f *testing.F) {
	keys := newKeyring(nil, nil)
	good := (&party{client: Client{ID: "fuzz", RedirectURIs: []string{DefaultRedirectURI}}}).params("code")
	f.Add(good.Encode())
	for _, change := range []url.Values{
		{"response_type": {"code id_token token"}, "response_mode": {"form_post"}, "claims": {`{"id_token":{"sub":{"value":"x"},"acr":{"values":["1"]}}}`}},
		{"redirect_uri": {"https://attacker.example/"}}, {"redirect_uri": {DefaultRedirectURI, "https://attacker.example/"}},
		{"state": {"a\r\nLocation: https://attacker.example/"}}, {"max_age": {"9223372036854775807"}}, {"id_token_hint": {"a.b.c"}}, {"prompt": {"none"}},
	} {
		v := url.Values{}
		for k, values := range good {
			v[k] = values
		}
		for k, values := range change {
			v[k] = values
		}
		f.Add(v.Encode())
	}
	f.Fuzz(func(t *testing.T, form string) {
		op := NewWith(t, Config{Issuer: "https://op.test", keys: keys, Now: func() time.Time { return time.Unix(1e9, 0) },
			Clients: []Client{{ID: "fuzz", IDTokenSignedResponseAlg: "EdDSA"}}})
		rec := quiet(t, op, "POST", op.URL(EndpointAuthorization), "application/x-www-form-urlencoded", form, "")
		if rec.status >= 500 {
			t.Fatalf("status %d: %s", rec.status, rec.body.String())
		}
		loc := rec.header.Get("Location")
		if loc != "" && !strings.HasPrefix(loc, DefaultRedirectURI+"?") && !strings.HasPrefix(loc, DefaultRedirectURI+"#") {
			t.Fatalf("sent to %q", loc)
		}
		if strings.ContainsAny(loc, "\r\n") {
			t.Fatalf("a line break in %q", loc)
		}
		if fm, ok := readForm(rec.body.String()); ok && fm.action != DefaultRedirectURI {
			t.Fatalf("posted to %q", fm.action)
		}
		if u, err := url.Parse(loc); err == nil && redirected(u).Params().Has("code") {
			sent, err := url.ParseQuery(form)
			if len(sent["code_challenge"]) != 1 || len(sent["scope"]) != 1 || !strings.Contains(" "+sent.Get("scope")+" ", "openid") {
				t.Fatalf("a code for %v (%v)", sent, err)
			}
		}
	})
}

// What is registered, registers again and gives the same registration.
func FuzzRegistration(f *testing.F) {
	f.Add(`{"redirect_uris":["https://rp.example/cb"]}`)
	f.Add(`{"redirect_uris":["https://rp.example/cb"],"response_types":["id_token token"],"grant_types":["implicit"],"client_name#fr":"Nom","default_max_age":3600,"jwks":{"keys":[]}}`)
	f.Add(`{"redirect_uris":["app:/cb"],"application_type":"native","token_endpoint_auth_method":"none","contacts":["a@b.example"],"subject_type":"pairwise"}`)
	f.Add(`{"redirect_uris":[null]}`)
	f.Add(`{"redirect_uris":["https://rp.example/cb"],"default_max_age":1e2}`)
	f.Fuzz(func(t *testing.T, doc string) {
		if strings.Contains(doc, "sector_identifier_uri") {
			t.Skip("it would be fetched")
		}
		op := NewWith(t, Config{Issuer: "https://op.test"})
		register := func(doc string) (map[string]any, int) {
			rec := quiet(t, op, "POST", op.URL(EndpointRegistration), "application/json", doc, "")
			if rec.status >= 500 {
				t.Fatalf("status %d: %s", rec.status, rec.body.String())
			}
			m := map[string]any{}
			if err := json.Unmarshal(rec.body.Bytes(), &m); err != nil {
				t.Fatal(err)
			}
			return m, rec.status
		}
		first, status := register(doc)
		if status != http.StatusCreated {
			return
		}
		again, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		second, status := register(string(again))
		if status != http.StatusCreated {
			t.Fatalf("%s is refused: %v", again, second)
		}
		for _, issued := range []string{"client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at", "registration_access_token", "registration_client_uri"} {
			delete(first, issued)
			delete(second, issued)
		}
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("%v became %v", first, second)
		}
	})
}
