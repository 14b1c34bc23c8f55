// Package jose verifies, decrypts and signs JSON Web Tokens, and keeps the keys
// of an issuer fresh. It knows nothing of OpenID Connect: which algorithms an
// issuer was registered with, and what the claims must say, is for the caller.
//
//   - [KeySet.Verify] checks a signature against a JWK Set, [Remote.Verify]
//     against one that lives behind a URL, [HMACKey.Verify] against a shared
//     secret; [ReadUnsigned] reads an unsecured token, which its callers gate.
//   - [Decrypt] opens an encrypted token. What comes out is not authenticated.
//   - [Sign] signs with any [crypto.Signer] or secret; [PublicKeySet] publishes.
//
// Signatures are verified on the standard library's cryptography, and the rules
// are strict: one serialization (RFC 7515 section 7.1), canonical base64url, one
// meaning of the header, an algorithm pinned by the caller before any key is
// looked at. A payload exists as a value only after its signature was verified,
// and it is decoded from the very bytes that were.
//
// Every refusal is an [*Error] whose [Reason] says which rule was broken; none
// repeats a payload, a signature or a secret.
package jose

// Bounds on what a stranger sends.
const (
	// MaxToken is the longest token read, in bytes.
	MaxToken = 64 << 10

	// MaxKeySet is the longest JWK Set read, in bytes.
	MaxKeySet = 1 << 20

	// MaxKeys is how many keys one JWK Set may have, usable or not. Real issuers
	// publish two to ten.
	MaxKeys = 100

	// MaxKeyID is the longest kid, in bytes, that is compared with anything. The
	// longest seen in the field are certificate thumbprints and URLs.
	MaxKeyID = 512

	// MaxCandidates is how many keys are tried on one token. More are possible
	// only when the token names none, or the issuer gave many the same name.
	MaxCandidates = 8

	// MinSecret is the shortest shared secret accepted for an HMAC, in bytes.
	// RFC 7518 section 3.2 and OpenID Connect Core 1.0 section 16.19 ask for as
	// many bytes as the hash has (32 to 64), but providers hand out secrets of
	// fewer, and the client cannot choose. Below 16 bytes whoever has seen one
	// token can search for the secret.
	MinSecret = 16

	// maxHeader is the longest protected header, in encoded bytes. Certificate
	// chains in x5c, which we ignore, make headers of a few thousand bytes.
	maxHeader = 16 << 10
)

// Header is the part of a token's protected header (RFC 7515 section 4.1, RFC
// 7516 section 4.1) that has a meaning here. A member that was absent is empty.
type Header struct {
	Alg         string // alg, never empty
	Enc         string // enc: not empty if and only if the token is encrypted
	KeyID       string // kid: to be compared, never a path, URL or query
	Type        string // typ as it was written; RFC 7515 section 4.1.9 says how to compare
	ContentType string // cty as it was written
}

// Verified is a token whose signature was verified, or, from [ReadUnsigned]
// alone, one that has none.
type Verified struct {
	Header  Header
	Payload string // the verified bytes; not necessarily JSON
}
