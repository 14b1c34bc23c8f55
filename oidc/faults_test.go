package oidc_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// outcome is what a fault of the OP leads to: the Reason of the refusal, one of
// those below, or "op: CODE" for a refusal of the OP's own.
type outcome = oidc.Reason

const (
	harmless    outcome = "harmless"    // the login succeeds
	unsupported outcome = "unsupported" // an UnsupportedError
	opFailure   outcome = "op: "        // an OPError without a code
	pageShown   outcome = "page"        // the OP lets nobody back
)

// faults is what each fault that the test OP knows leads to. A later feature has
// a table in the file of its own tests, and a journey by the Group of its faults.
var faults = merged(
	loginFaults,
	parFaults,
	dpopFaults,
	jarmFaults,
	detailFaults,
	detachedFaults,
	mtlsFaults,
	introspectionFaults,
	statementFaults,
)

var featureJourneys = map[string]func(*journey) error{"DPoP": dpopJourney, "Mutual TLS": mtlsJourney, "Introspection": introspectionJourney, "Detached signature": detachedJourney, "Software statement": statementJourney}

func merged(tables ...map[oidctest.Fault]outcome) map[oidctest.Fault]outcome {
	all := make(map[oidctest.Fault]outcome)
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

// loginFaults is what the faults of a login without any feature lead to.
var loginFaults = map[oidctest.Fault]outcome{
	oidctest.JRDNoIssuer: oidc.NoIssuer, oidctest.JRDTwoIssuers: harmless, oidctest.JRDHrefNumber: oidc.NoIssuer, oidctest.JRDHrefMissing: oidc.NoIssuer,
	oidctest.JRDIssuerHTTP: oidc.InsecureURL, oidctest.JRDIssuerQuery: oidc.BadMetadata, oidctest.JRDIssuerElsewhere: harmless, oidctest.JRDNotFound: oidc.NoIssuer,
	oidctest.JRDHTML: oidc.UnexpectedMediaType, oidctest.JRDNull: oidc.MalformedResponse, oidctest.JRDTruncated: oidc.MalformedResponse, oidctest.JRDRedirectHTTP: oidc.UnexpectedRedirect,
	oidctest.JRDRedirectLoop: oidc.UnexpectedRedirect, oidctest.JRDEndless: oidc.ResponseTooLarge, oidctest.JRDBomb: oidc.ResponseTooLarge, oidctest.JRDSlow: oidc.Unreachable, oidctest.JRDDeep: oidc.MalformedResponse,

	oidctest.IssuerOther: oidc.MetadataIssuerMismatch, oidctest.IssuerInvalid: oidc.MetadataIssuerMismatch, oidctest.IssuerTrailingSlash: oidc.MetadataIssuerMismatch,
	oidctest.IssuerUpperCase: oidc.MetadataIssuerMismatch, oidctest.IssuerMissing: oidc.MissingMetadata,
	oidctest.AuthorizationEndpointMissing: oidc.MissingMetadata, oidctest.TokenEndpointMissing: unsupported, oidctest.JWKSURIMissing: oidc.MissingMetadata,
	oidctest.EndpointJavaScript: oidc.BadMetadata, oidctest.EndpointFile: oidc.BadMetadata, oidctest.EndpointRelative: oidc.BadMetadata, oidctest.EndpointNumber: oidc.MalformedResponse,
	oidctest.TokenEndpointHTTP: oidc.InsecureURL, oidctest.JWKSURIHTTP: oidc.InsecureURL, oidctest.AuthorizationEndpointHTTP: oidc.InsecureURL, oidctest.UserInfoEndpointHTTP: oidc.InsecureURL,
	oidctest.MetadataEndless: oidc.ResponseTooLarge, oidctest.MetadataBomb: oidc.ResponseTooLarge, oidctest.MetadataSlow: oidc.Unreachable,
	oidctest.MetadataRedirectElsewhere: oidc.UnexpectedRedirect, oidctest.MetadataRedirectLoop: oidc.UnexpectedRedirect, oidctest.MetadataDuplicateIssuer: oidc.MalformedResponse,
	oidctest.MetadataCaseVariant: harmless, oidctest.MetadataHTML: oidc.UnexpectedMediaType, oidctest.MetadataNull: oidc.MalformedResponse, oidctest.MetadataArray: oidc.MalformedResponse,
	oidctest.MetadataString: oidc.MalformedResponse, oidctest.MetadataTruncated: oidc.MalformedResponse, oidctest.MetadataBOM: oidc.MalformedResponse, oidctest.MetadataTrailing: oidc.MalformedResponse,
	oidctest.MetadataInvalidUTF8: oidc.MalformedResponse, oidctest.MetadataDeep: oidc.MalformedResponse, oidctest.AuthorizationEndpointFragment: oidc.BadMetadata,
	oidctest.OnlyAlgNone: unsupported, oidctest.AlgNoneOffered: harmless, oidctest.RS256Dropped: unsupported, oidctest.TokenEndpointElsewhere: oidc.Unreachable,
	oidctest.RegistrationEndpointElsewhere: oidc.Unreachable, oidctest.MTLSAliasInvalid: oidc.BadMetadata, oidctest.MetadataUnavailable: opFailure,
	oidctest.PKCENotAnnounced: harmless, oidctest.PKCEPlainOnly: harmless, oidctest.AuthorizationEndpointQuery: harmless, oidctest.AuthorizationEndpointClash: oidc.BadMetadata,
	oidctest.ResponseTypesReordered: harmless,
	oidctest.CertificateUntrusted:   oidc.Unreachable, oidctest.CertificateExpired: oidc.Unreachable, oidctest.CertificateOtherHost: oidc.Unreachable, oidctest.TLSOld: oidc.Unreachable,

	oidctest.JWKSEndless: oidc.KeysUnavailable, oidctest.JWKSSlow: oidc.KeysUnavailable, oidctest.JWKSUseEnc: oidc.UnknownKey, oidctest.JWKSNoVerify: oidc.UnknownKey, oidctest.JWKSOtherAlg: oidc.UnknownKey,
	oidctest.JWKSWeakRSA: oidc.UnknownKey, oidctest.JWKSPrivateKey: oidc.UnknownKey, oidctest.JWKSSymmetric: harmless, oidctest.JWKSMalformedKey: harmless, oidctest.JWKSOffCurve: harmless,
	oidctest.JWKSUnknownType: harmless, oidctest.JWKSUnknownCurve: harmless, oidctest.JWKSKidNumber: harmless, oidctest.JWKSDuplicateKid: harmless, oidctest.JWKSEmpty: oidc.UnknownKey,
	oidctest.JWKSNoKeys: oidc.KeysUnavailable, oidctest.KeyRotatedBeforeSigning: harmless, oidctest.SameKidNewKey: harmless, oidctest.JWKSUnavailable: oidc.KeysUnavailable,
	oidctest.JWKSRedirectInside: oidc.KeysUnavailable, oidctest.JWKSHTML: oidc.KeysUnavailable, oidctest.JWKSExponentOne: oidc.UnknownKey, oidctest.JWKSManyKeys: oidc.KeysUnavailable,
	oidctest.JWKSWrongX5C: harmless, oidctest.JWKSCachedForever: harmless,

	oidctest.RegistrationNoClientID: oidc.BadRegistration, oidctest.RegistrationClientIDNumber: oidc.MalformedResponse, oidctest.RegistrationClientIDEmpty: oidc.BadRegistration,
	oidctest.RegistrationOtherRedirectURIs: oidc.BadRegistration, oidctest.RegistrationMoreRedirectURIs: oidc.BadRegistration, oidctest.RegistrationWeakerAuthMethod: oidc.BadRegistration,
	oidctest.RegistrationAlgNone: oidc.BadRegistration, oidctest.RegistrationSecretMissing: oidc.BadRegistration, oidctest.RegistrationSecretNumber: oidc.MalformedResponse,
	oidctest.RegistrationSecretExpired: oidc.SecretExpired, oidctest.RegistrationSecretNoExpiry: harmless, oidctest.RegistrationURIElsewhere: harmless,
	oidctest.RegistrationForeignClientID: pageShown, oidctest.RegistrationRedirect: oidc.UnexpectedRedirect, oidctest.RegistrationRefused: "op: invalid_client_metadata",
	oidctest.RegistrationHTML: oidc.UnexpectedMediaType, oidctest.RegistrationNull: oidc.MalformedResponse, oidctest.RegistrationDuplicate: oidc.MalformedResponse, oidctest.RegistrationEndless: oidc.ResponseTooLarge,
	oidctest.RegistrationStatusOK: harmless,

	oidctest.StateMissing: oidc.BadState, oidctest.StateWrong: oidc.BadState, oidctest.ResponseIssWrong: oidc.BadResponseIssuer, oidctest.ResponseIssMissing: oidc.BadResponseIssuer,
	oidctest.CodeTwice: oidc.DuplicateParameter, oidctest.StateTwice: oidc.DuplicateParameter, oidctest.ResponseIssTwice: oidc.DuplicateParameter, oidctest.CodeAndError: oidc.UnexpectedParameter,
	oidctest.CodeMissing: oidc.MissingParameter, oidctest.CodeEmpty: oidc.MissingParameter, oidctest.CodeLong: oidc.MalformedAuthResponse, oidctest.ErrorUnknownState: oidc.BadState,
	oidctest.ErrorDescriptionHostile: "op: access_denied", oidctest.AnswerInFragment: oidc.WrongResponseMode, oidctest.AnswerByPost: oidc.WrongResponseMode, oidctest.AnswerInQuery: oidc.WrongResponseMode,
	oidctest.AnswerTwoPlaces: oidc.DuplicateParameter, oidctest.AccessDenied: "op: access_denied", oidctest.LoginRequired: "op: login_required", oidctest.TemporarilyUnavailable: "op: temporarily_unavailable",
	oidctest.FrontIDTokenMissing: oidc.MissingParameter, oidctest.FrontAccessTokenMissing: oidc.MissingParameter, oidctest.FrontTokenTypeMissing: oidc.BadTokenType, oidctest.FrontTokenTypeMAC: oidc.BadTokenType,
	oidctest.FrontExpiresInHuge: harmless,

	oidctest.TokenTypeMissing: oidc.BadTokenType, oidctest.TokenTypeMAC: oidc.BadTokenType, oidctest.TokenTypeDPoP: oidc.BadTokenType, oidctest.TokenTypeLowerCase: harmless,
	oidctest.IDTokenMissing: oidc.MissingIDToken, oidctest.IDTokenNumber: oidc.MalformedResponse, oidctest.IDTokenObject: oidc.MalformedResponse, oidctest.AccessTokenMissing: oidc.MissingAccessToken,
	oidctest.AccessTokenCRLF: oidc.BadTokenResponse, oidctest.AccessTokenNUL: oidc.BadTokenResponse, oidctest.AccessTokenNotASCII: oidc.BadTokenResponse,
	oidctest.ExpiresInNegative: harmless, oidctest.ExpiresInHuge: harmless, oidctest.ExpiresInString: harmless, oidctest.ExpiresInMissing: harmless,
	oidctest.ScopeMissing: harmless, oidctest.ScopeNarrowed: harmless, oidctest.TokenErrorIn200: "op: invalid_grant", oidctest.TokenErrorBeside: "op: server_error", oidctest.TokenCaseVariant: harmless,
	oidctest.TokenRedirectElsewhere: oidc.UnexpectedRedirect, oidctest.TokenRedirectHTTP: oidc.UnexpectedRedirect, oidctest.InvalidGrant: "op: invalid_grant", oidctest.InvalidClient: "op: invalid_client",
	oidctest.TokenReset: oidc.Unreachable, oidctest.TokenUnavailable: opFailure, oidctest.TokenSlow: oidc.Unreachable, oidctest.TokenEndless: oidc.ResponseTooLarge, oidctest.TokenShort: oidc.MalformedResponse,
	oidctest.TokenFormEncoded: oidc.UnexpectedMediaType, oidctest.TokenHTML: oidc.UnexpectedMediaType, oidctest.TokenStatus203: opFailure, oidctest.TokenStatus204: opFailure, oidctest.TokenStatus206: opFailure,
	oidctest.TokenDuplicate: oidc.MalformedResponse, oidctest.TokenNull: oidc.MalformedResponse, oidctest.TokenTrailing: oidc.MalformedResponse,

	oidctest.AlgNone: oidc.BadAlgorithm, oidctest.AlgNoneOddCase: oidc.BadAlgorithm, oidctest.SignatureStripped: oidc.BadSignature, oidctest.SignatureWrong: oidc.BadSignature, oidctest.PayloadChanged: oidc.BadSignature,
	oidctest.OtherKey: oidc.BadSignature, oidctest.SignedWithClientSecret: oidc.BadAlgorithm, oidctest.SignedWithHMAC: oidc.BadAlgorithm, oidctest.SignedWithHMACOfDER: oidc.BadAlgorithm,
	oidctest.SignedWithHMACOfJWK: oidc.BadAlgorithm, oidctest.SignedWithEmptySecret: oidc.BadAlgorithm, oidctest.AlgUnregistered: oidc.BadAlgorithm, oidctest.EmbeddedKey: oidc.BadHeader,
	oidctest.JKUHeader: oidc.BadSignature, oidctest.X5UHeader: oidc.BadSignature, oidctest.ECDSAZero: oidc.BadSignature, oidctest.ECDSADER: oidc.BadSignature, oidctest.ECDSAShort: oidc.BadSignature,
	oidctest.KidMissing: harmless, oidctest.KidUnknown: oidc.UnknownKey, oidctest.KidHostile: oidc.UnknownKey, oidctest.KidNumber: oidc.MalformedToken, oidctest.KidHuge: oidc.MalformedToken,
	oidctest.CritUnknown: oidc.BadHeader, oidctest.CritEmpty: oidc.BadHeader, oidctest.B64False: oidc.BadHeader, oidctest.HeaderDuplicate: oidc.MalformedToken,
	oidctest.JSONSerialization: oidc.MalformedToken, oidctest.AlgUnprotected: oidc.MalformedToken, oidctest.Polyglot: oidc.MalformedToken, oidctest.TokenWhitespace: oidc.MalformedToken,
	oidctest.TokenPadding: oidc.MalformedToken, oidctest.TokenNonCanonical: oidc.MalformedToken, oidctest.EncryptedUnasked: oidc.BadEncryption, oidctest.EncryptedPBES2: oidc.BadEncryption,
	oidctest.EncryptedEmptyKey: oidc.BadEncryption, oidctest.TwoSignatures: oidc.MalformedToken, oidctest.TokenManyDots: oidc.MalformedToken, oidctest.HeaderHuge: oidc.MalformedToken,
	oidctest.PayloadNull: oidc.MalformedToken, oidctest.PayloadArray: oidc.MalformedToken, oidctest.PayloadNumber: oidc.MalformedToken, oidctest.PayloadDeep: oidc.MalformedToken,
	oidctest.TypAccessToken: oidc.BadType, oidctest.TypLogoutToken: oidc.BadType, oidctest.EventsClaim: oidc.BadType,

	oidctest.IDTokenIssOther: oidc.BadIssuer, oidctest.IDTokenIssTrailingSlash: oidc.BadIssuer, oidctest.IDTokenIssMissing: oidc.BadIssuer, oidctest.AudOther: oidc.BadAudience, oidctest.AudMissing: oidc.BadAudience,
	oidctest.AudNull: oidc.BadAudience, oidctest.AudObject: oidc.BadClaim, oidctest.AudEmpty: oidc.BadAudience, oidctest.AudNumbers: oidc.BadClaim, oidctest.AudAsArray: harmless,
	oidctest.AudExtraNoAzp: oidc.BadAudience, oidctest.AudExtraAzp: oidc.BadAudience, oidctest.AzpOther: oidc.BadAuthorizedParty, oidctest.AudOtherAzpOurs: oidc.BadAudience,
	oidctest.NonceMissing: oidc.BadNonce, oidctest.NonceWrong: oidc.BadNonce, oidctest.NonceNumber: oidc.BadClaim, oidctest.SubMissing: oidc.BadSubject, oidctest.SubEmpty: oidc.BadSubject, oidctest.SubNumber: oidc.BadClaim,
	oidctest.SubLong: oidc.BadSubject, oidctest.SubDuplicate: oidc.MalformedToken, oidctest.SubCaseVariant: harmless, oidctest.SubLongS: harmless, oidctest.ClaimInvalidUTF8: oidc.MalformedToken,
	oidctest.ClaimLoneSurrogate: oidc.MalformedToken, oidctest.ACROther: oidc.BadACR, oidctest.ACRMissing: oidc.BadACR,
	oidctest.ExpPast: oidc.TokenExpired, oidctest.ExpMissing: oidc.MissingClaim, oidctest.ExpString: oidc.BadClaim, oidctest.ExpHuge: oidc.BadClaim, oidctest.ExpOverflow: oidc.BadClaim, oidctest.ExpNegative: oidc.BadClaim,
	oidctest.IatMissing: oidc.MissingClaim, oidctest.IatFuture: oidc.TokenNotYetValid, oidctest.IatOld: oidc.TokenTooOld, oidctest.NbfFuture: oidc.TokenNotYetValid,
	oidctest.AuthTimeMissing: oidc.BadAuthTime, oidctest.AuthTimeOld: oidc.BadAuthTime, oidctest.AuthTimeFuture: oidc.BadAuthTime, oidctest.AuthTimeString: oidc.BadClaim,
	oidctest.ATHashWrong: oidc.BadAccessTokenHash, oidctest.ATHashNumber: oidc.BadClaim, oidctest.ATHashMissing: oidc.BadAccessTokenHash, oidctest.CHashWrong: oidc.BadCodeHash, oidctest.CHashNumber: oidc.BadClaim,
	oidctest.CHashMissing: oidc.BadCodeHash, oidctest.SecondSubjectOther: oidc.SubjectMismatch, oidctest.SecondIssuerOther: oidc.BadIssuer, oidctest.SecondNonceOther: oidc.BadNonce,

	oidctest.UserInfoOtherSubject: oidc.SubjectMismatch, oidctest.UserInfoSubMissing: oidc.SubjectMismatch, oidctest.UserInfoSubDuplicate: oidc.MalformedResponse, oidctest.UserInfoCaseVariant: harmless,
	oidctest.UserInfoHTML: oidc.UnexpectedMediaType, oidctest.UserInfoUnsigned: oidc.UnexpectedMediaType, oidctest.UserInfoIssOther: oidc.BadIssuer, oidctest.UserInfoAudOther: oidc.BadAudience,
	oidctest.UserInfoExpired: oidc.TokenExpired, oidctest.UserInfoAlgOther: oidc.BadAlgorithm, oidctest.UserInfoSignatureWrong: oidc.BadSignature, oidctest.UserInfoAlgNone: oidc.BadAlgorithm,
	oidctest.UserInfoNull: oidc.MalformedResponse, oidctest.UserInfoArray: oidc.MalformedResponse, oidctest.UserInfoEndless: oidc.ResponseTooLarge, oidctest.UserInfoSlow: oidc.Unreachable,
	oidctest.UserInfoRedirectHTTP: oidc.UnexpectedRedirect, oidctest.UserInfoRedirectElsewhere: oidc.UnexpectedRedirect, oidctest.UserInfoError: opFailure, oidctest.UserInfoUnauthorized: "op: invalid_token",
	oidctest.UserInfoEmailVerifiedString: harmless, oidctest.UserInfoEmailVerifiedNumber: harmless, oidctest.UserInfoEmailHostile: harmless, oidctest.UserInfoInvalidUTF8: oidc.MalformedResponse,
	oidctest.UserInfoAggregated: harmless, oidctest.UserInfoDistributed: harmless, oidctest.UserInfoBodyOnly: "op: invalid_token", oidctest.UserInfoHeaderOnly: harmless,

	oidctest.RefreshOtherSubject: oidc.SubjectMismatch, oidctest.RefreshOtherIssuer: oidc.BadIssuer, oidctest.RefreshOtherAudience: oidc.BadAudience, oidctest.RefreshUnsigned: oidc.BadAlgorithm,
	oidctest.RefreshExpired: oidc.TokenExpired, oidctest.RefreshNonceRepeated: harmless, oidctest.RefreshNonceOther: oidc.BadNonce, oidctest.RefreshAuthTimeChanged: oidc.BadAuthTime,
	oidctest.RefreshIDTokenMissing: harmless, oidctest.RefreshTokenAbsent: harmless, oidctest.RefreshTokenEmpty: harmless, oidctest.RefreshInvalidGrant: "op: invalid_grant",
	oidctest.RefreshUnavailable: "op: temporarily_unavailable", oidctest.RefreshLost: oidc.Unreachable,
}

// TestHostileFaults switches on each fault that the test OP knows, alone, and
// walks the whole way from identifier to refresh.
func TestHostileFaults(t *testing.T) {
	for _, f := range oidctest.Faults() {
		if _, ok := grantFaults[f.Fault]; ok {
			continue // it shows in no login: TestHostileDevice and its like have it
		}
		name := fmt.Sprintf("%03d_%s", f.Case, f.Fault)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, ok := faults[f.Fault]
			if !ok {
				t.Fatalf("no word on what a relying party does about %q: %s", f.Title, f.Expect)
			}
			if f.Harmless && want != harmless && f.Fault != oidctest.MetadataUnavailable {
				t.Fatalf("a relying party has to live with %q", f.Title)
			}
			op := newOP(t)
			j := &journey{rig: rig{t: t, op: op, opts: options(op), wire: &wire{}}, fault: f}
			j.opts.Trace = &oidc.Trace{Exchange: j.wire.exchange, InsecureUnmasked: true}
			if strings.Contains(string(f.Fault), "slow") {
				j.opts.Timeout = time.Second // more than any other step takes on a busy machine
			}
			run := (*journey).run
			if own := featureJourneys[f.Group]; own != nil {
				run = own
			}
			err := run(j)
			switch code, isOP := strings.CutPrefix(string(want), "op: "); {
			case want == harmless:
				if err != nil {
					t.Fatalf("got error %v", err)
				}
			case want == unsupported:
				wantUnsupported(t, err)
			case want == pageShown:
				if _, ok := errors.AsType[*oidctest.PageError](err); !ok {
					t.Fatalf("got error %v", err)
				}
			case isOP:
				j.refusal(err, code)
			default:
				j.reason(err, want)
			}
			j.aftermath()
		})
	}
}

