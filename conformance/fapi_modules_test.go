package conformance_test

import (
	"strings"
	"testing"
)

const (
	fapi1Prefix = "fapi1-advanced-final-client-"
	fapi2Prefix = "fapi2-security-profile-final-client-"
)

// fapi1Parameters are the parameters of the plan fapi1-advanced-final-client-test-plan.
func fapi1Parameters() []parameter {
	return []parameter{
		{"fapi_profile", []string{"plain_fapi", "openbanking_uk", "consumerdataright_au", "openbanking_brazil", "openinsurance_brazil", "openbanking_ksa"}},
		{"client_auth_type", []string{"private_key_jwt", "mtls"}},
		{"fapi_auth_request_method", []string{"by_value", "pushed"}},
		{"fapi_response_mode", []string{"plain_response", "jarm"}},
		{"fapi_client_type", []string{"oidc", "plain_oauth"}},
	}
}

// fapi1Modules are the modules of FAPI 1.0 Advanced.
func fapi1Modules() []module {
	// What the ecosystems do not have: a secret of another kind than theirs, a
	// request that is not pushed; and plain OAuth has no front-channel ID Token to
	// hold a hash, so that it goes with JARM alone.
	ecosystem := func(v variant) bool {
		switch v["fapi_profile"] {
		case "consumerdataright_au":
			return v["client_auth_type"] == "private_key_jwt" && v["fapi_client_type"] == "oidc"
		case "openbanking_brazil", "openinsurance_brazil":
			return v["client_auth_type"] == "private_key_jwt" && v["fapi_auth_request_method"] == "pushed" && v["fapi_client_type"] == "oidc" && v["fapi_response_mode"] == "plain_response"
		case "openbanking_ksa":
			return v["fapi_auth_request_method"] == "pushed" && v["fapi_client_type"] == "oidc" && v["fapi_response_mode"] == "plain_response"
		case "openbanking_uk":
			return v["fapi_client_type"] == "oidc"
		}
		return v["fapi_client_type"] == "oidc" || v["fapi_response_mode"] == "jarm"
	}
	idToken := only("fapi_client_type", "oidc")
	plain := only("fapi_response_mode", "plain_response")
	var out []module
	add := func(names string, rules ...rule) {
		for n := range strings.FieldsSeq(names) {
			out = append(out, module{fapi1Prefix + n, append([]rule{ecosystem}, rules...)})
		}
	}
	add("test test-discovery-issuer-mismatch test-no-scope-in-token-endpoint-response")
	add("test-encrypted-idtoken", plain, except("fapi_profile", "openbanking_brazil", "openinsurance_brazil"))
	add("test-encrypted-idtoken-usingrsa15 test-invalid-shash test-invalid-missing-shash test-invalid-chash test-invalid-signature test-iat-is-week-in-past", plain)
	add("test-invalid-nonce test-invalid-missing-nonce test-invalid-iss test-invalid-missing-iss test-invalid-aud test-invalid-missing-aud "+
		"test-invalid-secondary-aud test-invalid-null-alg test-invalid-alternate-alg test-invalid-expired-exp test-invalid-missing-exp "+
		"test-valid-aud-as-array test-missing-athash", idToken)
	add("test-invalid-openbanking-intent-id", idToken, only("fapi_profile", "openbanking_uk", "consumerdataright_au"))
	add("refresh-token-test", only("fapi_profile", "openbanking_brazil", "openinsurance_brazil", "openbanking_ksa"))
	add("brazildcr-happypath-test", only("fapi_profile", "openbanking_brazil", "openinsurance_brazil"))
	add("test-payment-consent-response-valid-aud-as-array", only("fapi_profile", "openbanking_brazil"))
	return out
}

// fapi2Parameters are the parameters of the FAPI 2.0 plans.
func fapi2Parameters() []parameter {
	return []parameter{
		{"fapi_profile", []string{"plain_fapi", "fapi_client_credentials_grant", "openbanking_uk", "consumerdataright_au", "openbanking_brazil"}},
		{"client_auth_type", []string{"private_key_jwt", "mtls"}},
		{"sender_constrain", []string{"mtls", "dpop"}},
		{"fapi_request_method", []string{"unsigned", "signed_non_repudiation"}},
		{"fapi_response_mode", []string{"plain_response", "jarm"}},
		{"fapi_client_type", []string{"oidc", "plain_oauth"}},
		{"authorization_request_type", []string{"simple", "rar"}},
	}
}

