package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rely.example/oidctest"
)

// The tenants of the pages: ours, and one that nobody allowed.
const (
	ourTenant   = "11111111-2222-3333-4444-555555555555"
	otherTenant = "99999999-8888-7777-6666-555555555555"
)

// played is an OP that plays the part of one that docs/providers tells of.
type played struct {
	issuer  string
	hosts   []string
	clients []oidctest.Client
	// paths are those of the provider's own, and what the OP has there.
	paths map[string]oidctest.Endpoint
	// api is the host whose answers are of the media type of its own, which must be
	// asked for.
	api, media string
	// as makes it answer in the provider's manner.
	as func(*oidctest.OP, *testscript.TestScript)
}

// parts are the parts by their names in scripts.
func parts() map[string]played {
	entra := func(tenant, template string) func(*oidctest.OP, *testscript.TestScript) {
		return func(op *oidctest.OP, _ *testscript.TestScript) {
			op.TamperMetadata(func(m map[string]any) { m["issuer"] = template })
			op.TamperIDToken(func(_, c map[string]any) {
				c["tid"], c["iss"] = tenant, strings.ReplaceAll(template, "{tenantid}", tenant)
			})
		}
	}
	const host, template = "login.microsoftonline.com", "https://login.microsoftonline.com/{tenantid}/v2.0"
	app := oidctest.Client{ID: "00001111-aaaa-2222-bbbb-3333cccc4444", Secret: pageSecret, RedirectURIs: []string{"http://127.0.0.1/callback"}, ApplicationType: "native",
		GrantTypes: []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"}}
	github := app
	github.ID, github.TokenEndpointAuthMethod = "Iv1.0123456789abcdef", "client_secret_post"
	return map[string]played{
		"entra": {issuer: "https://" + host + "/organizations/v2.0", hosts: []string{host}, clients: []oidctest.Client{app}, as: entra(ourTenant, template)},
		// The user is of a tenant that nobody allowed.
		"entra-stranger": {issuer: "https://" + host + "/organizations/v2.0", hosts: []string{host}, clients: []oidctest.Client{app}, as: entra(otherTenant, template)},
		"entra-v1":       {issuer: "https://" + host + "/" + ourTenant, hosts: []string{host}, clients: []oidctest.Client{app}, as: entra(ourTenant, "https://sts.windows.net/{tenantid}/")},
		"github": {issuer: "https://github.com/login/oauth", hosts: []string{"github.com", "api.github.com"}, clients: []oidctest.Client{github},
			paths: map[string]oidctest.Endpoint{"/login/oauth/access_token": oidctest.EndpointToken, "/user": oidctest.EndpointUserInfo, "/login/device/code": oidctest.EndpointDevice},
			api:   "api.github.com", media: "application/vnd.github+json",
			as: func(op *oidctest.OP, ts *testscript.TestScript) {
				op.TamperTokenResponse(func(m map[string]any) {
					delete(m, "id_token")
					delete(m, "expires_in")
					m["token_type"], m["scope"] = "bearer", "read:user,user:email"
				})
				op.TamperUserInfo(func(m map[string]any) {
					clear(m)
					m["id"], m["login"], m["name"], m["email"] = 583231, "octocat", "The Octocat", nil
					if who, err := os.ReadFile(ts.MkAbs("user.txt")); err == nil {
						m["id"] = strings.TrimSpace(string(who))
					}
				})
			}},
	}
}

// pageSecret is the secret of the clients that the pages name.
const pageSecret = "of-at-least-thirty-two-characters"

// playProvider is the command provider NAME: an OP answers under the name of a
// provider and in its manner, to whoever uses the proxy that the environment names.
func playProvider(ts *testscript.TestScript, _ bool, args []string) {
	part, ok := parts()[args[0]]
	if !ok {
		ts.Fatalf("provider: there is no part %s, but %q", args[0], slices.Sorted(maps.Keys(parts())))
	}
	op, err := oidctest.Start(oidctest.Config{Issuer: part.issuer, Clients: part.clients, NoRegistration: true, RefreshAlways: true,
		AllowNoOpenID: args[0] == "github", NoIssParameter: true, PollInterval: time.Second})
	ts.Check(err)
	ts.Defer(func() { _ = op.Close() })
	*ts.Value(opKey{}).(**oidctest.OP) = op
	part.as(op, ts)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == part.api && r.Header.Get("Accept") != part.media {
			http.Error(w, "ask for "+part.media, http.StatusNotAcceptable)
			return
		}
		if e, ok := part.paths[r.URL.Path]; ok {
			u, err := url.Parse(op.URL(e))
			ts.Check(err)
			r.URL.Path, r.Host = u.Path, u.Host
		}
		op.Handler().ServeHTTP(w, r)
	})
	front := httptest.NewUnstartedServer(handler)
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	cert, root := hostCertificate(ts, part.hosts)
	front.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	front.StartTLS()
	ts.Defer(front.Close)
	proxy := httptest.NewServer(tunnel(part.hosts, front.Listener.Addr().String()))
	ts.Defer(proxy.Close)
	ca := ts.MkAbs("provider-ca.pem")
	ts.Check(os.WriteFile(ca, root, 0o644))
	for name, value := range map[string]string{"HTTPS_PROXY": proxy.URL, "NO_PROXY": "", "CA": ca, "RELY_CA_FILE": ca, "ISSUER": part.issuer} {
		ts.Setenv(name, value)
	}
	ts.Check(os.WriteFile(ts.MkAbs("secret.txt"), []byte(pageSecret+"\n"), 0o600))
}

