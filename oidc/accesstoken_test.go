package oidc_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"rely.example/internal/jose"
	"rely.example/oidc"
	"rely.example/oidctest"
)

const apiURL = "https://api.example/v1"

// api is a resource server at a test OP.
type api struct {
	t  *testing.T
	op *oidctest.OP
	p  *oidc.Provider
	v  *oidc.AccessTokenVerifier
}

func newAPI(t *testing.T, edit ...func(*oidc.AccessTokenConfig)) *api {
	t.Helper()
	op := newOP(t)
	return apiAt(t, op, options(op), edit...)
}

func apiAt(t *testing.T, op *oidctest.OP, o *oidc.Options, edit ...func(*oidc.AccessTokenConfig)) *api {
	t.Helper()
	a := &api{t: t, op: op}
	var err error
	if a.p, err = oidc.Discover(t.Context(), a.op.Issuer, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.p.Close)
	a.verifier(edit...)
	return a
}

func (a *api) verifier(edit ...func(*oidc.AccessTokenConfig)) {
	a.t.Helper()
	c := oidc.AccessTokenConfig{Audiences: []string{apiURL}}
	for _, e := range edit {
		e(&c)
	}
	var err error
	if a.v, err = oidc.NewAccessTokenVerifier(a.p, c); err != nil {
		a.t.Fatal(err)
	}
}

// happy is a token with which nothing is wrong.
func (a *api) happy() oidctest.AccessToken {
	return oidctest.AccessToken{ClientID: "app", Subject: "alice", Audience: []string{apiURL}, Scopes: []string{"read", "write"}, AuthTime: a.op.Now(), ACR: "gold"}
}

