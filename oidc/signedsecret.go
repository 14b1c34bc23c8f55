package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"rely.example/internal/jose"
)

// SignedSecret is the method "client_secret_post" with a secret that the
// application signs itself: a JWT with the claims iss (the developer's account),
// sub (the client_id), aud (the OP's issuer), iat and exp. Sign in with Apple asks
// for it: issuer is the Team ID, and k the key from the developer's account, with
// the Key ID as its ID.
//
// One is made for every request and lives five minutes, so that none has to be renewed
// and none that is copied is of use for long. (private_key_jwt has the same
// purpose; it is another parameter with other claims.)
func SignedSecret(issuer string, k Key) ClientAuth { return signedSecret{issuer, k} }

type signedSecret struct {
	issuer string
	key    Key
}

func (signedSecret) Method() string { return AuthSecretPost }

// check is made by NewClient.
func (a signedSecret) check() error {
	if a.issuer == "" {
		return &InputError{Reason: BadConfig, Field: "ClientConfig.Auth", Detail: "the secret needs an issuer: the developer's account (at Apple the Team ID)"}
	}
	if a.key.ID == "" {
		return &InputError{Reason: BadConfig, Field: "ClientConfig.Auth", Detail: "the key needs the ID that the OP gave it (at Apple the Key ID)"}
	}
	_, err := a.key.signing()
	return err
}

// Format prints the method and the key's name, as that of secretBasic does.
func (a signedSecret) Format(f fmt.State, _ rune) {
	redact(f, "oidc.SignedSecret", "Issuer", a.issuer, "Key", a.key.ID)
}

func (a signedSecret) Authenticate(_ context.Context, r *AuthenticatedRequest) error {
	k, err := a.key.signing()
	if err != nil {
		return err
	}
	claims, err := json.Marshal(struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		IssuedAt int64  `json:"iat"`
		Expiry   int64  `json:"exp"`
	}{a.issuer, r.ClientID, r.Issuer, r.Now.Unix(), r.Now.Add(signedSecretLifetime).Unix()})
	if err != nil {
		return err
	}
	secret, err := jose.Sign(k, nil, claims)
	if err != nil {
		return &InputError{Reason: BadConfig, Field: "ClientAuth", Detail: "the secret could not be signed: " + err.Error(), Err: err}
	}
	r.Form.Set("client_id", r.ClientID)
	r.Form.Set("client_secret", secret)
	return nil
}

// signedSecretLifetime is short for the reason of assertionLifetime, and longer,
// since such an OP need not allow for clocks that differ.
const signedSecretLifetime = 5 * time.Minute
