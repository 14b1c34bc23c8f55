package oidc_test

import (
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// statementFaults is what the faults of software statements lead to.
var statementFaults = map[oidctest.Fault]outcome{
	oidctest.StatementChanged: oidc.BadRegistration, oidctest.StatementOverruled: oidc.BadRegistration, oidctest.StatementUnapproved: "op: unapproved_software_statement",
}

// statementJourney registers by a statement alone.
func statementJourney(j *journey) error {
	j.discover()
	statement, err := j.op.SoftwareStatement(map[string]any{"redirect_uris": []any{redirectURI}})
	if err != nil {
		j.t.Fatal(err)
	}
	j.op.Break(j.fault.Fault)
	_, err = j.p.Register(j.t.Context(), oidc.ClientMetadata{SoftwareStatement: statement}, "")
	return err
}

func TestSoftwareStatement(t *testing.T) {
	r := setup(t, newOP(t))
	statement, err := r.op.SoftwareStatement(map[string]any{"redirect_uris": []any{redirectURI}, "token_endpoint_auth_method": oidc.AuthSecretJWT, "software_roles": []any{"AISP"}})
	if err != nil {
		t.Fatal(err)
	}
	// What the statement holds takes precedence, and is what the answer is held
	// against (RFC 7591 section 2.3).
	m := oidc.ClientMetadata{SoftwareStatement: statement, TokenEndpointAuthMethod: oidc.AuthSecretPost, ClientName: "by a statement"}
	if r.reg, err = r.p.Register(t.Context(), m, ""); err != nil {
		t.Fatal(err)
	}
	if got := r.reg.Metadata; got.TokenEndpointAuthMethod != oidc.AuthSecretJWT || got.SoftwareStatement != statement || len(got.RedirectURIs) != 1 || got.ClientName != "by a statement" {
		t.Errorf("registered %+v", got)
	}
	r.client()
	r.mustLogin()
	for name, s := range map[string]string{"no JWT": "hello", "no base64": "a.!.c", "no base64 at the end": "a." + b64([]byte(`{"redirect_uris":["https://rp.example/cb"]}  `)) + "!.c", "no JSON": "a." + b64([]byte("x")) + ".c", "redirect_uris a number": "a." + b64([]byte(`{"redirect_uris":7}`)) + ".c"} {
		r.op.ClearLog()
		_, err := r.p.Register(t.Context(), oidc.ClientMetadata{SoftwareStatement: s, RedirectURIs: []string{redirectURI}}, "")
		if wantInput(t, err, oidc.BadConfig); len(r.op.Requests(oidctest.EndpointRegistration)) != 0 {
			t.Errorf("%s: sent", name)
		}
	}
	bare, err := r.op.SoftwareStatement(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.p.Register(t.Context(), oidc.ClientMetadata{SoftwareStatement: bare}, "")
	wantInput(t, err, oidc.BadConfig) // redirect URIs nowhere
}
