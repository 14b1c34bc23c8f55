package oidc

import (
	"slices"
	"strings"
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
func standardClaims(object string, q Quirks) (c StandardClaims, malformed []string) {
	err := strictjson.Scan(object, func(name, value string) error {
		c.note(&malformed, name, value, q)
		return nil
	})
	if err != nil {
		return StandardClaims{}, nil
	}
	slices.Sort(malformed)
	return c, malformed
}

// note reads one member and adds its name to malformed if its type is wrong.
func (c *StandardClaims) note(malformed *[]string, name, value string, q Quirks) {
	if value != "null" && !c.read(name, value, q) {
		*malformed = append(*malformed, name)
	}
}

// read takes one member, if it is a standard claim, and reports whether its type
// is right.
func (c *StandardClaims) read(name, value string, q Quirks) (ok bool) {
	switch name {
	case "sub":
		return readText(&c.Subject, value)
	case "name":
		return readText(&c.Name, value)
	case "given_name":
		return readText(&c.GivenName, value)
	case "family_name":
		return readText(&c.FamilyName, value)
	case "middle_name":
		return readText(&c.MiddleName, value)
	case "nickname":
		return readText(&c.Nickname, value)
	case "preferred_username":
		return readText(&c.PreferredUsername, value)
	case "profile":
		return readText(&c.Profile, value)
	case "picture":
		return readText(&c.Picture, value)
	case "website":
		return readText(&c.Website, value)
	case "email":
		return readText(&c.Email, value)
	case "email_verified":
		return readBool(&c.EmailVerified, value, q)
	case "gender":
		return readText(&c.Gender, value)
	case "birthdate":
		return readText(&c.Birthdate, value)
	case "zoneinfo":
		return readText(&c.Zoneinfo, value)
	case "locale":
		return readText(&c.Locale, value)
	case "phone_number":
		return readText(&c.PhoneNumber, value)
	case "phone_number_verified":
		return readBool(&c.PhoneNumberVerified, value, q)
	case "address":
		a := new(Address)
		if strictjson.Unmarshal([]byte(value), a) != nil {
			return false
		}
		c.Address = a
	case "updated_at":
		at, err := strictjson.ParseSeconds(value)
		if err != nil {
			return false
		}
		c.UpdatedAt = at.Time()
	}
	return true
}

func readText(to *string, value string) bool {
	text, ok := strictjson.Text(value)
	if ok {
		*to = text
	}
	return ok
}

func readBool(to *bool, value string, q Quirks) bool {
	if q.EmailVerifiedString {
		value = strings.Trim(value, `"`)
	}
	*to = value == "true"
	return *to || value == "false"
}
