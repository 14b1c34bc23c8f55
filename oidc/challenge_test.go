package oidc

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func TestReadChallenges(t *testing.T) {
	for field, want := range map[string][]challenge{
		"":       nil,
		"Basic":  {{"basic", map[string]string{}}},
		"Bearer": {{"bearer", map[string]string{}}},
		`Bearer realm="a, b", error="invalid_token"`:                  {{"bearer", map[string]string{"realm": "a, b", "error": "invalid_token"}}},
		`Bearer error="x", DPoP error="y", algs="ES256 EdDSA"`:        {{"bearer", map[string]string{"error": "x"}}, {"dpop", map[string]string{"error": "y", "algs": "ES256 EdDSA"}}},
		`Negotiate YWJj==, dPOP Error = use_dpop_nonce`:               {{"negotiate", map[string]string{}}, {"dpop", map[string]string{"error": "use_dpop_nonce"}}},
		`Negotiate, DPoP error="a\"b\\c"`:                             {{"negotiate", map[string]string{}}, {"dpop", map[string]string{"error": `a"b\c`}}},
		`Bearer error="first", error="second"`:                        {{"bearer", map[string]string{"error": "first"}}},
		`error="of no scheme", Bearer error="x"`:                      {{"bearer", map[string]string{"error": "x"}}},
		`Bearer error="never closed`:                                  {{"bearer", map[string]string{"error": "never closed"}}},
		`Bearer error=invalid_token, error_uri=https://op.example/?x`: {{"bearer", map[string]string{"error": "invalid_token", "error_uri": "https://op.example/?x"}}},
		"Bearer \x00 error=x":                                         {{"bearer", map[string]string{}}},
		`"quoted" Bearer`:                                             nil,
		// Whatever a scheme and the credentials behind it may be written with.
		"09AZaz!#$%&'*+-.^_`|~ x=y":                       {{"09azaz!#$%&'*+-.^_`|~", map[string]string{"x": "y"}}},
		"Negotiate 09AZaz-._~+/==, DPoP error=x":          {{"negotiate", map[string]string{}}, {"dpop", map[string]string{"error": "x"}}},
		"Negotiate 09AZaz-._~+/":                          {{"negotiate", map[string]string{}}},
		"Negotiate ==, DPoP error=x":                      {{"dpop", map[string]string{"error": "x"}}}, // a parameter of no scheme
		"Negotiate/YWJj, DPoP error=x":                    {{"negotiate", map[string]string{}}},
		`Bearer realm=x, error=, error_uri=y`:             {{"bearer", map[string]string{"realm": "x", "error": "", "error_uri": "y"}}},
		`Bearer error="x\`:                                {{"bearer", map[string]string{"error": `x\`}}},
		`Bearer error="", DPoP error = "y"error_uri=z`:    {{"bearer", map[string]string{"error": ""}}, {"dpop", map[string]string{"error": "y", "error_uri": "z"}}},
		"Bearer error=x\terror_uri=y error_description=z": {{"bearer", map[string]string{"error": "x", "error_uri": "y", "error_description": "z"}}},
	} {
		if got := readChallenges(http.Header{"Www-Authenticate": {field}}); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, want %v", field, got, want)
		}
	}
	// Their neighbours end it, and the field.
	for _, c := range []string{"/", ":", "@", "[", "{", "\x7f", "\u00e9"} {
		want := []challenge{{"a", map[string]string{}}}
		if got := readChallenges(http.Header{"Www-Authenticate": {"a" + c + "b"}}); !reflect.DeepEqual(got, want) {
			t.Errorf("%q in a scheme: got %v", c, got)
		}
		if c == "/" {
			continue // which credentials may have
		}
		want = append([]challenge{{"negotiate", map[string]string{}}}, want...)
		if got := readChallenges(http.Header{"Www-Authenticate": {"Negotiate a" + c + "b, DPoP error=x"}}); !reflect.DeepEqual(got, want) {
			t.Errorf("%q in credentials: got %v", c, got)
		}
	}
	for _, c := range []string{"!", "*", "`", "|"} { // a scheme may have these, and credentials not
		want := []challenge{{"negotiate", map[string]string{}}, {"a" + c + "b", map[string]string{}}, {"dpop", map[string]string{}}}
		if got := readChallenges(http.Header{"Www-Authenticate": {"Negotiate a" + c + "b, DPoP"}}); !reflect.DeepEqual(got, want) {
			t.Errorf("%q in credentials: got %v", c, got)
		}
	}
	if got := readChallenges(http.Header{"Www-Authenticate": {strings.Repeat("A b=c, ", 1000)}}); len(got) != maxChallenges {
		t.Errorf("%d challenges of a thousand", len(got))
	}
	params := 0
	for _, c := range readChallenges(http.Header{"Www-Authenticate": {"A " + manyParams(1000), "B " + manyParams(1000)}}) {
		params += len(c.params)
	}
	if params != maxChallengeParams {
		t.Errorf("%d parameters of two thousand", params)
	}
}

func manyParams(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("p", i%40+1) + "=1, ")
	}
	return b.String()
}

// FuzzChallenges: what is read, written again in its plainest spelling, is read as
// the same; and nothing exceeds its bound.
func FuzzChallenges(f *testing.F) {
	for _, s := range []string{`Bearer realm="a, b", error="invalid_token"`, `Negotiate YWJj==, dPOP Error = use_dpop_nonce`, `Bearer error="x", DPoP error="y"`, `A b="\"\\"`, `Basic`, `=,=,"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, field string) {
		first := readChallenges(http.Header{"Www-Authenticate": {field}})
		var b strings.Builder
		params := 0
		for i, c := range first {
			if i > 0 {
				b.WriteString(", ")
			}
			if c.scheme == "" || c.scheme != strings.ToLower(c.scheme) {
				t.Fatalf("scheme %q", c.scheme)
			}
			b.WriteString(c.scheme)
			sep := " "
			for name, value := range c.params {
				b.WriteString(sep + name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`)
				sep, params = ", ", params+1
			}
		}
		if len(first) > maxChallenges || params > maxChallengeParams {
			t.Fatalf("%d challenges, %d parameters", len(first), params)
		}
		if second := readChallenges(http.Header{"Www-Authenticate": {b.String()}}); !reflect.DeepEqual(first, second) {
			t.Fatalf("%q is read as %v, and %q as %v", field, first, b.String(), second)
		}
	})
}
