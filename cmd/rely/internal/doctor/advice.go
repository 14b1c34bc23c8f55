package doctor

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"go/format"
	"slices"
	"strconv"
	"strings"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/oidc"
)

// Advice is which client to configure.
type Advice struct {
	// Go is an oidc.ClientConfig, as source code.
	Go string `json:"go,omitempty"`
	// Commands register such a client, and log in with it.
	Commands []string `json:"commands,omitempty"`
}

// The places in a configuration that only its owner can fill.
const (
	exampleID       = "your client_id"
	exampleRedirect = "https://app.example.com/callback"
	exampleKeyFile  = "client.pem"
	exampleCertFile = "certificate.pem"
)

// advise chooses a client that works at this OP, by the judgement of
// oidc.NewClient itself.
func (md metadata) advise(p *oidc.Provider, security string) (Advice, error) {
	c := md.choose(security)
	config := oidc.ClientConfig{ID: exampleID, Metadata: oidc.ClientMetadata{
		RedirectURIs:                []string{exampleRedirect},
		TokenEndpointAuthMethod:     c.method,
		TokenEndpointAuthSigningAlg: c.assertionAlg,
		IDTokenSignedResponseAlg:    c.idTokenAlg,
	}}
	if !md.codeFlow() {
		config.Metadata.ResponseTypes = []string{c.responseType}
	}
	if c.secret() {
		config.Secret = "a secret of at least thirty-two bytes"
	}
	if c.key() {
		k, err := throwaway(c.assertionAlg)
		if err != nil {
			return Advice{}, err
		}
		config.Keys = []oidc.Key{k}
	}
	if _, err := oidc.NewClient(p, config); err != nil {
		return Advice{}, err
	}
	return Advice{Go: md.source(c, config), Commands: md.commands(c)}, nil
}

// choice is what there is to choose.
type choice struct {
	security                                       string
	dpop                                           bool
	method, assertionAlg, idTokenAlg, responseType string
}

// certificate says whether the profile needs one here.
func (c choice) certificate() bool {
	return c.security == FAPI1Advanced || strings.HasPrefix(c.security, "fapi2") && !c.dpop
}

func (c choice) secret() bool { return strings.HasPrefix(c.method, "client_secret_") }
func (c choice) key() bool    { return c.method == oidc.AuthPrivateKey }

func (md metadata) choose(security string) choice {
	c := choice{security: security, dpop: len(md.DPoPSigningAlgValuesSupported) > 0}
	methods := []string{oidc.AuthSecretBasic, oidc.AuthSecretPost, oidc.AuthPrivateKey, oidc.AuthSecretJWT, oidc.AuthNone}
	algs := []string{"RS256", "ES256", "PS256", "EdDSA", "ES384", "ES512", "PS384", "PS512", "RS384", "RS512"}
	if security != "" && security != OAuth21 {
		methods = []string{oidc.AuthPrivateKey, oidc.AuthSecretBasic, oidc.AuthSecretPost, oidc.AuthSecretJWT, oidc.AuthNone}
		algs = []string{"PS256", "ES256", "EdDSA", "RS256"}
	}
	c.method = first(methods, md.TokenEndpointAuthMethodsSupported)
	if alg := first(algs, md.IDTokenSigningAlgValuesSupported); alg != "RS256" {
		c.idTokenAlg = alg // RS256 is what an empty field means
	}
	if c.key() && md.TokenEndpointAuthSigningAlgValuesSupported != nil {
		if alg := first([]string{"ES256", "PS256", "EdDSA", "RS256", "ES384", "ES512", "PS384", "PS512", "RS384", "RS512"}, md.TokenEndpointAuthSigningAlgValuesSupported); alg != "ES256" {
			c.assertionAlg = alg // ES256 is what the key suggested here signs with
		}
	}
	if !md.codeFlow() {
		c.responseType = first([]string{"code id_token", "id_token", "code id_token token", "id_token token", "code token"}, md.ResponseTypesSupported)
	}
	return c
}

// first is the first of preferred that is offered, or "".
func first(preferred, offered []string) string {
	for _, p := range preferred {
		if slices.Contains(offered, p) {
			return p
		}
	}
	return ""
}

