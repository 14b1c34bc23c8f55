package oidc_test

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

var detailFaults = map[oidctest.Fault]outcome{
	oidctest.DetailsMissing: oidc.BadAuthorizationDetails, oidctest.DetailsNumber: oidc.BadAuthorizationDetails, oidctest.DetailsElementNumber: oidc.BadAuthorizationDetails,
	oidctest.DetailsTypeUnasked: oidc.BadAuthorizationDetails, oidctest.DetailsNoType: oidc.BadAuthorizationDetails,
}

func payment() oidc.AuthorizationDetail {
	return oidc.AuthorizationDetail{
		Type: "payment_initiation", Actions: []string{"initiate", "status"}, Locations: []string{"https://bank.example/payments"},
		Fields: map[string]json.RawMessage{"instructedAmount": json.RawMessage(`{"currency":"EUR","amount":"123.50"}`)},
	}
}

// TestAuthorizationDetails: what is asked for reaches the OP by every way, what is
// granted comes back, and is there after a store.
func TestAuthorizationDetails(t *testing.T) {
	op := newOP(t)
	r := setupWith(t, op, []oidc.Key{keyFor(t, "ES256")})
	for name, edit := range map[string]func(*oidc.ClientConfig){"plain": func(*oidc.ClientConfig) {}, "pushed": always, "object": objects} {
		t.Run(name, func(t *testing.T) {
			r := r.in(t)
			r.client(edit)
			r.params.AuthorizationDetails = []oidc.AuthorizationDetail{payment(), {Type: "account_information"}}
			tok := r.offline()
			if len(tok.AuthorizationDetails) != 2 || string(tok.AuthorizationDetails[0].Fields["instructedAmount"]) != `{"amount":"123.50","currency":"EUR"}` || tok.AuthorizationDetails[0].Actions[1] != "status" {
				t.Fatalf("granted %+v", tok.AuthorizationDetails)
			}
			kept, err := tok.Export()
			if err != nil {
				t.Fatal(err)
			}
			again, err := r.c.ImportTokens(kept)
			if err != nil || len(again.AuthorizationDetails) != 2 {
				t.Fatalf("after a store %+v, %v", again, err)
			}
			fresh, err := r.c.Refresh(t.Context(), again)
			if err != nil || len(fresh.AuthorizationDetails) != 2 {
				t.Fatalf("after a refresh %+v, %v", fresh, err)
			}
			op.Break(oidctest.DetailsTypeUnasked)
			defer op.Mend()
			_, err = r.c.Refresh(t.Context(), fresh)
			r.reason(err, oidc.BadAuthorizationDetails)
		})
	}
}

func TestAuthorizationDetailsRefused(t *testing.T) {
	r := setup(t, newOP(t))
	_, err := r.c.Begin(t.Context(), oidc.AuthParams{AuthorizationDetails: []oidc.AuthorizationDetail{{Type: "admin"}}})
	wantUnsupported(t, err)
	_, err = r.c.Begin(t.Context(), oidc.AuthParams{Extra: url.Values{"authorization_details": {"[]"}}})
	wantInput(t, err, oidc.ProtectedParameter)
	r.op.TamperMetadata(func(m map[string]any) { delete(m, "authorization_details_types_supported") })
	r.discover()
	r.client()
	for name, d := range map[string]oidc.AuthorizationDetail{
		"no_type":   {},
		"own_field": {Type: "x", Fields: map[string]json.RawMessage{"actions": json.RawMessage(`[]`)}},
		"no_json":   {Type: "x", Fields: map[string]json.RawMessage{"amount": json.RawMessage(`{`)}},
		"no_value":  {Type: "x", Fields: map[string]json.RawMessage{"amount": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{AuthorizationDetails: []oidc.AuthorizationDetail{d}})
			wantInput(t, err, oidc.BadParameter)
		})
	}
	t.Run("unasked", func(t *testing.T) {
		r.op.Break(oidctest.DetailsTypeUnasked)
		defer r.op.Mend()
		r.in(t).refused(oidc.BadAuthorizationDetails)
	})
	t.Run("quirk", func(t *testing.T) {
		r := r.in(t)
		r.client(func(c *oidc.ClientConfig) { c.Quirks.UntoldAuthorizationDetails = true })
		r.params.AuthorizationDetails = []oidc.AuthorizationDetail{payment()}
		r.op.Break(oidctest.DetailsMissing)
		defer r.op.Mend()
		r.mustLogin()
	})
}

// TestAuthorizationDetailJSON: what is written is read as the same, and a member of
// the wrong type, or twice, is not read at all.
func TestAuthorizationDetailJSON(t *testing.T) {
	for _, d := range []oidc.AuthorizationDetail{payment(), {Type: "x", DataTypes: []string{"d"}, Identifier: "i", Privileges: []string{"p"}}} {
		var back oidc.AuthorizationDetail
		if err := json.Unmarshal(marshal(d), &back); err != nil || !reflect.DeepEqual(back, d) {
			t.Errorf("%+v came back as %+v, %v", d, back, err)
		}
	}
	for _, bad := range []string{`{"type":"x","actions":7}`, `{"type":"x","actions":[7]}`, `{"type":"x","type":"y"}`, `7`} {
		if err := json.Unmarshal([]byte(bad), new(oidc.AuthorizationDetail)); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

// TestGrantedDetailsAtTheBounds: there may be as many as MaxAuthorizationDetails, and
// null is none.
func TestGrantedDetailsAtTheBounds(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	tokenMember(op, "authorization_details", json.RawMessage("null"))
	if tok := r.mustLogin(); tok.AuthorizationDetails != nil {
		t.Errorf("granted %v where nothing was asked for", tok.AuthorizationDetails)
	}
	r.params.AuthorizationDetails = []oidc.AuthorizationDetail{payment()}
	r.refused(oidc.BadAuthorizationDetails)
	tokenMember(op, "authorization_details", slices.Repeat(r.params.AuthorizationDetails, oidc.MaxAuthorizationDetails))
	if tok := r.mustLogin(); len(tok.AuthorizationDetails) != oidc.MaxAuthorizationDetails {
		t.Errorf("granted %d", len(tok.AuthorizationDetails))
	}
	tokenMember(op, "authorization_details", slices.Repeat(r.params.AuthorizationDetails, oidc.MaxAuthorizationDetails+1))
	r.refused(oidc.BadAuthorizationDetails)
}

// TestResources: the code is exchanged for the resources that were asked for, also
// by another process.
func TestResources(t *testing.T) {
	r := setup(t, newOP(t))
	r.params.Resources = []string{"https://a.example/", "https://b.example/"}
	pending, cb := r.begin()
	kept, err := pending.Export()
	if err != nil {
		t.Fatal(err)
	}
	if pending, err = oidc.ImportPending(kept); err != nil {
		t.Fatal(err)
	}
	if _, err := r.finish(pending, cb); err != nil {
		t.Fatal(err)
	}
	if got := r.op.Requests(oidctest.EndpointToken)[0].Form["resource"]; !slices.Equal(got, r.params.Resources) {
		t.Errorf("the code was exchanged for %v", got)
	}
}