func (a *api) issue(x oidctest.AccessToken, faults ...oidctest.AccessTokenFault) string {
	a.t.Helper()
	raw, err := a.op.IssueAccessToken(x, faults...)
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

// sign signs the claims of a happy token with a change, in which nil deletes one.
func (a *api) sign(typ string, change map[string]any) string {
	a.t.Helper()
	j := parseJWT(a.t, a.issue(a.happy()))
	if j.header["typ"] = typ; typ == "" {
		delete(j.header, "typ")
	}
	for name, v := range change {
		if j.claims[name] = v; v == nil {
			delete(j.claims, name)
		}
	}
	return j.payload(marshal(j.claims))
}

func (a *api) accepts(raw string, by oidc.Presenter) *oidc.AccessToken {
	a.t.Helper()
	t, err := a.v.Verify(a.t.Context(), raw, by)
	if err != nil {
		a.t.Fatal(err)
	}
	return t
}

func (a *api) refuses(raw string, by oidc.Presenter, want oidc.Reason) {
	a.t.Helper()
	t, err := a.v.Verify(a.t.Context(), raw, by)
	wantReason(a.t, err, want)
	if t != nil {
		a.t.Errorf("a token beside the error: %v", t)
	}
	if err != nil && strings.Contains(err.Error(), raw) {
		a.t.Errorf("the error holds the token: %v", err)
	}
}

func TestAccessToken(t *testing.T) {
	a := newAPI(t)
	tok, err := a.v.Verify(t.Context(), a.issue(a.happy()), oidc.Presenter{})
	if err != nil {
		t.Fatal(err)
	}
	if tok.Subject != "alice" || tok.ClientID != "app" || !tok.HasScope("write") || tok.HasScope("writ") || tok.ACR != "gold" || tok.AuthTime.IsZero() ||
		tok.Identity() != (oidc.Identity{Issuer: a.op.Issuer, Subject: "alice"}) || tok.Algorithm() != "RS256" || tok.ID == "" {
		t.Errorf("got %+v", *tok)
	}
	var c struct {
		JTI string `json:"jti"`
	}
	if err := tok.Claims(&c); err != nil || c.JTI != tok.ID {
		t.Errorf("Claims: %v, %v", c, err)
	}
	j, err := json.Marshal(tok)
	if err != nil || !strings.Contains(string(j), `"sub":"alice"`) {
		t.Errorf("JSON: %s (%v)", j, err)
	}
	if s := fmt.Sprintf("%+v %v", tok, slog.AnyValue(tok).Resolve()); !strings.Contains(s, "alice") || strings.Contains(s, c.JTI) {
		t.Errorf("printed: %s", s)
	}
}

// TestAccessTokenFaults: each rule that a token can break, and what it is called.
func TestAccessTokenFaults(t *testing.T) {
	want := map[oidctest.AccessTokenFault]oidc.Reason{
		oidctest.AccessAlgNone: oidc.BadAlgorithm, oidctest.AccessAlgOther: oidc.BadAlgorithm, oidctest.AccessKeyOther: oidc.BadSignature,
		oidctest.AccessKidOther: oidc.UnknownKey, oidctest.AccessSignatureEmpty: oidc.BadSignature,
		oidctest.AccessTypIDToken: oidc.BadType, oidctest.AccessTypMissing: oidc.BadType, oidctest.AccessTypLogout: oidc.BadType,
		oidctest.AccessIssOther: oidc.BadIssuer, oidctest.AccessIssMissing: oidc.BadIssuer,
		oidctest.AccessAudOther: oidc.BadAudience, oidctest.AccessAudMissing: oidc.BadAudience, oidctest.AccessAudPrefix: oidc.BadAudience,
		oidctest.AccessExpired: oidc.TokenExpired, oidctest.AccessExpMissing: oidc.MissingClaim, oidctest.AccessExpText: oidc.BadClaim,
		oidctest.AccessIatMissing: oidc.MissingClaim, oidctest.AccessIatFuture: oidc.TokenNotYetValid, oidctest.AccessIatOld: oidc.TokenTooOld,
		oidctest.AccessNbfFuture: oidc.TokenNotYetValid, oidctest.AccessSubMissing: oidc.BadSubject, oidctest.AccessClientMissing: oidc.MissingClaim,
		oidctest.AccessJTIMissing: oidc.MissingClaim, oidctest.AccessScopeList: oidc.BadClaim, oidctest.AccessDuplicateAud: oidc.MalformedToken,
		oidctest.AccessBoundOtherwise: oidc.BadBinding,
	}
	a := newAPI(t)
	for _, f := range oidctest.AccessTokenFaults() {
		t.Run(string(f.Fault), func(t *testing.T) {
			a := *a
			a.t = t
			reason, ok := want[f.Fault]
			if !ok {
				t.Fatal("nobody says what it is called")
			}
			a.refuses(a.issue(a.happy(), f.Fault), oidc.Presenter{}, reason)
		})
	}
}

// TestAccessTokenAtTheBounds: exp may be past, iat and nbf to come, and a token older
// than MaxAge, by the skew of the clocks and no more; sub and scopes are bounded.
func TestAccessTokenAtTheBounds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	op := newOP(t, nowAt(now))
	const maxAge = 30 * time.Minute
	a := apiAt(t, op, options(op), func(c *oidc.AccessTokenConfig) { c.MaxAge, c.Quirks.AccessTokenScp = maxAge, true })
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	const skew = oidc.DefaultClockSkew
	for name, c := range map[string]struct {
		claim     string
		at, after any
		want      oidc.Reason
	}{
		"exp":         {"exp", at(-skew), at(-skew - time.Second), oidc.TokenExpired},
		"iat":         {"iat", at(skew), at(skew + time.Second), oidc.TokenNotYetValid},
		"age":         {"iat", at(-maxAge - skew), at(-maxAge - skew - time.Second), oidc.TokenTooOld},
		"nbf":         {"nbf", at(skew), at(skew + time.Second), oidc.TokenNotYetValid},
		"sub":         {"sub", strings.Repeat("s", oidc.MaxSubject), strings.Repeat("s", oidc.MaxSubject+1), oidc.BadSubject},
		"scope":       {"scope", strings.Repeat("s ", oidc.MaxScopes-1) + "s", strings.Repeat("s ", oidc.MaxScopes) + "s", oidc.BadClaim},
		"scp, a list": {"scp", slices.Repeat([]string{"s"}, oidc.MaxScopes), slices.Repeat([]string{"s"}, oidc.MaxScopes+1), oidc.BadClaim},
	} {
		t.Run(name, func(t *testing.T) {
			a := *a
			a.t = t
			a.accepts(a.sign("at+jwt", map[string]any{c.claim: c.at}), oidc.Presenter{})
			a.refuses(a.sign("at+jwt", map[string]any{c.claim: c.after}), oidc.Presenter{}, c.want)
		})
	}
}

