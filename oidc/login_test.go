package oidc_test

import (
	"testing"
)

// TestHappyLogin is the login that every other test changes in one place.
func TestHappyLogin(t *testing.T) {
	op := newOP(t)
	eachResponseType(t, func(t *testing.T, rt, mode string) {
		r := setup(t, op, types(rt))
		r.params.ResponseMode = mode
		r.params.Scopes = []string{"profile", "email"}
		tok := r.mustLogin()
		if tok.IDToken == nil || tok.IDToken.Subject == "" {
			t.Fatalf("no ID Token: %v", tok)
		}
		if rt == "id_token" {
			if tok.AccessToken != "" {
				t.Fatal("an access token out of nowhere")
			}
			return
		}
		ui, err := r.c.UserInfo(t.Context(), tok)
		if err != nil {
			t.Fatal(err)
		}
		if ui.Subject != tok.IDToken.Subject || ui.Email == "" {
			t.Fatalf("got UserInfo %v", ui)
		}
	})
}
