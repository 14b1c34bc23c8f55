package oidctest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Two runs of an OP that draws the same random numbers, has the same keys and
// reads the same clock send the same bytes. So a fault that is switched on in
// one of them is seen as the first difference, or it has no effect.

// twin starts an OP whose every byte is determined.
func twin(t *testing.T, keys *keyring) *OP {
	t.Helper()
	k := &keyring{current: slices.Clone(keys.current), nonce: keys.nonce, sealing: keys.sealing}
	op := NewWith(t, Config{
		Issuer: "https://op.test", StateHash: true, ResourceMetadataSigningAlg: "EdDSA", ClientDocuments: true, Client: documentOf(twinDocument), keys: k, rand: rand.NewChaCha8([32]byte{1}),
		Now: func() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) },
		Clients: []Client{
			{ID: "ed", Secret: strings.Repeat("s", 40), IDTokenSignedResponseAlg: "EdDSA"},
			{ID: "es", Secret: strings.Repeat("s", 40), IDTokenSignedResponseAlg: "ES256"},
			{ID: "grants", Secret: strings.Repeat("s", 40), IDTokenSignedResponseAlg: "EdDSA", GrantTypes: []string{"client_credentials", grantDevice, grantCIBA, grantExchange, grantSAML}},
			{ID: "jarm", Secret: strings.Repeat("s", 40), IDTokenSignedResponseAlg: "EdDSA", AuthorizationSignedResponseAlg: "EdDSA"},
			{ID: "ui", Secret: strings.Repeat("s", 40), IDTokenSignedResponseAlg: "EdDSA", UserInfoSignedResponseAlg: "EdDSA", IntrospectionSignedResponseAlg: "EdDSA"},
		},
	})
	return op
}

// recorder takes a response in memory, and as much of it as a careful client
// would.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	cancel context.CancelFunc
}

var errEnough = errors.New("enough")

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(b []byte) (int, error) {
	if r.body.Len() > 700_000 {
		return 0, errEnough
	}
	return r.body.Write(b)
}

// Flush is what a response that dribbles does: the client gives up.
func (r *recorder) Flush() { r.cancel() }

// run is one walk through everything a relying party asks an OP.
type run struct {
	t       *testing.T
	op      *OP
	cookies string
	last    *recorder
	json    map[string]any
	answer  url.Values
	tls     *tls.ConnectionState // of the client's connection; nil: none
}

func (r *run) send(method, target string, form url.Values, header http.Header) *recorder {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	var body *strings.Reader = strings.NewReader("")
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		r.t.Fatal(err)
	}
	req.RequestURI = req.URL.RequestURI()
	req.TLS = r.tls
	maps.Copy(req.Header, header)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if r.cookies != "" {
		req.Header.Set("Cookie", r.cookies)
	}
	rec := &recorder{header: http.Header{}, cancel: cancel}
	r.op.Handler().ServeHTTP(rec, req)
	if c, _, ok := strings.Cut(rec.header.Get("Set-Cookie"), ";"); ok {
		r.cookies = c
	}
	r.last, r.json = rec, map[string]any{}
	_ = json.Unmarshal(rec.body.Bytes(), &r.json)
	return rec
}

func (r *run) authorize(client, responseType string) {
	v := (&party{client: Client{ID: client, RedirectURIs: []string{DefaultRedirectURI}}}).params(responseType)
	v.Set("max_age", "600")
	v.Set("claims", `{"id_token":{"acr":{"essential":true,"values":["urn:mace:incommon:iap:silver"]}}}`)
	rec := r.send("GET", r.op.URL(EndpointAuthorization)+"?"+v.Encode(), nil, nil)
	u, err := url.Parse(rec.header.Get("Location"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.answer = redirected(u).Params()
}

func (r *run) str(name string) string { s, _ := r.json[name].(string); return s }

func (r *run) post(client string, e Endpoint, form url.Values) {
	h := http.Header{}
	h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(client+":"+strings.Repeat("s", 40))))
	r.send("POST", r.op.URL(e), form, h)
}

func (r *run) redeem(client string) {
	r.post(client, EndpointToken, url.Values{"grant_type": {"authorization_code"}, "code": {r.answer.Get("code")}, "redirect_uri": {DefaultRedirectURI}, "code_verifier": {testVerifier}})
}

func (r *run) bearer(target, token string) {
	r.send("GET", target, nil, http.Header{"Authorization": {"Bearer " + token}})
}

type step struct {
	at Endpoint
	do func(*run)
}

