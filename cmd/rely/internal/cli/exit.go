package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/demo"
	"rely.example/cmd/rely/internal/tty"
	"rely.example/cmd/rely/internal/vault"
	"rely.example/oidc"
)

// The exit codes. rely help exit-codes tells them to users.
const (
	ExitOK          = 0
	ExitFailure     = 1   // something else failed
	ExitUsage       = 2   // the command line, a setting or a file is wrong
	ExitRefused     = 3   // the OP answered that it will not
	ExitProtocol    = 4   // the OP, or someone posing as it, broke a rule
	ExitNetwork     = 5   // no usable answer came
	ExitUnsupported = 6   // the OP lacks what was asked for
	ExitLogin       = 7   // nobody is logged in, or the grant is over
	ExitTimeout     = 8   // nobody finished the login in time
	ExitInterrupted = 130 // Ctrl-C
)

// errTimeout says that the person did not finish the login in time.
var errTimeout = errors.New("nobody finished the login in time")

// errInterrupted says that Ctrl-C was typed where the terminal makes no signal
// of it.
var errInterrupted = errors.New("interrupted")

// errLogin says that the user must log in (again).
type errLogin struct{ text string }

func (e errLogin) Error() string { return e.text }

// usageError says that the command line is wrong.
type usageError struct {
	command string
	err     error
}

func (e *usageError) Error() string {
	if e.command == "" {
		return e.err.Error()
	}
	return e.err.Error() + "; see " + e.command + " --help"
}

func (e *usageError) Unwrap() error { return e.err }

func usage(cmd *cobra.Command, err error) error {
	if e := new(usageError); errors.As(err, &e) {
		return err
	}
	if cmd == nil {
		return &usageError{err: err}
	}
	return &usageError{command: cmd.CommandPath(), err: err}
}

// quiet is an exit code whose reason was told already, as part of a result.
type quiet struct{ code int }

func (quiet) Error() string { return "the result says why" }

func exitCode(ctx context.Context, err error) int {
	if q := (quiet{}); errors.As(err, &q) {
		return q.code
	}
	if ctx.Err() != nil || errors.Is(err, errInterrupted) {
		return ExitInterrupted
	}
	if errors.As(err, new(*oidc.ProfileError)) {
		return ExitUnsupported
	}
	var (
		use      *usageError
		demoUse  *demo.UsageError
		login    errLogin
		input    *oidc.InputError
		op       *oidc.OPError
		protocol *oidc.ProtocolError
		network  *oidc.TransportError
		lacks    *oidc.UnsupportedError
	)
	switch {
	case errors.As(err, &use), errors.As(err, &demoUse):
		return ExitUsage
	case errors.As(err, &login), errors.Is(err, vault.ErrNotFound):
		return ExitLogin
	case errors.Is(err, errTimeout):
		return ExitTimeout
	case errors.As(err, &input):
		if input.Reason == oidc.NoRefreshToken || input.Reason == oidc.NoAccessToken {
			return ExitLogin
		}
		return ExitUsage
	case errors.As(err, &op):
		return ExitRefused
	case errors.As(err, &protocol):
		// An OP at an address that the user did not allow broke no rule.
		if protocol.Reason == oidc.ForbiddenAddress || protocol.Reason == oidc.InsecureURL {
			return ExitUsage
		}
		return ExitProtocol
	case errors.As(err, &network), errors.As(err, new(errStore)):
		return ExitNetwork
	case errors.As(err, &lacks):
		return ExitUnsupported
	}
	return ExitFailure
}

// report writes the one line that an error is.
func (a *app) report(code int, err error) {
	p := a.err
	if p == nil {
		// It failed before the settings were read.
		p = tty.New(a.Stderr, a.Getenv, a.flags.noColor)
	}
	text := "interrupted"
	switch {
	case code != ExitInterrupted:
		text = explain(err)
	case p.Width() > 0 && !errors.Is(err, errInterrupted):
		p.Println() // the terminal wrote ^C
	}
	p.Paragraph(p.Bold(p.Bad("rely:"))+" "+tty.Clean(text), 0)
}

