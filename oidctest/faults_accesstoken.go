package oidctest

import (
	"strings"
	"time"
)

// AccessTokenFault is one rule that a JWT access token can break; see
// [OP.IssueAccessToken].
type AccessTokenFault string

// Faults of a JWT access token. To each the answer is 401 with invalid_token.
const (
	// AccessAlgNone: the token is not signed (RFC 9068 2.1).
	AccessAlgNone AccessTokenFault = "access_alg_none"
	// AccessAlgOther: the algorithm is one that was not agreed (RFC 9068 4).
	AccessAlgOther AccessTokenFault = "access_alg_other"
	// AccessKeyOther: a stranger signed (RFC 9068 4).
	AccessKeyOther AccessTokenFault = "access_key_other"
	// AccessKidOther: the key is one that nobody knows (RFC 9068 4).
	AccessKidOther AccessTokenFault = "access_kid_other"
	// AccessSignatureEmpty: the signature is cut off (RFC 7515 5.2).
	AccessSignatureEmpty AccessTokenFault = "access_signature_empty"
	// AccessTypIDToken: typ is JWT, as an ID Token's may be (RFC 9068 2.1).
	AccessTypIDToken AccessTokenFault = "access_typ_id_token"
	// AccessTypMissing: there is no typ (RFC 9068 2.1).
	AccessTypMissing AccessTokenFault = "access_typ_missing"
	// AccessTypLogout: it is a logout token (RFC 9068 2.1).
	AccessTypLogout AccessTokenFault = "access_typ_logout"
	// AccessIssOther: the issuer is another (RFC 9068 4).
	AccessIssOther AccessTokenFault = "access_iss_other"
	// AccessIssMissing: there is no iss (RFC 9068 2.2).
	AccessIssMissing AccessTokenFault = "access_iss_missing"
	// AccessAudOther: the token is for another resource server (RFC 9068 4).
	AccessAudOther AccessTokenFault = "access_aud_other"
	// AccessAudMissing: there is no aud (RFC 9068 2.2).
	AccessAudMissing AccessTokenFault = "access_aud_missing"
	// AccessAudPrefix: aud is the beginning of this resource server's (RFC 9068 4).
	AccessAudPrefix AccessTokenFault = "access_aud_prefix"
	// AccessExpired: the token has expired (RFC 9068 4).
	AccessExpired AccessTokenFault = "access_expired"
	// AccessExpMissing: there is no exp (RFC 9068 2.2).
	AccessExpMissing AccessTokenFault = "access_exp_missing"
	// AccessExpText: exp is a string (RFC 7519 4.1.4).
	AccessExpText AccessTokenFault = "access_exp_text"
	// AccessIatMissing: there is no iat (RFC 9068 2.2).
	AccessIatMissing AccessTokenFault = "access_iat_missing"
	// AccessIatFuture: iat is tomorrow (RFC 7519 4.1.6).
	AccessIatFuture AccessTokenFault = "access_iat_future"
	// AccessIatOld: iat is years ago, and exp years from now (RFC 9068 2.2).
	AccessIatOld AccessTokenFault = "access_iat_old"
	// AccessNbfFuture: nbf is tomorrow (RFC 7519 4.1.5).
	AccessNbfFuture AccessTokenFault = "access_nbf_future"
	// AccessSubMissing: there is no sub (RFC 9068 2.2).
	AccessSubMissing AccessTokenFault = "access_sub_missing"
	// AccessClientMissing: there is no client_id (RFC 9068 2.2).
	AccessClientMissing AccessTokenFault = "access_client_missing"
	// AccessJTIMissing: there is no jti (RFC 9068 2.2).
	AccessJTIMissing AccessTokenFault = "access_jti_missing"
	// AccessScopeList: scope is a list (RFC 8693 4.2).
	AccessScopeList AccessTokenFault = "access_scope_list"
	// AccessDuplicateAud: aud occurs twice (RFC 7519 4).
	AccessDuplicateAud AccessTokenFault = "access_duplicate_aud"
	// AccessBoundOtherwise: it is bound by a method that nobody knows (RFC 7800 3.1).
	AccessBoundOtherwise AccessTokenFault = "access_bound_otherwise"
)

// AccessTokenFaultInfo describes a fault of a JWT access token.
type AccessTokenFaultInfo struct {
	Fault   AccessTokenFault
	Title   string // what the token is, for a person
	Section string // what it breaks

	edit   func(*OP, *draft)
	sealed func(string) string
}