// fapi2Modules are the modules of the FAPI 2.0 Security Profile and of Message
// Signing.
func fapi2Modules() []module {
	// Without an authorization request there is none to sign, and no response.
	machine := func(v variant) bool {
		return v["fapi_profile"] != "fapi_client_credentials_grant" ||
			v["fapi_request_method"] == "unsigned" && v["fapi_response_mode"] == "plain_response" && v["fapi_client_type"] == "plain_oauth" && v["authorization_request_type"] == "simple"
	}
	user := except("fapi_profile", "fapi_client_credentials_grant")
	idToken := only("fapi_client_type", "oidc")
	plain := only("fapi_response_mode", "plain_response")
	jarm := only("fapi_response_mode", "jarm")
	dpop := only("sender_constrain", "dpop")
	var out []module
	add := func(names string, rules ...rule) {
		for n := range strings.FieldsSeq(names) {
			out = append(out, module{fapi2Prefix + n, append([]rule{machine}, rules...)})
		}
	}
	add("test-happy-path test-token-endpoint-response-without-expires_in test-token-type-case-insensitivity")
	add("test-happy-path-no-dpop-nonce", dpop)
	add("test-rs-dpop-auth-scheme-case-insensitivity", dpop, user)
	add("test-discovery-issuer-mismatch test-ensure-authorization-response-with-invalid-state-fails test-ensure-authorization-response-with-invalid-missing-state-fails", user)
	add("test-invalid-authorization-response-iss test-remove-authorization-response-iss", user, plain)
	add("test-invalid-iss test-invalid-aud test-invalid-secondary-aud test-invalid-null-alg test-invalid-alternate-alg test-invalid-expired-exp "+
		"test-invalid-missing-exp test-invalid-missing-aud test-invalid-missing-iss test-invalid-nonce test-invalid-missing-nonce test-valid-aud-as-array", user, idToken)
	add("test-ensure-jarm-without-iss-fails test-ensure-jarm-with-invalid-iss-fails test-ensure-jarm-without-aud-fails test-ensure-jarm-with-invalid-aud-fails "+
		"test-ensure-jarm-without-exp-fails test-ensure-jarm-with-expired-exp-fails test-ensure-jarm-with-invalid-sig-fails test-ensure-jarm-signature-is-not-none", jarm)
	add("test-invalid-openbanking-intent-id", idToken, only("fapi_profile", "openbanking_uk", "consumerdataright_au"))
	add("refresh-token-test", only("fapi_profile", "openbanking_brazil"))
	add("brazildcr-happypath-test", only("fapi_profile", "openbanking_brazil"))
	return out
}

// TestRunsOfFAPIPlans holds the rules of the modules against the numbers of runs
// that the suite's plans have for a choice of all parameters.
func TestRunsOfFAPIPlans(t *testing.T) {
	f1 := family{params: fapi1Parameters(), modules: fapi1Modules()}
	f2 := family{params: fapi2Parameters(), modules: fapi2Modules()}
	for _, c := range []struct {
		f      family
		choice string
		want   int
	}{
		{f1, "plain_fapi,private_key_jwt,by_value,plain_response,oidc", 23},
		{f1, "plain_fapi,mtls,pushed,plain_response,oidc", 23},
		{f1, "plain_fapi,private_key_jwt,pushed,jarm,oidc", 16},
		{f1, "plain_fapi,mtls,by_value,jarm,plain_oauth", 3},
		{f1, "openbanking_uk,private_key_jwt,by_value,plain_response,oidc", 24},
		{f1, "openbanking_uk,private_key_jwt,by_value,jarm,oidc", 17},
		{f1, "consumerdataright_au,private_key_jwt,by_value,plain_response,oidc", 24},
		{f1, "openbanking_brazil,private_key_jwt,pushed,plain_response,oidc", 25},
		{f1, "openinsurance_brazil,private_key_jwt,pushed,plain_response,oidc", 24},
		{f1, "openbanking_ksa,private_key_jwt,pushed,plain_response,oidc", 24},

		{f2, "plain_fapi,private_key_jwt,mtls,unsigned,plain_response,oidc,simple", 20},
		{f2, "plain_fapi,private_key_jwt,dpop,unsigned,plain_response,oidc,simple", 22},
		{f2, "plain_fapi,mtls,mtls,unsigned,plain_response,plain_oauth,simple", 8},
		{f2, "plain_fapi,mtls,dpop,unsigned,plain_response,plain_oauth,rar", 10},
		{f2, "openbanking_uk,mtls,mtls,unsigned,plain_response,oidc,simple", 21},
		{f2, "consumerdataright_au,private_key_jwt,dpop,unsigned,plain_response,oidc,simple", 23},
		{f2, "openbanking_uk,mtls,mtls,unsigned,plain_response,plain_oauth,simple", 8},
		{f2, "plain_fapi,private_key_jwt,mtls,signed_non_repudiation,jarm,oidc,simple", 26},
		{f2, "plain_fapi,private_key_jwt,dpop,signed_non_repudiation,jarm,oidc,simple", 28},
		{f2, "plain_fapi,mtls,mtls,signed_non_repudiation,jarm,plain_oauth,simple", 14},
		{f2, "plain_fapi,mtls,dpop,signed_non_repudiation,jarm,plain_oauth,rar", 16},
		{f2, "openbanking_uk,mtls,dpop,signed_non_repudiation,jarm,oidc,simple", 29},
		// The Brazil plan has its registration too.
		{f2, "openbanking_brazil,private_key_jwt,mtls,signed_non_repudiation,plain_response,oidc,simple", 22},
		{f2, "openbanking_brazil,private_key_jwt,dpop,signed_non_repudiation,jarm,oidc,simple", 30},
		{f2, "openbanking_brazil,private_key_jwt,mtls,signed_non_repudiation,jarm,plain_oauth,simple", 16},
	} {
		n := 0
		for _, v := range c.f.variants() {
			if c.f.text(v) != c.choice {
				continue
			}
			for _, m := range c.f.modules {
				if m.applies(v) {
					n++
				}
			}
		}
		if n != c.want {
			t.Errorf("%s has %d runs, want %d", c.choice, n, c.want)
		}
	}
}
