package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/loopback"
	"rely.example/cmd/rely/internal/profile"
	"rely.example/oidc"
)

// clientFlags say who we are at an OP. Of those that hold secrets only file
// names are flags: arguments can be read by every user of the machine.
type clientFlags struct {
	name          string
	redirectURIs  []string
	responseTypes []string
	authMethod    string
	authAlg       string
	keyFile       string
	idTokenAlg    string
	initialToken  string
	metadataFile  string
	quirks        []string
	asking        askingFlags
	tenants       tenantFlags
	oauth         oauthFlags
	grants        []string // to register for beside those of the response types
}

func (c *clientFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.name, "name", "rely", "register the client as `TEXT`, which users see")
	f.StringSliceVar(&c.redirectURIs, "redirect-uri", nil, "register or use the redirect `URI`; one like http://127.0.0.1:8400/callback where the provider insists on a fixed port (default: http://127.0.0.1/callback, any port)")
	f.StringVar(&c.authMethod, "auth-method", "", "authenticate by `METHOD`: none, client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth or self_signed_tls_client_auth")
	f.StringVar(&c.authAlg, "auth-signing-alg", "", "sign client assertions with `ALG` (default: by the kind of the key)")
	f.StringVar(&c.keyFile, "key", "", "sign and decrypt with the private key in `FILE` (PEM)")
	f.StringVar(&c.idTokenAlg, "id-token-alg", "", "expect ID Tokens signed with `ALG` (default: RS256)")
	f.StringSliceVar(&c.grants, "grant", nil, "register for the `GRANT` too, like client_credentials")
	f.StringVar(&c.initialToken, "initial-token-file", "", "register with the initial access token in `FILE` (- for standard input, or RELY_INITIAL_TOKEN)")
	f.StringVar(&c.metadataFile, "metadata", "", "take the provider metadata from `FILE` instead of asking for it; or the JSON itself")
	c.asking.register(f)
	c.tenants.register(f)
	c.oauth.register(f)
	f.StringSliceVar(&c.quirks, "quirk", nil, "bear with a provider that breaks a `RULE`: "+strings.Join(quirkNames(), ", "))
	grouped(f, flagsOfClient, "name", "redirect-uri", "auth-method", "auth-signing-alg", "key", "cert", "cert-key", "id-token-alg", "grant", "initial-token-file")
	grouped(f, flagsOfProvider, "metadata", "tenant", "tenant-issuer", "oauth-user", "oauth-id", "oauth-header", "quirk")
	grouped(f, flagsOfRequest, "par", "dpop", "request-object", "security")
}

// quirk is one rule of oidc.Quirks by its name on the command line.
type quirk struct {
	name string
	set  func(*oidc.Quirks)
}

func quirks() []quirk {
	return []quirk{
		{"raw-basic-credentials", func(q *oidc.Quirks) { q.RawBasicCredentials = true }},
		{"assertion-audience-endpoint", func(q *oidc.Quirks) { q.AssertionAudienceEndpoint = true }},
		{"email-verified-string", func(q *oidc.Quirks) { q.EmailVerifiedString = true }},
		{"any-response-mode", func(q *oidc.Quirks) { q.AnyResponseMode = true }},
		{"untold-authorization-details", func(q *oidc.Quirks) { q.UntoldAuthorizationDetails = true }},
		{"comma-scopes", func(q *oidc.Quirks) { q.CommaScopes = true }},
		{"encoded-response-issuer", func(q *oidc.Quirks) { q.EncodedResponseIssuer = true }},
	}
}

func quirkNames() []string {
	var names []string
	for _, q := range quirks() {
		names = append(names, q.name)
	}
	return names
}

func parseQuirks(names []string) (oidc.Quirks, error) {
	var out oidc.Quirks
	for _, n := range names {
		i := slices.IndexFunc(quirks(), func(q quirk) bool { return q.name == n })
		if i < 0 {
			return out, usage(nil, fmt.Errorf("--quirk %s is none of %s", quoted(n), strings.Join(quirkNames(), ", ")))
		}
		quirks()[i].set(&out)
	}
	return out, nil
}

// apply puts what the flags say of the client into a connection.
func (c *clientFlags) apply(to *profile.Connection) error {
	if c.keyFile != "" {
		if _, err := readKey(c.keyFile); err != nil {
			return err
		}
		to.KeyFile = absolute(c.keyFile)
	}
	if len(c.quirks) > 0 {
		to.Quirks = c.quirks
	}
	if err := errors.Join(c.asking.apply(&to.Asking), c.oauth.apply(to)); err != nil {
		return err
	}
	_, err := parseQuirks(to.Quirks)
	return err
}