// steps is a login of every kind; those of a later feature come after those that
// were there, from the file of its own tests.
func steps() []step {
	return slices.Concat(loginSteps(), parSteps(), dpopSteps(), mtlsSteps(), introspectionSteps(), statementSteps(), grantSteps(), jarmSteps(), detailSteps(), resourceSteps(), documentSteps())
}

// loginSteps is a login of every kind that needs no feature. Each may use what the one before received,
// which is what it was without a fault, since a run ends at a difference.
func loginSteps() []step {
	var access, refresh string
	return []step{
		{EndpointWebFinger, func(r *run) {
			r.send("GET", r.op.URL(EndpointWebFinger)+"?resource=acct:alice@op.test", nil, nil)
		}},
		{EndpointDiscovery, func(r *run) { r.send("GET", r.op.URL(EndpointDiscovery), nil, nil) }},
		{EndpointJWKS, func(r *run) { r.send("GET", r.op.URL(EndpointJWKS), nil, nil) }},
		{EndpointRegistration, func(r *run) {
			ctx, cancel := context.WithCancel(r.t.Context())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "POST", r.op.URL(EndpointRegistration), strings.NewReader(`{"redirect_uris":["https://rp.example/callback"],"client_name":"Twin"}`))
			if err != nil {
				r.t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			r.last = &recorder{header: http.Header{}, cancel: cancel}
			r.op.Handler().ServeHTTP(r.last, req)
			_ = json.Unmarshal(r.last.body.Bytes(), &r.json)
		}},
		{EndpointManagement, func(r *run) { r.bearer(r.str("registration_client_uri"), r.str("registration_access_token")) }},
		{EndpointAuthorization, func(r *run) { r.authorize("ed", "code") }},
		{EndpointToken, func(r *run) { r.redeem("ed"); access, refresh = r.str("access_token"), r.str("refresh_token") }},
		{EndpointUserInfo, func(r *run) { r.bearer(r.op.URL(EndpointUserInfo), access) }},
		{EndpointToken, func(r *run) {
			r.post("ed", EndpointToken, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
		}},
		{EndpointAuthorization, func(r *run) { r.authorize("ed", "code id_token") }},
		{EndpointToken, func(r *run) { r.redeem("ed") }},
		{EndpointAuthorization, func(r *run) { r.authorize("ed", "id_token token") }},
		{EndpointAuthorization, func(r *run) { r.authorize("es", "code") }},
		{EndpointToken, func(r *run) { r.redeem("es") }},
		{EndpointAuthorization, func(r *run) { r.authorize("ui", "code") }},
		{EndpointToken, func(r *run) { r.redeem("ui"); access = r.str("access_token") }},
		{EndpointUserInfo, func(r *run) { r.bearer(r.op.URL(EndpointUserInfo), access) }},
		{EndpointUserInfo, func(r *run) { r.send("POST", r.op.URL(EndpointUserInfo), url.Values{"access_token": {access}}, nil) }},
		{EndpointRevocation, func(r *run) { r.post("ui", EndpointRevocation, url.Values{"token": {access}}) }},
		{EndpointEndSession, func(r *run) { r.send("GET", r.op.URL(EndpointEndSession), nil, nil) }},
	}
}

// text is a response as two runs have it alike. ECDSA draws random numbers of
// its own: where such a signature verifies, that is all there is to say of it.
func (r *run) text() string {
	var b strings.Builder
	fmt.Fprintln(&b, r.last.status)
	for _, k := range slices.Sorted(maps.Keys(r.last.header)) {
		fmt.Fprintln(&b, k, r.last.header[k])
	}
	body := r.last.body.String()
	if t := r.str("id_token"); t != "" {
		if jws, err := jose.ParseSignedCompact(t, []jose.SignatureAlgorithm{jose.ES256}); err == nil {
			if s, err := r.op.keys.signer("ES256"); err == nil {
				if _, err := jws.Verify(s.key.Public()); err == nil {
					body = strings.Replace(body, t[strings.LastIndexByte(t, '.'):], ".valid", 1)
				}
			}
		}
	}
	if r.last.header.Get("Content-Length") != "" && len(body) != r.last.body.Len() {
		r.last.header.Del("Content-Length")
	}
	b.WriteString(body)
	return b.String()
}

func testKeys(t *testing.T) *keyring {
	t.Helper()
	keys := newKeyring(nil, nil)
	if _, err := keys.public(); err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestEachFaultShowsWhereItSays(t *testing.T) {
	keys := testKeys(t)
	var base []string
	r := &run{t: t, op: twin(t, keys)}
	for _, s := range steps() {
		s.do(r)
		base = append(base, r.text())
		if r.last.status >= 400 && s.at != EndpointAccounts { // whose challenge is what is looked at
			t.Fatalf("%s without a fault: %s", s.at, r.text())
		}
	}
	t.Run("none", func(t *testing.T) {
		r := &run{t: t, op: twin(t, keys)}
		for i, s := range steps() {
			s.do(r)
			if got := r.text(); got != base[i] {
				t.Fatalf("two runs without a fault differ at %s (step %d):\n%s\n%s", s.at, i, base[i], got)
			}
		}
	})
	for _, f := range Faults() {
		if f.Group == "TLS" {
			continue // TestTLSFaults
		}
		t.Run(string(f.Fault), func(t *testing.T) {
			r := &run{t: t, op: twin(t, keys)}
			r.op.Break(f.Fault)
			for i, s := range steps() {
				s.do(r)
				if r.text() == base[i] {
					continue
				}
				if s.at != f.At {
					t.Errorf("it shows first at %s (step %d), not at %s", s.at, i, f.At)
				}
				return
			}
			t.Error("it has no effect")
		})
	}
}

func TestMendRestores(t *testing.T) {
	keys := testKeys(t)
	a, b := &run{t: t, op: twin(t, keys)}, &run{t: t, op: twin(t, keys)}
	for _, f := range Faults() {
		b.op.Break(f.Fault)
	}
	want(t, "broken", len(b.op.Broken()), len(Faults()))
	b.op.Mend(IssuerOther, NonceWrong)
	want(t, "broken", len(b.op.Broken()), len(Faults())-2)
	b.op.Mend()
	for i, s := range steps() {
		s.do(a)
		want := a.text()
		s.do(b)
		if b.text() != want {
			t.Fatalf("step %d at %s differs after Mend", i, s.at)
		}
	}
}

func TestTLSFaults(t *testing.T) {
	dial := func(op *OP) error {
		// A client of its own has a connection of its own.
		res, err := op.HTTPClient().Get(op.URL(EndpointDiscovery))
		if err == nil {
			err = res.Body.Close()
		}
		return err
	}
	op := New(t)
	if err := dial(op); err != nil {
		t.Fatal(err)
	}
	for _, f := range Faults() {
		if f.Group != "TLS" {
			continue
		}
		t.Run(string(f.Fault), func(t *testing.T) {
			op.Break(f.Fault)
			defer op.Mend()
			err := dial(op)
			if err == nil {
				t.Fatal("the connection was accepted")
			}
			var cert *tls.CertificateVerificationError
			if got := errors.As(err, &cert); got == (f.Fault == TLSOld) {
				t.Errorf("refused for another reason: %v", err)
			}
		})
	}
	if err := dial(op); err != nil {
		t.Errorf("after Mend: %v", err)
	}
}

// faultConstants are the constants of faults_names.go, and of the file that each
// later feature has for its own.
func faultConstants(t *testing.T) []ast.Spec {
	t.Helper()
	files, err := filepath.Glob("faults_*.go")
	if err != nil {
		t.Fatal(err)
	}
	var specs []ast.Spec
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				specs = append(specs, g.Specs...)
			}
		}
	}
	return specs
}

