package conformance_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// What the modules of FAPI 1.0 and 2.0 have in common.

// edited is a way to the resource on which the header of an answer changes.
type edited struct {
	http.RoundTripper
	edit func(http.Header)
}

func (e edited) RoundTrip(q *http.Request) (*http.Response, error) {
	res, err := e.RoundTripper.RoundTrip(q)
	if err == nil && e.edit != nil {
		e.edit(res.Header)
	}
	return res, err
}

// fapiAuth is how the client of a FAPI plan authenticates.
func fapiAuth(v variant) string {
	if v["client_auth_type"] == "mtls" {
		return oidc.AuthTLS
	}
	return oidc.AuthPrivateKey
}

// askForJWT has the authorization response come as a JWT.
func (r *run) askForJWT() {
	r.metadata.AuthorizationSignedResponseAlg = "PS256"
	r.params.ResponseMode = oidc.ModeJWT
}

// accounts asks the resource as a bank's client does, and returns the status.
func (r *run) accounts() int {
	r.Helper()
	// A token that is bound to the certificate goes where that is shown, over the
	// client's own connections.
	base := http.RoundTripper(edited{r.op.HTTPClient().Transport, r.edit})
	if r.metadata.TLSClientCertificateBoundAccessTokens {
		base = nil
	}
	client := &http.Client{Transport: r.c.Transport(r.tokens, base, "https://op.test", "https://mtls.op.test")}
	q, err := http.NewRequestWithContext(r.Context(), http.MethodGet, r.resource(), nil)
	if err != nil {
		r.Fatal(err)
	}
	interaction := oidc.FAPIHeaders{AuthDate: r.op.Now(), CustomerIPAddress: "192.0.2.7"}.Set(q.Header)
	res, err := client.Do(q)
	if err != nil {
		r.Fatalf("accounts: %v", err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		r.Fatal(err)
	}
	if got := res.Header.Get("X-Fapi-Interaction-Id"); got != interaction {
		r.Errorf("x-fapi-interaction-id came back as %q", got)
	}
	return res.StatusCode
}

// resource is the URL of the accounts.
func (r *run) resource() string {
	if r.metadata.TLSClientCertificateBoundAccessTokens {
		return r.op.MTLSURL(oidctest.EndpointAccounts)
	}
	return r.op.URL(oidctest.EndpointAccounts)
}

// refreshTwice is what the refresh modules want: the resource refuses every access
// token until the second refresh, which is by the token that the first one gave. It
// returns the calls up to the one that is answered.
func (r *run) refreshTwice() []oidctest.Endpoint {
	r.Helper()
	r.op.Intercept(oidctest.EndpointAccounts, func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("X-Fapi-Interaction-Id", q.Header.Get("X-Fapi-Interaction-Id"))
		w.Header().Set("WWW-Authenticate", `Bearer realm="conformancesuite", error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	var calls []oidctest.Endpoint
	for range 2 {
		if status := r.accounts(); status != http.StatusUnauthorized {
			r.Errorf("accounts answers %d", status)
		}
		old := r.tokens.RefreshToken
		fresh, err := r.c.Refresh(r.Context(), r.tokens)
		if err != nil {
			r.Fatalf("Refresh: %v", err)
		}
		if fresh.RefreshToken == old {
			r.Error("the refresh token was not rotated")
		}
		r.tokens = fresh
		calls = append(calls, oidctest.EndpointAccounts, oidctest.EndpointToken)
	}
	r.op.Intercept(oidctest.EndpointAccounts, nil)
	if status := r.accounts(); status != http.StatusOK {
		r.Errorf("accounts answers %d after the second refresh", status)
	}
	return calls
}

// decoded is a JWT that nobody verifies here.
func decoded(t testing.TB, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	for i, into := range []*map[string]any{&header, &claims} {
		if i >= len(parts) {
			t.Fatal("not a JWT")
		}
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(b, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// oldExp is an ID Token that died six minutes ago, as the suite's does.
func oldExp(r *run) {
	r.claims(func(c map[string]any) {
		c["exp"] = r.op.Now().Add(-6 * time.Minute).Unix()
		c["iat"] = r.op.Now().Add(-11 * time.Minute).Unix()
	})
}

// oldIat is an ID Token that was made a week ago, and lives on.
func oldIat(r *run) {
	r.claims(func(c map[string]any) { c["iat"] = r.op.Now().Add(-7 * 24 * time.Hour).Unix() })
}

// secondAudience is aud with a stranger beside the client, and no azp.
func secondAudience(r *run) {
	r.claims(func(c map[string]any) { c["aud"] = []any{c["aud"], "https://other1.example.com"} })
}

// alternateAlg signs every ID Token with RS256, by a key that is in the key set
// and fits, in place of the PS256 that was agreed.
func alternateAlg(r *run) {
	again := func(token string) string {
		_, claims := decoded(r, token)
		signed, err := r.op.Sign("RS256", nil, claims)
		if err != nil {
			r.Errorf("Sign: %v", err)
		}
		return signed
	}
	r.op.TamperTokenResponse(func(m map[string]any) {
		if token, ok := m["id_token"].(string); ok {
			m["id_token"] = again(token)
		}
	})
	r.op.TamperAuthResponse(func(v url.Values) {
		if token := v.Get("id_token"); token != "" {
			v.Set("id_token", again(token))
		}
	})
}

// intent is the consent of a user to one transaction, as the banks of the United
// Kingdom ask for it; the OP's ID Token names it.
const intent = "urn:openbanking:intent:7f3d"

// askForIntent demands the intent in the ID Token.
func (r *run) askForIntent() {
	r.params.Claims = &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{
		"openbanking_intent_id": {Essential: true, Value: intent},
	}}
}

// answerIntent puts an intent into every ID Token.
func answerIntent(value string) func(*run) {
	return func(r *run) { r.claims(func(c map[string]any) { c["openbanking_intent_id"] = value }) }
}
