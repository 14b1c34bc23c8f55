package oidc_test

import (
	"bytes"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
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
		{"an object of a struct", intent(oidc.ClaimRequest{Essential: true, Value: struct {
			B int    `json:"b"`
			A string `json:"a"`
		}{1, "<"}}), "intent", map[string]any{"a": "<", "b": 1}, ""},
		{"a number beyond floats", intent(oidc.ClaimRequest{Essential: true, Value: int64(1<<53 + 1)}), "intent", int64(1 << 53), oidc.BadClaim},
		{"a wish", intent(oidc.ClaimRequest{Value: "urn:7"}), "intent", "urn:8", ""},
		{"no choice", &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"intent": nil}}, "intent", nil, ""},
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

// TestCIBADemands: the same holds of a backchannel login, where an essential claim
// must also be there, and so does the trust framework that was demanded.
func TestCIBADemands(t *testing.T) {
	essential := func(name string, value any, values ...any) *oidc.ClaimsRequest {
		return &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{name: {Essential: true, Value: value, Values: values}}}
	}
	set := func(name string, v any) func(map[string]any) { return func(m map[string]any) { m[name] = v } }
	framework := func(v any) func(map[string]any) {
		return func(m map[string]any) {
			m["txn"], m["verified_claims"] = "1", map[string]any{"verification": map[string]any{"trust_framework": v}, "claims": map[string]any{}}
		}
	}
	none := func(map[string]any) {}
	for name, c := range map[string]struct {
		ask   *oidc.ClaimsRequest
		trust string
		edit  func(claims map[string]any)
		sent  string // the claims parameter; "": any
		want  oidc.Reason
	}{
		"any value":               {essential("intent", nil), "", set("intent", "x"), `{"id_token":{"intent":{"essential":true}}}`, ""},
		"absent":                  {essential("intent", nil), "", none, "", oidc.MissingClaim},
		"null":                    {essential("intent", nil), "", set("intent", nil), "", oidc.MissingClaim},
		"as asked":                {essential("intent", "7"), "", set("intent", "7"), "", ""},
		"another":                 {essential("intent", "7"), "", set("intent", "8"), "", oidc.BadClaim},
		"another type":            {essential("intent", "7"), "", set("intent", 7), "", oidc.BadClaim},
		"a number beyond floats":  {essential("intent", int64(1<<53+1)), "", set("intent", int64(1<<53)), "", oidc.BadClaim},
		"one of several":          {essential("intent", nil, "6", "7"), "", set("intent", "7"), "", ""},
		"the value beside values": {essential("intent", "5", "6", "7"), "", set("intent", "5"), "", ""},
		"none of several":         {essential("intent", nil, "6", "7"), "", set("intent", "8"), "", oidc.BadClaim},
		"none of several absent":  {essential("intent", nil, "6", "7"), "", none, "", oidc.MissingClaim},
		"a wish":                  {&oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"intent": {Value: "7"}, "name": nil}}, "", none, `{"id_token":{"intent":{"value":"7"},"name":null}}`, ""},
		"of UserInfo":             {&oidc.ClaimsRequest{UserInfo: map[string]*oidc.ClaimRequest{"intent": {Essential: true}}}, "", none, `{"userinfo":{"intent":{"essential":true}}}`, ""},
		"further members": {&oidc.ClaimsRequest{UserInfo: map[string]*oidc.ClaimRequest{"email": nil}, Extra: map[string]any{"sharing_duration": 60}}, "tf", framework("tf"),
			`{"id_token":{"txn":{"essential":true},"verified_claims":{"claims":{},"verification":{"trust_framework":{"value":"tf"}}}},"sharing_duration":60,"userinfo":{"email":null}}`, ""},
		"further members alone": {&oidc.ClaimsRequest{Extra: map[string]any{"sharing_duration": 60}}, "", none, `{"sharing_duration":60}`, ""},
		"acr of another value":  {essential("acr", nil, "urn:a"), "", set("acr", "urn:b"), "", oidc.BadACR},
		"acr that is absent":    {essential("acr", nil), "", func(m map[string]any) { delete(m, "acr") }, "", oidc.MissingClaim},
		"trust framework": {nil, "tf", framework("tf"),
			`{"id_token":{"txn":{"essential":true},"verified_claims":{"claims":{},"verification":{"trust_framework":{"value":"tf"}}}}}`, ""},
		"trust framework and claim": {essential("intent", "7"), "tf", func(m map[string]any) { framework("tf")(m); m["intent"] = "8" }, "", oidc.BadClaim},
		"another trust framework":   {nil, "tf", framework("tf2"), "", oidc.BadClaim},
		"no trust framework":        {nil, "tf", framework(nil), "", oidc.MissingClaim},
		"trust framework, a number": {nil, "tf", framework(7), "", oidc.MissingClaim},
		"no verified_claims":        {nil, "tf", set("txn", "1"), "", oidc.MissingClaim},
		"verified_claims, a text":   {nil, "tf", func(m map[string]any) { m["txn"], m["verified_claims"] = "1", "tf" }, "", oidc.MissingClaim},
		"no txn":                    {nil, "tf", func(m map[string]any) { framework("tf")(m); delete(m, "txn") }, "", oidc.MissingClaim},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, op *oidctest.OP) {
				r := backchannel(t, op, oidc.CIBAPoll)
				op.TamperIDToken(func(_, claims map[string]any) { c.edit(claims) })
				p := alice()
				p.Claims, p.RequireTrustFramework = c.ask, c.trust
				kept, err := r.ciba(p).Export()
				if err != nil {
					t.Fatal(err)
				}
				if sent := op.Requests(oidctest.EndpointBackchannel)[0].Form.Get("claims"); c.sent != "" && sent != c.sent {
					t.Errorf("asked %s, want %s", sent, c.sent)
				}
				l, err := oidc.ImportCIBALogin(kept)
				if err != nil {
					t.Fatal(err)
				}
				tok, err := r.c.FinishCIBA(t.Context(), l)
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
		})
	}
	bubble(t, func(t *testing.T, op *oidctest.OP) {
		r := backchannel(t, op, oidc.CIBAPoll)
		p := alice()
		p.Claims = essential("intent", "7")
		kept, err := r.ciba(p).Export()
		if err != nil {
			t.Fatal(err)
		}
		l, err := oidc.ImportCIBALogin(bytes.Replace(kept, []byte(`{"intent":{"essential":true,"value":"7"}}`), []byte(`"intent"`), 1))
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.c.FinishCIBA(t.Context(), l)
		wantInput(t, err, oidc.BadParameter)
	})
}