// Every constant is in the table, and its comment says what the table says.
func TestFaultTableIsComplete(t *testing.T) {
	declared := map[string]string{} // value to comment
	names := map[string]string{}    // value to name
	for _, s := range faultConstants(t) {
		if v := s.(*ast.ValueSpec); v.Type != nil && fmt.Sprint(v.Type) == "Fault" {
			value := strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`)
			if _, twice := declared[value]; twice {
				t.Errorf("two faults are called %q", value)
			}
			declared[value] = strings.Join(strings.Fields(v.Doc.Text()), " ")
			names[value] = v.Names[0].Name
		}
	}
	infos := Faults()
	want(t, "constants and entries", len(declared), len(infos))
	for _, f := range infos {
		comment, ok := declared[string(f.Fault)]
		if !ok {
			t.Errorf("%s has no constant", f.Fault)
			continue
		}
		says := fmt.Sprintf("%s: %s (%s). %s", names[string(f.Fault)], f.Title, f.Section, f.Expect)
		if !strings.EqualFold(comment, strings.Join(strings.Fields(says), " ")) {
			t.Errorf("the comment of %s and its entry differ:\n%s\n%s", f.Fault, comment, says)
		}
		if f.Group == "" || f.Title == "" || f.Section == "" || !slices.Contains(Endpoints(), f.At) || f.Expect == "" {
			t.Errorf("the entry of %s is not complete: %+v", f.Fault, f)
		}
		if f.ResponseType != "" && !slices.Contains((&OP{}).responseTypes(), f.ResponseType) {
			t.Errorf("%s: unknown response type %q", f.Fault, f.ResponseType)
		}
	}
}
