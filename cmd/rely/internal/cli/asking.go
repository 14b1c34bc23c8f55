package cli

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"rely.example/cmd/rely/internal/doctor"
	"rely.example/cmd/rely/internal/profile"
	"rely.example/oidc"
)

// askingFlags say how the client asks, beyond what every client does. They are
// kept in the profile, since every later call must ask in the same way.
type askingFlags struct {
	par, dpop, cert, certKey string
	requestObject            bool
	security                 string
}

// securityProfiles are the profiles by their names on the command line.
func securityProfiles() map[string]oidc.Profile {
	return map[string]oidc.Profile{
		doctor.OAuth21: oidc.OAuth21, doctor.FAPI1Advanced: oidc.FAPI1Advanced,
		doctor.FAPI2Security: oidc.FAPI2Security, doctor.FAPI2MessageSigning: oidc.FAPI2MessageSigning,
	}
}

// dpopDefault is the kind of keys that every OP with DPoP takes.
const dpopDefault = "ES256"

// dpopModes are the kinds of keys by their names on the command line.
func dpopModes() map[string]oidc.DPoPMode {
	modes := make(map[string]oidc.DPoPMode)
	for _, m := range []oidc.DPoPMode{oidc.DPoPES256(), oidc.DPoPEdDSA(), oidc.DPoPPS256()} {
		modes[m.Algorithm()] = m
	}
	return modes
}

// isFAPI says whether a profile is one of the Financial-grade API.
func isFAPI(security string) bool { return strings.HasPrefix(security, "fapi") }

// fapiAlgs are the algorithms that all its versions admit.
func fapiAlgs() []string { return []string{"PS256", "ES256"} }

func (k *askingFlags) register(f *pflag.FlagSet) {
	f.StringVar(&k.par, "par", "", "push the request to the provider first (RFC 9126), by `MODE`: always, never, or auto where the provider demands it (default: auto)")
	f.Lookup("par").NoOptDefVal = "always"
	f.StringVar(&k.dpop, "dpop", "", "bind the tokens to a key of this login (RFC 9449), of the kind `ALG`: ES256, EdDSA or PS256; off ends it")
	f.Lookup("dpop").NoOptDefVal = dpopDefault
	f.BoolVar(&k.requestObject, "request-object", false, "sign the request, with --key (RFC 9101); where the provider demands it that happens by itself")
	f.StringVar(&k.security, "security", "", "follow the security profile `NAME`, and refuse what it forbids: "+strings.Join(doctor.Names(), ", ")+"; off ends it")
	f.StringVar(&k.cert, "cert", "", "show the client certificate in `FILE` (PEM, RFC 8705); tokens are bound to it where the provider does that")
	f.StringVar(&k.certKey, "cert-key", "", "its private key is in `FILE` (PEM; default: the same file)")
}

// off takes a choice back that a profile has.
const off = "off"

// apply puts what the flags say into what a profile has.
func (k *askingFlags) apply(to *profile.Asking) error {
	choose := func(flag, given string, field *string, values ...string) error {
		switch {
		case given == "":
		case !slices.Contains(values, given):
			return usage(nil, errors.New("--"+flag+" is "+quoted(given)+", expected "+strings.Join(values, ", ")))
		case given == values[0]:
			*field = ""
		default:
			*field = given
		}
		return nil
	}
	to.RequestObject = to.RequestObject || k.requestObject
	if k.certKey != "" && k.cert == "" {
		return usage(nil, errors.New("--cert-key needs --cert"))
	}
	if k.cert != "" {
		to.CertFile, to.CertKeyFile = absolute(k.cert), absolute(cmp.Or(k.certKey, k.cert))
		if _, err := certificate(*to); err != nil {
			return err
		}
	}
	if err := choose("security", k.security, &to.Security, append([]string{off}, doctor.Names()...)...); err != nil {
		return err
	}
	if k.dpop == "" && to.DPoP == "" && to.CertFile == "" && strings.HasPrefix(k.security, "fapi2") {
		to.DPoP = dpopDefault // tokens must be bound to something
	}
	return errors.Join(
		choose("par", k.par, &to.PAR, "auto", "always", "never"),
		choose("dpop", k.dpop, &to.DPoP, append([]string{off}, slices.Sorted(maps.Keys(dpopModes()))...)...),
	)
}

// configure is the configuration of a client that asks so.
func configure(c *oidc.ClientConfig, k profile.Asking) error {
	switch k.PAR {
	case "always":
		c.PAR = oidc.PARAlways
	case "never":
		c.PAR = oidc.PARNever
	}
	dpop := k.DPoP
	if dpop == "" && c.Metadata.DPoPBoundAccessTokens {
		dpop = dpopDefault
	}
	var known bool
	if c.DPoP, known = dpopModes()[dpop]; dpop != "" && !known {
		return errors.New("the profile binds tokens to a key of the kind " + quoted(dpop) + ", expected " + strings.Join(slices.Sorted(maps.Keys(dpopModes())), ", "))
	}
	c.Encryption = oidc.JWE()
	c.Profile = securityProfiles()[k.Security]
	if k.RequestObject {
		c.RequestObject = new(oidc.RequestObject)
	}
	if k.CertFile == "" {
		return nil
	}
	var err error
	c.Certificate, err = certificate(k)
	return err
}

// certificate reads the client's certificate.
func certificate(k profile.Asking) (oidc.CertificateSource, error) {
	source, err := oidc.CertificateFiles(k.CertFile, k.CertKeyFile)
	if err != nil {
		return nil, usage(nil, wrapf(err, "--cert"))
	}
	return source, nil
}

// secured completes what is registered for a client that follows a profile: the
// algorithms that the profile admits and the OP has.
func secured(m *oidc.ClientMetadata, md *oidc.ProviderMetadata, security string) {
	if !isFAPI(security) {
		return
	}
	choose := func(field *string, offered []string) {
		for _, alg := range fapiAlgs() {
			if *field == "" && slices.Contains(offered, alg) {
				*field = alg
			}
		}
	}
	choose(&m.IDTokenSignedResponseAlg, md.IDTokenSigningAlgValuesSupported)
	choose(&m.AuthorizationSignedResponseAlg, md.AuthorizationSigningAlgValuesSupported)
}

// certified completes what is registered for a client with a certificate.
func certified(m *oidc.ClientMetadata, md *oidc.ProviderMetadata, file, keyFile string) error {
	if keyFile == "" {
		keyFile = file
	}
	pair, err := tls.LoadX509KeyPair(file, keyFile)
	if err != nil {
		return usage(nil, wrapf(err, "--cert"))
	}
	// Where both can be had, a thief of a token needs the certificate too.
	m.TLSClientCertificateBoundAccessTokens = md.TLSClientCertificateBoundAccessTokens
	switch m.TokenEndpointAuthMethod {
	case oidc.AuthTLS:
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			return usage(nil, wrapf(err, "--cert"))
		}
		m.TLSClientAuthSubjectDN = leaf.Subject.String() // RFC 4514
	case oidc.AuthSelfSignedTLS:
		key, err := oidc.CertificateKey(pair)
		if err != nil {
			return usage(nil, wrapf(err, "--cert"))
		}
		m.JWKS, err = oidc.PublicJWKS(key)
		return err
	}
	return nil
}
