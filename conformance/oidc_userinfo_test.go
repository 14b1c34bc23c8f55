package conformance_test

import (
	"errors"
	"net/http"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// userInfoTests are the modules about claims and the UserInfo endpoint.
func userInfoTests() map[string]func(*run) {
	return map[string]func(*run){
		"scope-userinfo-claims": scopes,
		"userinfo-invalid-sub": func(r *run) {
			r.start()
			r.op.Break(oidctest.UserInfoOtherSubject)
			r.mustLogin()
			info, err := r.c.UserInfo(r.Context(), r.tokens)
			wantReason(r, err, oidc.SubjectMismatch)
			if info != nil {
				r.Error("claims beside the error")
			}
			r.wantCalls(askedUserInfo)
		},
		"userinfo-bearer-header": func(r *run) {
			r.start()
			r.op.Break(oidctest.UserInfoHeaderOnly)
			r.complete()
			r.wantCalls(askedUserInfo)
			q := r.op.Requests(oidctest.EndpointUserInfo)[0]
			if q.Header.Get("Authorization") != "Bearer "+r.tokens.AccessToken || q.Form.Has("access_token") || q.Query.Has("access_token") {
				r.Error("the access token is not in the header alone")
			}
		},
		"userinfo-bearer-body": func(r *run) {
			r.config = func(c *oidc.ClientConfig) { c.UserInfoBy = oidc.UserInfoPostBody }
			r.start()
			r.op.Break(oidctest.UserInfoBodyOnly)
			r.complete()
			r.wantCalls(askedUserInfo)
			q := r.op.Requests(oidctest.EndpointUserInfo)[0]
			if q.Method != http.MethodPost || q.Form.Get("access_token") != r.tokens.AccessToken || q.Header.Get("Authorization") != "" || q.Query.Has("access_token") {
				r.Error("the access token is not in the body alone")
			}
		},
		"userinfo-signed": func(r *run) {
			r.metadata.UserInfoSignedResponseAlg = "RS256"
			info := r.complete()
			if !info.Signed {
				r.Error("UserInfo does not count as signed")
			}
			r.wantCalls(askedUserInfo)
			if accept := r.op.Requests(oidctest.EndpointUserInfo)[0].Header.Get("Accept"); accept != "application/jwt" {
				r.Errorf("Accept: %s", accept)
			}
		},
		"aggregated-claims":  aggregated,
		"distributed-claims": distributed,
		"form-post-error":    formPostError,

		"refresh-token": func(r *run) {
			r.offline()
			before := r.tokens.AccessToken
			var err error
			if r.tokens, err = r.c.Refresh(r.Context(), r.tokens); err != nil {
				r.Fatalf("Refresh: %v", err)
			}
			if _, err := r.c.UserInfo(r.Context(), r.tokens); err != nil {
				r.Fatalf("UserInfo: %v", err)
			}
			r.wantCalls(loggedIn, oidctest.EndpointToken, oidctest.EndpointUserInfo)
			got := r.op.Requests(oidctest.EndpointUserInfo)[0].Header.Get("Authorization")
			if r.tokens.AccessToken == before || got != "Bearer "+r.tokens.AccessToken {
				r.Error("UserInfo was not asked with the new access token")
			}
		},
		"refresh-token-invalid-issuer": badRefresh(oidctest.RefreshOtherIssuer, oidc.BadIssuer),
		"refresh-token-invalid-sub":    badRefresh(oidctest.RefreshOtherSubject, oidc.SubjectMismatch),
	}
}

// scopes: what was asked for by scope comes from UserInfo, or in the ID Token
// where there is no access token (Core section 5.4).
func scopes(r *run) {
	r.params.Scopes = []string{"profile", "email", "phone", "address"}
	info := r.complete()
	r.wantCalls(askedUserInfo)
	claims := r.tokens.IDToken.Standard()
	if info != nil {
		claims = info.StandardClaims
	}
	if claims.Name == "" || claims.Email == "" || claims.PhoneNumber == "" || claims.Address == nil {
		r.Errorf("claims are missing: %+v", claims)
	}
	// Exactly the scope that was configured.
	if got := r.requested().Get("scope"); got != "openid profile email phone address" {
		r.Errorf("scope %q", got)
	}
}

// aggregated: claims of another source come as a JWT without a signature. The
// answer is accepted, and those claims are given only to who asks for what nobody
// vouches for.
func aggregated(r *run) {
	r.start()
	r.op.Break(oidctest.UserInfoAggregated)
	info := r.complete()
	r.wantCalls(askedUserInfo)
	for _, unverified := range []bool{false, true} {
		got, err := r.c.SourcedClaims(r.Context(), info, oidc.ClaimSourceOptions{InsecureAllowUnverified: unverified})
		if err != nil {
			r.Fatalf("SourcedClaims: %v", err)
		}
		_, there := got.Claims["phone_number"]
		if there != unverified || got.Claims["phone_number"].Verified {
			r.Errorf("InsecureAllowUnverified %v: phone_number is %v", unverified, got.Claims["phone_number"])
		}
	}
	r.wantCalls(askedUserInfo)
}

// distributed: the module is over when the claims were fetched from their source,
// with the access token that came with it.
func distributed(r *run) {
	r.start()
	r.op.Break(oidctest.UserInfoDistributed)
	r.params.Scopes = []string{"phone", "address"}
	info := r.complete()
	var raw struct {
		Sources map[string]struct {
			AccessToken string `json:"access_token"`
		} `json:"_claim_sources"`
	}
	if err := info.Claims(&raw); err != nil {
		r.Fatal(err)
	}
	got, err := r.c.SourcedClaims(r.Context(), info, oidc.ClaimSourceOptions{Providers: []*oidc.Provider{r.p}})
	if err != nil {
		r.Fatalf("SourcedClaims: %v", err)
	}
	for _, name := range []string{"address", "phone_number"} {
		if !got.Claims[name].Verified {
			r.Errorf("%s is %v; failed are %v", name, got.Claims[name], got.Failed)
		}
	}
	r.wantCalls(askedUserInfo, oidctest.EndpointClaims)
	if h := r.op.Requests(oidctest.EndpointClaims)[0].Header.Get("Authorization"); h != "Bearer "+raw.Sources["src1"].AccessToken {
		r.Error("the source was not asked with its own access token")
	}
}

// formPostError is the one module in which max_age 0 and prompt none go together:
// the OP cannot comply, and says so by form post.
func formPostError(r *run) {
	r.params.MaxAge, r.params.Prompt = new(time.Duration), []string{"none"}
	err := r.login()
	if op, ok := errors.AsType[*oidc.OPError](err); !ok || op.Code != "login_required" {
		r.Fatalf("got error %v, want the OP's login_required", err)
	}
	r.wantCalls(atOP)
	q := r.requested()
	if q.Get("max_age") != "0" || q.Get("prompt") != "none" {
		r.Errorf("max_age %q, prompt %q", q.Get("max_age"), q.Get("prompt"))
	}
}

// offline logs in with a refresh token.
func (r *run) offline() {
	r.Helper()
	r.metadata.GrantTypes = append(grantsFor(r.responseType), "refresh_token")
	r.params.Scopes, r.params.Prompt = []string{"offline_access"}, []string{"consent"}
	r.mustLogin()
	if r.tokens.RefreshToken == "" {
		r.Fatal("the OP gave no refresh token")
	}
}

// badRefresh is a module whose ID Token is wrong in the answer to a refresh.
func badRefresh(fault oidctest.Fault, reason oidc.Reason) func(*run) {
	return func(r *run) {
		r.start()
		r.op.Break(fault)
		r.offline()
		tokens, err := r.c.Refresh(r.Context(), r.tokens)
		wantReason(r, err, reason)
		if tokens != nil {
			r.Error("tokens beside the error")
		}
		r.wantCalls(loggedIn, oidctest.EndpointToken)
	}
}
