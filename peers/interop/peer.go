package interop

import (
	"context"
	"net/url"

	"rely.example/peers/interop/launch"
)

// Peer is an OP that can be started: what it is, what it has, and how to run it.
type Peer struct {
	// Name is short and fit for the name of a subtest.
	Name string
	// Has is what it offers, as it is configured here.
	Has Capabilities
	// Service is a client that the OP has of itself, to act in its own name.
	Service launch.Client
	// Oddities are the ways of it that a Relying Party has to know about.
	Oddities []Oddity

	// issuerPath is what its issuer has after the authority.
	issuerPath string
	// readyPath answers 200 once the OP can be set up.
	readyPath string
	// command finds what the OP needs, or says ErrAbsent.
	command func(ctx context.Context, c launch.Config, dir string) (command, error)
	// setUp does what remains once the OP runs; nil: nothing.
	setUp func(ctx context.Context, o *OP) error
	// page handles a page that a script would drive, and returns where the
	// script would go; errNotScripted for any other page. nil: no such pages.
	page func(ctx context.Context, b *Browser, at *url.URL) (string, error)
}

// Capabilities are what an OP offers, in the configuration that is run here.
type Capabilities struct {
	// ResponseTypes, in the words and the order of a request.
	ResponseTypes []string
	// CodeFragment: the answer to the code flow can come in the fragment, too.
	CodeFragment bool
	// FormPost: answers can be posted (OAuth 2.0 Form Post Response Mode 1.0).
	FormPost bool
	// AuthMethods by which a client known beforehand can authenticate at the
	// token endpoint.
	AuthMethods []string
	// Registration: the response types that a client can register itself for
	// (Registration 1.0); empty: there is no registration.
	Registration []string
	// Grants that a client can register itself for, beside those of response types.
	Grants []string
	// KnownGrants are those of clients known beforehand, where there is no
	// registration. The client is "rely-device" for devices, [Peer.Service] for client
	// credentials, and "rely-client_secret_basic" for the rest.
	KnownGrants []string
	// CIBA is how backchannel logins go, where Grants has them.
	CIBA CIBA
	// Exchange are the types of tokens that an access token can be exchanged for, where
	// Grants has that (RFC 8693, section 3).
	Exchange []string
	// CompleteAddress: there is a verification_uri_complete (RFC 8628, section 3.2).
	CompleteAddress bool
	// DyingCodes: a client can register how long its device codes live.
	DyingCodes bool
	// Management of a registration (RFC 7592), operation by operation, as far as
	// Rely understands the answers.
	Management Management
	// IDTokenAlgs a client can register for.
	IDTokenAlgs []string
	// UserInfoAlgs a client can register for, to get UserInfo as a signed JWT.
	UserInfoAlgs []string
	// Encryption: what ID Tokens and UserInfo can be registered to be encrypted
	// with, as pairs of key management and content encryption.
	Encryption [][2]string
	// Refresh tokens are issued in the code and the hybrid flow.
	Refresh Refresh
	// Revocation of tokens (RFC 7009).
	Revocation bool
	// WebFinger is answered by the OP's host.
	WebFinger bool
	// PKCE is checked, rather than ignored (RFC 7636).
	PKCE bool
	// ResponseIssuer: iss in the authentication response is announced (RFC 9207).
	ResponseIssuer bool
	// NoPrompt is the error code that answers prompt=none where nobody is logged
	// in (Core 3.1.2.6); empty: the OP, as it is run here, logs everyone in.
	NoPrompt string
	// OneAtATime: as it is run here, requests made at the same time may be
	// answered with server_error.
	OneAtATime bool
	// PAR: authorization requests can be pushed (RFC 9126).
	PAR bool
	// RequestObjects are authorization requests as JWTs (RFC 9101).
	RequestObjects RequestObjects
	// SignedResponses are authorization responses as JWTs (JARM).
	SignedResponses SignedResponses
	// DetailTypes are the types of authorization_details (RFC 9396).
	DetailTypes []string
	// Resources: where an access token is good can be asked for (RFC 8707), and
	// must be with authorization_details.
	Resources bool
	// DPoP binds tokens to a key (RFC 9449).
	DPoP DPoP
	// MTLS: clients authenticate by a certificate, issued or self-signed, and have
	// their tokens bound to it (RFC 8705).
	MTLS bool
	// Introspection of tokens (RFC 7662).
	Introspection bool
	// IntrospectionAlgs a client can register for, to get the answer as a signed
	// JWT (RFC 9701).
	IntrospectionAlgs []string
	// IntrospectionEncryption of such answers, as pairs of key management and content
	// encryption.
	IntrospectionEncryption [][2]string
	// AuthTime is in the ID Token where max_age is asked for (Core 3.1.2.1).
	AuthTime bool
}

