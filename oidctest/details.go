package oidctest

import (
	"encoding/json"
	"slices"
	"strings"
)

// DetailTypes returns the types of authorization_details that the OP grants (RFC
// 9396, section 10).
func DetailTypes() []string { return []string{"payment_initiation", "account_information"} }

// readDetails reads authorization_details (RFC 9396, sections 2 and 5). All of
// them are granted as they were asked for.
func readDetails(r *authRequest, text string) (problem string) {
	if text == "" {
		return ""
	}
	var list []any
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return "authorization_details is not a JSON array (RFC 9396, 2)"
	}
	for _, one := range list {
		m, _ := one.(map[string]any)
		typ, _ := m["type"].(string)
		if !slices.Contains(DetailTypes(), typ) {
			return "an element is no object of a type in " + strings.Join(DetailTypes(), ", ")
		}
	}
	r.details = list
	return ""
}

// foreignResource reports whether a token request names a resource that the
// authorization request did not. A request that named none leaves the choice.
func (x *exchange) foreignResource(g *grant) bool {
	return len(g.resources) > 0 && slices.ContainsFunc(x.form["resource"], func(u string) bool { return !slices.Contains(g.resources, u) })
}
