package oidctest

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// SoftwareStatement signs client metadata as a publisher of software does whom the
// OP trusts (RFC 7591, section 2.3): with a key of the OP's own.
func (op *OP) SoftwareStatement(claims map[string]any) (string, error) {
	all := map[string]any{"iss": op.Issuer}
	for k, v := range claims {
		all[k] = v
	}
	return op.Sign("ES256", map[string]any{"typ": "JWT"}, all)
}

// readStatement verifies a software statement and lays its metadata over m.
func (x *exchange) readStatement(m map[string]any) *registrationError {
	text, ok := m["software_statement"].(string)
	if !ok {
		if x.op.c.RequireSoftwareStatement {
			return &registrationError{"unapproved_software_statement", "a software statement is required"}
		}
		return nil
	}
	var algs []jose.SignatureAlgorithm
	for _, a := range assertionAlgs() {
		if !strings.HasPrefix(a, "HS") {
			algs = append(algs, jose.SignatureAlgorithm(a))
		}
	}
	bad := &registrationError{"invalid_software_statement", "the statement is no JWT that a trusted key verifies"}
	jws, err := jose.ParseSignedCompact(text, algs)
	if err != nil {
		return bad
	}
	var payload []byte
	for _, k := range x.op.keys.all() {
		if k.kid == jws.Signatures[0].Header.KeyID {
			if payload, err = jws.Verify(k.key.Public()); err != nil {
				return bad
			}
		}
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	var claims map[string]any
	if payload == nil || d.Decode(&claims) != nil {
		return bad
	}
	if claims["iss"] != x.op.Issuer {
		return &registrationError{"unapproved_software_statement", "the statement is by a publisher who is not trusted"}
	}
	for name, v := range claims {
		base, _, _ := strings.Cut(name, "#")
		kind, known := metadataKinds()[base]
		if !known || base == "software_statement" {
			continue
		}
		if problem := kind.check(v); problem != "" {
			return badMetadata("%s in the software statement %s", name, problem)
		}
		m[name] = v // RFC 7591, section 2.3: it takes precedence
	}
	return nil
}