// TestAccessTokenTypes: typ is a media type, written short or in full, in any case
// (RFC 7515 section 4.1.9); the quirk admits the typ of any JWT, and none.
func TestAccessTokenTypes(t *testing.T) {
	a := newAPI(t)
	for _, quirk := range []bool{false, true} {
		a.verifier(func(c *oidc.AccessTokenConfig) { c.Quirks.AccessTokenAnyType = quirk })
		for typ, ok := range map[string]bool{
			"at+jwt": true, "AT+JWT": true, "application/at+jwt": true, "": quirk, "JWT": quirk, "jwt": quirk,
			"logout+jwt": false, "secevent+jwt": false, "at+jwt ": false,
		} {
			if raw := a.sign(typ, nil); ok {
				a.accepts(raw, oidc.Presenter{})
			} else {
				a.refuses(raw, oidc.Presenter{}, oidc.BadType)
			}
		}
	}
	// Null is a claim that is not there, but for events, which no access token names.
	a.accepts(a.sign("JWT", map[string]any{"acr": json.RawMessage("null"), "cnf": json.RawMessage("null")}), oidc.Presenter{})
	a.refuses(a.sign("JWT", map[string]any{"events": json.RawMessage("null")}), oidc.Presenter{}, oidc.BadType)
}

// TestAccessTokenChecksAreTold: who traces sees each check that was passed, in
// order, and none of a claim that is not there.
func TestAccessTokenChecksAreTold(t *testing.T) {
	op := newOP(t)
	w := &watcher{}
	o := options(op)
	o.Trace = w.trace()
	a := apiAt(t, op, o)
	raw := a.issue(a.happy())
	w.checks = nil
	a.accepts(raw, oidc.Presenter{})
	var told []string
	for _, c := range w.checks {
		if c.Step != oidc.StepAccessToken || !c.Passed {
			t.Errorf("told %+v", c)
		}
		told = append(told, strings.Fields(c.Title)[0])
	}
	if want := "the typ iss aud exp iat exp iat iat sub client_id jti the"; strings.Join(told, " ") != want {
		t.Errorf("told %v\nwant  %s", told, want)
	}
}

