package oidctest

import (
	"encoding/json"
	"strings"
)

// User is a person who can log in at the OP, with the standard claims of Core
// 5.1. A zero claim is one that the OP does not know and does not send, except
// the two booleans, which are sent with the claim they are about.
type User struct {
	// Username is what login_hint, WebFinger and the login page call the
	// person: "alice". It is not a claim; it must not be empty.
	Username string `json:"-"`

	// Sub is the subject identifier that the OP never assigns to another
	// person. Empty means one derived from Username.
	Sub string `json:"sub"`

	Name                string   `json:"name,omitempty"`
	GivenName           string   `json:"given_name,omitempty"`
	FamilyName          string   `json:"family_name,omitempty"`
	MiddleName          string   `json:"middle_name,omitempty"`
	Nickname            string   `json:"nickname,omitempty"`
	PreferredUsername   string   `json:"preferred_username,omitempty"`
	Profile             string   `json:"profile,omitempty"`
	Picture             string   `json:"picture,omitempty"`
	Website             string   `json:"website,omitempty"`
	Email               string   `json:"email,omitempty"`
	EmailVerified       bool     `json:"-"`
	Gender              string   `json:"gender,omitempty"`
	Birthdate           string   `json:"birthdate,omitempty"` // 1987-06-05, or 0000-06-05 or 1987
	Zoneinfo            string   `json:"zoneinfo,omitempty"`
	Locale              string   `json:"locale,omitempty"`
	PhoneNumber         string   `json:"phone_number,omitempty"`
	PhoneNumberVerified bool     `json:"-"`
	Address             *Address `json:"address,omitempty"`
	UpdatedAt           int64    `json:"updated_at,omitempty"` // seconds since 1970

	// Claims are further claims; one with the name of a standard claim
	// replaces it. They are sent with the scope profile, or when the claims
	// parameter asks for them.
	Claims map[string]any `json:"-"`
}

// Address is the address claim of Core 5.1.1.
type Address struct {
	Formatted     string `json:"formatted,omitempty"`
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

// DefaultUsers returns the people of an OP that was given none: alice, who has
// every standard claim; bob, whose email is not verified; chloé, whose name is
// written in several scripts and languages; and dan, of whom only the subject
// is known.
func DefaultUsers() []User {
	return []User{
		{
			Username: "alice", Sub: "alice-248289761001",
			Name: "Alice Liddell", GivenName: "Alice", FamilyName: "Liddell", MiddleName: "Pleasance", Nickname: "Al",
			PreferredUsername: "alice", Profile: "https://people.example/alice", Picture: "https://people.example/alice.png", Website: "https://alice.example/",
			Email: "alice@example.com", EmailVerified: true, Gender: "female", Birthdate: "1987-05-04", Zoneinfo: "Europe/London", Locale: "en-GB",
			PhoneNumber: "+44 20 7946 0123", PhoneNumberVerified: true,
			Address: &Address{Formatted: "1 Daresbury Lane\nWarrington\nWA4 4AE\nUnited Kingdom", StreetAddress: "1 Daresbury Lane",
				Locality: "Warrington", Region: "Cheshire", PostalCode: "WA4 4AE", Country: "United Kingdom"},
			UpdatedAt: 1700000000,
		},
		{
			Username: "bob", Sub: "bob-248289761002", Name: "Bob Dormouse", GivenName: "Bob", FamilyName: "Dormouse",
			PreferredUsername: "bob", Email: "bob@example.com", Locale: "en-US", Zoneinfo: "America/New_York", UpdatedAt: 1690000000,
		},
		{
			Username: "chloé", Sub: "chloe-248289761003", Name: "Chloé Lièvre-Étoilé", GivenName: "Chloé", FamilyName: "Lièvre-Étoilé",
			PreferredUsername: "chloé", Email: "chloe@example.fr", EmailVerified: true, Locale: "fr-FR", Zoneinfo: "Europe/Paris", UpdatedAt: 1695000000,
			Claims: map[string]any{"name#ja-Kana-JP": "クロエ", "name#ru": "Хлоя", "name#ar": "كلوي"},
		},
		{Username: "dan", Sub: "dan-248289761004"},
	}
}

// scopeClaims are the claims that a scope asks for (Core 5.4).
func scopeClaims(scope string) []string {
	switch scope {
	case "profile":
		return []string{"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
			"picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"}
	case "email":
		return []string{"email", "email_verified"}
	case "address":
		return []string{"address"}
	case "phone":
		return []string{"phone_number", "phone_number_verified"}
	}
	return nil
}

// standardClaims are the names of Core 5.1 without sub.
func standardClaims() []string {
	var names []string
	for _, s := range []string{"profile", "email", "address", "phone"} {
		names = append(names, scopeClaims(s)...)
	}
	return names
}

// all returns every claim that the OP knows about the person, sub excepted.
func (u User) all() map[string]any {
	b, err := json.Marshal(u)
	claims := map[string]any{}
	if err != nil || json.Unmarshal(b, &claims) != nil {
		return map[string]any{} // strings and integers only: never reached
	}
	delete(claims, "sub")
	if u.UpdatedAt != 0 {
		claims["updated_at"] = u.UpdatedAt
	}
	if u.Email != "" {
		claims["email_verified"] = u.EmailVerified
	}
	if u.PhoneNumber != "" {
		claims["phone_number_verified"] = u.PhoneNumberVerified
	}
	for k, v := range u.Claims {
		claims[k] = v
	}
	return claims
}

// released returns what the scopes and the members of the claims parameter let
// a client see (Core 5.4 and 5.5).
func (u User) released(scopes []string, asked map[string]*claimRequest) map[string]any {
	all, out := u.all(), map[string]any{}
	standard := map[string]bool{"sub": true}
	for _, n := range standardClaims() {
		standard[n] = true
	}
	give := func(name string) {
		for k, v := range all {
			// Core 5.2: a claim in other languages carries their tags.
			base, _, _ := strings.Cut(k, "#")
			if k == name || base == name {
				out[k] = v
			}
		}
	}
	for _, s := range scopes {
		for _, name := range scopeClaims(s) {
			give(name)
		}
		if s == "profile" {
			for k := range u.Claims {
				if base, _, _ := strings.Cut(k, "#"); !standard[base] {
					give(k)
				}
			}
		}
	}
	for name := range asked {
		give(name)
	}
	delete(out, "sub")
	return out
}
