package oidc

import (
	"encoding/json"
	"slices"
	"time"

	"rely.example/internal/strictjson"
)

// StandardClaims are the claims of Core section 5.1 that describe a user. An
// absent claim, and one of the wrong JSON type, has the zero value; which were
// of the wrong type tells UserInfo.Malformed. Claims in further languages
// ("name#ja") are read by Claims(&v).
//
// None of them identifies the user: that is IDToken.Identity. E-mail addresses
// and names change, are given to others, and at some OPs are whatever the user
// typed.
type StandardClaims struct {
	Subject           string `json:"sub,omitempty"`
	Name              string `json:"name,omitempty"`
	GivenName         string `json:"given_name,omitempty"`
	FamilyName        string `json:"family_name,omitempty"`
	MiddleName        string `json:"middle_name,omitempty"`
	Nickname          string `json:"nickname,omitempty"`
	PreferredUsername string `json:"preferred_username,omitempty"`
	Profile           string `json:"profile,omitempty"`
	Picture           string `json:"picture,omitempty"`
	Website           string `json:"website,omitempty"`
	Email             string `json:"email,omitempty"`
	// EmailVerified is true for JSON true alone, unless
	// Quirks.EmailVerifiedString is set.
	EmailVerified bool   `json:"email_verified,omitempty"`
	Gender        string `json:"gender,omitempty"`
	// Birthdate is YYYY-MM-DD, with year 0000 if it is withheld, or YYYY.
	Birthdate   string `json:"birthdate,omitempty"`
	Zoneinfo    string `json:"zoneinfo,omitempty"`
	Locale      string `json:"locale,omitempty"`
	PhoneNumber string `json:"phone_number,omitempty"`
	// PhoneNumberVerified is like EmailVerified.
	PhoneNumberVerified bool     `json:"phone_number_verified,omitempty"`
	Address             *Address `json:"address,omitempty"`
	// UpdatedAt is when these claims last changed; zero if the OP does not say.
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// Address is Core section 5.1.1.
type Address struct {
	Formatted     string `json:"formatted,omitempty"`
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

// VerifiedEmail returns the e-mail address if the OP says that it verified it.
// That an address was verified once, by this OP, makes it no name of a user.
func (c *StandardClaims) VerifiedEmail() (string, bool) {
	if !c.EmailVerified || c.Email == "" {
		return "", false
	}
	return c.Email, true
}

// standardClaims picks the standard claims out of an object that was validated
// already. malformed names those of the wrong type: a claim that describes may
// be wrong without the login being so, and OPs do write updated_at as text.
func standardClaims(object json.RawMessage, q Quirks) (c StandardClaims, malformed []string) {
	all, err := strictjson.Object(object)
	if err != nil {
		return c, nil
	}
	read := func(name string, into any) bool {
		v, ok := all[name]
		if !ok || string(v) == "null" {
			return false
		}
		if strictjson.Unmarshal(v, into) != nil {
			malformed = append(malformed, name)
			return false
		}
		return true
	}
	for name, into := range map[string]*string{
		"sub": &c.Subject, "name": &c.Name, "given_name": &c.GivenName, "family_name": &c.FamilyName,
		"middle_name": &c.MiddleName, "nickname": &c.Nickname, "preferred_username": &c.PreferredUsername,
		"profile": &c.Profile, "picture": &c.Picture, "website": &c.Website, "email": &c.Email,
		"gender": &c.Gender, "birthdate": &c.Birthdate, "zoneinfo": &c.Zoneinfo, "locale": &c.Locale,
		"phone_number": &c.PhoneNumber,
	} {
		var s string
		if read(name, &s) {
			*into = s
		}
	}
	for name, into := range map[string]*bool{"email_verified": &c.EmailVerified, "phone_number_verified": &c.PhoneNumberVerified} {
		if q.EmailVerifiedString {
			switch string(all[name]) {
			case `"true"`:
				*into = true
				continue
			case `"false"`:
				continue
			}
		}
		var b bool
		if read(name, &b) {
			*into = b
		}
	}
	var a Address
	if read("address", &a) {
		c.Address = &a
	}
	var at strictjson.Seconds
	if read("updated_at", &at) {
		c.UpdatedAt = at.Time()
	}
	slices.Sort(malformed)
	return c, malformed
}