// TestAccessTokenIsNoIDToken: an ID Token of the same OP, whose client has the name
// of the resource server, is refused, and so is an access token in its place.
func TestAccessTokenIsNoIDToken(t *testing.T) {
	op := newOP(t, func(c *oidctest.Config) { c.AccessTokenAudience = apiURL })
	r := setup(t, op)
	tok := r.mustLogin()
	v, err := oidc.NewAccessTokenVerifier(r.p, oidc.AccessTokenConfig{Audiences: []string{r.c.ID(), apiURL}})
	if err != nil {
		t.Fatal(err)
	}
	at, err := v.Verify(t.Context(), tok.AccessToken, oidc.Presenter{})
	if err != nil || at.Subject != tok.IDToken.Subject || at.ClientID != r.c.ID() || !at.HasScope("openid") {
		t.Fatalf("the access token of a login: %v, %v", at, err)
	}
	_, err = v.Verify(t.Context(), tok.IDToken.Raw(), oidc.Presenter{})
	wantReason(t, err, oidc.BadType)
	_, err = r.c.VerifyIDToken(t.Context(), tok.AccessToken, oidc.ExpectedIDToken{InsecureAnyNonce: true})
	wantReason(t, err, oidc.BadType)

	// With a quirk for OPs that write no typ the two are told apart by their claims.
	v, err = oidc.NewAccessTokenVerifier(r.p, oidc.AccessTokenConfig{Audiences: []string{r.c.ID()},
		Quirks: oidc.Quirks{AccessTokenAnyType: true, AccessTokenNoID: true, AccessTokenClientID: "azp"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(t.Context(), tok.IDToken.Raw(), oidc.Presenter{})
	wantReason(t, err, oidc.BadType)
}

func TestAccessTokenBinding(t *testing.T) {
	a := newAPI(t)
	plain, byKey, byCert := a.happy(), a.happy(), a.happy()
	byKey.KeyThumbprint, byCert.CertificateThumbprint = "key", "cert"
	for name, c := range map[string]struct {
		token oidctest.AccessToken
		by    oidc.Presenter
		ok    bool
	}{
		"nothing, nothing":          {plain, oidc.Presenter{}, true},
		"nothing, a certificate":    {plain, oidc.Presenter{CertificateThumbprint: "cert"}, true},
		"nothing, a proof":          {plain, oidc.Presenter{KeyThumbprint: "key"}, false},
		"key, its proof":            {byKey, oidc.Presenter{KeyThumbprint: "key"}, true},
		"key, nothing":              {byKey, oidc.Presenter{}, false},
		"key, another proof":        {byKey, oidc.Presenter{KeyThumbprint: "other"}, false},
		"key, a certificate":        {byKey, oidc.Presenter{CertificateThumbprint: "key"}, false},
		"certificate, it":           {byCert, oidc.Presenter{CertificateThumbprint: "cert"}, true},
		"certificate, nothing":      {byCert, oidc.Presenter{}, false},
		"certificate, another":      {byCert, oidc.Presenter{CertificateThumbprint: "other"}, false},
		"certificate, it and proof": {byCert, oidc.Presenter{CertificateThumbprint: "cert", KeyThumbprint: "key"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := *a
			a.t = t
			raw := a.issue(c.token)
			if !c.ok {
				a.refuses(raw, c.by, oidc.BadBinding)
			} else if _, err := a.v.Verify(t.Context(), raw, c.by); err != nil {
				t.Error(err)
			}
		})
	}
	a.verifier(func(c *oidc.AccessTokenConfig) { c.RequireBinding = true })
	a.refuses(a.issue(plain), oidc.Presenter{}, oidc.BadBinding)
	a.accepts(a.issue(byKey), oidc.Presenter{KeyThumbprint: "key"})
	a.accepts(a.issue(byCert), oidc.Presenter{CertificateThumbprint: "cert"})
	_, err := a.v.Verify(t.Context(), a.issue(plain), oidc.Presenter{KeyThumbprint: "key"})
	if wantReason(t, err, oidc.BadBinding); !strings.Contains(err.Error(), `expected "none", got "key"`) {
		t.Errorf("a proof beside a token without a key: %v", err)
	}
}

func TestAccessTokenRemembered(t *testing.T) {
	a := newAPI(t, func(c *oidc.AccessTokenConfig) { c.Remember = 4 })
	bound := a.happy()
	bound.KeyThumbprint = "key"
	by := oidc.Presenter{KeyThumbprint: "key"}
	raw := a.issue(bound)
	first, err := a.v.Verify(t.Context(), raw, by)
	if err != nil {
		t.Fatal(err)
	}
	// The keys are gone: only who remembers goes on.
	a.op.WithdrawKeys()
	a.op.RotateKeys()
	if again, err := a.v.Verify(t.Context(), raw, by); err != nil || again != first {
		t.Errorf("remembered: %v, %v", again, err)
	}
	a.refuses(raw, oidc.Presenter{}, oidc.BadBinding)
	for range 100 { // others push it out, and the memory does not grow
		if _, err := a.v.Verify(t.Context(), a.issue(a.happy()), oidc.Presenter{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.v.Remembered(); n > 4 {
		t.Errorf("%d tokens are remembered, want at most 4", n)
	}

	raw = a.issue(bound)
	if _, err := a.v.Verify(t.Context(), raw, by); err != nil {
		t.Fatal(err)
	}
	a.op.Advance(20 * time.Minute) // its exp, which is checked every time
	a.refuses(raw, by, oidc.TokenExpired)
}

// TestAccessTokenRememberedFor: what is remembered ends after RememberedFor, with the
// token's own times and with a clock that goes back; what is used stays.
func TestAccessTokenRememberedFor(t *testing.T) {
	remembering := func(t *testing.T) *api {
		op := newOP(t, nowAt(time.Unix(1_800_000_000, 0)))
		return apiAt(t, op, options(op), func(c *oidc.AccessTokenConfig) { c.Remember = 4 })
	}
	for passed, ok := range map[time.Duration]bool{0: true, oidc.RememberedFor - 1: true, oidc.RememberedFor: false, -1: false} {
		t.Run(passed.String(), func(t *testing.T) {
			a := remembering(t)
			raw := a.issue(a.happy())
			first := a.accepts(raw, oidc.Presenter{})
			a.op.Advance(passed)
			if again := a.accepts(raw, oidc.Presenter{}); (again == first) != ok {
				t.Errorf("remembered is %v, want %v", again == first, ok)
			}
		})
	}
	t.Run("expired meanwhile", func(t *testing.T) {
		a := remembering(t)
		const left = oidc.RememberedFor / 2
		raw := a.sign("at+jwt", map[string]any{"exp": a.op.Now().Add(left - oidc.DefaultClockSkew).Unix()})
		a.accepts(raw, oidc.Presenter{})
		a.op.Advance(left + 1)
		a.refuses(raw, oidc.Presenter{}, oidc.TokenExpired)
	})
	t.Run("used meanwhile", func(t *testing.T) {
		a := remembering(t)
		issued := make([]string, 5)
		tokens := make([]*oidc.AccessToken, len(issued))
		for i := range issued {
			issued[i] = a.issue(a.happy())
			tokens[i] = a.accepts(issued[i], oidc.Presenter{})
			if a.accepts(issued[0], oidc.Presenter{}) != tokens[0] {
				t.Fatalf("the token that is used is forgotten after %d", i)
			}
		}
		if a.accepts(issued[1], oidc.Presenter{}) == tokens[1] {
			t.Error("the token that is not used is remembered")
		}
	})
	t.Run("nothing", func(t *testing.T) {
		a := newAPI(t)
		raw := a.issue(a.happy())
		first := a.accepts(raw, oidc.Presenter{})
		if a.accepts(raw, oidc.Presenter{}) == first || a.v.Remembered() != 0 {
			t.Errorf("%d tokens are remembered, want none", a.v.Remembered())
		}
	})
}

func TestAccessTokenQuirks(t *testing.T) {
	a := newAPI(t)
	now := a.op.Now().Unix()
	entra := func(change ...any) string {
		claims := map[string]any{"iss": a.op.Issuer, "aud": apiURL, "sub": "alice", "azp": "app", "scp": "read write", "iat": now, "exp": now + 600}
		for i := 0; i+1 < len(change); i += 2 {
			claims[change[i].(string)] = change[i+1]
		}
		raw, err := a.op.Sign("RS256", map[string]any{"typ": "JWT"}, claims)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	a.refuses(entra(), oidc.Presenter{}, oidc.BadType)
	all := oidc.Quirks{AccessTokenAnyType: true, AccessTokenClientID: "azp", AccessTokenScp: true, AccessTokenNoID: true}
	use := func(q oidc.Quirks) { a.verifier(func(c *oidc.AccessTokenConfig) { c.Quirks = q }) }
	use(all)
	tok, err := a.v.Verify(t.Context(), entra(), oidc.Presenter{})
	if err != nil || tok.ClientID != "app" || !tok.HasScope("write") {
		t.Fatalf("with the quirks: %v, %v", tok, err)
	}
	if tok, err = a.v.Verify(t.Context(), entra("scp", []string{"read"}), oidc.Presenter{}); err != nil || !tok.HasScope("read") {
		t.Errorf("scp as a list: %v, %v", tok, err)
	}
	a.refuses(entra("nonce", "n"), oidc.Presenter{}, oidc.BadType)
	a.refuses(entra("events", map[string]any{}), oidc.Presenter{}, oidc.BadType)
	a.refuses(entra("scp", 7), oidc.Presenter{}, oidc.BadClaim)
	a.refuses(entra("cnf", "x"), oidc.Presenter{}, oidc.BadClaim)
	a.refuses(entra("scp", strings.Repeat("s ", oidc.MaxScopes)+"s"), oidc.Presenter{}, oidc.BadClaim)
	// client_id counts where both are there, in either order.
	for _, first := range []string{`"client_id":"app","azp":"other"`, `"azp":"other","client_id":"app"`} {
		j := parseJWT(t, entra())
		delete(j.claims, "azp")
		if tok := a.accepts(j.payload(j.claimsJSON(first)), oidc.Presenter{}); tok.ClientID != "app" {
			t.Errorf("%s: the client is %q", first, tok.ClientID)
		}
	}
	// Each loosens its own rule alone.
	q := all
	q.AccessTokenClientID = ""
	use(q)
	a.refuses(entra(), oidc.Presenter{}, oidc.MissingClaim)
	q = all
	q.AccessTokenNoID = false
	use(q)
	a.refuses(entra(), oidc.Presenter{}, oidc.MissingClaim)
	q = all
	q.AccessTokenScp = false
	use(q)
	if tok, err := a.v.Verify(t.Context(), entra(), oidc.Presenter{}); err != nil || len(tok.Scopes) != 0 {
		t.Errorf("without AccessTokenScp: %v, %v", tok, err)
	}
}

func TestAccessTokenKeys(t *testing.T) {
	t.Run("rotated", func(t *testing.T) {
		a := newAPI(t)
		if _, err := a.v.Verify(t.Context(), a.issue(a.happy()), oidc.Presenter{}); err != nil {
			t.Fatal(err)
		}
		a.op.RotateKeys()
		if _, err := a.v.Verify(t.Context(), a.issue(a.happy()), oidc.Presenter{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("not to be had", func(t *testing.T) {
		a := newAPI(t)
		a.op.Break(oidctest.JWKSUnavailable)
		a.refuses(a.issue(a.happy()), oidc.Presenter{}, oidc.KeysUnavailable)
	})
	t.Run("elsewhere", func(t *testing.T) {
		a := newAPI(t)
		a.op.TamperMetadata(func(m map[string]any) { m["jwks_uri"] = a.op.URL(oidctest.EndpointNone) + a.op.Issuer + "/nowhere" })
		p, err := oidc.Discover(t.Context(), a.op.Issuer, options(a.op))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		a.p = p
		a.verifier()
		raw := a.issue(a.happy())
		a.refuses(raw, oidc.Presenter{}, oidc.KeysUnavailable)
		// The OP mends its metadata, which is looked at when it is old.
		a.op.TamperMetadata(nil)
		a.op.Advance(oidc.DefaultMetadataAge + time.Minute)
		if _, err := a.v.Verify(t.Context(), a.issue(a.happy()), oidc.Presenter{}); err != nil {
			t.Error(err)
		}
	})
}

func TestAccessTokenConfig(t *testing.T) {
	a := newAPI(t)
	for name, edit := range map[string]func(*oidc.AccessTokenConfig){
		"no audience":         func(c *oidc.AccessTokenConfig) { c.Audiences = nil },
		"empty audience":      func(c *oidc.AccessTokenConfig) { c.Audiences = []string{""} },
		"symmetric algorithm": func(c *oidc.AccessTokenConfig) { c.Algorithms = []string{"HS256"} },
		"none":                func(c *oidc.AccessTokenConfig) { c.Algorithms = []string{"none"} },
		"no algorithm":        func(c *oidc.AccessTokenConfig) { c.Algorithms = []string{} },
		"negative memory":     func(c *oidc.AccessTokenConfig) { c.Remember = -1 },
	} {
		c := oidc.AccessTokenConfig{Audiences: []string{apiURL}}
		edit(&c)
		_, err := oidc.NewAccessTokenVerifier(a.p, c)
		if wantReason(t, err, oidc.BadConfig); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	_, err := oidc.NewAccessTokenVerifier(nil, oidc.AccessTokenConfig{Audiences: []string{apiURL}})
	wantReason(t, err, oidc.BadConfig)
	_, err = oidc.NewAccessTokenVerifier(a.p, oidc.AccessTokenConfig{Audiences: []string{apiURL}, Introspect: setup(t, newOP(t)).c})
	wantInput(t, err, oidc.BadConfig)
	// Of what the OP announces neither a secret's algorithms count nor unknown ones.
	for announced, ok := range map[string]bool{"HS256": false, "ZZ256": false, "RS256": true} {
		p, err := oidc.NewProvider(oidc.ProviderMetadata{Issuer: "https://op.example", JWKSURI: "https://op.example/k", IDTokenSigningAlgValuesSupported: []string{announced}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = oidc.NewAccessTokenVerifier(p, oidc.AccessTokenConfig{Audiences: []string{apiURL}})
		if !ok {
			wantInput(t, err, oidc.BadConfig)
		} else if err != nil {
			t.Error(err)
		}
	}
	a.verifier(func(c *oidc.AccessTokenConfig) { c.Algorithms = []string{"ES256"} })
	a.refuses(a.issue(a.happy()), oidc.Presenter{}, oidc.BadAlgorithm)
	old := a.happy()
	a.verifier(func(c *oidc.AccessTokenConfig) { c.MaxAge = time.Minute })
	raw := a.issue(old)
	a.op.Advance(5 * time.Minute)
	a.refuses(raw, oidc.Presenter{}, oidc.TokenTooOld)
	a.verifier(func(c *oidc.AccessTokenConfig) { c.MaxAge = -1 })
	if _, err := a.v.Verify(t.Context(), raw, oidc.Presenter{}); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}

// TestVerifyAccessTokenAllocates: as TestVerifyIDTokenAllocates, and the scopes.
func TestVerifyAccessTokenAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	now := time.Now()
	payload, err := json.Marshal(map[string]any{"iss": "https://op.example.com/tenant/one", "sub": "248289761001-abcdef-0123456789", "aud": apiURL,
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "jti": "08a5019c-17e1-4977-8f42-65a12843ea02", "client_id": "s6BhdRkqt3", "scope": "read write"})
	if err != nil {
		t.Fatal(err)
	}
	key := jose.SigningKey{ID: "k1", Alg: "RS256", Private: opKey()}
	raw, err := jose.Sign(key, map[string]any{"typ": "at+jwt"}, payload)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.PublicKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	p, err := oidc.NewProvider(oidc.ProviderMetadata{Issuer: "https://op.example.com/tenant/one", JWKS: set}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, remember := range []int{0, 16} {
		v, err := oidc.NewAccessTokenVerifier(p, oidc.AccessTokenConfig{Audiences: []string{apiURL}, Remember: remember})
		if err != nil {
			t.Fatal(err)
		}
		verify := func() {
			if _, err := v.Verify(background, raw, oidc.Presenter{}); err != nil {
				t.Fatal(err)
			}
		}
		verify() // the first one parses the header
		most := 14.0
		if remember > 0 {
			most = 1
		}
		if got := testing.AllocsPerRun(200, verify); got > most {
			t.Errorf("remembering %d: %v allocations, want at most %v", remember, got, most)
		}
	}
}
