// Package doctor judges an OpenID Provider by its metadata: what works with it,
// what is weak, what a security profile lacks, and which client to configure. It
// asks nobody; the command rely doctor fetches and shows.
package doctor

import "rely.example/oidc"

// Level is how much a Finding matters.
type Level string

const (
	// Works is what can be used.
	Works Level = "works"
	// Note is worth knowing and harms nobody.
	Note Level = "note"
	// Weak makes logins less safe than they could be, or breaks a rule without
	// being in the way.
	Weak Level = "weak"
	// Broken keeps a login from working.
	Broken Level = "broken"
)

// Finding is one thing that the metadata tells.
type Finding struct {
	Level Level  `json:"level"`
	Text  string `json:"text"`
	// Spec is the section that the finding rests on; "" if none does.
	Spec string `json:"spec,omitempty"`
}

// Report is everything that was found out about an OP.
type Report struct {
	Issuer   string    `json:"issuer"`
	Findings []Finding `json:"findings"`
	// Profiles are all profiles, with what the OP lacks for each.
	Profiles []Profile `json:"profiles"`
	// Advice is which client to configure; its fields are "" if no login works.
	Advice Advice `json:"client"`
}

// At returns the findings of one level.
func (r *Report) At(l Level) []Finding {
	var out []Finding
	for _, f := range r.Findings {
		if f.Level == l {
			out = append(out, f)
		}
	}
	return out
}

// Profile returns the profile of that name.
func (r *Report) Profile(name string) (Profile, bool) {
	for _, p := range r.Profiles {
		if p.Name == name {
			return p, true
		}
	}
	return Profile{}, false
}

// Examine judges the OP. security names the profile that the advised client
// follows; "" means none. tenants are what the OP was discovered with; nil means
// that it is one of a single tenant.
func Examine(p *oidc.Provider, security string, tenants *oidc.Tenants) *Report {
	md := metadata{p.Metadata(), tenants}
	r := &Report{Issuer: md.Issuer, Profiles: md.profiles()}
	r.Findings = append(md.works(), md.remarks()...)
	advice, err := md.advise(p, security)
	if err != nil {
		r.Findings = append(r.Findings, Finding{Level: Broken, Text: sentence(err)})
		return r
	}
	r.Advice = advice
	return r
}

// Remarks are the findings that are no praise: what is weak, and what is worth
// knowing.
func Remarks(md oidc.ProviderMetadata) []Finding { return metadata{ProviderMetadata: md}.remarks() }

// metadata is what is judged.
type metadata struct {
	oidc.ProviderMetadata
	tenants *oidc.Tenants
}