// flagOf names the flag behind a field of package oidc, where there is one.
var flagOf = strings.NewReplacer(
	"ClientConfig.ID: ", "--client-id: ",
	"ClientConfig.Profile: ", "--security: ",
	"neither ClientConfig.DPoP nor Certificate is set", "neither --dpop nor --cert is given",
	"ClientConfig.Certificate is nil", "--cert is not given",
	"ClientConfig.OAuthOnly.Endpoint", "--oauth-user",
	"ClientConfig.OAuthOnly.SubjectMember", "--oauth-id",
	"ClientConfig.OAuthOnly.Header", "--oauth-header",
	"a client with OAuthOnly", "a login with --oauth-user",
	"Options.Tenants.Template", "--tenant-issuer",
	"one of Options.Tenants.IDs", "one of --tenant",
	"Options.Tenants.IDs", "--tenant",
	"(EntraConsumers for", "("+oidc.EntraConsumers+" for",
	"give it, or the key set in ProviderMetadata.JWKS", "give it in --metadata; for one that does OAuth 2.0 alone, give --oauth-user",
	"ClientConfig.Auth", "--auth-method",
	"ClientConfig.Secret", "--client-secret-file",
	"ClientConfig.Keys", "--key",
	"ClientConfig.Metadata.RedirectURIs", "--redirect-uri",
	"ClientConfig.Metadata.IDTokenSignedResponseAlg", "--id-token-alg",
	"Metadata.IDTokenSignedResponseAlg", "--id-token-alg",
	"; the algorithm agreed is in ClientConfig.Metadata", "; choose another one with --id-token-alg",
	"ClientMetadata.RedirectURIs", "--redirect-uri",
	"ClientMetadata.ResponseTypes", "--response-type",
	"ClientMetadata.TokenEndpointAuthMethod", "--auth-method",
	"ClientMetadata.IDTokenSignedResponseAlg", "--id-token-alg",
	"AuthParams.RedirectURI", "--redirect-uri",
	"AuthParams.ResponseType", "--response-type",
	"AuthParams.ResponseMode", "--response-mode",
	"AuthParams.Scopes", "--scope",
	"AuthParams.Prompt", "--prompt",
	"AuthParams.MaxAge", "--max-age",
	"AuthParams.Display", "--display",
	"AuthParams.Resources", "--resource",
	"AuthParams.Extra", "--param",
	"set AuthParams.Post", "use --post",
	"AuthParams: ", "",
	"Quirks.RawBasicCredentials", "--quirk raw-basic-credentials",
	"Quirks.AssertionAudienceEndpoint", "--quirk assertion-audience-endpoint",
	"Options: configuration refused: fetch: ", "",
	"insecure URL: fetch: ", "",
	"forbidden address: fetch: ", "",
	"; use https, or set InsecureAllowHTTP", "",
	"give its root to the transport in HTTP", "give its root with --ca-file",
	"AllowPrivate", "--allow-private",
	"AllowPorts", "--allow-private",
)

// plainWords are what the help calls what package oidc calls an OP.
var plainWords = strings.NewReplacer(
	"the OP ", "the provider ", "the OP's ", "the provider's ", "the OP;", "the provider;", "the OP:", "the provider:", "the OP,", "the provider,",
	"an OP ", "a provider ", "this OP", "this provider", "another OP", "another provider", "if the OP", "if the provider",
)

// explain says whose fault an error is, and what to do where that is known.
func explain(err error) string {
	text := flagOf.Replace(strings.ReplaceAll(err.Error(), "oidc: ", ""))
	for _, r := range []oidc.Reason{oidc.BadConfig, oidc.BadParameter} {
		// The flag says what was refused.
		if flag, detail, ok := strings.Cut(text, ": "+string(r)+": "); ok && strings.HasPrefix(flag, "--") {
			text = flag + ": " + detail
		}
	}
	var protocol *oidc.ProtocolError
	text = plainWords.Replace(text)
	// A file of the user's that breaks a rule of the protocol is no answer.
	if !errors.As(err, new(*usageError)) && errors.As(err, &protocol) && protocol.Reason != oidc.ForbiddenAddress && protocol.Reason != oidc.InsecureURL {
		text = "the provider's answer was refused: " + text
	}
	if a := advice(err); a != "" {
		text += "; " + a
	}
	return text
}

// advice is what a user can do, where the error itself does not say it.
func advice(err error) string {
	var op *oidc.OPError
	switch {
	case errors.Is(err, oidc.InsecureURL):
		return "for a provider in development --insecure-http allows it"
	case errors.Is(err, oidc.MetadataIssuerMismatch):
		expected, got, _ := strings.Cut(err.Error(), ", got ")
		switch {
		case strings.Contains(expected, oidc.TenantPlace):
			return "give the issuer of a tenant with --tenant-issuer, as the provider writes it"
		case strings.Contains(got, oidc.TenantPlace):
			return "the provider is one of many tenants: say with --tenant whose users may log in"
		case hostOf(inQuotes(expected)) != hostOf(inQuotes(got)):
			return "ask the provider's operator before you trust it: the issuer is at another host"
		}
		return "give the issuer exactly as the provider writes it"
	case errors.Is(err, oidc.NoRefreshToken), errors.Is(err, oidc.NoAccessToken):
		return "log in again: rely login (with --scope offline_access for a login that lasts)"
	case errors.As(err, &op) && op.Code == "invalid_client" && op.Hint == "":
		return "check --client-id, --client-secret-file and --auth-method"
	}
	return ""
}

// inQuotes is what stands between the first two quotation marks.
func inQuotes(s string) string {
	_, s, _ = strings.Cut(s, `"`)
	s, _, _ = strings.Cut(s, `"`)
	return s
}

// wrapf adds what was tried to an error that does not say it.
func wrapf(err error, format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}