// wanted is the metadata to register at an OP that announces md.
func (c *clientFlags) wanted(md *oidc.ProviderMetadata, redirectURIs, responseTypes []string) (oidc.ClientMetadata, error) {
	m := oidc.ClientMetadata{
		ClientName:               c.name,
		RedirectURIs:             redirectURIs,
		ResponseTypes:            responseTypes,
		ApplicationType:          applicationType(redirectURIs),
		TokenEndpointAuthMethod:  c.authMethod,
		IDTokenSignedResponseAlg: c.idTokenAlg,

		TokenEndpointAuthSigningAlg: c.authAlg,
	}
	if c.keyFile != "" {
		k, err := readKey(c.keyFile)
		if err != nil {
			return m, err
		}
		if m.JWKS, err = oidc.PublicJWKS(k); err != nil {
			return m, err
		}
		if m.TokenEndpointAuthMethod == "" {
			m.TokenEndpointAuthMethod = oidc.AuthPrivateKey
		}
	}
	secured(&m, md, c.asking.security)
	if c.asking.cert != "" {
		if err := certified(&m, md, c.asking.cert, c.asking.certKey); err != nil {
			return m, err
		}
	}
	if m.TokenEndpointAuthMethod == "" {
		m.TokenEndpointAuthMethod = preferredAuth(md.TokenEndpointAuthMethodsSupported)
	}
	if usesCode(responseTypes) && slices.Contains(md.GrantTypesSupported, "refresh_token") {
		// Without it many OPs give no refresh token (RFC 7591 section 2).
		m.GrantTypes = append(grants(responseTypes), "refresh_token")
	}
	if len(c.grants) > 0 {
		if m.GrantTypes == nil {
			m.GrantTypes = grants(responseTypes)
		}
		m.GrantTypes = append(m.GrantTypes, c.grants...)
	}
	return m, nil
}

// preferredAuth is the method to register for among those announced: a secret
// is kept as safely as the tokens are. "" leaves it to the OP.
func preferredAuth(announced []string) string {
	for _, m := range []string{oidc.AuthSecretBasic, oidc.AuthSecretPost, oidc.AuthNone} {
		if slices.Contains(announced, m) {
			return m
		}
	}
	return ""
}

// applicationType is native (Registration section 2) if the answer can be
// received on this machine alone.
func applicationType(redirectURIs []string) string {
	for _, u := range redirectURIs {
		if strings.HasPrefix(u, "https:") || strings.HasPrefix(u, "http:") && !loopback.Usable(u) {
			return "web"
		}
	}
	return "native"
}

func usesCode(responseTypes []string) bool {
	return len(responseTypes) == 0 || slices.ContainsFunc(responseTypes, func(rt string) bool {
		return slices.Contains(strings.Fields(rt), "code")
	})
}

// grants are those that response types need (Registration section 2).
func grants(responseTypes []string) []string {
	var out []string
	if usesCode(responseTypes) {
		out = append(out, "authorization_code")
	}
	for _, rt := range responseTypes {
		if strings.Contains(rt, "token") {
			return append(out, "implicit")
		}
	}
	return out
}

// staticProvider makes the OP of metadata that is in a file, or is written there.
func (a *app) staticProvider(given string, c profile.Connection) (*target, error) {
	b, file := []byte(given), "JSON"
	if !strings.HasPrefix(strings.TrimSpace(given), "{") {
		var err error
		if b, err = readFile(given); err != nil {
			return nil, usage(nil, wrapf(err, "--metadata"))
		}
		file = given
	}
	md, err := oidc.ParseProviderMetadata(b)
	if err != nil {
		return nil, usage(nil, wrapf(err, "--metadata %s", file))
	}
	if strings.Contains(md.Issuer, oidc.TenantPlace) {
		return nil, usage(nil, fmt.Errorf("--metadata %s: the issuer %s stands for many tenants; put there that of one", file, quoted(md.Issuer)))
	}
	c = a.reach(c, hostOf(md.Issuer))
	o, err := a.options(c)
	if err != nil {
		return nil, err
	}
	p, err := oidc.NewProvider(md, o)
	if err != nil {
		return nil, usage(nil, wrapf(err, "--metadata %s", file))
	}
	return &target{p, c, "a file"}, nil
}

// checkIssuerFlag refuses an argument and an --issuer that disagree.
func (a *app) checkIssuerFlag(cmd *cobra.Command, args []string) (string, error) {
	switch {
	case len(args) == 0:
		return a.flags.issuer, nil
	case a.flags.issuer != "" && !profile.SameIssuer(a.flags.issuer, args[0]) && a.given["issuer"]:
		return "", usage(cmd, errors.New("the issuer is given twice: "+quoted(args[0])+" and --issuer"))
	}
	return args[0], nil
}

// metadataOf is what a profile keeps of the OP.
func metadataOf(md oidc.ProviderMetadata) (json.RawMessage, error) {
	if md.Raw != nil {
		return md.Raw, nil
	}
	return json.Marshal(md)
}
