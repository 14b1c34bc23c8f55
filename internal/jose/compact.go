package jose

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"rely.example/internal/strictjson"
)

// compact is a token cut at its dots, RFC 7515 section 7.1. Nothing of it has
// been decoded.
type compact struct {
	input     string // header.payload, the bytes that are signed
	header    string
	payload   string
	signature string // may be empty
}

// cutCompact cuts a token into its three parts without ever holding more than
// that, however many dots a stranger sent.
func cutCompact(token string) (compact, *Error) {
	if err := checkSize(token); err != nil {
		return compact{}, err
	}
	first := strings.IndexByte(token, '.')
	if first < 0 {
		return compact{}, notCompact(token)
	}
	second := strings.IndexByte(token[first+1:], '.')
	if second < 0 {
		return compact{}, notCompact(token)
	}
	second += first + 1
	c := compact{
		input:     token[:second],
		header:    token[:first],
		payload:   token[first+1 : second],
		signature: token[second+1:],
	}
	switch {
	case strings.IndexByte(c.signature, '.') >= 0:
		return compact{}, notCompact(token)
	case len(c.header) > maxHeader:
		return compact{}, refuse(TooLarge, "header longer than 16 KiB")
	case c.payload == "":
		// Detached content (RFC 7515 appendix F) has no place in a JWT.
		return compact{}, refuse(Malformed, "the payload is empty")
	}
	return c, nil
}

func checkSize(token string) *Error {
	switch {
	case token == "":
		return refuse(Malformed, "the token is empty")
	case len(token) > MaxToken:
		return refuse(TooLarge, "token longer than 64 KiB")
	}
	return nil
}

// notCompact says what a token without three parts looks like.
func notCompact(token string) *Error {
	switch dots := strings.Count(token, "."); {
	case token[0] == '{':
		return refuse(Malformed, "expected the compact serialization, got a JSON object")
	case dots == 4:
		return refuse(Encrypted, "expected a signed token of three parts, got an encrypted one of five")
	default:
		return refuse(Malformed, "expected three parts, got "+plural(dots+1))
	}
}

func plural(parts int) string {
	switch parts {
	case 1:
		return "one"
	case 2:
		return "two"
	}
	return "more"
}

// decodeSegment appends to dst what part, named name in errors, encodes. There is exactly one
// accepted spelling of every value: no padding, no other alphabet, no bits set
// beyond the last byte (RFC 7515 section 2, RFC 4648 section 3.5), so that a
// token cannot be respelled to pass for another.
func decodeSegment(dst []byte, part, name string) ([]byte, *Error) {
	// The decoder of the standard library skips line ends, even a strict one.
	if strings.IndexByte(part, '\n') >= 0 || strings.IndexByte(part, '\r') >= 0 {
		return nil, refuse(NotCanonical, "the "+name+" has a line end in it")
	}
	dst, err := base64.RawURLEncoding.Strict().AppendDecode(dst, []byte(part))
	if err != nil {
		return nil, refuse(NotCanonical, "the "+name+" is not unpadded base64url in canonical form")
	}
	return dst, nil
}

// parseHeader decodes a protected header and refuses what we could not obey.
func parseHeader(encoded string) (Header, *Error) {
	members, err := headerMembers(encoded)
	if err != nil {
		return Header{}, err
	}
	if _, there := members["jwk"]; there {
		// RFC 7515 section 4.1.3: a key that came with the token proves nothing.
		return Header{}, refuse(UnsupportedHeader, "jwk")
	}
	return readHeader(members)
}

// headerMembers decodes a protected header that holds nothing we could not obey.
func headerMembers(encoded string) (map[string]json.RawMessage, *Error) {
	text, err := decodeSegment(nil, encoded, "header")
	if err != nil {
		return nil, err
	}
	members, cause := strictjson.Object(text)
	if cause != nil {
		return nil, &Error{Reason: Malformed, Detail: "header", Err: cause}
	}
	for _, name := range [...]string{
		"crit", // RFC 7515 section 4.1.11: we know no extension, so none may be critical; an empty list is no list
		"b64",  // RFC 7797 section 7: not for JWTs
		"zip",  // RFC 7516 section 4.1.3: inflation is work that a stranger chooses
	} {
		if _, there := members[name]; there {
			return nil, refuse(UnsupportedHeader, name)
		}
	}
	// jku, x5u, x5c, x5t and whatever else there is (RFC 7515 section 4) are
	// not used, and so harmless: large providers send some with every token.
	return members, nil
}

func readHeader(members map[string]json.RawMessage) (Header, *Error) {
	var h Header
	for _, m := range [...]struct {
		name string
		to   *string
	}{{"alg", &h.Alg}, {"enc", &h.Enc}, {"kid", &h.KeyID}, {"typ", &h.Type}, {"cty", &h.ContentType}} {
		if raw, there := members[m.name]; there && !decodeString(raw, m.to) {
			return Header{}, refuse(Malformed, "header: "+m.name+" is not a string")
		}
	}
	switch {
	case h.Alg == "":
		return Header{}, refuse(Malformed, "header: no alg")
	case len(h.KeyID) > MaxKeyID:
		return Header{}, refuse(TooLarge, "header: kid longer than 512 bytes")
	}
	return h, nil
}

// decodeString decodes raw, which strictjson accepted, if it is a JSON string.
func decodeString(raw json.RawMessage, to *string) bool {
	return strictjson.Unmarshal(raw, to) == nil // which refuses null, too
}

// parseSignedHeader is parseHeader for a token of three parts.
func parseSignedHeader(encoded string) (Header, *Error) {
	h, err := parseHeader(encoded)
	if err == nil && h.Enc != "" {
		// RFC 7516 section 9: a header with enc is that of a JWE.
		return Header{}, refuse(Malformed, "header: enc in a token of three parts")
	}
	return h, err
}

// PeekHeader reads the header of a signed or encrypted token, which nothing
// vouches for. It is for choosing a path (is it encrypted, whose keys could it
// need), never for a decision.
func PeekHeader(token string) (Header, error) {
	c, err := cutCompact(token)
	if err == nil {
		h, err := parseSignedHeader(c.header)
		if err != nil {
			return Header{}, err
		}
		return h, nil
	}
	if err.Reason == Encrypted {
		h, err := parseEncryptedHeader(token)
		if err != nil {
			return Header{}, err
		}
		return h, nil
	}
	return Header{}, err
}

// ReadUnsigned reads an unsecured token (RFC 7515 appendix A.5): alg is exactly
// "none" and the signature is empty. Nothing is verified. Callers allow it only
// where something else vouches for the token, such as the TLS connection to the
// token endpoint, and only if they were told to (OpenID Connect Core 1.0 section
// 3.1.3.7, point 6).
func ReadUnsigned(token string) (Verified, error) {
	c, err := cutCompact(token)
	if err != nil {
		return Verified{}, err
	}
	h, err := parseSignedHeader(c.header)
	if err != nil {
		return Verified{}, err
	}
	if h.Alg != "none" {
		return Verified{}, refuse(AlgNotAllowed, "expected none, got "+quote(h.Alg))
	}
	if c.signature != "" {
		return Verified{}, refuse(BadSignature, "alg none with a signature")
	}
	payload, err := decodeSegment(nil, c.payload, "payload")
	if err != nil {
		return Verified{}, err
	}
	return Verified{Header: h, Payload: string(payload)}, nil
}