// journey is the whole way, with a fault on.
type journey struct {
	rig
	fault oidctest.FaultInfo
	tok   *oidc.Tokens // before the fault showed

	metadata func(*oidc.ClientMetadata) // likewise, of what is registered
	config   func(*oidc.ClientConfig)   // what a feature changes; nil: nothing
	calls    map[oidctest.Endpoint]int  // how many requests a feature is allowed in place of aftermath's
}

func (j *journey) run() error {
	ctx, op := j.t.Context(), j.op
	// A fault of the keys shows at the first signature, and one of a refresh at
	// that; the rest are on from the start.
	op.Break(j.fault.Fault)
	if j.fault.At == oidctest.EndpointWebFinger {
		iss, err := oidc.FindIssuer(ctx, "alice@"+op.Host, j.opts)
		if err == nil && iss != op.Issuer && j.fault.Fault != oidctest.JRDIssuerElsewhere {
			return errors.New("another issuer: " + iss)
		}
		return err
	}
	var err error
	if j.p, err = oidc.Discover(ctx, op.Issuer, j.opts); err != nil {
		return err
	}
	j.t.Cleanup(j.p.Close)
	rt := j.fault.ResponseType
	if rt == "" {
		rt = "code"
	}
	m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, ResponseTypes: []string{rt}, GrantTypes: []string{"authorization_code", "refresh_token", "implicit"}}
	if strings.HasPrefix(string(j.fault.Fault), "ecdsa") {
		m.IDTokenSignedResponseAlg = "ES256"
	}
	if strings.Contains(j.fault.Needs, "signed UserInfo") {
		m.UserInfoSignedResponseAlg = "RS256"
	}
	if j.metadata != nil {
		j.metadata(&m)
	}
	if j.reg, err = j.p.Register(ctx, m, ""); err != nil {
		return err
	}
	if j.fault.Fault == oidctest.RegistrationURIElsewhere {
		_, err := j.p.ReadRegistration(ctx, j.reg)
		j.reason(err, oidc.ForeignRegistrationURI)
	}
	config := j.reg.ClientConfig()
	switch j.fault.Flow {
	case "par":
		config.PAR = oidc.PARAlways
	case "jarm":
		config.ResponseMode = oidc.ModeJWT
	case "rar":
		j.params.AuthorizationDetails = []oidc.AuthorizationDetail{{Type: oidctest.DetailTypes()[0]}}
	}
	if j.config != nil {
		j.config(&config)
	}
	if j.c, err = oidc.NewClient(j.p, config); err != nil {
		return err
	}
	j.params.Scopes = []string{"email", "offline_access"}
	j.params.Prompt = []string{"consent"}
	if strings.Contains(j.fault.Needs, "max_age") || j.fault.Fault == oidctest.RefreshAuthTimeChanged {
		age := 5 * time.Minute
		j.params.MaxAge = &age
	}
	if strings.Contains(j.fault.Needs, "acr") {
		j.params.Claims = &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"acr": {Essential: true, Values: []any{oidctest.ACRValues()[0]}}}}
	}
	// The browser's way, as far as it goes: what an error page hides is shown
	// by begin.
	req, err := j.c.Begin(ctx, j.params)
	if err != nil {
		return err
	}
	cb, err := op.Browser().Login(ctx, req.URL())
	if err != nil {
		return err
	}
	j.wire.secret(req.Pending.State, req.Pending.Nonce, req.Pending.Verifier)
	op.ClearLog()
	res, err := read(cb)
	if err != nil {
		return err
	}
	if j.tok, err = j.c.Finish(ctx, req.Pending, res); err != nil {
		return err
	}
	ui, err := j.c.UserInfo(ctx, j.tok)
	if err != nil {
		return err
	}
	if _, verified := ui.VerifiedEmail(); verified && strings.HasPrefix(string(j.fault.Fault), "userinfo_email_verified") {
		return errors.New("the email counts as verified")
	}
	if j.tok.RefreshToken == "" {
		return nil
	}
	n, err := j.c.Refresh(ctx, j.tok)
	if err != nil {
		return err
	}
	if n.RefreshToken == "" || n.IDToken == nil || n.IDToken.Subject != j.tok.IDToken.Subject {
		return fmt.Errorf("the refresh lost something: %v", n)
	}
	return nil
}

// aftermath asserts that nothing was asked of the OP after the refusal, and that
// nothing was asked twice.
func (j *journey) aftermath() {
	j.t.Helper()
	if j.fault.Harmless || faults[j.fault.Fault] == harmless {
		return
	}
	limit := map[oidctest.Endpoint]int{oidctest.EndpointToken: 1, oidctest.EndpointUserInfo: 1, oidctest.EndpointJWKS: 2}
	switch {
	case j.fault.At == oidctest.EndpointPAR:
		limit[oidctest.EndpointPAR], limit[oidctest.EndpointAuthorization] = 1, 0
		fallthrough
	case j.fault.At == oidctest.EndpointAuthorization:
		limit[oidctest.EndpointToken] = 0
		fallthrough
	case j.fault.At == oidctest.EndpointToken && j.tok == nil:
		limit[oidctest.EndpointUserInfo] = 0
	case strings.Contains(j.fault.Needs, "refresh"):
		limit[oidctest.EndpointToken] = 2
	}
	maps.Copy(limit, j.calls)
	for e, most := range limit {
		if n := len(j.op.Requests(e)); n > most {
			j.t.Errorf("%d requests to the %s endpoint, want at most %d", n, e, most)
		}
	}
}
