package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/oidc"
)

// tenantFlags say whose users may log in at an OP that has one address for many
// tenants.
type tenantFlags struct {
	ids      []string
	template string
}

func (t *tenantFlags) register(f *pflag.FlagSet) {
	f.StringSliceVar(&t.ids, "tenant", nil, "at a provider with one address for many tenants, like Microsoft Entra: let the users of the tenant `ID` log in, and nobody else's")
	f.StringVar(&t.template, "tenant-issuer", "", "the issuer of a tenant is `URL`, with "+oidc.TenantPlace+" for its id (default: the address with "+oidc.TenantPlace+" for common, organizations, consumers or the tenant)")
}

// apply puts what the flags say of the OP at an address into a connection.
func (t *tenantFlags) apply(to *profile.Connection, address string) error {
	switch {
	case len(t.ids) == 0 && t.template == "":
		return nil
	case len(t.ids) == 0 && to.Tenants == nil:
		return usage(nil, errors.New("--tenant-issuer needs --tenant: whose users may log in"))
	}
	var out profile.Tenants
	if to.Tenants != nil {
		out = *to.Tenants // another run may still use it
	}
	if len(t.ids) > 0 {
		out.IDs = t.ids
	}
	if t.template != "" {
		out.Template = t.template
	}
	if out.Template == "" {
		out.Template = profile.TenantTemplate(address, out.IDs)
	}
	if out.Template == "" {
		return usage(nil, fmt.Errorf("--tenant needs --tenant-issuer: which part of %s is the tenant cannot be told", quoted(address)))
	}
	to.Tenants = &out
	return nil
}

// tenantsOf are the tenants of a connection, for package oidc.
func tenantsOf(c profile.Connection) *oidc.Tenants {
	if c.Tenants == nil {
		return nil
	}
	return &oidc.Tenants{Template: c.Tenants.Template, IDs: c.Tenants.IDs}
}
