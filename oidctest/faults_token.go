package oidctest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
)

// tokenEndpointFaults are what can be wrong at the token endpoint as such.
func tokenEndpointFaults() []behaviour {
	const jsonType = "application/json"
	return group("Token endpoint", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: TokenRedirectElsewhere, Title: "The request is redirected to another host (307)", Section: "RFC 9700 4.12", Case: 126, Expect: "Do not follow; the code, the verifier and the secret are not sent again."},
			reply: redirectTo(http.StatusTemporaryRedirect, elsewhere("/token"))},
		{FaultInfo: FaultInfo{Fault: TokenRedirectHTTP, Title: "The request is redirected to http at the same host (307)", Section: "RFC 9700 4.12", Case: 127, Expect: "Do not follow; the code, the verifier and the secret are not sent again."},
			reply: redirectTo(http.StatusTemporaryRedirect, overHTTP)},
		{FaultInfo: FaultInfo{Fault: InvalidGrant, Title: "The code is refused", Section: "RFC 6749 5.2", Case: 128, Expect: "Report it after one request."},
			reply: refusal(http.StatusBadRequest, "invalid_grant", "the code is not known")},
		{FaultInfo: FaultInfo{Fault: InvalidClient, Title: "The client is refused (401)", Section: "RFC 6749 5.2", Case: 128, Expect: "Report it after one request; try no other way to authenticate."},
			reply: func(x *exchange, r *reply) {
				refusal(http.StatusUnauthorized, "invalid_client", "the client is not known")(x, r)
				r.header.Set("WWW-Authenticate", `Basic realm="oidctest"`)
			}},
		{FaultInfo: FaultInfo{Fault: TokenReset, Title: "The connection breaks after the request", Section: "RFC 6749 4.1.2", Case: 129, Expect: "Report it; do not send the code again."},
			reply: reset},
		{FaultInfo: FaultInfo{Fault: TokenUnavailable, Title: "The provider is down (503)", Section: "RFC 9110 15.6.4", Expect: "Report it; do not send the code again."},
			reply: body(http.StatusServiceUnavailable, "text/plain", "down for maintenance")},
		{FaultInfo: FaultInfo{Fault: TokenSlow, Title: "The answer comes byte by byte", Section: "RFC 6749 5.1", Case: 130, Expect: "Stop at a deadline."},
			reply: slow},
		{FaultInfo: FaultInfo{Fault: TokenEndless, Title: "The answer never ends", Section: "RFC 6749 5.1", Case: 131, Expect: "Stop at a limit."},
			reply: endless(jsonType)},
		{FaultInfo: FaultInfo{Fault: TokenShort, Title: "The answer is shorter than its Content-Length", Section: "RFC 9112 8", Case: 306, Expect: "Refuse it."},
			reply: short},
		{FaultInfo: FaultInfo{Fault: TokenFormEncoded, Title: "The answer is form-encoded text", Section: "RFC 6749 5.1", Case: 140, Expect: "Refuse it."},
			reply: func(_ *exchange, r *reply) {
				v := url.Values{}
				for name, value := range r.doc {
					if s, ok := value.(string); ok {
						v.Set(name, s)
					}
				}
				r.body = []byte(v.Encode())
				r.header.Set("Content-Type", "text/plain")
			}},
		{FaultInfo: FaultInfo{Fault: TokenHTML, Title: "The media type is text/html", Section: "RFC 6749 5.1", Case: 141, Expect: "Refuse it."},
			reply: mediaType("text/html; charset=utf-8")},
		{FaultInfo: FaultInfo{Fault: TokenStatus203, Title: "The status is 203", Section: "RFC 6749 5.1", Case: 142, Expect: "Refuse it."},
			reply: status(http.StatusNonAuthoritativeInfo)},
		{FaultInfo: FaultInfo{Fault: TokenStatus204, Title: "The status is 204", Section: "RFC 6749 5.1", Case: 142, Expect: "Refuse it."},
			reply: status(http.StatusNoContent)},
		{FaultInfo: FaultInfo{Fault: TokenStatus206, Title: "The status is 206", Section: "RFC 6749 5.1", Case: 142, Expect: "Refuse it."},
			reply: status(http.StatusPartialContent)},
		{FaultInfo: FaultInfo{Fault: TokenDuplicate, Title: "The access token is there twice", Section: "RFC 8259 4", Case: 143, Expect: "Refuse it."},
			reply: edit(func(_ *exchange, b []byte) []byte { return firstMember(b, `"access_token":"at-other"`) })},
		{FaultInfo: FaultInfo{Fault: TokenNull, Title: "The answer is null", Section: "RFC 6749 5.1", Case: 28, Expect: "Refuse it."},
			reply: body(http.StatusOK, jsonType, "null")},
		{FaultInfo: FaultInfo{Fault: TokenTrailing, Title: "Something follows the answer", Section: "RFC 8259 2", Case: 28, Expect: "Refuse it."},
			reply: edit(func(_ *exchange, b []byte) []byte { return append(b, `{"access_token":"at-other"}`...) })},
	})
}

