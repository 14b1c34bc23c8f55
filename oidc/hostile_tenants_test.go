package oidc_test

import (
	"errors"
	"slices"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// The tenants of these tests. Ours may log in.
const (
	ourTenant   = "11111111-2222-3333-4444-555555555555"
	otherTenant = "66666666-7777-8888-9999-000000000000"
)

// entra makes an OP answer as Microsoft Entra does at its endpoints for many
// tenants: a template in the metadata, tid and the tenant's issuer in ID Tokens.
// It returns what changes the tenant of the user.
func entra(op *oidctest.OP) (template string, from func(tid any, iss string)) {
	template = op.Issuer + "/" + oidc.TenantPlace + "/v2.0"
	op.TamperMetadata(func(m map[string]any) { m["issuer"] = template })
	from = func(tid any, iss string) {
		op.TamperIDToken(func(_, c map[string]any) { c["tid"], c["iss"] = tid, iss })
	}
	from(ourTenant, op.Issuer+"/"+ourTenant+"/v2.0")
	return template, from
}

// setupTenants discovers such an OP and registers a client.
func setupTenants(t *testing.T, op *oidctest.OP, template string, allowed ...string) *rig {
	t.Helper()
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
	r.opts.Tenants = &oidc.Tenants{Template: template, IDs: allowed}
	r.discover()
	r.register()
	r.client()
	return r
}

// TestHostileTenants has the cases about an OP of many tenants.
func TestHostileTenants(t *testing.T) {
	op := newOP(t)
	template, from := entra(op)

	t.Run("225_tenant_template_with_allow_list", func(t *testing.T) {
		r := setupTenants(t, op, template, ourTenant)
		if got := r.p.Issuer(); got != op.Issuer {
			t.Errorf("the provider is %q, want the URL that was asked for", got)
		}
		tok := r.mustLogin()
		want := oidc.Identity{Issuer: op.Issuer + "/" + ourTenant + "/v2.0", Subject: tok.IDToken.Subject}
		if got := tok.IDToken.Identity(); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		for _, c := range []struct {
			name string
			tid  any
			iss  string
			want oidc.Reason
		}{
			{"another tenant", otherTenant, op.Issuer + "/" + otherTenant + "/v2.0", oidc.BadTenant},
			{"another tenant with our issuer", otherTenant, op.Issuer + "/" + ourTenant + "/v2.0", oidc.BadTenant},
			{"our tenant with another's issuer", ourTenant, op.Issuer + "/" + otherTenant + "/v2.0", oidc.BadIssuer},
			{"the template itself", oidc.TenantPlace, template, oidc.BadTenant},
			{"no tid", nil, op.Issuer + "/" + ourTenant + "/v2.0", oidc.BadTenant},
			{"tid is a number", 7, op.Issuer + "/7/v2.0", oidc.BadTenant},
			{"tid is a list", []string{ourTenant}, op.Issuer + "/" + ourTenant + "/v2.0", oidc.BadTenant},
			{"tid in capitals", "ABC", op.Issuer + "/ABC/v2.0", oidc.BadTenant},
			{"the issuer of the metadata", ourTenant, op.Issuer, oidc.BadIssuer},
			{"path in tid", ourTenant + "/../" + otherTenant, op.Issuer + "/" + ourTenant + "/../" + otherTenant + "/v2.0", oidc.BadTenant},
		} {
			t.Run(c.name, func(t *testing.T) {
				defer from(ourTenant, op.Issuer+"/"+ourTenant+"/v2.0")
				from(c.tid, c.iss)
				r.in(t).refused(c.want)
			})
		}
	})
	t.Run("225_never_any_tenant", func(t *testing.T) {
		for name, tenants := range map[string]oidc.Tenants{
			"nobody named":  {Template: template},
			"a wildcard":    {Template: template, IDs: []string{"*"}},
			"common":        {Template: template, IDs: []string{"common"}},
			"organizations": {Template: template, IDs: []string{ourTenant, "organizations"}},
			"consumers":     {Template: template, IDs: []string{"consumers"}},
			"the place":     {Template: template, IDs: []string{oidc.TenantPlace}},
			"empty":         {Template: template, IDs: []string{""}},
			"a path":        {Template: template, IDs: []string{"a/b"}},
			"no place":      {Template: op.Issuer, IDs: []string{ourTenant}},
			"no template":   {IDs: []string{ourTenant}},
			"too many":      {Template: template, IDs: slices.Repeat([]string{ourTenant}, 10_001)},
		} {
			o := options(op)
			o.Tenants = &tenants
			_, err := oidc.Discover(t.Context(), op.Issuer, o)
			if err == nil {
				t.Errorf("%s: accepted", name)
				continue
			}
			wantInput(t, err, oidc.BadConfig)
		}
	})
	t.Run("225_ids_at_the_bounds", func(t *testing.T) {
		discover := func(ids ...string) error {
			o := options(op)
			o.Tenants = &oidc.Tenants{Template: template, IDs: ids}
			p, err := oidc.Discover(t.Context(), op.Issuer, o)
			if err == nil {
				p.Close()
			}
			return err
		}
		if err := discover(slices.Repeat([]string{ourTenant}, 10_000)...); err != nil {
			t.Errorf("as many as there may be: %v", err)
		}
		if err := discover("azAZ09-_."); err != nil {
			t.Errorf("every kind of character: %v", err)
		}
		for _, r := range "`{@[/:,+%\u00e9" { // what stands beside those that are admitted, and what a URL makes something of
			wantInput(t, discover("a"+string(r)), oidc.BadConfig)
		}
	})
	t.Run("225_metadata_of_another_template", func(t *testing.T) {
		o := options(op)
		o.Tenants = &oidc.Tenants{Template: op.Issuer + "/" + oidc.TenantPlace, IDs: []string{ourTenant}}
		_, err := oidc.Discover(t.Context(), op.Issuer, o)
		wantReason(t, err, oidc.MetadataIssuerMismatch)

		// The document of one tenant names that tenant: of the first version of
		// Entra it does so at a URL that is not its issuer.
		o.Tenants.Template = template
		op.TamperMetadata(func(m map[string]any) { m["issuer"] = op.Issuer + "/" + ourTenant + "/v2.0" })
		if _, err := oidc.Discover(t.Context(), op.Issuer, o); err != nil {
			t.Error(err)
		}
		op.TamperMetadata(func(m map[string]any) { m["issuer"] = op.Issuer + "/" + otherTenant + "/v2.0" })
		_, err = oidc.Discover(t.Context(), op.Issuer, o)
		wantReason(t, err, oidc.MetadataIssuerMismatch)
		op.TamperMetadata(func(m map[string]any) { m["issuer"] = template })
	})
	t.Run("226_one_address_two_tenants", func(t *testing.T) {
		// Anybody who runs a tenant can give a user there any address.
		defer from(ourTenant, op.Issuer+"/"+ourTenant+"/v2.0")
		r := setupTenants(t, op, template, ourTenant, otherTenant)
		login := func(tid string) *oidc.IDToken {
			op.TamperIDToken(func(_, c map[string]any) {
				c["tid"], c["iss"] = tid, op.Issuer+"/"+tid+"/v2.0"
				c["email"], c["preferred_username"] = "admin@corp.example", "admin@corp.example"
			})
			return r.mustLogin().IDToken
		}
		a, b := login(ourTenant), login(otherTenant)
		if a.Identity() == b.Identity() {
			t.Errorf("both are %v", a.Identity())
		}
		if s := b.Standard(); s.Email != "admin@corp.example" {
			t.Errorf("the address is %q", s.Email)
		} else if _, ok := s.VerifiedEmail(); ok {
			t.Error("an address that nobody verified counts")
		}
	})
}

// TestTenantsAfterLogin: what a login gave is known again as this OP's.
func TestTenantsAfterLogin(t *testing.T) {
	op := newOP(t, func(c *oidctest.Config) { c.RefreshAlways = true })
	template, from := entra(op)
	r := setupTenants(t, op, template, ourTenant)
	tok := r.offline()
	if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
		t.Errorf("UserInfo: %v", err)
	}
	data, err := tok.Export()
	if err != nil {
		t.Fatal(err)
	}
	back, err := r.c.ImportTokens(data)
	if err != nil {
		t.Fatal(err)
	}
	if back.IDToken.Identity() != tok.IDToken.Identity() {
		t.Errorf("got %v, want %v", back.IDToken.Identity(), tok.IDToken.Identity())
	}
	fresh, err := r.c.Refresh(t.Context(), back)
	if err != nil {
		t.Fatal(err)
	}
	if fresh.IDToken.Identity() != tok.IDToken.Identity() {
		t.Errorf("got %v after a refresh", fresh.IDToken.Identity())
	}
	if _, err := oidc.ImportTokens(data, "https://other.example", r.c.ID()); err == nil {
		t.Error("tokens of another issuer are imported")
	}

	for name, id := range map[string]*oidc.IDToken{"as it came": tok.IDToken, "imported": back.IDToken, "refreshed": fresh.IDToken} {
		if req, err := r.c.Logout(oidc.LogoutParams{IDToken: id}); err != nil || mustURL(req.URL()).Query().Get("id_token_hint") != id.Raw() {
			t.Errorf("logout with the ID Token %s: %v", name, err)
		}
	}

	// A user who moved to a tenant that may not log in.
	from(otherTenant, op.Issuer+"/"+otherTenant+"/v2.0")
	_, err = r.c.Refresh(t.Context(), fresh)
	wantReason(t, err, oidc.BadTenant)

	// A client of one issuer alone takes none of these.
	plain := newOP(t)
	one := setup(t, plain)
	_, err = one.c.Refresh(t.Context(), fresh)
	wantReason(t, err, oidc.WrongClient)

	for issuer, want := range map[string]bool{op.Issuer: true, op.Issuer + "/" + ourTenant + "/v2.0": true, op.Issuer + "/" + otherTenant + "/v2.0": false, template: false, "": false} {
		if got := r.p.Serves(issuer); got != want {
			t.Errorf("Serves(%q) is %v", issuer, got)
		}
	}
	if (*oidc.Tenants)(nil).Has(op.Issuer) {
		t.Error("nobody has an issuer")
	}
}