// throwaway is a key of the right kind, to see whether the configuration holds.
func throwaway(alg string) (oidc.Key, error) {
	switch {
	case strings.HasPrefix(alg, "PS"), strings.HasPrefix(alg, "RS"):
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		return oidc.Key{Alg: alg, Private: k}, err
	case alg == "EdDSA":
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return oidc.Key{Private: k}, err
	case alg == "ES384":
		k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		return oidc.Key{Private: k}, err
	case alg == "ES512":
		k, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
		return oidc.Key{Private: k}, err
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return oidc.Key{Private: k}, err
}

// source writes the configuration as Go, without what its zero values say.
func (md metadata) source(c choice, config oidc.ClientConfig) string {
	var b strings.Builder
	field := func(indent int, name, value string) {
		fmt.Fprintf(&b, "%s%s: %s,\n", strings.Repeat("\t", indent), name, value)
	}
	b.WriteString("oidc.ClientConfig{\n")
	field(1, "ID", strconv.Quote(config.ID))
	if c.secret() {
		field(1, "Secret", `os.Getenv("CLIENT_SECRET")`)
	}
	if c.key() {
		field(1, "Keys", "[]oidc.Key{key}")
	}
	if strings.HasPrefix(md.Issuer, "http:") {
		b.WriteString("\t// The Provider needs oidc.Options{InsecureAllowHTTP: true}.\n")
	}
	if t := md.tenants; t != nil {
		fmt.Fprintf(&b, "\t// The Provider needs oidc.Options{Tenants: &oidc.Tenants{Template: %q, IDs: %#v}}.\n", t.Template, t.IDs)
	}
	if strings.HasPrefix(c.security, "fapi") {
		b.WriteString("\t// The Provider needs oidc.Options{StrictTLS: true}.\n")
	}
	switch c.security {
	case OAuth21:
		field(1, "Profile", "oidc.OAuth21")
	case FAPI1Advanced:
		field(1, "Profile", "oidc.FAPI1Advanced")
		field(1, "Certificate", "certificate")
	case FAPI2Security:
		field(1, "Profile", "oidc.FAPI2Security")
	case FAPI2MessageSigning:
		field(1, "Profile", "oidc.FAPI2MessageSigning")
	}
	if strings.HasPrefix(c.security, "fapi2") {
		if c.dpop {
			field(1, "DPoP", "oidc.DPoPES256()")
		} else {
			field(1, "Certificate", "certificate")
		}
	}
	b.WriteString("\tMetadata: oidc.ClientMetadata{\n")
	m := config.Metadata
	field(2, "RedirectURIs", `[]string{`+strconv.Quote(m.RedirectURIs[0])+`}`)
	if len(m.ResponseTypes) > 0 {
		field(2, "ResponseTypes", `[]string{`+strconv.Quote(m.ResponseTypes[0])+`}`)
	}
	for _, f := range []struct{ name, value string }{
		{"TokenEndpointAuthMethod", m.TokenEndpointAuthMethod},
		{"TokenEndpointAuthSigningAlg", m.TokenEndpointAuthSigningAlg},
		{"IDTokenSignedResponseAlg", m.IDTokenSignedResponseAlg},
	} {
		// client_secret_basic is what a client with a secret does unasked.
		if f.value != "" && f.value != oidc.AuthSecretBasic {
			field(2, f.name, strconv.Quote(f.value))
		}
	}
	b.WriteString("\t},\n}")
	const prefix = "config := "
	if formatted, err := format.Source([]byte(prefix + b.String())); err == nil {
		return strings.TrimPrefix(string(formatted), prefix)
	}
	return b.String() // right, if not as beautiful
}

// commands are the command lines for the same client.
func (md metadata) commands(c choice) []string {
	var out, flags []string
	if c.key() {
		out = append(out, keyCommand(c.assertionAlg))
		flags = append(flags, "--auth-method", c.method, "--key", exampleKeyFile)
	} else if c.method != "" && c.method != oidc.AuthSecretBasic {
		flags = append(flags, "--auth-method", c.method)
	}
	if c.assertionAlg != "" {
		flags = append(flags, "--auth-signing-alg", c.assertionAlg)
	}
	switch {
	case c.security == "":
	case c.certificate():
		flags = append(flags, "--security", c.security, "--cert", exampleCertFile)
	default:
		flags = append(flags, "--security", c.security)
	}
	if c.idTokenAlg != "" {
		flags = append(flags, "--id-token-alg", c.idTokenAlg)
	}
	types := ""
	if c.responseType != "" {
		types = " --response-type " + quote(c.responseType)
	}
	tail := ""
	if len(flags) > 0 {
		tail = " " + strings.Join(flags, " ")
	}
	issuer := quote(md.Issuer) + md.tenantFlags()
	if strings.HasPrefix(md.Issuer, "http:") {
		issuer += " --insecure-http"
	}
	if md.RegistrationEndpoint != "" {
		return append(out, "rely register "+issuer+tail+types, "rely login "+issuer+types)
	}
	secret := ""
	if c.secret() {
		secret = " --client-secret-file secret.txt"
	}
	return append(out, "rely login "+issuer+" --client-id ID"+secret+tail+types)
}

// tenantFlags are the flags that say whose users may log in.
func (md metadata) tenantFlags() string {
	t := md.tenants
	if t == nil {
		return ""
	}
	flags := ""
	for _, id := range t.IDs {
		flags += " --tenant " + quote(id)
	}
	if profile.TenantTemplate(md.Issuer, t.IDs) != t.Template { // which the command finds by itself
		flags += " --tenant-issuer " + quote(t.Template)
	}
	return flags
}

// keyCommand makes a key for the algorithm.
func keyCommand(alg string) string {
	kind := "EC -pkeyopt ec_paramgen_curve:P-256"
	switch {
	case strings.HasPrefix(alg, "PS"), strings.HasPrefix(alg, "RS"):
		kind = "RSA -pkeyopt rsa_keygen_bits:3072"
	case alg == "EdDSA":
		kind = "ED25519"
	case alg == "ES384":
		kind = "EC -pkeyopt ec_paramgen_curve:P-384"
	case alg == "ES512":
		kind = "EC -pkeyopt ec_paramgen_curve:P-521"
	}
	return "openssl genpkey -algorithm " + kind + " -out " + exampleKeyFile
}

// quote makes one word of s for a shell. An issuer is a stranger's text.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._:/@", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
