package oidc_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"testing"
	"time"

	"rely.example/oidc"
)

func TestFAPIHeaders(t *testing.T) {
	h := make(http.Header)
	id := oidc.FAPIHeaders{}.Set(h)
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) || h.Get("x-fapi-interaction-id") != id || len(h) != 1 {
		t.Errorf("got %v", h)
	}
	if again := (oidc.FAPIHeaders{}).Set(h); again == id {
		t.Error("the id is not fresh")
	}
	oidc.FAPIHeaders{InteractionID: "i", AuthDate: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), CustomerIPAddress: "192.0.2.7"}.Set(h)
	if h.Get("x-fapi-interaction-id") != "i" || h.Get("x-fapi-auth-date") != "Wed, 02 Jan 2030 03:04:05 GMT" || h.Get("x-fapi-customer-ip-address") != "192.0.2.7" {
		t.Errorf("got %v", h)
	}
}

// TestIntent: the ID Token of a consent or payment names the intent that was
// lodged, and no other.
func TestIntent(t *testing.T) {
	r := bank(t, oidc.FAPI1Advanced)
	r.params.Claims = &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"openbanking_intent_id": {Essential: true, Value: "urn:bank:intent:7"}}}
	claim(r.op, "openbanking_intent_id", "urn:bank:intent:7")
	r.mustLogin()
	claim(r.op, "openbanking_intent_id", "urn:bank:intent:8")
	if tok, err := r.login(); err == nil {
		t.Errorf("another intent was accepted: %v", tok)
	}
}

func TestClaimsRequestExtra(t *testing.T) {
	c := oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"acr": nil}, Extra: map[string]any{"sharing_duration": 60000, "cdr_arrangement_id": "x"}}
	got, err := json.Marshal(&c)
	if want := `{"id_token":{"acr":null},"cdr_arrangement_id":"x","sharing_duration":60000}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	r := setup(t, newOP(t))
	_, err = r.c.Begin(t.Context(), oidc.AuthParams{Claims: &oidc.ClaimsRequest{Extra: map[string]any{"userinfo": 1}}})
	wantInput(t, err, oidc.BadParameter)
}