// TestTenantsAccessTokens: an API takes the access tokens of the tenants that are
// allowed, and of nobody else, by the rule of ID Tokens.
func TestTenantsAccessTokens(t *testing.T) {
	op := newOP(t)
	template, _ := entra(op)
	issuer := func(tid string) string { return op.Issuer + "/" + tid + "/v2.0" }
	o := options(op)
	o.Tenants = &oidc.Tenants{Template: template, IDs: []string{ourTenant, oidc.EntraConsumers}}
	a := apiAt(t, op, o, func(c *oidc.AccessTokenConfig) { c.Remember = 10 })
	of := func(tid any, iss string) string { return a.sign("at+jwt", map[string]any{"tid": tid, "iss": iss}) }
	for _, tid := range []string{ourTenant, oidc.EntraConsumers} {
		raw := of(tid, issuer(tid))
		for range 2 { // as it is remembered, too
			if got, want := a.accepts(raw, oidc.Presenter{}).Identity(), (oidc.Identity{Issuer: issuer(tid), Subject: "alice"}); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	}
	for name, c := range map[string]struct {
		tid  any
		iss  string
		want oidc.Reason
	}{
		"another tenant":                    {otherTenant, issuer(otherTenant), oidc.BadTenant},
		"another tenant with our issuer":    {otherTenant, issuer(ourTenant), oidc.BadTenant},
		"our tenant with another's issuer":  {ourTenant, issuer(otherTenant), oidc.BadIssuer},
		"one allowed tenant for another":    {ourTenant, issuer(oidc.EntraConsumers), oidc.BadIssuer},
		"the template itself":               {oidc.TenantPlace, template, oidc.BadTenant},
		"the template with our tenant":      {ourTenant, template, oidc.BadIssuer},
		"the issuer of the metadata":        {ourTenant, op.Issuer, oidc.BadIssuer},
		"the issuer of the metadata, alone": {nil, op.Issuer, oidc.BadTenant},
		"no tid":                            {nil, issuer(ourTenant), oidc.BadTenant},
		"tid is a list":                     {[]string{ourTenant}, issuer(ourTenant), oidc.BadTenant},
		"tid is a number":                   {7, issuer("7"), oidc.BadTenant},
	} {
		t.Run(name, func(t *testing.T) {
			a := *a
			a.t = t
			a.refuses(of(c.tid, c.iss), oidc.Presenter{}, c.want)
		})
	}
	t.Run("of_an_OP_without_tenants_tid_means_nothing", func(t *testing.T) {
		plain := newAPI(t)
		plain.accepts(plain.sign("at+jwt", map[string]any{"tid": 7}), oidc.Presenter{})
		plain.refuses(plain.sign("at+jwt", map[string]any{"tid": ourTenant, "iss": issuer(ourTenant)}), oidc.Presenter{}, oidc.BadIssuer)
	})
	t.Run("opaque", func(t *testing.T) {
		op := newOP(t) // its metadata is given by hand
		issuer := func(tid string) string { return op.Issuer + "/" + tid + "/v2.0" }
		o := options(op)
		o.Tenants = &oidc.Tenants{Template: issuer(oidc.TenantPlace), IDs: []string{ourTenant}}
		v := asksOP(t, op, o)
		good := map[string]any{"active": true, "aud": apiURL, "sub": "alice", "tid": ourTenant, "iss": issuer(ourTenant)}
		says(op, good, nil)
		if tok, err := v.Verify(t.Context(), "opaque", oidc.Presenter{}); err != nil || tok.Issuer != issuer(ourTenant) {
			t.Errorf("got %v, %v", tok, err)
		}
		for name, c := range map[string]struct {
			change map[string]any
			want   oidc.Reason
		}{
			"another tenant":             {map[string]any{"tid": otherTenant, "iss": issuer(otherTenant)}, oidc.BadTenant},
			"no tid":                     {map[string]any{"tid": nil}, oidc.BadTenant},
			"no iss":                     {map[string]any{"iss": nil}, oidc.BadIssuer},
			"neither":                    {map[string]any{"tid": nil, "iss": nil}, oidc.BadTenant},
			"the issuer of the metadata": {map[string]any{"iss": op.Issuer}, oidc.BadIssuer},
		} {
			says(op, good, c.change)
			_, err := v.Verify(t.Context(), "opaque", oidc.Presenter{})
			if !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %q", name, err, c.want)
			}
		}
	})
}
