package conformance_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

const (
	origin      = "https://rp.example"
	redirectURI = origin + "/callback"
)

// opKey signs for all OPs, and rpKey for all clients: a key takes long to make.
var (
	opKey      = sync.OnceValue(newRSAKey)
	rotatedKey = sync.OnceValue(newRSAKey)
	thirdKey   = sync.OnceValue(newRSAKey)

	encryptionKey = sync.OnceValue(newRSAKey)
	rpKey         = sync.OnceValue(func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	})
)

func newRSAKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the size is right and crypto/rand does not fail
	}
	return k
}

// run is one module under way with one variant: a relying party that knows
// nothing but the issuer of its OP.
type run struct {
	*testing.T
	v    variant
	op   *oidctest.OP
	opts *oidc.Options

	responseType string
	dynamic      bool // the client registers itself

	// What a module changes before it logs in.
	metadata oidc.ClientMetadata
	config   func(*oidc.ClientConfig)
	params   oidc.AuthParams
	plainID  bool // the client_id of a static client has no odd character
	keys     []oidc.Key
	edit     func(http.Header) // of what the resource answers

	p      *oidc.Provider
	reg    *oidc.Registration
	c      *oidc.Client
	tokens *oidc.Tokens
	answer url.Values // what the browser delivered last

	mu      sync.Mutex        // guards objects
	objects map[string]string // request objects by the URL at which the OP finds them
}

// newRun is a run before its OP is started.
func newRun(t *testing.T, v variant) *run {
	r := &run{T: t, v: v, responseType: v["response_type"], dynamic: v["client_registration"] == "dynamic_client"}
	r.metadata = oidc.ClientMetadata{
		RedirectURIs:            []string{redirectURI},
		ResponseTypes:           []string{r.responseType},
		TokenEndpointAuthMethod: v["client_auth_type"],
	}
	if v["client_auth_type"] == oidc.AuthPrivateKey {
		r.useKeys(oidc.Key{ID: "rp-1", Private: rpKey()})
	}
	if v["request_type"] != "plain_http_request" {
		r.metadata.RequestObjectSigningAlg = "ES256"
		r.useKeys(oidc.Key{ID: "rp-1", Private: rpKey()})
		r.params.Publish = r.publish
	}
	r.params.ResponseType = r.responseType
	if v["response_mode"] == oidc.ModeFormPost {
		r.params.ResponseMode = oidc.ModeFormPost
	}
	return r
}

// useKeys are the client's own.
func (r *run) useKeys(keys ...oidc.Key) {
	r.Helper()
	r.keys = keys
	var err error
	if r.metadata.JWKS, err = oidc.PublicJWKS(keys...); err != nil {
		r.Fatalf("PublicJWKS: %v", err)
	}
}

// start starts the OP as the suite's is: an issuer with a path and a final slash,
// credentials that must be escaped in HTTP Basic, response types in an odd order of
// words, alg none announced first, and keys of every kind in its set, one of them
// under the kid of another.
func (r *run) start(edit ...func(*oidctest.Config)) {
	r.Helper()
	c := oidctest.Config{Client: &http.Client{Transport: published{r}}, RSAKey: opKey(), RotatedRSAKeys: []*rsa.PrivateKey{rotatedKey(), thirdKey()}, InMemory: true, Path: "/test/a/rely", TrailingSlash: true, AwkwardCredentials: true}
	if r.needsCertificate() {
		c.MTLS = oidctest.MTLSAliases
	}
	for _, e := range edit {
		e(&c)
	}
	r.op = oidctest.NewWith(r.T, c)
	r.op.Break(oidctest.ResponseTypesReordered, oidctest.AlgNoneOffered,
		oidctest.JWKSUnknownCurve, oidctest.JWKSUnknownType, oidctest.JWKSMalformedKey)
	r.op.TamperJWKS(decoys)
	r.opts = &oidc.Options{HTTPClient: r.op.HTTPClient(), AllowPrivate: []string{"127.0.0.1", "op.test", "mtls.op.test"}, Now: r.op.Now}
}

