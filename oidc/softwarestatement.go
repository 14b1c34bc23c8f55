package oidc

import (
	"encoding/base64"
	"strings"
)

// statementMetadata reads the client metadata in a software statement (RFC 7591
// section 2.3), of which the OP lets every member take precedence over the same one
// beside it. The signature is for the OP to verify: here it only tells what the OP
// will be asked for.
func statementMetadata(statement string) (ClientMetadata, error) {
	bad := func(detail string, err error) (ClientMetadata, error) {
		return ClientMetadata{}, &InputError{Reason: BadConfig, Field: "ClientMetadata.SoftwareStatement", Detail: detail, Err: err}
	}
	parts := strings.Split(statement, ".")
	if len(parts) != 3 {
		return bad("it is no compact JWT", nil)
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return bad("it is no compact JWT", nil)
	}
	var m ClientMetadata
	if err := m.UnmarshalJSON(payload); err != nil {
		return bad("its claims are no client metadata: "+err.Error(), err)
	}
	// What is about the statement itself, or about the software in words of a
	// scheme's own, is nothing that is asked for.
	m.Extra, m.SoftwareStatement = nil, ""
	return m, nil
}

// withStatement is what m asks for in all.
func (m ClientMetadata) withStatement() (ClientMetadata, error) {
	if m.SoftwareStatement == "" {
		return m, nil
	}
	stated, err := statementMetadata(m.SoftwareStatement)
	if err != nil {
		return m, err
	}
	return mergeMetadata(m, stated)
}