// RequestObjects says with what request objects can be made.
type RequestObjects struct {
	// Algs sign them, and Encryption encrypts those that were signed, as pairs of
	// key management and content encryption. Empty: the OP takes none.
	Algs       []string
	Encryption [][2]string
	// ByReference: the OP fetches them from where it is told.
	ByReference bool
}

// SignedResponses says with what authorization responses are signed and encrypted.
type SignedResponses struct {
	Algs       []string
	Encryption [][2]string
}

// Management is what RFC 7592 offers.
type Management struct {
	Read, Update, Delete bool
	// Rotates: the registration access token changes with an update.
	Rotates bool
}

// DPoP is what an OP has of RFC 9449.
type DPoP struct {
	// Algs are those of the proofs; empty: there is no DPoP.
	Algs []string
	// Nonces: every proof has to have the OP's nonce.
	Nonces bool
}

// CIBA is what an OP has of OpenID Connect Client-Initiated Backchannel Authentication.
type CIBA struct {
	// Modes by which a client learns that its user has decided.
	Modes []string
	// Algs sign requests.
	Algs []string
	// PushHash: at_hash is in a pushed ID Token only for a client that registers
	// push_at_hash, and rt_hash always.
	PushHash bool
}

// Refresh is what an OP does with refresh tokens.
type Refresh struct {
	// Scope has to be asked for to get one; empty: nothing more.
	Scope string
	// Issued: there are refresh tokens at all.
	Issued bool
	// Rotates: each use answers with another refresh token.
	Rotates bool
	// OneUse: a refresh token that was rotated away is refused.
	OneUse bool
	// IDToken: the answer has an ID Token.
	IDToken bool
}

// Oddity is something an OP does its own way.
type Oddity struct {
	// What it does.
	What string
	// Switch is what the Relying Party sets to go along with it; empty: nothing.
	Switch Switch
}

// Switch names something of the Relying Party that is set for an OP's sake.
type Switch string

// The switches that the OPs of this package need.
const (
	// EncodedIssuer is oidc.Quirks.EncodedResponseIssuer.
	EncodedIssuer Switch = "Quirks.EncodedResponseIssuer"
	// RawCredentials is oidc.Quirks.RawBasicCredentials, for a client whose
	// secret is not the same with and without percent-encoding.
	RawCredentials Switch = "Quirks.RawBasicCredentials"
	// EndpointAudience is oidc.Quirks.AssertionAudienceEndpoint.
	EndpointAudience Switch = "Quirks.AssertionAudienceEndpoint"
	// NamedMode is oidc.AuthParams.ResponseMode, naming the default mode.
	NamedMode Switch = "AuthParams.ResponseMode"
	// NamedMethod is oidc.ClientMetadata.TokenEndpointAuthMethod, naming the
	// default method in a registration.
	NamedMethod Switch = "ClientMetadata.TokenEndpointAuthMethod"
	// SingleWords is oidc.ClientMetadata.ResponseTypes, which is registered word
	// by word, and oidc.Registration.Metadata.ResponseTypes, set afterwards to
	// the response type that is meant.
	SingleWords Switch = "Registration.Metadata.ResponseTypes"
	// NamedModes is oidc.ProviderMetadata.ResponseModesSupported, completed by
	// hand.
	NamedModes Switch = "ProviderMetadata.ResponseModesSupported"
)

// Needs reports whether one of the OP's oddities needs the switch.
func (p *Peer) Needs(s Switch) bool {
	for _, o := range p.Oddities {
		if o.Switch == s {
			return true
		}
	}
	return false
}

// Peers lists the OPs, the most complete ones first.
func Peers() []*Peer {
	return []*Peer{oidcProvider(), luikyv(), pyoidc(), glewlwyd(), zitadel()}
}

// every response type that OpenID Connect has (OAuth 2.0 Multiple Response Type
// Encoding Practices 1.0), but for none, which logs nobody in.
func allResponseTypes() []string {
	return []string{
		"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token",
	}
}