// tokenFaults are what can be wrong in the token response.
func tokenFaults() []behaviour {
	return group("Token response", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: TokenTypeMissing, Title: "There is no token_type", Section: "RFC 6749 5.1", Case: 132, Expect: "Refuse the response."},
			doc: drop("token_type")},
		{FaultInfo: FaultInfo{Fault: TokenTypeMAC, Title: "The token_type is mac", Section: "Core 3.1.3.3", Case: 133, Expect: "Refuse the response."},
			doc: set("token_type", "mac")},
		{FaultInfo: FaultInfo{Fault: TokenTypeDPoP, Title: "The token_type is DPoP though no proof was sent", Section: "RFC 9449 5", Case: 134, Expect: "Refuse the response."},
			doc: set("token_type", "DPoP")},
		{FaultInfo: FaultInfo{Fault: TokenTypeLowerCase, Title: "The token_type is written bearer", Section: "RFC 6749 5.1", Expect: "Accept it: the value has no case.", Harmless: true},
			doc: set("token_type", "bearer")},
		{FaultInfo: FaultInfo{Fault: IDTokenMissing, Title: "There is no ID Token", Section: "Core 3.1.3.3", Case: 135, Expect: "Refuse the response."},
			doc: drop("id_token")},
		{FaultInfo: FaultInfo{Fault: IDTokenNumber, Title: "The ID Token is a number", Section: "Core 3.1.3.3", Case: 136, Expect: "Refuse the response."},
			doc: set("id_token", 7)},
		{FaultInfo: FaultInfo{Fault: IDTokenObject, Title: "The ID Token is its claims as JSON", Section: "Core 2", Case: 136, Expect: "Refuse the response."},
			doc: set("id_token", map[string]any{"sub": "alice-248289761001"})},
		{FaultInfo: FaultInfo{Fault: AccessTokenMissing, Title: "There is no access token", Section: "RFC 6749 5.1", Case: 137, Expect: "Refuse the response."},
			doc: drop("access_token")},
		{FaultInfo: FaultInfo{Fault: AccessTokenCRLF, Title: "The access token has a line break in it", Section: "RFC 6750 2.1", Case: 138, Expect: "Refuse the response before the token gets into a header."},
			doc: change("access_token", func(s string) string { return s + "\r\nX-Injected: 1" })},
		{FaultInfo: FaultInfo{Fault: AccessTokenNUL, Title: "The access token has a NUL in it", Section: "RFC 6750 2.1", Case: 138, Expect: "Refuse the response."},
			doc: change("access_token", func(s string) string { return s + "\x00" })},
		{FaultInfo: FaultInfo{Fault: AccessTokenNotASCII, Title: "The access token is not ASCII", Section: "RFC 6750 2.1", Case: 138, Expect: "Refuse the response."},
			doc: change("access_token", func(s string) string { return s + "é" })},
		{FaultInfo: FaultInfo{Fault: ExpiresInNegative, Title: "The expires_in is negative", Section: "RFC 6749 5.1", Case: 139, Expect: "Clamp or ignore it.", Harmless: true},
			doc: set("expires_in", -1)},
		{FaultInfo: FaultInfo{Fault: ExpiresInHuge, Title: "The expires_in is 1e400", Section: "RFC 6749 5.1", Case: 139, Expect: "Clamp, ignore or refuse it; the token is not valid for ever.", Harmless: true},
			doc: set("expires_in", json.RawMessage("1e400"))},
		{FaultInfo: FaultInfo{Fault: ExpiresInString, Title: "The expires_in is a string", Section: "RFC 6749 5.1", Case: 139, Expect: "Read it as a number or ignore it.", Harmless: true},
			doc: set("expires_in", "600")},
		{FaultInfo: FaultInfo{Fault: ExpiresInMissing, Title: "There is no expires_in", Section: "RFC 6749 5.1", Case: 139, Expect: "Accept it.", Harmless: true},
			doc: drop("expires_in")},
		{FaultInfo: FaultInfo{Fault: ScopeMissing, Title: "There is no scope", Section: "RFC 6749 5.1", Expect: "Accept it: the scope is the one asked for.", Harmless: true},
			doc: drop("scope")},
		{FaultInfo: FaultInfo{Fault: ScopeNarrowed, Title: "Less scope was granted than asked for", Section: "RFC 6749 3.3", Expect: "Accept it and tell the application.", Harmless: true},
			doc: set("scope", "openid")},
		{FaultInfo: FaultInfo{Fault: TokenErrorIn200, Title: "An error comes with status 200", Section: "RFC 6749 5.2", Case: 144, Expect: "Report the error."},
			doc: func(_ *exchange, m map[string]any) {
				clear(m)
				m["error"] = "invalid_grant"
			}},
		{FaultInfo: FaultInfo{Fault: TokenErrorBeside, Title: "An error stands beside the tokens", Section: "RFC 6749 5.2", Case: 144, Expect: "Report the error; use no token."},
			doc: set("error", "server_error")},
		{FaultInfo: FaultInfo{Fault: TokenCaseVariant, Title: "ID_TOKEN stands beside id_token", Section: "RFC 8259 4", Case: 26, Expect: "Look at the exact name alone.", Harmless: true},
			doc: set("ID_TOKEN", "eyJhbGciOiJub25lIn0.e30.")},
	})
}

