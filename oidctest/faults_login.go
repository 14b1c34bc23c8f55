package oidctest

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// registrationFaults are what can be wrong with the answer to a registration.
func registrationFaults() []behaviour {
	const jsonType = "application/json"
	return group("Registration", EndpointRegistration, []behaviour{
		{FaultInfo: FaultInfo{Fault: RegistrationNoClientID, Title: "There is no client_id", Section: "Registration 1.0 3.2", Case: 75, Expect: "Refuse the registration."},
			doc: drop("client_id")},
		{FaultInfo: FaultInfo{Fault: RegistrationClientIDNumber, Title: "The client_id is a number", Section: "Registration 1.0 3.2", Case: 75, Expect: "Refuse the registration."},
			doc: set("client_id", 7)},
		{FaultInfo: FaultInfo{Fault: RegistrationClientIDEmpty, Title: "The client_id is empty", Section: "Registration 1.0 3.2", Case: 75, Expect: "Refuse the registration."},
			doc: set("client_id", "")},
		{FaultInfo: FaultInfo{Fault: RegistrationOtherRedirectURIs, Title: "Other redirect URIs were registered", Section: "RFC 7591 3.2.1", Case: 75, Expect: "Refuse the registration."},
			doc: set("redirect_uris", list(attacker+"/callback"))},
		{FaultInfo: FaultInfo{Fault: RegistrationMoreRedirectURIs, Title: "One redirect URI more was registered", Section: "RFC 7591 3.2.1", Case: 75, Expect: "Refuse the registration."},
			doc: func(_ *exchange, m map[string]any) {
				uris, _ := m["redirect_uris"].([]any)
				m["redirect_uris"] = append(append([]any{}, uris...), attacker+"/callback")
			}},
		{FaultInfo: FaultInfo{Fault: RegistrationWeakerAuthMethod, Title: "Another client authentication was registered: none", Section: "RFC 7591 3.2.1", Case: 75, Expect: "Refuse the registration."},
			doc: set("token_endpoint_auth_method", "none")},
		{FaultInfo: FaultInfo{Fault: RegistrationAlgNone, Title: "ID Tokens will not be signed, it says", Section: "Registration 1.0 2", Case: 75, Expect: "Refuse the registration."},
			doc: set("id_token_signed_response_alg", "none")},
		{FaultInfo: FaultInfo{Fault: RegistrationSecretMissing, Title: "There is no client_secret", Section: "Registration 1.0 3.2", Case: 75, Expect: "Refuse it if the client authenticates with a secret."},
			doc: drop("client_secret")},
		{FaultInfo: FaultInfo{Fault: RegistrationSecretNumber, Title: "The client_secret is a number", Section: "Registration 1.0 3.2", Case: 75, Expect: "Refuse the registration."},
			doc: func(_ *exchange, m map[string]any) {
				if _, ok := m["client_secret"]; ok {
					m["client_secret"] = 7
				}
			}},
		{FaultInfo: FaultInfo{Fault: RegistrationSecretExpired, Title: "The secret has expired already", Section: "Registration 1.0 3.2", Case: 76, Expect: "Register again or fail by name; do not send the dead secret."},
			doc: func(x *exchange, m map[string]any) {
				if _, ok := m["client_secret"]; ok {
					m["client_secret_expires_at"] = x.now.Add(-time.Hour).Unix()
				}
			}},
		{FaultInfo: FaultInfo{Fault: RegistrationSecretNoExpiry, Title: "Nothing says when the secret expires", Section: "Registration 1.0 3.2", Case: 76, Expect: "Refuse it, or take it as one that does not expire.", Harmless: true},
			doc: drop("client_secret_expires_at")},
		{FaultInfo: FaultInfo{Fault: RegistrationURIElsewhere, Title: "The registration is managed at another host", Section: "RFC 7592 3", Case: 77, Expect: "Send the registration access token nowhere but to the issuer's own host.", Harmless: true},
			doc: set("registration_client_uri", attacker+"/register/1")},
		{FaultInfo: FaultInfo{Fault: RegistrationForeignClientID, Title: "The client_id is one that another provider issued", Section: "RFC 9700 4.4", Case: 79, Expect: "Keep state, keys and secrets apart by issuer."},
			doc: set("client_id", "client-of-the-honest-provider")},
		{FaultInfo: FaultInfo{Fault: RegistrationRedirect, Title: "The request is redirected to another host (307)", Section: "RFC 7591 5", Case: 80, Expect: "Do not follow; the initial access token goes nowhere else."},
			reply: redirectTo(http.StatusTemporaryRedirect, elsewhere("/register"))},
		{FaultInfo: FaultInfo{Fault: RegistrationRefused, Title: "The registration is refused", Section: "RFC 7591 3.2.2", Expect: "Report the error and its description."},
			reply: refusal(http.StatusBadRequest, "invalid_client_metadata", "this provider does not like you")},
		{FaultInfo: FaultInfo{Fault: RegistrationHTML, Title: "A page comes in place of JSON", Section: "Registration 1.0 3.2", Case: 27, Expect: "Refuse it."},
			reply: body(http.StatusCreated, "text/html", html500)},
		{FaultInfo: FaultInfo{Fault: RegistrationNull, Title: "The answer is null", Section: "Registration 1.0 3.2", Case: 28, Expect: "Refuse it."},
			reply: body(http.StatusCreated, jsonType, "null")},
		{FaultInfo: FaultInfo{Fault: RegistrationDuplicate, Title: "The client_id is there twice", Section: "RFC 8259 4", Case: 25, Expect: "Refuse it."},
			reply: edit(func(_ *exchange, b []byte) []byte { return firstMember(b, `"client_id":"other"`) })},
		{FaultInfo: FaultInfo{Fault: RegistrationEndless, Title: "The answer never ends", Section: "RFC 7591 5", Case: 20, Expect: "Stop at a limit."},
			reply: endless(jsonType)},
		{FaultInfo: FaultInfo{Fault: RegistrationStatusOK, Title: "The status is 200 in place of 201", Section: "Registration 1.0 3.2", Expect: "Accept what has a client_id.", Harmless: true},
			reply: func(_ *exchange, r *reply) {
				if r.status == http.StatusCreated {
					r.status = http.StatusOK
				}
			}},
	})
}

