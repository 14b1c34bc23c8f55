package oidctest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// mtlsSteps is a login of a client that shows a certificate.
func mtlsSteps() []step {
	var access string
	return []step{
		{EndpointAuthorization, func(r *run) { r.authorize("ed", "code") }},
		{EndpointToken, func(r *run) {
			cert, err := SelfSignedCertificate("twin")
			if err != nil {
				r.t.Fatal(err)
			}
			r.tls = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert.Leaf}}
			r.redeem("ed")
			access = r.str("access_token")
		}},
		{EndpointUserInfo, func(r *run) { r.bearer(r.op.URL(EndpointUserInfo), access) }},
	}
}

// showing is a client of the OP that shows a certificate.
func showing(t *testing.T, op *OP, cert *tls.Certificate) *http.Client {
	t.Helper()
	c := op.HTTPClient()
	tr, ok := c.Transport.(*http.Transport)
	if !ok {
		t.Fatalf("%T", c.Transport)
	}
	if cert != nil {
		tr.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return c
}

// TestCertificates: the OP lets the client with the right certificate in, and
// nobody else, and binds its tokens to it.
func TestCertificates(t *testing.T) {
	for _, mode := range []MTLSMode{MTLSAliases, MTLSEverywhere} {
		for _, memory := range []bool{false, true} {
			t.Run(string(mode)+map[bool]string{false: "", true: "_in_memory"}[memory], func(t *testing.T) {
				op := NewWith(t, Config{MTLS: mode, InMemory: memory})
				by, err := op.IssueCertificate("client", "rp.example", "10.0.0.1", "urn:rp:1", "rp@rp.example")
				if err != nil {
					t.Fatal(err)
				}
				other, err := op.IssueCertificate("somebody else")
				if err != nil {
					t.Fatal(err)
				}
				self, err := SelfSignedCertificate("client")
				if err != nil {
					t.Fatal(err)
				}
				jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: self.Leaf.PublicKey, Certificates: []*x509.Certificate{self.Leaf}}}})
				if err != nil {
					t.Fatal(err)
				}
				for name, c := range map[string]struct {
					client      Client
					right, left tls.Certificate
				}{
					"dn":          {Client{TLSClientAuthSubjectDN: "CN=client"}, by, other},
					"dns":         {Client{TLSClientAuthSANDNS: "rp.example"}, by, other},
					"ip":          {Client{TLSClientAuthSANIP: "10.0.0.1"}, by, other},
					"uri":         {Client{TLSClientAuthSANURI: "urn:rp:1"}, by, other},
					"email":       {Client{TLSClientAuthSANEmail: "rp@rp.example"}, by, other},
					"no_chain":    {Client{TLSClientAuthSubjectDN: "CN=client"}, by, self},
					"self_signed": {Client{TokenEndpointAuthMethod: "self_signed_tls_client_auth", JWKS: jwks}, self, by},
				} {
					if c.client.TokenEndpointAuthMethod == "" {
						c.client.TokenEndpointAuthMethod = "tls_client_auth"
					}
					c.client.TLSBound = true
					p := newParty(t, op, c.client)
					redeem := func(cert *tls.Certificate) answer {
						v := p.params("code")
						form := url.Values{"grant_type": {"authorization_code"}, "code": {p.login(v).Params().Get("code")}, "redirect_uri": {DefaultRedirectURI}, "code_verifier": {testVerifier}, "client_id": {p.client.ID}}
						return p.by(showing(t, op, cert), "POST", op.MTLSURL(EndpointToken), form, "")
					}
					ok := redeem(&c.right)
					if ok.status != 200 || ok.json["access_token"] == nil {
						t.Fatalf("%s: status %d, %v", name, ok.status, ok.json)
					}
					if a := redeem(&c.left); a.status != 401 || a.json["error"] != "invalid_client" {
						t.Errorf("%s: another certificate: status %d, %v", name, a.status, a.json)
					}
					if mode == MTLSEverywhere {
						if a := redeem(nil); a.status != 401 {
							t.Errorf("%s: no certificate: status %d, %v", name, a.status, a.json)
						}
					}
					token, _ := ok.json["access_token"].(string)
					if a := p.by(showing(t, op, &c.right), "GET", op.MTLSURL(EndpointUserInfo), nil, token); a.status != 200 {
						t.Errorf("%s: UserInfo: status %d", name, a.status)
					}
					if a := p.by(showing(t, op, &c.left), "GET", op.MTLSURL(EndpointUserInfo), nil, token); a.status != 401 {
						t.Errorf("%s: UserInfo by another certificate: status %d", name, a.status)
					}
					if a := p.by(showing(t, op, &c.right), "GET", op.URL(EndpointUserInfo), nil, token); (a.status == 401) != (mode == MTLSAliases) {
						t.Errorf("%s: UserInfo at the first port: status %d", name, a.status)
					}
				}
			})
		}
	}
}

func (p *party) by(c *http.Client, method, target string, form url.Values, token string) answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	_ = json.NewDecoder(res.Body).Decode(&a.json) // what is no JSON has no members
	return a
}