// refreshFaults are what can be wrong with the answer to a refresh.
func refreshFaults() []behaviour {
	const refuse = "Refuse the response and keep what was known."
	needs := "a refresh token"
	return needing(needs, group("Refresh", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: RefreshOtherSubject, Title: "The ID Token is another person's", Section: "Core 12.2", Case: 244, Expect: refuse},
			token: onlyRefresh(claim("sub", "somebody-else"))},
		{FaultInfo: FaultInfo{Fault: RefreshOtherIssuer, Title: "The ID Token is another issuer's", Section: "Core 12.2", Case: 245, Expect: refuse},
			token: onlyRefresh(claim("iss", attacker))},
		{FaultInfo: FaultInfo{Fault: RefreshOtherAudience, Title: "The ID Token is for another client", Section: "Core 12.2", Case: 245, Expect: refuse},
			token: onlyRefresh(claim("aud", "another-client"))},
		{FaultInfo: FaultInfo{Fault: RefreshUnsigned, Title: "The ID Token is not signed", Section: "Core 12.2", Case: 245, Expect: refuse},
			token: onlyRefresh(unsign("none"))},
		{FaultInfo: FaultInfo{Fault: RefreshExpired, Title: "The ID Token has expired", Section: "Core 12.2", Case: 245, Expect: refuse},
			token: onlyRefresh(func(x *exchange, d *draft) { d.claims["exp"] = x.now.Unix() - 3600 })},
		{FaultInfo: FaultInfo{Fault: RefreshNonceRepeated, Title: "The ID Token repeats the nonce of the login", Section: "Core 12.2", Case: 246, Expect: "Accept it if it is the same.", Harmless: true},
			token: onlyRefresh(func(_ *exchange, d *draft) { d.claims["nonce"] = d.nonce })},
		{FaultInfo: FaultInfo{Fault: RefreshNonceOther, Title: "The ID Token has another nonce", Section: "Core 12.2", Case: 246, Expect: refuse},
			token: onlyRefresh(claim("nonce", "another-nonce"))},
		{FaultInfo: FaultInfo{Fault: RefreshAuthTimeChanged, Title: "The time of the login has changed", Section: "Core 12.2", Case: 247, Expect: refuse},
			token: onlyRefresh(func(x *exchange, d *draft) { d.claims["auth_time"] = d.authTime.Unix() - 1000 })},
		{FaultInfo: FaultInfo{Fault: RefreshIDTokenMissing, Title: "There is no ID Token", Section: "Core 12.2", Expect: "Accept it and keep the old claims.", Harmless: true},
			doc: onlyGrant(drop("id_token"), "refresh_token")},
		{FaultInfo: FaultInfo{Fault: RefreshTokenAbsent, Title: "There is no new refresh token", Section: "RFC 6749 6", Case: 251, Expect: "Keep the old one.", Harmless: true},
			doc: onlyGrant(drop("refresh_token"), "refresh_token")},
		{FaultInfo: FaultInfo{Fault: RefreshTokenEmpty, Title: "The new refresh token is empty", Section: "RFC 6749 6", Case: 251, Expect: "Keep the old one.", Harmless: true},
			doc: onlyGrant(set("refresh_token", ""), "refresh_token")},
		{FaultInfo: FaultInfo{Fault: RefreshInvalidGrant, Title: "The refresh token is refused", Section: "RFC 6749 5.2", Case: 252, Expect: "End the session; the refusal is final."},
			reply: onlyGrant(refusal(http.StatusBadRequest, "invalid_grant", "the refresh token is not known"), "refresh_token")},
		{FaultInfo: FaultInfo{Fault: RefreshUnavailable, Title: "The provider is down during the refresh (503)", Section: "RFC 9110 15.6.4", Case: 252, Expect: "Keep the session until it ends by itself; try again later."},
			reply: onlyGrant(refusal(http.StatusServiceUnavailable, "temporarily_unavailable", "try later"), "refresh_token")},
		{FaultInfo: FaultInfo{Fault: RefreshLost, Title: "The connection breaks after the refresh token was used", Section: "RFC 9700 4.14.2", Case: 250, Expect: "Try once more with the old token, then log out cleanly."},
			reply: onlyGrant(reset, "refresh_token")},
	}))
}

