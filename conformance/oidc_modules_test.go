package conformance_test

import (
	"strings"
	"testing"
)

const oidcPrefix = "oidcc-client-test"

// oidcParameters are the parameters of the OpenID Connect plans.
func oidcParameters() []parameter {
	return []parameter{
		{"response_type", []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}},
		{"response_mode", []string{"default", "form_post"}},
		{"client_auth_type", []string{"none", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}},
		{"client_registration", []string{"static_client", "dynamic_client"}},
		{"request_type", []string{"plain_http_request", "request_object", "request_uri"}},
	}
}

// oidcModules are the modules of the OpenID Connect plans.
func oidcModules() []module {
	var (
		accessToken   = except("response_type", "id_token")
		tokenEndpoint = except("response_type", "id_token", "id_token token")
		codeHash      = only("response_type", "code id_token", "code id_token token")
		tokenHash     = only("response_type", "id_token token", "code id_token token")
		secret        = only("client_auth_type", "client_secret_basic", "client_secret_post", "client_secret_jwt")
		tls           = only("client_auth_type", "tls_client_auth", "self_signed_tls_client_auth")
		byReference   = only("request_type", "request_uri")
		code          = only("response_type", "code")
	)
	var out []module
	add := func(names string, rules ...rule) {
		for n := range strings.FieldsSeq(names) {
			if n != oidcPrefix {
				n = oidcPrefix + "-" + n
			}
			out = append(out, module{n, rules})
		}
	}
	add(oidcPrefix)
	add("invalid-iss missing-sub invalid-aud missing-aud missing-iat nonce-invalid")
	add("kid-absent-single-jwks kid-absent-multiple-jwks idtoken-sig-rs256 invalid-sig-rs256 invalid-sig-es256")
	add("invalid-sig-hs256", secret)
	add("idtoken-sig-none", code)
	add("nonce-unless-code-flow", except("response_type", "code"))
	add("missing-chash invalid-chash", codeHash)
	add("missing-athash invalid-athash", tokenHash)
	add("client-secret-basic", tokenEndpoint)
	add("mtls-endpoint-aliases", tls, tokenEndpoint)
	add("scope-userinfo-claims")
	add("userinfo-invalid-sub userinfo-bearer-header userinfo-bearer-body userinfo-signed", accessToken)
	add("aggregated-claims distributed-claims", accessToken)
	add("form-post-error", only("response_mode", "form_post"))
	add("discovery-openid-config discovery-jwks-uri-keys discovery-issuer-mismatch discovery-webfinger-acct discovery-webfinger-url")
	add("dynamic-registration", only("client_registration", "dynamic_client"))
	add("signing-key-rotation signing-key-rotation-just-before-signing")
	add("request-uri-signed-rs256 request-uri-signed-none", byReference)
	add("refresh-token refresh-token-invalid-issuer refresh-token-invalid-sub", tokenEndpoint)
	add("3rd-party-init-login")
	add("session-management rp-init-logout rp-init-logout-other-state rp-init-logout-no-state rp-frontchannel-rpinitlogout rp-frontchannel-opinitlogout")
	for _, fault := range []string{"", "-alg-none", "-no-event", "-with-nonce", "-wrong-alg", "-wrong-aud", "-wrong-event", "-wrong-iss"} {
		add("rp-backchannel-rpinitlogout" + fault)
	}
	return out
}

// plan is one of the suite's: its modules, with the parameters that it fixes.
type plan struct {
	name    string
	preset  []rule
	modules string // without the prefix; "*" is the module that has no more than the prefix
}

