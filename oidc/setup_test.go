package oidc_test

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

const redirectURI = "https://rp.example/callback"

// opKey signs for every OP of these tests: keys of 2048 bits take long to make,
// and a test that forges a token needs the OP's own.
var opKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// newOP starts a test OP whose RS256 key the test has too.
func newOP(t *testing.T, edit ...func(*oidctest.Config)) *oidctest.OP {
	t.Helper()
	c := oidctest.Config{RSAKey: opKey()}
	for _, e := range edit {
		e(&c)
	}
	return oidctest.NewWith(t, c)
}

// options reach a test OP.
func options(op *oidctest.OP) *oidc.Options {
	return &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1", "localhost", "op.test"}, Now: op.Now}
}

// rig is a relying party that is set up at a test OP, one happy login away.
type rig struct {
	t      *testing.T
	op     *oidctest.OP
	opts   *oidc.Options
	p      *oidc.Provider
	reg    *oidc.Registration
	c      *oidc.Client
	params oidc.AuthParams
	wire   *wire
	keys   []oidc.Key // of the client
}

// setup discovers op and registers a client for the code flow; each edit may
// change what is registered.
func setup(t *testing.T, op *oidctest.OP, edit ...func(*oidc.ClientMetadata)) *rig {
	t.Helper()
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
	r.opts.Trace = &oidc.Trace{Exchange: r.wire.exchange, InsecureUnmasked: true}
	r.discover()
	r.register(edit...)
	return r
}

// setupWith is setup for a client with keys, whose public halves it registers.
func setupWith(t *testing.T, op *oidctest.OP, keys []oidc.Key, edit ...func(*oidc.ClientMetadata)) *rig {
	t.Helper()
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}, keys: keys}
	r.opts.Trace = &oidc.Trace{Exchange: r.wire.exchange, InsecureUnmasked: true}
	r.discover()
	r.register(append([]func(*oidc.ClientMetadata){func(m *oidc.ClientMetadata) { m.JWKS = publicJWKS(t, keys...) }}, edit...)...)
	return r
}

func (r *rig) discover() {
	r.t.Helper()
	var err error
	if r.p, err = oidc.Discover(r.t.Context(), r.op.Issuer, r.opts); err != nil {
		r.t.Fatalf("Discover: %v", err)
	}
	r.t.Cleanup(r.p.Close)
}

func (r *rig) register(edit ...func(*oidc.ClientMetadata)) {
	r.t.Helper()
	var err error
	if r.reg, err = r.p.Register(r.t.Context(), r.metadata(edit...), ""); err != nil {
		r.t.Fatalf("Register: %v", err)
	}
	r.client()
}

// metadata is what the rig registers.
func (r *rig) metadata(edit ...func(*oidc.ClientMetadata)) oidc.ClientMetadata {
	m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, GrantTypes: []string{"authorization_code", "refresh_token"}}
	for _, e := range edit {
		e(&m)
	}
	return m
}

// client makes the client of the registration; each edit may change its
// configuration.
func (r *rig) client(edit ...func(*oidc.ClientConfig)) {
	r.t.Helper()
	c := r.config(r.keys...)
	for _, e := range edit {
		e(&c)
	}
	var err error
	if r.c, err = oidc.NewClient(r.p, c); err != nil {
		r.t.Fatalf("NewClient: %v", err)
	}
}

// config is the configuration of the registration, with whatever it needs.
func (r *rig) config(keys ...oidc.Key) oidc.ClientConfig {
	c := r.reg.ClientConfig(keys...)
	c.Encryption = oidc.JWE()
	if c.Metadata.DPoPBoundAccessTokens {
		c.DPoP = oidc.DPoPES256()
	}
	return c
}

// in is the same for a subtest.
func (r *rig) in(t *testing.T) *rig {
	c := *r
	c.t = t
	return &c
}

// types registers for response types, with the grants they need.
func types(rts ...string) func(*oidc.ClientMetadata) {
	return func(m *oidc.ClientMetadata) {
		m.ResponseTypes = rts
		m.GrantTypes = []string{"authorization_code", "implicit", "refresh_token"}
	}
}

// signedWith registers for ID Tokens of an algorithm.
func signedWith(alg string) func(*oidc.ClientMetadata) {
	return func(m *oidc.ClientMetadata) { m.IDTokenSignedResponseAlg = alg }
}

// begin starts a login and takes the browser through it.
func (r *rig) begin() (oidc.Pending, *oidctest.Callback) {
	r.t.Helper()
	req, err := r.c.Begin(r.t.Context(), r.params)
	if err != nil {
		r.t.Fatalf("Begin: %v", err)
	}
	var cb *oidctest.Callback
	if req.Post() {
		action, fields := req.Form()
		cb, err = r.op.Browser().LoginForm(r.t.Context(), action, fields)
	} else {
		cb, err = r.op.Browser().Login(r.t.Context(), req.URL())
	}
	if err != nil {
		r.t.Fatalf("the browser's login: %v", err)
	}
	p := req.Pending
	r.wire.secret(p.State, p.Nonce, p.Verifier)
	for _, name := range []string{"code", "id_token", "access_token", "state"} {
		r.wire.secret(cb.Params()[name]...)
	}
	return p, cb
}