// decoys puts keys in front of the OP's own: one for encryption, and one that did
// not sign under the kid of the RSA key that does.
func decoys(set map[string]any) {
	keys, _ := set["keys"].([]any)
	for _, k := range keys {
		k, _ := k.(map[string]any)
		if k["kty"] != "RSA" || k["n"] == "" {
			continue
		}
		twin, enc := maps.Clone(k), maps.Clone(k)
		twin["n"] = b64(encryptionKey().N.Bytes())
		enc["kid"], enc["use"], enc["alg"] = "enc-1", "enc", "RSA-OAEP"
		set["keys"] = append([]any{twin, enc}, keys...)
		return
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// needsCertificate says whether the client has a certificate to show.
func (r *run) needsCertificate() bool {
	method := r.metadata.TokenEndpointAuthMethod
	return method == oidc.AuthTLS || method == oidc.AuthSelfSignedTLS || r.metadata.TLSClientCertificateBoundAccessTokens
}

// makeCertificate makes the client's certificate and puts what the OP must know of
// it into the metadata.
func (r *run) makeCertificate() oidc.CertificateSource {
	r.Helper()
	if r.metadata.TokenEndpointAuthMethod != oidc.AuthSelfSignedTLS {
		cert, err := r.op.IssueCertificate("rp")
		if err != nil {
			r.Fatal(err)
		}
		if r.metadata.TokenEndpointAuthMethod == oidc.AuthTLS {
			r.metadata.TLSClientAuthSubjectDN = "CN=rp"
		}
		return oidc.Certificate(cert)
	}
	cert, err := oidctest.SelfSignedCertificate("rp")
	if err != nil {
		r.Fatal(err)
	}
	key, err := oidc.CertificateKey(cert)
	if err != nil {
		r.Fatal(err)
	}
	if r.metadata.JWKS, err = oidc.PublicJWKS(append(slices.Clone(r.keys), key)...); err != nil {
		r.Fatal(err)
	}
	return oidc.Certificate(cert)
}

// discover reads the metadata, and starts the OP if no module has.
func (r *run) discover() error {
	r.Helper()
	if r.op == nil {
		r.start()
	}
	var err error
	if r.p, err = oidc.Discover(r.Context(), r.op.Issuer, r.opts); err == nil {
		r.Cleanup(r.p.Close)
	}
	return err
}

// register makes the client, registered as the variant says.
func (r *run) register() {
	r.Helper()
	var certificate oidc.CertificateSource
	if r.needsCertificate() {
		certificate = r.makeCertificate()
	}
	var reg *oidc.Registration
	if !r.dynamic {
		reg = r.static()
	} else {
		var err error
		if reg, err = r.p.Register(r.Context(), r.metadata, ""); err != nil {
			r.Fatalf("Register: %v", err)
		}
	}
	r.reg = reg
	config := reg.ClientConfig()
	config.Keys, config.Certificate, config.Encryption = r.keys, certificate, oidc.JWE()
	if t := r.v["request_type"]; t == "request_object" || t == "request_uri" {
		config.RequestObject = &oidc.RequestObject{ByReference: t == "request_uri"}
	}
	if r.config != nil {
		r.config(&config)
	}
	var err error
	if r.c, err = oidc.NewClient(r.p, config); err != nil {
		r.Fatalf("NewClient: %v", err)
	}
}

// static registers the client by hand at both sides.
func (r *run) static() *oidc.Registration {
	r.Helper()
	m := r.metadata
	if len(m.GrantTypes) == 0 {
		m.GrantTypes = grantsFor(r.responseType)
	}
	text, err := json.Marshal(m)
	if err != nil {
		r.Fatal(err)
	}
	var c oidctest.Client
	var all map[string]any
	if err := errors.Join(json.Unmarshal(text, &c), json.Unmarshal(text, &all)); err != nil {
		r.Fatal(err)
	}
	c.ID, c.Metadata = "rely:static client%1+", all
	if r.plainID {
		c.ID = "rely-static"
	}
	c = r.op.AddClient(c)
	return &oidc.Registration{ClientID: c.ID, Secret: c.Secret, Metadata: m}
}

// grantsFor are the grants of a response type (Registration 1.0, section 2).
func grantsFor(responseType string) []string {
	switch {
	case responseType == "code":
		return []string{"authorization_code"}
	case has(responseType, "code"):
		return []string{"authorization_code", "implicit"}
	}
	return []string{"implicit"}
}

// has reports whether a response type has a word.
func has(responseType, word string) bool {
	return slices.Contains(strings.Fields(responseType), word)
}

// ready discovers and registers, both of which must succeed.
func (r *run) ready() {
	r.Helper()
	if err := r.discover(); err != nil {
		r.Fatalf("Discover: %v", err)
	}
	r.register()
}

// begin takes a browser through the OP and reads what it delivers.
func (r *run) begin() (oidc.Pending, oidc.AuthResponse) {
	r.Helper()
	if r.c == nil {
		r.ready()
	}
	req, err := r.c.Begin(r.Context(), r.params)
	if err != nil {
		r.Fatalf("Begin: %v", err)
	}
	cb, err := r.op.Browser().Login(r.Context(), req.URL())
	if err != nil {
		r.Fatalf("the browser's login: %v", err)
	}
	r.answer = cb.Params()
	var res oidc.AuthResponse
	if cb.Mode == oidc.ModeFragment {
		res, err = oidc.ReadAuthURL(cb.URL.String())
	} else {
		res, err = oidc.ReadAuthResponse(cb.Request())
	}
	if err != nil {
		r.Fatalf("the response: %v", err)
	}
	return req.Pending, res
}

// publish keeps a request object for the OP to fetch.
func (r *run) publish(_ context.Context, object []byte, _ time.Time) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := origin + "/request/" + strconv.Itoa(len(r.objects))
	r.keep(at, string(object))
	return at, nil
}

// keep notes a request object; the caller holds r.mu.
func (r *run) keep(at, object string) {
	if r.objects == nil {
		r.objects = make(map[string]string)
	}
	r.objects[at] = object
}

// published is the way of the OP to what the relying party serves.
type published struct{ r *run }

func (p published) RoundTrip(q *http.Request) (*http.Response, error) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	w := httptest.NewRecorder()
	if object, ok := p.r.objects[q.URL.String()]; ok {
		w.Header().Set("Content-Type", "application/oauth-authz-req+jwt")
		_, _ = w.WriteString(object)
	} else {
		w.WriteHeader(http.StatusNotFound)
	}
	return w.Result(), nil
}