func oidcPlans() []plan {
	const (
		idToken  = "* invalid-iss missing-sub invalid-aud missing-iat kid-absent-single-jwks kid-absent-multiple-jwks idtoken-sig-rs256 invalid-sig-rs256 nonce-invalid scope-userinfo-claims"
		basic    = idToken + " idtoken-sig-none userinfo-invalid-sub client-secret-basic"
		implicit = idToken + " nonce-unless-code-flow invalid-athash missing-athash userinfo-invalid-sub"
		hybrid   = implicit + " invalid-chash missing-chash client-secret-basic"
		config   = "discovery-openid-config discovery-jwks-uri-keys discovery-issuer-mismatch idtoken-sig-none signing-key-rotation-just-before-signing signing-key-rotation"
		dynamic  = config + " discovery-webfinger-acct discovery-webfinger-url dynamic-registration request-uri-signed-rs256 request-uri-signed-none userinfo-signed"
		rest     = "missing-aud userinfo-bearer-header userinfo-bearer-body form-post-error invalid-sig-hs256 invalid-sig-es256 aggregated-claims distributed-claims mtls-endpoint-aliases"
		back     = "rp-backchannel-rpinitlogout rp-backchannel-rpinitlogout-alg-none rp-backchannel-rpinitlogout-no-event rp-backchannel-rpinitlogout-with-nonce " +
			"rp-backchannel-rpinitlogout-wrong-alg rp-backchannel-rpinitlogout-wrong-aud rp-backchannel-rpinitlogout-wrong-event rp-backchannel-rpinitlogout-wrong-iss"
		rpInit = "rp-init-logout rp-init-logout-other-state rp-init-logout-no-state"
		all    = basic + " nonce-unless-code-flow invalid-athash missing-athash invalid-chash missing-chash " + rest + " discovery-openid-config discovery-jwks-uri-keys " +
			"discovery-issuer-mismatch signing-key-rotation-just-before-signing signing-key-rotation discovery-webfinger-acct discovery-webfinger-url " +
			"dynamic-registration request-uri-signed-rs256 request-uri-signed-none userinfo-signed"
	)
	code := only("response_type", "code")
	implicits := only("response_type", "id_token", "id_token token")
	hybrids := only("response_type", "code id_token", "code token", "code id_token token")
	query, post := only("response_mode", "default"), only("response_mode", "form_post")
	secretBasic := only("client_auth_type", "client_secret_basic")
	dynamicClient := only("client_registration", "dynamic_client")
	return []plan{
		{"oidcc-client-basic-certification-test-plan", []rule{code, query, secretBasic}, basic},
		{"oidcc-client-implicit-certification-test-plan", []rule{implicits, query, secretBasic}, implicit},
		{"oidcc-client-hybrid-certification-test-plan", []rule{hybrids, query, secretBasic}, hybrid},
		{"oidcc-client-formpost-basic-certification-test-plan", []rule{code, post, secretBasic}, basic},
		{"oidcc-client-formpost-implicit-certification-test-plan", []rule{implicits, post, secretBasic}, implicit},
		{"oidcc-client-formpost-hybrid-certification-test-plan", []rule{hybrids, post, secretBasic}, hybrid},
		{"oidcc-client-config-certification-test-plan", []rule{code}, config},
		{"oidcc-client-dynamic-certification-test-plan", []rule{code, dynamicClient, only("request_type", "request_uri")}, dynamic},
		{"oidcc-client-test-3rd-party-init-login-test-plan", nil, "3rd-party-init-login"},
		{"oidcc-client-rp-initiated-logout-rp-basic", []rule{code}, rpInit},
		{"oidcc-client-rp-initiated-logout-rp-implicit", []rule{implicits}, rpInit},
		{"oidcc-client-rp-initiated-logout-rp-hybrid", []rule{hybrids}, rpInit},
		{"oidcc-client-front-channel-logout-rp-basic", []rule{code}, "rp-frontchannel-rpinitlogout"},
		{"oidcc-client-front-channel-logout-rp-implicit", []rule{implicits}, "rp-frontchannel-rpinitlogout"},
		{"oidcc-client-front-channel-logout-rp-hybrid", []rule{hybrids}, "rp-frontchannel-rpinitlogout"},
		{"oidcc-client-back-channel-logout-rp-basic", []rule{code}, back},
		{"oidcc-client-back-channel-logout-rp-implicit", []rule{implicits}, back},
		{"oidcc-client-back-channel-logout-rp-hybrid", []rule{hybrids}, back},
		{"oidcc-client-rp-session-management-rp-basic", []rule{code}, "session-management"},
		{"oidcc-client-rp-session-management-rp-implicit", []rule{implicits}, "session-management"},
		{"oidcc-client-rp-session-management-rp-hybrid", []rule{hybrids}, "session-management"},
		{"oidcc-client-refreshtoken-test-plan", nil, "refresh-token refresh-token-invalid-issuer refresh-token-invalid-sub"},
		{"oidcc-client-logout-test-plan", nil, rpInit + " " + back + " rp-frontchannel-rpinitlogout rp-frontchannel-opinitlogout session-management"},
		{"oidcc-client-test-plan", nil, all},
	}
}