// read reads what the browser delivers.
func read(cb *oidctest.Callback) (oidc.AuthResponse, error) {
	if cb.Mode == "fragment" {
		return oidc.ReadAuthURL(cb.URL.String())
	}
	return oidc.ReadAuthResponse(cb.Request())
}

// login is the whole way; any error is the login's.
func (r *rig) login() (*oidc.Tokens, error) {
	r.t.Helper()
	pending, cb := r.begin()
	return r.finish(pending, cb)
}

func (r *rig) finish(pending oidc.Pending, cb *oidctest.Callback) (*oidc.Tokens, error) {
	res, err := read(cb)
	if err != nil {
		return nil, err
	}
	key, err := r.c.PendingKey(res)
	if err != nil {
		return nil, err
	}
	if key != pending.State {
		return nil, errors.New("the response's state finds no pending login")
	}
	return r.c.Finish(r.t.Context(), pending, res)
}

func (r *rig) mustLogin() *oidc.Tokens {
	r.t.Helper()
	t, err := r.login()
	if err != nil {
		r.t.Fatalf("login: %v", err)
	}
	return t
}

// offline asks for a refresh token and logs in.
func (r *rig) offline() *oidc.Tokens {
	r.t.Helper()
	r.params.Scopes, r.params.Prompt = []string{"offline_access"}, []string{"consent"}
	tok := r.mustLogin()
	if tok.RefreshToken == "" {
		r.t.Fatal("the OP gave no refresh token")
	}
	return tok
}

// refused logs in and asserts the one rule that was broken, and that the error
// tells no secret.
func (r *rig) refused(want oidc.Reason) {
	r.t.Helper()
	tok, err := r.login()
	r.reason(err, want)
	if tok != nil {
		r.t.Errorf("tokens beside the error: %v", tok)
	}
}

// reason asserts the one rule that was broken, and that the error tells no secret.
func (r *rig) reason(err error, want oidc.Reason) {
	r.t.Helper()
	wantReason(r.t, err, want)
	r.wire.check(r.t, err)
}

// refusal asserts that the error is the OP's refusal with that code.
func (r *rig) refusal(err error, code string) *oidc.OPError {
	r.t.Helper()
	op, ok := errors.AsType[*oidc.OPError](err)
	if !ok || op.Code != code {
		r.t.Fatalf("got error %v, want the OP's refusal with code %q", err, code)
	}
	r.wire.check(r.t, err)
	return op
}

// wantReason asserts the one rule that was broken.
func wantReason(t *testing.T, err error, want oidc.Reason) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want reason %q", err, want)
	}
	pe, ok := errors.AsType[*oidc.ProtocolError](err)
	if !ok {
		return
	}
	if pe.Reason != want {
		t.Errorf("got reason %q, want %q", pe.Reason, want)
	}
	if pe.Step == "" {
		t.Errorf("%v names no step", err)
	}
	switch pe.Reason {
	case oidc.ResponseTooLarge, oidc.UnexpectedRedirect, oidc.InsecureURL, oidc.ForbiddenAddress, oidc.UnexpectedMediaType, oidc.MalformedResponse, oidc.MalformedAuthResponse:
		// Bounds of our own and rules of HTTP have no section of the protocol.
	default:
		if pe.Spec == "" {
			t.Errorf("%v names no section", err)
		}
	}
}

// wantUnsupported asserts that both sides are right and cannot work together.
func wantUnsupported(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*oidc.UnsupportedError](err); !ok {
		t.Fatalf("got error %v, want an UnsupportedError", err)
	}
}

// wantInput asserts that the caller is to blame.
func wantInput(t *testing.T, err error, want oidc.Reason) {
	t.Helper()
	if ie, ok := errors.AsType[*oidc.InputError](err); !ok || ie.Reason != want || ie.Field == "" {
		t.Fatalf("got error %v, want an InputError with reason %q", err, want)
	}
}

// wantField asserts that a configuration is refused for one of its fields.
func wantField(t *testing.T, err error, field string) {
	t.Helper()
	wantInput(t, err, oidc.BadConfig)
	if ie, _ := errors.AsType[*oidc.InputError](err); ie.Field != field {
		t.Fatalf("got error %v, want one about %s", err, field)
	}
}