// requested are the parameters of the last authorization request, wherever they
// stood.
func (r *run) requested() url.Values {
	r.Helper()
	all := r.op.Requests(oidctest.EndpointAuthorization)
	if len(all) == 0 {
		r.Fatal("no authorization request")
	}
	q := all[len(all)-1].Query
	object := q.Get("request")
	if at, _, _ := strings.Cut(q.Get("request_uri"), "#"); at != "" {
		r.mu.Lock()
		object = r.objects[at]
		r.mu.Unlock()
	}
	if object == "" {
		return q
	}
	_, claims := decoded(r, object)
	out := make(url.Values)
	for name, value := range claims {
		out.Set(name, fmt.Sprint(value))
	}
	return out
}

// login is the whole way to the tokens.
func (r *run) login() error {
	r.Helper()
	pending, res := r.begin()
	var err error
	r.tokens, err = r.c.Finish(r.Context(), pending, res)
	return err
}

// mustLogin logs in, which must succeed.
func (r *run) mustLogin() {
	r.Helper()
	if err := r.login(); err != nil {
		r.Fatalf("login: %v", err)
	}
}

// complete logs in and asks for UserInfo, if the response type has an access token.
func (r *run) complete() *oidc.UserInfo {
	r.Helper()
	r.mustLogin()
	if r.tokens.AccessToken == "" {
		return nil
	}
	info, err := r.c.UserInfo(r.Context(), r.tokens)
	if err != nil {
		r.Fatalf("UserInfo: %v", err)
	}
	return info
}

// stage is how far a login gets.
type stage int

const (
	discovered    stage = iota
	atOP                      // the browser was at the OP, and nothing came of it
	firstIDToken              // the first ID Token came, and was refused
	loggedIn                  // Finish gave tokens
	askedUserInfo             // the UserInfo endpoint answered
	beforeKeys    stage = 100 // added: no ID Token needed a key of the OP
)

// wantCalls asserts what was asked of the OP up to now: exactly the calls that a
// login up to that stage consists of, in that order, and more.
func (r *run) wantCalls(until stage, more ...oidctest.Endpoint) {
	r.Helper()
	noKeys := until >= beforeKeys
	until %= 100
	want := []oidctest.Endpoint{oidctest.EndpointDiscovery}
	if r.dynamic {
		want = append(want, oidctest.EndpointRegistration)
	}
	rt := r.responseType
	keys := func() {
		if !noKeys {
			want = append(want, oidctest.EndpointJWKS)
		}
	}
	front := has(rt, "id_token")
	if until >= atOP {
		want = append(want, oidctest.EndpointAuthorization)
	}
	if until >= firstIDToken && front {
		keys()
	}
	if has(rt, "code") && (until >= loggedIn || until == firstIDToken && !front) {
		want = append(want, oidctest.EndpointToken)
		if !front {
			keys()
		}
	}
	if until >= askedUserInfo && rt != "id_token" {
		want = append(want, oidctest.EndpointUserInfo)
	}
	r.wantExactly(append(want, more...)...)
}

// wantExactly asserts every call that the OP has seen, in order.
func (r *run) wantExactly(want ...oidctest.Endpoint) {
	r.Helper()
	var got []oidctest.Endpoint
	for _, q := range r.op.Received() {
		got = append(got, q.Endpoint)
	}
	if !slices.Equal(got, want) {
		r.Errorf("the OP was asked for\n     %v,\nwant %v", got, want)
	}
}

// wantReason asserts the one rule that was broken, and whose fault it is.
func wantReason(t testing.TB, err error, want oidc.Reason) {
	t.Helper()
	pe, ok := errors.AsType[*oidc.ProtocolError](err)
	if !ok || pe.Reason != want {
		t.Fatalf("got error %v, want a ProtocolError with reason %q", err, want)
	}
}

// claims edits the claims of every ID Token.
func (r *run) claims(edit func(claims map[string]any)) {
	r.op.TamperIDToken(func(_, claims map[string]any) { edit(claims) })
}

// wantInput asserts that the caller is to blame.
func wantInput(t testing.TB, err error, want oidc.Reason) {
	t.Helper()
	if ie, ok := errors.AsType[*oidc.InputError](err); !ok || ie.Reason != want {
		t.Fatalf("got error %v, want an InputError with reason %q", err, want)
	}
}
