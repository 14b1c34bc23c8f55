package oidc

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"rely.example/internal/strictjson"
)

// Bounds on authorization details.
const (
	// MaxAuthorizationDetails is how many an OP may grant.
	MaxAuthorizationDetails = 100
)

// AuthorizationDetail asks for one thing in more words than a scope has, or says
// what of it was granted (RFC 9396 section 2). What the members mean is for the
// type to say.
type AuthorizationDetail struct {
	// Type says what kind of thing it is, and which members there are. Required.
	Type string
	// The members that RFC 9396 section 2.2 gives to all types; empty ones are not
	// sent.
	Locations, Actions, DataTypes, Privileges []string
	Identifier                                string
	// Fields are the members of the type's own, as JSON. A member that has a field
	// above must not be in it.
	Fields map[string]json.RawMessage
}

// detailWire has the members that all types have.
type detailWire struct {
	Type       string   `json:"type"`
	Locations  []string `json:"locations,omitempty"`
	Actions    []string `json:"actions,omitempty"`
	DataTypes  []string `json:"datatypes,omitempty"`
	Identifier string   `json:"identifier,omitempty"`
	Privileges []string `json:"privileges,omitempty"`
}

// detailNames are its members. It is read only.
var detailNames = []string{"type", "locations", "actions", "datatypes", "identifier", "privileges"}

// MarshalJSON writes the members and Fields as one object.
func (d AuthorizationDetail) MarshalJSON() ([]byte, error) {
	bad := func(detail string) ([]byte, error) { return nil, refuse("AuthorizationDetails", detail) }
	if d.Type == "" {
		return bad("Type is empty (RFC 9396 section 2)")
	}
	known, err := json.Marshal(detailWire{d.Type, d.Locations, d.Actions, d.DataTypes, d.Identifier, d.Privileges})
	if err != nil || len(d.Fields) == 0 {
		return known, err
	}
	all := make(map[string]json.RawMessage)
	if err := json.Unmarshal(known, &all); err != nil {
		return nil, err
	}
	for name, v := range d.Fields {
		if slices.Contains(detailNames, name) {
			return bad("Fields holds " + printable(name) + ", which has a field of its own")
		}
		if !json.Valid(v) {
			return bad("Fields[" + quote(name) + "] is no JSON")
		}
		all[name] = v
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads one object strictly.
func (d *AuthorizationDetail) UnmarshalJSON(data []byte) error {
	var w detailWire
	if err := strictjson.Unmarshal(data, &w); err != nil {
		return err
	}
	all, err := strictjson.Object(data)
	if err != nil {
		return err
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool { return slices.Contains(detailNames, name) })
	if len(all) == 0 {
		all = nil
	}
	*d = AuthorizationDetail{Type: w.Type, Locations: w.Locations, Actions: w.Actions, DataTypes: w.DataTypes,
		Identifier: w.Identifier, Privileges: w.Privileges, Fields: all}
	return nil
}

// detailsParameter is the parameter of a request, and the types in it; "" if
// nothing is asked for. A type that the OP does not announce is refused (RFC 9396
// section 10).
func (c *Client) detailsParameter(md *ProviderMetadata, details []AuthorizationDetail) (value string, types []string, err error) {
	if len(details) == 0 {
		return "", nil, nil
	}
	for _, d := range details {
		if announced := md.AuthorizationDetailsTypesSupported; len(announced) > 0 && !slices.Contains(announced, d.Type) {
			return "", nil, &UnsupportedError{Feature: "authorization details of type " + quote(d.Type), Detail: "the OP announces " + printable(strings.Join(announced, ", "))}
		}
		if !slices.Contains(types, d.Type) {
			types = append(types, d.Type)
		}
	}
	b, err := json.Marshal(details)
	if err != nil {
		return "", nil, refuse("AuthorizationDetails", "it cannot be encoded: "+err.Error())
	}
	return string(b), types, nil
}

// grantedDetails reads what of the authorization details was granted (RFC 9396
// section 7). The OP may grant less, and may say more of what it grants, but
// nothing of a kind that nobody asked for.
func (c *Client) grantedDetails(k *checker, raw string, asked []string) ([]AuthorizationDetail, error) {
	const spec = "RFC 9396 7"
	if raw == "" || raw == "null" {
		return nil, k.that(len(asked) == 0 || c.c.Quirks.UntoldAuthorizationDetails, BadAuthorizationDetails, spec,
			"authorization_details are there if they were asked for", strings.Join(asked, " "), "")
	}
	var details []AuthorizationDetail
	if err := strictjson.Unmarshal([]byte(raw), &details); err != nil || len(details) > MaxAuthorizationDetails {
		return nil, k.tell(false, BadAuthorizationDetails, spec, "authorization_details are a list of objects", "they cannot be read, or are too many")
	}
	for _, d := range details {
		if err := k.that(slices.Contains(asked, d.Type), BadAuthorizationDetails, spec, "what was granted was asked for", strings.Join(asked, " "), d.Type); err != nil {
			return nil, err
		}
	}
	return details, nil
}

// detailTypes are the types of what was granted before.
func detailTypes(details []AuthorizationDetail) (types []string) {
	for _, d := range details {
		types = append(types, d.Type)
	}
	return types
}
