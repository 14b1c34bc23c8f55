package oidc

import (
	"fmt"
	"slices"
	"strings"

	"rely.example/internal/strictjson"
)

// Tenants are the tenants of an OP that has one set of endpoints and keys for
// many, and an issuer for each: Microsoft Entra. Its metadata names a template in
// the place of an issuer, so that an ID Token's iss can be compared with the
// metadata only once its tenant is known; and whose tenant it is, is for the
// application to say, since at such an OP everybody can open one.
//
// What is loosened is the one comparison of issuer and metadata (Discovery
// section 4.3), and Core section 3.1.3.7 (2) becomes: tid is an allowed tenant,
// and iss is the template with that tenant in it, byte for byte. So does RFC 9068
// section 4 for access tokens. There is no way to allow every tenant.
//
// Provider.Issuer is the URL that was asked for. IDToken.Issuer, IDToken.Identity
// and those of an AccessToken are the tenant's: an account is known by those.
type Tenants struct {
	// Template is the issuer with TenantPlace in the place of the tenant, exactly
	// as the OP writes it:
	// "https://login.microsoftonline.com/{tenantid}/v2.0".
	Template string
	// IDs are the tenants whose users may log in, as the claim tid names
	// them: at Entra GUIDs in lower case. At least one is required.
	IDs []string
}

// TenantPlace is what stands for the tenant in Tenants.Template.
const TenantPlace = "{tenantid}"

// EntraConsumers is the tenant of personal Microsoft accounts, to be allowed like
// any other.
const EntraConsumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

// maxTenants bounds a list that is searched at every login.
const maxTenants = 10_000

// check refuses what would let in more tenants than were named.
func (t *Tenants) check() error {
	bad := func(field, detail string) error {
		return &InputError{Reason: BadConfig, Field: "Options.Tenants." + field, Detail: detail}
	}
	if !strings.Contains(t.Template, TenantPlace) {
		return bad("Template", quote(t.Template)+" has no "+TenantPlace)
	}
	if len(t.IDs) == 0 {
		return bad("IDs", "it is empty; name the tenants whose users may log in, by their ids")
	}
	if len(t.IDs) > maxTenants {
		return bad("IDs", fmt.Sprintf("it has %d tenants, at most %d", len(t.IDs), maxTenants))
	}
	for _, a := range t.IDs {
		switch {
		case a == "common", a == "organizations", a == "consumers":
			// They are names of endpoints; no token's tid is one.
			return bad("IDs", quote(a)+" stands for many tenants and is none; name each by its id (EntraConsumers for personal accounts)")
		case a == "" || strings.ContainsFunc(a, notOfTenant):
			return bad("IDs", quote(a)+" is no id of a tenant: letters, digits, '-', '_' and '.' alone")
		}
	}
	return nil
}

// notOfTenant keeps whatever means something in a URL out of an id that is put
// into one, and a wildcard from looking as if it worked.
func notOfTenant(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
}

// issuer is the issuer of one tenant.
func (t *Tenants) issuer(tenant string) string {
	return strings.ReplaceAll(t.Template, TenantPlace, tenant)
}

// describes says whether metadata with that issuer is of this OP: the template,
// or the issuer of an allowed tenant.
func (t *Tenants) describes(issuer string) bool { return issuer == t.Template || t.Has(issuer) }

// Has reports whether an issuer is that of an allowed tenant. Nil has none.
func (t *Tenants) Has(issuer string) bool {
	return t != nil && slices.ContainsFunc(t.IDs, func(a string) bool { return t.issuer(a) == issuer })
}

// checkTenant takes the place of the comparison of iss with the metadata.
func (t *Tenants) checkTenant(k *checker, w *idClaims, spec string) error {
	tid, ok := strictjson.Text(w.tenant)
	if err := k.that(ok && slices.Contains(t.IDs, tid), BadTenant, spec, "tid is a tenant that is allowed", "one of Options.Tenants.IDs", tid); err != nil {
		return err
	}
	return k.that(w.issuer.value == t.issuer(tid), BadIssuer, spec, "iss is the issuer of the tenant", t.issuer(tid), w.issuer.value)
}

// Serves reports whether an issuer is this OP's: the one of Issuer, or that of a
// tenant which Options.Tenants allows.
func (p *Provider) Serves(issuer string) bool {
	return issuer == p.md().Issuer || p.env.opts.Tenants.Has(issuer)
}

// checkTokenIssuer compares iss with the metadata, or for an OP with Tenants with
// the issuer of the token's tenant.
func (p *Provider) checkTokenIssuer(k *checker, w *idClaims, spec string) error {
	if t := p.env.opts.Tenants; t != nil {
		return t.checkTenant(k, w, spec)
	}
	want := p.md().Issuer
	return k.that(w.issuer.value == want, BadIssuer, spec, "iss is the issuer", want, w.issuer.value)
}

// made says whether a token that was verified before came from this OP.
func (p *Provider) made(t *IDToken) bool {
	return t.Issuer == p.md().Issuer || t.provider == p.md().Issuer
}