// wantNoCall asserts that no endpoint of these was asked since the log was
// cleared.
func wantNoCall(t *testing.T, op *oidctest.OP, endpoints ...oidctest.Endpoint) {
	t.Helper()
	for _, e := range endpoints {
		if n := len(op.Requests(e)); n != 0 {
			t.Errorf("%d requests to the %s endpoint, want none", n, e)
		}
	}
}

// wantCalls asserts how often an endpoint was asked since the log was cleared.
func wantCalls(t *testing.T, op *oidctest.OP, e oidctest.Endpoint, want int) {
	t.Helper()
	if n := len(op.Requests(e)); n != want {
		t.Errorf("%d requests to the %s endpoint, want %d", n, e, want)
	}
}

// wire sees every exchange and remembers the secrets that passed.
type wire struct {
	mu      sync.Mutex
	secrets []string
}

func (w *wire) secret(s ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range s {
		if len(s) >= 8 {
			w.secrets = append(w.secrets, s)
		}
	}
}

func (w *wire) exchange(_ context.Context, e oidc.Exchange) {
	var body map[string]any
	if json.Unmarshal([]byte(e.ResponseBody), &body) == nil {
		for k, v := range body {
			if s, ok := v.(string); ok && oidc.IsSecret(k) {
				w.secret(s)
			}
		}
	}
	if form, err := url.ParseQuery(e.RequestBody); err == nil {
		for k, v := range form {
			if oidc.IsSecret(k) {
				w.secret(v...)
			}
		}
	}
	if _, credential, ok := strings.Cut(e.RequestHeader.Get("Authorization"), " "); ok {
		w.secret(credential)
	}
}

// check fails if err tells a secret, in its text or in what it prints as a value.
func (w *wire) check(t *testing.T, err error) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err)} {
		for _, s := range w.secrets {
			if strings.Contains(text, s) {
				t.Errorf("the error tells a secret: %s", text)
			}
		}
	}
}

func eachResponseType(t *testing.T, f func(t *testing.T, rt, mode string)) {
	for _, rt := range []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"} {
		for _, mode := range []string{"", "query", "fragment", "form_post"} {
			if mode == "query" && rt != "code" {
				continue // refused; see TestS43ResponseType
			}
			t.Run(rt+"/"+mode, func(t *testing.T) { f(t, rt, mode) })
		}
	}
}

var background = context.Background()

func has(list []string, s string) bool { return slices.Contains(list, s) }

// jwt is an ID Token in parts, to forge another one from.
type jwt struct {
	header, claims map[string]any
	input          string // header and payload as they were
	signature      string
}

func parseJWT(t *testing.T, raw string) jwt {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts", len(parts))
	}
	j := jwt{input: parts[0] + "." + parts[1], signature: parts[2]}
	for i, into := range []*map[string]any{&j.header, &j.claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// signRS256 signs header and payload, as they are, with the OP's key.
func signRS256(header, payload []byte) string {
	input := b64(header) + "." + b64(payload)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(rand.Reader, opKey(), crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return input + "." + b64(sig)
}

// payload signs other bytes in place of the claims.
func (j jwt) payload(b []byte) string { return signRS256(marshal(j.header), b) }

// head signs the same claims under other header bytes.
func (j jwt) head(b []byte) string { return signRS256(b, marshal(j.claims)) }

// claimsJSON is the claims with more members in front, to write what a map cannot.
func (j jwt) claimsJSON(more string) []byte {
	return append([]byte("{"+more+","), marshal(j.claims)[1:]...)
}

// forge replaces the ID Token of the token endpoint.
func forge(t *testing.T, op *oidctest.OP, f func(raw string, j jwt) string) {
	op.TamperTokenResponse(func(m map[string]any) {
		if raw, ok := m["id_token"].(string); ok {
			m["id_token"] = f(raw, parseJWT(t, raw))
		}
	})
}

// claim sets a claim of every ID Token; nil deletes it.
func claim(op *oidctest.OP, name string, v any) {
	op.TamperIDToken(func(_, claims map[string]any) {
		if v == nil {
			delete(claims, name)
			return
		}
		claims[name] = v
	})
}

// seconds is a NumericDate at a distance from the OP's time.
func seconds(op *oidctest.OP, d time.Duration) int64 { return op.Now().Add(d).Unix() }

// hs256 signs the claims of a token with a secret.
func hs256(t *testing.T, j jwt, secret string) string {
	t.Helper()
	header := map[string]any{"alg": "HS256", "typ": "JWT"}
	input := b64(marshal(header)) + "." + b64(marshal(j.claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}

// hs256With is the HMAC of a text.
func hs256With(t *testing.T, input, secret string) string {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(input))
	return b64(mac.Sum(nil))
}

// nowAt stops the OP's clock.
func nowAt(now time.Time) func(*oidctest.Config) {
	return func(c *oidctest.Config) { c.Now = func() time.Time { return now } }
}