// AccessTokenFaults returns every fault of a JWT access token.
func AccessTokenFaults() []AccessTokenFaultInfo {
	set := func(name string, v any) func(*OP, *draft) {
		return func(_ *OP, d *draft) { d.claims[name] = v }
	}
	without := func(name string) func(*OP, *draft) {
		return func(_ *OP, d *draft) { delete(d.claims, name) }
	}
	header := func(name string, v any) func(*OP, *draft) {
		return func(_ *OP, d *draft) { d.header[name] = v }
	}
	at := func(name string, after time.Duration) func(*OP, *draft) {
		return func(_ *OP, d *draft) {
			iat, _ := d.claims["iat"].(int64)
			d.claims[name] = iat + int64(after/time.Second)
		}
	}
	const day, years = 24 * time.Hour, 3 * 365 * 24 * time.Hour
	return []AccessTokenFaultInfo{
		{AccessAlgNone, "The token is not signed", "RFC 9068 2.1", func(_ *OP, d *draft) { d.header["alg"], d.alg = "none", "" }, nil},
		{AccessAlgOther, "The algorithm is one that was not agreed", "RFC 9068 4", func(_ *OP, d *draft) {
			d.header["alg"], d.alg, d.key, d.secret = "HS256", "HS256", nil, []byte("a secret that everybody may know!")
		}, nil},
		{AccessKeyOther, "A stranger signed", "RFC 9068 4", func(_ *OP, d *draft) { byStranger(d) }, nil},
		{AccessKidOther, "The key is one that nobody knows", "RFC 9068 4", header("kid", "nobody-knows"), nil},
		{AccessSignatureEmpty, "The signature is cut off", "RFC 7515 5.2", nil, func(s string) string { return s[:strings.LastIndexByte(s, '.')+1] }},
		{AccessTypIDToken, "typ is JWT, as an ID Token's may be", "RFC 9068 2.1", header("typ", "JWT"), nil},
		{AccessTypMissing, "There is no typ", "RFC 9068 2.1", func(_ *OP, d *draft) { delete(d.header, "typ") }, nil},
		{AccessTypLogout, "It is a logout token", "RFC 9068 2.1", header("typ", "logout+jwt"), nil},
		{AccessIssOther, "The issuer is another", "RFC 9068 4", set("iss", attacker), nil},
		{AccessIssMissing, "There is no iss", "RFC 9068 2.2", without("iss"), nil},
		{AccessAudOther, "The token is for another resource server", "RFC 9068 4", set("aud", []string{"https://other-api.example", attacker}), nil},
		{AccessAudMissing, "There is no aud", "RFC 9068 2.2", without("aud"), nil},
		{AccessAudPrefix, "aud is the beginning of this resource server's", "RFC 9068 4", func(_ *OP, d *draft) {
			if s, ok := d.claims["aud"].(string); ok && s != "" {
				d.claims["aud"] = s[:len(s)-1]
			}
		}, nil},
		{AccessExpired, "The token has expired", "RFC 9068 4", at("exp", -time.Hour), nil},
		{AccessExpMissing, "There is no exp", "RFC 9068 2.2", without("exp"), nil},
		{AccessExpText, "exp is a string", "RFC 7519 4.1.4", set("exp", "tomorrow"), nil},
		{AccessIatMissing, "There is no iat", "RFC 9068 2.2", without("iat"), nil},
		{AccessIatFuture, "iat is tomorrow", "RFC 7519 4.1.6", func(op *OP, d *draft) {
			at("exp", 2*day)(op, d)
			at("iat", day)(op, d)
		}, nil},
		{AccessIatOld, "iat is years ago, and exp years from now", "RFC 9068 2.2", func(op *OP, d *draft) {
			at("exp", years)(op, d)
			at("iat", -years)(op, d)
		}, nil},
		{AccessNbfFuture, "nbf is tomorrow", "RFC 7519 4.1.5", at("nbf", day), nil},
		{AccessSubMissing, "There is no sub", "RFC 9068 2.2", without("sub"), nil},
		{AccessClientMissing, "There is no client_id", "RFC 9068 2.2", without("client_id"), nil},
		{AccessJTIMissing, "There is no jti", "RFC 9068 2.2", without("jti"), nil},
		{AccessScopeList, "scope is a list", "RFC 8693 4.2", set("scope", []string{"read", "write"}), nil},
		{AccessDuplicateAud, "aud occurs twice", "RFC 7519 4", func(_ *OP, d *draft) {
			d.editClaims(func(b []byte) []byte { return firstMember(b, `"aud":"`+attacker+`"`) })
		}, nil},
		{AccessBoundOtherwise, "It is bound by a method that nobody knows", "RFC 7800 3.1", set("cnf", map[string]any{"kid": "k1"}), nil},
	}
}

func accessTokenFault(name AccessTokenFault) (AccessTokenFaultInfo, bool) {
	for _, f := range AccessTokenFaults() {
		if f.Fault == name {
			return f, true
		}
	}
	return AccessTokenFaultInfo{}, false
}
