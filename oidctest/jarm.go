package oidctest

import (
	"net/url"
	"time"
)

// responseLifetime is how long a JWT secured authorization response is good for
// (JARM, section 2.1: at most 10 minutes).
const responseLifetime = 10 * time.Minute

// secure puts the parameters of an authorization response into one JWT (JARM,
// sections 2.1 and 2.2), with what the faults and the free-hand edits make of it.
func (x *exchange) secure(a *authAnswer) error {
	client := x.client
	claims := map[string]any{"iss": x.op.Issuer, "aud": client.ID, "exp": x.now.Add(responseLifetime).Unix()}
	for name, values := range a.params {
		if name != "iss" {
			claims[name] = values[0]
		}
	}
	alg := client.AuthorizationSignedResponseAlg
	if alg == "" {
		alg = "RS256" // JARM, section 3
	}
	d, err := x.newDraft(alg, claims)
	if err != nil {
		return err
	}
	for _, b := range x.faults {
		if b.response != nil {
			b.response(x, d)
		}
	}
	if x.edits.response != nil {
		x.edits.response(d.header, d.claims)
	}
	s, err := d.sign()
	if err != nil {
		return err
	}
	for _, b := range x.faults {
		if b.responseSealed != nil {
			s = b.responseSealed(x, d, s)
		}
	}
	if s, err = x.encrypted(s, client.AuthorizationEncryptedResponseAlg, client.AuthorizationEncryptedResponseEnc); err != nil {
		return err
	}
	plain := a.params
	a.params = url.Values{"response": {s}}
	for _, b := range x.faults {
		if b.beside != nil {
			b.beside(x, plain)
			for name, values := range plain {
				a.params[name] = append(a.params[name], values...)
			}
		}
	}
	return nil
}
