package oidc

import "strings"

// responseType is the set of what an authentication response holds (Core
// section 3; OAuth 2.0 Multiple Response Type Encoding Practices).
type responseType struct{ code, idToken, token bool }

// parseResponseType accepts the six response types of Core section 3, in any
// order of words.
func parseResponseType(s string) (responseType, error) {
	var r responseType
	refuse := func(why string) (responseType, error) {
		return responseType{}, &UnsupportedError{Feature: "response type " + quote(s), Detail: why}
	}
	for w := range strings.FieldsSeq(s) {
		var seen *bool
		switch w {
		case "code":
			seen = &r.code
		case "id_token":
			seen = &r.idToken
		case "token":
			seen = &r.token
		case "none":
			return refuse("it logs nobody in")
		default:
			return refuse("expected code, id_token and token in the combinations of Core section 3")
		}
		if *seen {
			return refuse("a word occurs twice")
		}
		*seen = true
	}
	if !r.code && !r.idToken {
		return refuse("there would be no ID Token to tell who logged in")
	}
	return r, nil
}

// String writes the words in the order that the specifications use.
func (r responseType) String() string {
	var w []string
	if r.code {
		w = append(w, "code")
	}
	if r.idToken {
		w = append(w, "id_token")
	}
	if r.token {
		w = append(w, "token")
	}
	return strings.Join(w, " ")
}

// defaultMode is query for the code alone and fragment for whatever carries a
// token (Multiple Response Types section 3).
func (r responseType) defaultMode() string {
	if r.idToken || r.token {
		return ModeFragment
	}
	return ModeQuery
}
