package interop

import (
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"

	"rely.example/peers/interop/launch"
)

// StaticClients returns a client for each authentication method that the OP
// has, to be known to it from the start, with all its response types. A client
// named "none" is public and has the code flow alone. jwks is the public key
// set of the client that authenticates by private_key_jwt.
func (p *Peer) StaticClients(jwks json.RawMessage) []launch.Client {
	var out []launch.Client
	for _, method := range p.Has.AuthMethods {
		c := launch.Client{
			ID:            "rely-" + method,
			RedirectURIs:  []string{RedirectURI},
			ResponseTypes: p.Has.ResponseTypes,
			GrantTypes:    p.Has.GrantTypes(p.Has.ResponseTypes),
			AuthMethod:    method,
		}
		switch method {
		case "none":
			c.ResponseTypes = []string{"code"}
			c.GrantTypes = p.Has.GrantTypes(c.ResponseTypes)
		case "private_key_jwt":
			c.JWKS = jwks
		default:
			// Long enough for HS256 (RFC 7518, section 3.2), and of characters
			// that are the same with and without percent-encoding.
			c.Secret = rand.Text() + rand.Text()
		}
		out = append(out, c)
	}
	if slices.Contains(p.Has.KnownGrants, deviceGrant) {
		out = append(out, launch.Client{
			ID: "rely-device", Secret: rand.Text() + rand.Text(), RedirectURIs: []string{RedirectURI},
			GrantTypes: []string{deviceGrant}, AuthMethod: "client_secret_basic",
		})
	}
	return out
}

// Grants by their names on the wire.
const (
	deviceGrant    = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628
	cibaGrant      = "urn:openid:params:grant-type:ciba"               // CIBA Core
	exchangeGrant  = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693
	jwtBearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523
)

// GrantTypes returns the grant types that go with response types (OpenID
// Connect Dynamic Client Registration 1.0, section 2), and refresh_token where
// there is a code to get one for.
func (c Capabilities) GrantTypes(responseTypes []string) []string {
	var out []string
	if slices.ContainsFunc(responseTypes, hasCode) {
		out = append(out, "authorization_code")
		if c.Refresh.Issued {
			out = append(out, "refresh_token")
		}
	}
	if slices.ContainsFunc(responseTypes, func(t string) bool { return t != "code" }) {
		out = append(out, "implicit")
	}
	return out
}

// Modes returns the response modes for a response type, the default one first.
func (c Capabilities) Modes(responseType string) []string {
	modes := []string{ModeFragment}
	if responseType == "code" {
		modes = []string{ModeQuery}
		if c.CodeFragment {
			modes = append(modes, ModeFragment)
		}
	}
	if c.FormPost {
		modes = append(modes, ModeFormPost)
	}
	return modes
}

// hasCode reports whether a response type brings a code.
func hasCode(responseType string) bool {
	return slices.Contains(strings.Fields(responseType), "code")
}