// runsOf counts the runs of a plan for one choice of what it leaves open: v has
// no value for a parameter of which the plan runs every one that it presets.
func (p plan) runsOf(t *testing.T, modules map[string]module, choice ...rule) int {
	n := 0
	for _, v := range (family{params: oidcParameters()}).variants() {
		holds := func(r rule) bool { return r(v) }
		if !all(p.preset, holds) || !all(choice, holds) {
			continue
		}
		for name := range strings.FieldsSeq(p.modules) {
			full := strings.TrimSuffix(oidcPrefix+"-"+name, "-*")
			m, ok := modules[full]
			if !ok {
				t.Errorf("%s: there is no module %s", p.name, full)
			}
			if m.applies(v) {
				n++
			}
		}
	}
	return n
}

func all(rules []rule, f func(rule) bool) bool {
	for _, r := range rules {
		if !f(r) {
			return false
		}
	}
	return true
}

// TestRunsOfPlans holds the rules of the modules against the numbers of runs
// that the suite's own plans have.
func TestRunsOfPlans(t *testing.T) {
	modules, planned := make(map[string]module), make(map[string]bool)
	for _, m := range oidcModules() {
		modules[m.name] = m
	}
	// With a dynamic client, by request_uri, as a form post where it is open.
	chosen := []rule{only("client_registration", "dynamic_client"), only("request_type", "request_uri")}
	basic := append(chosen, only("client_auth_type", "client_secret_basic"))
	query := append(basic, only("response_mode", "default"))
	want := map[string]int{
		"oidcc-client-basic-certification-test-plan": 14, "oidcc-client-implicit-certification-test-plan": 27, "oidcc-client-hybrid-certification-test-plan": 48,
		"oidcc-client-formpost-basic-certification-test-plan": 14, "oidcc-client-formpost-implicit-certification-test-plan": 27, "oidcc-client-formpost-hybrid-certification-test-plan": 48,
		"oidcc-client-config-certification-test-plan": 6, "oidcc-client-dynamic-certification-test-plan": 12, "oidcc-client-test-3rd-party-init-login-test-plan": 6,
		"oidcc-client-rp-initiated-logout-rp-basic": 3, "oidcc-client-rp-initiated-logout-rp-implicit": 6, "oidcc-client-rp-initiated-logout-rp-hybrid": 9,
		"oidcc-client-front-channel-logout-rp-basic": 1, "oidcc-client-front-channel-logout-rp-implicit": 2, "oidcc-client-front-channel-logout-rp-hybrid": 3,
		"oidcc-client-back-channel-logout-rp-basic": 8, "oidcc-client-back-channel-logout-rp-implicit": 16, "oidcc-client-back-channel-logout-rp-hybrid": 24,
		"oidcc-client-rp-session-management-rp-basic": 1, "oidcc-client-rp-session-management-rp-implicit": 2, "oidcc-client-rp-session-management-rp-hybrid": 3,
		"oidcc-client-refreshtoken-test-plan": 12, "oidcc-client-logout-test-plan": 84, "oidcc-client-test-plan": 32 + 25 + 33 + 34 + 32 + 36,
	}
	for _, p := range oidcPlans() {
		choice := query
		if strings.Contains(p.name, "formpost") {
			choice = basic
		}
		if n := p.runsOf(t, modules, choice...); n != want[p.name] {
			t.Errorf("%s has %d runs, want %d", p.name, n, want[p.name])
		}
		for name := range strings.FieldsSeq(p.modules) {
			planned[strings.TrimSuffix(oidcPrefix+"-"+name, "-*")] = true
		}
	}
	for name := range modules {
		if !planned[name] {
			t.Errorf("%s is in no plan", name)
		}
	}
	comprehensive := oidcPlans()[len(oidcPlans())-1]
	if n := comprehensive.runsOf(t, modules); n != 15264 {
		t.Errorf("%s has %d runs with all variants, want 15264", comprehensive.name, n)
	}
}
