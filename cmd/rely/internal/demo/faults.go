package demo

import (
	"slices"
	"strings"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// needs is what a login must ask for so that a fault shows.
type needs struct {
	client      string // the kind of client; tells registrations apart
	idTokenAlg  string
	userInfoAlg string
	maxAge      *time.Duration
	claims      *oidc.ClaimsRequest
	refresh     bool
}

// needsOf reads oidctest.FaultInfo.Needs.
func needsOf(f *oidctest.FaultInfo) needs {
	var n needs
	if f == nil {
		return n
	}
	switch {
	case strings.Contains(f.Needs, "ES256"):
		n.client, n.idTokenAlg = "es256", "ES256"
	case strings.Contains(f.Needs, "signed UserInfo"):
		n.client, n.userInfoAlg = "signed-userinfo", "RS256"
	case strings.Contains(f.Needs, "max_age"):
		age := 10 * time.Minute
		n.maxAge = &age
	case strings.Contains(f.Needs, "essential acr"):
		n.claims = &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{
			"acr": {Essential: true, Values: []any{oidctest.ACRValues()[0]}},
		}}
	case strings.Contains(f.Needs, "refresh token"):
		n.refresh = true
		if f.Fault == oidctest.RefreshAuthTimeChanged {
			age := 10 * time.Minute // so that there is an auth_time to change
			n.maxAge = &age
		}
	}
	return n
}

// faultGroup is a heading of the menu and what is below it.
type faultGroup struct {
	Name   string
	Faults []oidctest.FaultInfo
}

// faultMenu is every fault that an OP on plain http can show, by group.
func faultMenu() []faultGroup {
	var menu []faultGroup
	for _, f := range oidctest.Faults() {
		if !showable(f) {
			continue
		}
		if n := len(menu); n == 0 || menu[n-1].Name != f.Group {
			menu = append(menu, faultGroup{Name: f.Group})
		}
		g := &menu[len(menu)-1]
		g.Faults = append(g.Faults, f)
	}
	return menu
}

// showable reports whether a fault can be seen here: by one relying party, at
// one OP, without TLS.
func showable(f oidctest.FaultInfo) bool {
	switch f.Fault {
	case oidctest.TokenEndpointElsewhere, oidctest.RegistrationEndpointElsewhere, oidctest.RegistrationForeignClientID:
		return false // one OP that poses as another: it takes two
	}
	return f.Needs != "a provider with TLS" && f.Flow == ""
}

// goesOn says how the relying party does what a fault demands of it while the
// login goes on; empty for all other faults.
func goesOn(f oidctest.Fault) string {
	switch f {
	case oidctest.PKCEPlainOnly:
		return "S256 was sent all the same, and plain is never used."
	case oidctest.RegistrationSecretNoExpiry:
		return "The secret is taken as one that does not expire."
	case oidctest.RegistrationURIElsewhere:
		return "The registration access token was sent nowhere."
	case oidctest.ExpiresInHuge:
		return "The lifetime is not believed, and the token is not good for ever."
	case oidctest.UserInfoEmailHostile:
		return "The address is shown as it came, and nothing is taken from it."
	}
	return ""
}

// classics are faults to begin with: each is an attack that has a name.
func classics() []oidctest.FaultInfo {
	var out []oidctest.FaultInfo
	for _, id := range []oidctest.Fault{
		oidctest.NonceWrong, oidctest.AlgNone, oidctest.SignedWithHMAC, oidctest.IssuerOther,
		oidctest.StateWrong, oidctest.ResponseIssWrong, oidctest.CHashWrong, oidctest.UserInfoOtherSubject,
	} {
		if f, ok := faultByName(string(id)); ok {
			out = append(out, f)
		}
	}
	return out
}

// faultByName finds a fault that can be shown.
func faultByName(name string) (oidctest.FaultInfo, bool) {
	all := oidctest.Faults()
	i := slices.IndexFunc(all, func(f oidctest.FaultInfo) bool { return string(f.Fault) == name })
	if i < 0 || !showable(all[i]) {
		return oidctest.FaultInfo{}, false
	}
	return all[i], true
}

func hasWord(s, word string) bool { return slices.Contains(strings.Fields(s), word) }

// sameWords compares response types, whose words may come in any order (Multiple
// Response Types section 3).
func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}