// authorizationFaults are what can be wrong with the authorization response.
func authorizationFaults() []behaviour {
	param := func(name string, f func(string) string) func(*exchange, *authAnswer) {
		return func(_ *exchange, a *authAnswer) {
			if a.params.Has(name) {
				a.params.Set(name, f(a.params.Get(name)))
			}
		}
	}
	without := func(name string) func(*exchange, *authAnswer) {
		return func(_ *exchange, a *authAnswer) { a.params.Del(name) }
	}
	twice := func(name string) func(*exchange, *authAnswer) {
		return func(_ *exchange, a *authAnswer) {
			if a.params.Has(name) {
				a.params.Add(name, a.params.Get(name)+"x")
			}
		}
	}
	failure := func(code, description string) func(*exchange, *authAnswer) {
		return func(_ *exchange, a *authAnswer) {
			state, iss := a.params.Get("state"), a.params.Get("iss")
			clear(a.params)
			a.params.Set("error", code)
			a.params.Set("error_description", description)
			if state != "" {
				a.params.Set("state", state)
			}
			if iss != "" {
				a.params.Set("iss", iss)
			}
		}
	}
	mode := func(m string) func(*exchange, *authAnswer) {
		return func(_ *exchange, a *authAnswer) { a.mode = m }
	}
	const before = "Refuse the response; make no token request."
	return group("Authorization response", EndpointAuthorization, []behaviour{
		{FaultInfo: FaultInfo{Fault: StateMissing, Title: "There is no state", Section: "RFC 6749 4.1.2", Case: 96, Expect: before},
			answer: without("state")},
		{FaultInfo: FaultInfo{Fault: StateWrong, Title: "The state is another one", Section: "RFC 6749 10.12", Case: 97, Expect: before},
			answer: param("state", func(s string) string { return s + "x" })},
		{FaultInfo: FaultInfo{Fault: ResponseIssWrong, Title: "The iss parameter is another provider's", Section: "RFC 9207 2.4", Case: 99, Expect: before},
			answer: param("iss", func(string) string { return attacker })},
		{FaultInfo: FaultInfo{Fault: ResponseIssMissing, Title: "The iss parameter is missing", Section: "RFC 9207 2.4", Case: 100, Expect: "Refuse the response, since the metadata announces iss; make no token request."},
			answer: without("iss")},
		{FaultInfo: FaultInfo{Fault: CodeTwice, Title: "There are two codes", Section: "RFC 6749 3.1", Case: 102, Expect: before},
			answer: twice("code")},
		{FaultInfo: FaultInfo{Fault: StateTwice, Title: "There are two states", Section: "RFC 6749 3.1", Case: 103, Expect: before},
			answer: twice("state")},
		{FaultInfo: FaultInfo{Fault: ResponseIssTwice, Title: "There are two iss parameters", Section: "RFC 9207 2.4", Case: 103, Expect: before},
			answer: twice("iss")},
		{FaultInfo: FaultInfo{Fault: CodeAndError, Title: "There is a code and an error", Section: "RFC 6749 4.1.2", Case: 104, Expect: "Report the error; make no token request."},
			answer: func(_ *exchange, a *authAnswer) { a.params.Set("error", "access_denied") }},
		{FaultInfo: FaultInfo{Fault: CodeMissing, Title: "There is no code", Section: "Core 3.1.2.5", Case: 105, Expect: before},
			answer: without("code")},
		{FaultInfo: FaultInfo{Fault: CodeEmpty, Title: "The code is empty", Section: "Core 3.1.2.5", Case: 105, Expect: before},
			answer: param("code", func(string) string { return "" })},
		{FaultInfo: FaultInfo{Fault: CodeLong, Title: "The code has 5 000 characters", Section: "RFC 6749 4.1.2", Case: 105, Expect: before},
			answer: param("code", func(s string) string { return s + strings.Repeat("x", 5000) })},
		{FaultInfo: FaultInfo{Fault: ErrorUnknownState, Title: "An error comes with an unknown state", Section: "RFC 6749 4.1.2.1", Case: 106, Expect: "Treat it as a wrong state; show and log nothing of it as it is."},
			answer: func(x *exchange, a *authAnswer) {
				failure("server_error", "call +1 555 0100 to confirm your password")(x, a)
				a.params.Set("state", "unknown")
			}},
		{FaultInfo: FaultInfo{Fault: ErrorDescriptionHostile, Title: "An error comes with markup and control characters", Section: "RFC 6749 4.1.2.1", Case: 107, Expect: "Report the error; escape the text wherever it is shown or logged."},
			answer: failure("access_denied", "<script>alert(1)</script>\r\nSet-Cookie: a=b\x1b[31m\u202egnp.exe")},
		{FaultInfo: FaultInfo{Fault: AnswerInFragment, Title: "The answer is in the fragment", Section: "Multiple Response Types 2.1", Case: 108, Expect: before},
			answer: mode("fragment")},
		{FaultInfo: FaultInfo{Fault: AnswerByPost, Title: "The answer is posted", Section: "Form Post Response Mode 2", Case: 108, Expect: before},
			answer: mode("form_post")},
		{FaultInfo: FaultInfo{Fault: AnswerInQuery, Title: "The answer is in the query though it holds tokens", Section: "Multiple Response Types 3", Case: 108, Expect: before, ResponseType: "code id_token"},
			answer: mode("query")},
		{FaultInfo: FaultInfo{Fault: AnswerTwoPlaces, Title: "The query has one code, the posted form another", Section: "Form Post Response Mode 2", Case: 109, Expect: before},
			answer: func(_ *exchange, a *authAnswer) {
				a.body = url.Values{}
				for k, v := range a.params {
					a.body[k] = append([]string(nil), v...)
				}
				if a.params.Has("code") {
					a.params.Set("code", "code-of-the-attacker")
				}
			}},
		{FaultInfo: FaultInfo{Fault: AccessDenied, Title: "The person refuses", Section: "RFC 6749 4.1.2.1", Expect: "Report access_denied; make no token request."},
			answer: failure("access_denied", "the person refused")},
		{FaultInfo: FaultInfo{Fault: LoginRequired, Title: "The answer is always login_required", Section: "Core 3.1.2.6", Case: 92, Expect: "Report it; do not send the browser back and forth."},
			answer: failure("login_required", "nobody is logged in")},
		{FaultInfo: FaultInfo{Fault: TemporarilyUnavailable, Title: "The provider is overloaded", Section: "RFC 6749 4.1.2.1", Expect: "Report it; make no token request."},
			answer: failure("temporarily_unavailable", "try later")},
		{FaultInfo: FaultInfo{Fault: FrontIDTokenMissing, Title: "The front channel has no ID Token", Section: "Core 3.3.2.5", Case: 135, Expect: before, ResponseType: "code id_token"},
			answer: without("id_token")},
		{FaultInfo: FaultInfo{Fault: FrontAccessTokenMissing, Title: "The front channel has no access token", Section: "Core 3.2.2.5", Case: 137, Expect: "Refuse the response.", ResponseType: "id_token token"},
			answer: without("access_token")},
		{FaultInfo: FaultInfo{Fault: FrontTokenTypeMissing, Title: "The front channel has no token_type", Section: "Core 3.2.2.5", Case: 132, Expect: "Refuse the response.", ResponseType: "id_token token"},
			answer: without("token_type")},
		{FaultInfo: FaultInfo{Fault: FrontTokenTypeMAC, Title: "The token_type of the front channel is mac", Section: "Core 3.2.2.5", Case: 133, Expect: "Refuse the response.", ResponseType: "id_token token"},
			answer: param("token_type", func(string) string { return "mac" })},
		{FaultInfo: FaultInfo{Fault: FrontExpiresInHuge, Title: "The expires_in of the front channel is beyond all numbers", Section: "RFC 6749 4.2.2", Case: 139, Expect: "Clamp or ignore it; the token is not valid for ever.", ResponseType: "id_token token", Harmless: true},
			answer: param("expires_in", func(string) string { return "99999999999999999999" })},
	})
}