// tunnel is a proxy that leads every connection to one of hosts to an address.
func tunnel(hosts []string, to string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, port, err := net.SplitHostPort(r.Host)
		if err != nil || r.Method != http.MethodConnect || port != "443" || !slices.Contains(hosts, host) {
			http.Error(w, "this proxy knows no such host", http.StatusBadGateway)
			return
		}
		there, err := net.Dial("tcp", to)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = there.Close()
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { // ends with the connection
			_, _ = io.Copy(there, buffered)
			_ = there.Close()
		}()
		go func() {
			_, _ = io.Copy(here, there)
			_ = here.Close()
		}()
	})
}

// hostCertificate is a certificate for hosts that signs itself, also as PEM.
func hostCertificate(ts *testscript.TestScript, hosts []string) (tls.Certificate, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	ts.Check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// pages are the pages of the providers.
const pages = "../../docs/providers"

// commandLine is a block of a page that a reader copies into a shell.
var commandLine = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestPagesAreRun: what the pages tell to type is run by a script.
func TestPagesAreRun(t *testing.T) {
	scripts := ""
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		scripts += string(text)
	}
	names, err := filepath.Glob(pages + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range commandLine.FindAll(text, -1) {
			found++
			if run := fmt.Sprintf("page %s %d\n", filepath.Base(name), i+1); !strings.Contains(scripts, run) {
				t.Errorf("no script has %q", run)
			}
		}
	}
	if found < 5 {
		t.Errorf("found %d blocks of command lines; has their form changed?", found)
	}
}

// runPage is the command page FILE N: the shell runs the Nth block of command lines
// of a page of docs/providers, as it stands there.
func runPage(ts *testscript.TestScript, neg bool, args []string) {
	text, err := os.ReadFile(filepath.Join(pages, args[0]))
	ts.Check(err)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	blocks := commandLine.FindAllStringSubmatch(string(text), -1)
	if n < 1 || n > len(blocks) {
		ts.Fatalf("%s has %d blocks of command lines, and no number %d", args[0], len(blocks), n)
	}
	if err := ts.Exec("sh", "-ec", blocks[n-1][1]); (err != nil) != neg {
		ts.Fatalf("%s: %v", blocks[n-1][1], err)
	}
}