// userInfoFaults are what can be wrong with the UserInfo response.
func userInfoFaults() []behaviour {
	const jsonType = "application/json"
	signed := "a client registered for a signed UserInfo response"
	return group("UserInfo", EndpointUserInfo, []behaviour{
		{FaultInfo: FaultInfo{Fault: UserInfoOtherSubject, Title: "The subject is another person", Section: "Core 5.3.2", Case: 230, Expect: "Refuse the response."},
			doc: set("sub", "somebody-else")},
		{FaultInfo: FaultInfo{Fault: UserInfoSubMissing, Title: "There is no subject", Section: "Core 5.3.2", Case: 231, Expect: "Refuse the response."},
			doc: drop("sub")},
		{FaultInfo: FaultInfo{Fault: UserInfoSubDuplicate, Title: "There are two subjects", Section: "RFC 8259 4", Case: 232, Expect: "Refuse the response."},
			reply: edit(func(_ *exchange, b []byte) []byte { return firstMember(b, `"sub":"somebody-else"`) })},
		{FaultInfo: FaultInfo{Fault: UserInfoCaseVariant, Title: "SUB stands beside sub", Section: "RFC 8259 4", Case: 233, Expect: "Look at the exact name alone.", Harmless: true},
			doc: set("SUB", "somebody-else")},
		{FaultInfo: FaultInfo{Fault: UserInfoHTML, Title: "The media type is text/html", Section: "Core 5.3.2", Case: 234, Expect: "Refuse the response."},
			reply: mediaType("text/html; charset=utf-8")},
		{FaultInfo: FaultInfo{Fault: UserInfoUnsigned, Title: "JSON comes in place of the signed response", Section: "Core 5.3.2", Case: 235, Expect: "Refuse the response.", Needs: signed},
			reply: func(_ *exchange, r *reply) {
				if claims, ok := payload(string(r.body)); ok {
					r.body = claims
					r.header.Set("Content-Type", jsonType)
				}
			}},
		{FaultInfo: FaultInfo{Fault: UserInfoIssOther, Title: "The signed response is another issuer's", Section: "Core 5.3.2", Case: 236, Expect: "Refuse the response.", Needs: signed},
			token: claim("iss", attacker)},
		{FaultInfo: FaultInfo{Fault: UserInfoAudOther, Title: "The signed response is for another client", Section: "Core 5.3.2", Case: 236, Expect: "Refuse the response.", Needs: signed},
			token: claim("aud", "another-client")},
		{FaultInfo: FaultInfo{Fault: UserInfoExpired, Title: "The signed response has expired", Section: "RFC 7519 4.1.4", Case: 236, Expect: "Refuse the response.", Needs: signed},
			token: func(x *exchange, d *draft) { d.claims["exp"] = x.now.Unix() - 3600 }},
		{FaultInfo: FaultInfo{Fault: UserInfoAlgOther, Title: "The signed response has an algorithm that was not agreed", Section: "Core 5.3.2", Case: 236, Expect: "Refuse the response.", Needs: signed},
			token: otherAlg},
		{FaultInfo: FaultInfo{Fault: UserInfoSignatureWrong, Title: "The signature of the response is wrong", Section: "Core 5.3.2", Case: 236, Expect: "Refuse the response.", Needs: signed},
			token: func(_ *exchange, d *draft) { byStranger(d) }},
		{FaultInfo: FaultInfo{Fault: UserInfoAlgNone, Title: "The response is a JWT without a signature", Section: "Core 5.3.2", Case: 237, Expect: "Refuse the response.", Needs: signed},
			token: unsign("none")},
		{FaultInfo: FaultInfo{Fault: UserInfoNull, Title: "The response is null", Section: "Core 5.3.2", Case: 238, Expect: "Refuse the response."},
			reply: body(http.StatusOK, jsonType, "null")},
		{FaultInfo: FaultInfo{Fault: UserInfoArray, Title: "The response is an array", Section: "Core 5.3.2", Case: 238, Expect: "Refuse the response."},
			reply: edit(func(_ *exchange, b []byte) []byte { return append(append([]byte("["), b...), ']') })},
		{FaultInfo: FaultInfo{Fault: UserInfoEndless, Title: "The response never ends", Section: "Core 5.3.2", Case: 239, Expect: "Stop at a limit."},
			reply: endless(jsonType)},
		{FaultInfo: FaultInfo{Fault: UserInfoSlow, Title: "The response comes byte by byte", Section: "Core 5.3.2", Case: 239, Expect: "Stop at a deadline."},
			reply: slow},
		{FaultInfo: FaultInfo{Fault: UserInfoRedirectHTTP, Title: "A redirect leads to http", Section: "RFC 6750 5.2", Case: 240, Expect: "Do not follow; the access token goes nowhere else.", Needs: "a provider with TLS"},
			reply: redirectTo(http.StatusFound, overHTTP)},
		{FaultInfo: FaultInfo{Fault: UserInfoRedirectElsewhere, Title: "A redirect leads to another host", Section: "RFC 6750 5.2", Case: 240, Expect: "Do not follow; the access token goes nowhere else."},
			reply: redirectTo(http.StatusTemporaryRedirect, elsewhere("/userinfo"))},
		{FaultInfo: FaultInfo{Fault: UserInfoError, Title: "The provider fails with a page (500)", Section: "Core 5.3.3", Case: 241, Expect: "Report the failure; show nothing of the page."},
			reply: body(http.StatusInternalServerError, "text/html", html500)},
		{FaultInfo: FaultInfo{Fault: UserInfoUnauthorized, Title: "The access token is refused (401)", Section: "RFC 6750 3.1", Case: 242, Expect: "Fail, or go on without it, as the application has said."},
			reply: func(_ *exchange, r *reply) {
				*r = *bearerError(http.StatusUnauthorized, "invalid_token", "the access token is not known")
				r.body = []byte(`{"error":"invalid_token"}`)
			}},
		{FaultInfo: FaultInfo{Fault: UserInfoEmailVerifiedString, Title: "email_verified is the string \"false\"", Section: "Core 5.1", Case: 227, Expect: "Do not count the email as verified.", Needs: "the scope email", Harmless: true},
			doc: replaceIfThere("email_verified", "false")},
		{FaultInfo: FaultInfo{Fault: UserInfoEmailVerifiedNumber, Title: "email_verified is 1", Section: "Core 5.1", Case: 227, Expect: "Do not count the email as verified.", Needs: "the scope email", Harmless: true},
			doc: replaceIfThere("email_verified", 1)},
		{FaultInfo: FaultInfo{Fault: UserInfoEmailHostile, Title: "The email has two at signs", Section: "Core 5.1", Case: 228, Expect: "Take no domain from it.", Needs: "the scope email", Harmless: true},
			doc: replaceIfThere("email", "mallory@attacker.example@example.com")},
		{FaultInfo: FaultInfo{Fault: UserInfoInvalidUTF8, Title: "A claim is not UTF-8", Section: "RFC 8259 8.1", Case: 215, Expect: "Refuse the response."},
			reply: edit(func(_ *exchange, b []byte) []byte { return firstMember(b, "\"locale\":\"\xff\xfe\"") })},
		{FaultInfo: FaultInfo{Fault: UserInfoHeaderOnly, Title: "The access token is taken from the header alone", Section: "RFC 6750 2.2", Expect: "Present it in the header.", Harmless: true},
			reply: refuseWhen(func(x *exchange) bool { return x.form.Has("access_token") })},
		{FaultInfo: FaultInfo{Fault: UserInfoBodyOnly, Title: "The access token is taken from the body alone", Section: "RFC 6750 2.1", Expect: "Present it in the body if so configured; otherwise report the refusal."},
			reply: refuseWhen(func(x *exchange) bool { return x.r.Header.Get("Authorization") != "" })},
		{FaultInfo: FaultInfo{Fault: UserInfoDistributed, Title: "Claims must be fetched from another source", Section: "Core 5.6.2", Case: 300, Expect: "Fetch them only if asked to, with the token that came with them and no other.", Harmless: true},
			doc: distribute},
		{FaultInfo: FaultInfo{Fault: UserInfoAggregated, Title: "Claims come as a JWT of another source", Section: "Core 5.6.2", Case: 301, Expect: "Accept the rest; do not mix what is not verified with what is.", Harmless: true},
			doc: func(_ *exchange, m map[string]any) {
				maps.Copy(m, map[string]any{
					"_claim_names":   map[string]any{"phone_number": "src1"},
					"_claim_sources": map[string]any{"src1": map[string]any{"JWT": "eyJhbGciOiJub25lIn0." + b64([]byte(`{"phone_number":"+1 555 0100"}`)) + "."}},
				})
			}},
	})
}

// refuseWhen refuses the access token under a condition.
func refuseWhen(refused func(*exchange) bool) func(*exchange, *reply) {
	return func(x *exchange, r *reply) {
		if refused(x) {
			*r = *bearerError(http.StatusUnauthorized, "invalid_token", "the access token was not presented as this provider wants it")
			r.body = []byte(`{"error":"invalid_token"}`)
		}
	}
}

// replaceIfThere replaces a member only where it would have been sent.
func replaceIfThere(name string, v any) func(*exchange, map[string]any) {
	return func(_ *exchange, m map[string]any) {
		if _, ok := m[name]; ok {
			m[name] = v
		}
	}
}
