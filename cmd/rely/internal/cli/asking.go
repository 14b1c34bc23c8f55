package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/oidc"
)

// askingFlags say how the client asks, beyond what every client does. They are
// kept in the profile, since every later call must ask in the same way.
type askingFlags struct{ par, dpop string }

func (k *askingFlags) register(f *pflag.FlagSet) {
	f.StringVar(&k.par, "par", "", "push the request to the provider first (RFC 9126), by `MODE`: always, never, or auto where the provider demands it (default: auto)")
	f.Lookup("par").NoOptDefVal = "always"
	f.StringVar(&k.dpop, "dpop", "", "bind the tokens to a key of this login (RFC 9449), of the kind `ALG`: ES256, EdDSA or PS256; off ends it")
	f.Lookup("dpop").NoOptDefVal = string(oidc.DPoPES256)
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
	return errors.Join(
		choose("par", k.par, &to.PAR, "auto", "always", "never"),
		choose("dpop", k.dpop, &to.DPoP, off, string(oidc.DPoPES256), string(oidc.DPoPEdDSA), string(oidc.DPoPPS256)),
	)
}

// configure is the configuration of a client that asks so.
func configure(c *oidc.ClientConfig, k profile.Asking) {
	switch k.PAR {
	case "always":
		c.PAR = oidc.PARAlways
	case "never":
		c.PAR = oidc.PARNever
	}
	c.DPoP = oidc.DPoPMode(k.DPoP)
}
