package oidc_test

import (
	"testing"

	"rely.example/oidc"
)

// TestDemandedClaims: an essential claim of the ID Token is one of the values that
// it was asked for with, whatever became of the Pending meanwhile.
func TestDemandedClaims(t *testing.T) {
	op := newOP(t)
	intent := func(r oidc.ClaimRequest) *oidc.ClaimsRequest {
		return &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"intent": &r}}
	}
	for _, c := range []struct {
		name  string
		ask   *oidc.ClaimsRequest
		claim string
		value any // in the ID Token; nil: absent
		want  oidc.Reason
	}{
		{"as asked", intent(oidc.ClaimRequest{Essential: true, Value: "urn:7"}), "intent", "urn:7", ""},
		{"another", intent(oidc.ClaimRequest{Essential: true, Value: "urn:7"}), "intent", "urn:8", oidc.BadClaim},
		{"absent", intent(oidc.ClaimRequest{Essential: true, Value: "urn:7"}), "intent", nil, oidc.MissingClaim},
		{"another type", intent(oidc.ClaimRequest{Essential: true, Value: "7"}), "intent", 7, oidc.BadClaim},
		{"one of several", intent(oidc.ClaimRequest{Essential: true, Values: []any{"urn:6", "urn:7"}}), "intent", "urn:7", ""},
		{"none of several", intent(oidc.ClaimRequest{Essential: true, Values: []any{"urn:6", "urn:7"}}), "intent", "urn:8", oidc.BadClaim},
		{"a number", intent(oidc.ClaimRequest{Essential: true, Value: 7}), "intent", 7, ""},
		{"a boolean", intent(oidc.ClaimRequest{Essential: true, Value: true}), "intent", false, oidc.BadClaim},
		{"an object", intent(oidc.ClaimRequest{Essential: true, Value: map[string]any{"b": 1, "a": "<"}}), "intent", map[string]any{"a": "<", "b": 1}, ""},
		{"a wish", intent(oidc.ClaimRequest{Value: "urn:7"}), "intent", "urn:8", ""},
		{"essential, of any value", intent(oidc.ClaimRequest{Essential: true}), "intent", nil, ""},
		{"sub", &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"sub": {Value: op.Users()[0].Sub}}}, "sub", "somebody-else", oidc.BadClaim},
		{"of UserInfo", &oidc.ClaimsRequest{UserInfo: map[string]*oidc.ClaimRequest{"intent": {Essential: true, Value: "urn:7"}}}, "intent", "urn:8", ""},
	} {
		for _, rt := range []string{"code", "id_token", "code id_token"} {
			t.Run(c.name+"/"+rt, func(t *testing.T) {
				defer op.TamperIDToken(nil)
				r := setup(t, op, types(rt))
				r.params.Claims = c.ask
				claim(op, c.claim, c.value)
				pending, cb := r.begin()
				kept, err := pending.Export()
				if err != nil {
					t.Fatal(err)
				}
				if pending, err = oidc.ImportPending(kept); err != nil {
					t.Fatal(err)
				}
				tok, err := r.finish(pending, cb)
				if c.want == "" {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				r.reason(err, c.want)
				if tok != nil {
					t.Error("tokens beside the error")
				}
			})
		}
	}
}

// TestDemandedClaimsLater: the ID Token from the browser may lack a claim that the
// one from the token endpoint has, but not have another.
func TestDemandedClaimsLater(t *testing.T) {
	op := newOP(t)
	r := setup(t, op, types("code id_token"))
	r.params.Claims = &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"intent": {Essential: true, Value: "urn:7"}}}
	front := func(value any) {
		op.TamperIDToken(func(_, claims map[string]any) {
			claims["intent"] = "urn:7"
			if claims["c_hash"] == nil {
				return
			}
			delete(claims, "intent")
			if value != nil {
				claims["intent"] = value
			}
		})
	}
	front(nil)
	r.mustLogin()
	front("urn:8")
	op.ClearLog()
	r.refused(oidc.BadClaim)
	wantNoCall(t, op, "token")
}
