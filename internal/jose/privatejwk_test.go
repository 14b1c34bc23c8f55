package jose

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
)

// TestParsePrivateJWK: a key, or a set of them, with all that it says of itself.
func TestParsePrivateJWK(t *testing.T) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rp"}, NotAfter: time.Now().Add(time.Hour)}
	der := must(x509.CreateCertificate(rand.Reader, template, template, p256Key().Public(), p256Key()))
	all := []gojose.JSONWebKey{
		{Key: rsaKey(), KeyID: "r", Algorithm: "PS256", Use: "sig"},
		{Key: p256Key(), KeyID: "p", Algorithm: "ES256", Certificates: []*x509.Certificate{must(x509.ParseCertificate(der))}},
		{Key: edKey()},
	}
	check := func(t *testing.T, text []byte, want ...gojose.JSONWebKey) {
		t.Helper()
		got, err := ParsePrivateJWK(text)
		if err != nil || len(got) != len(want) {
			t.Fatalf("got %v, %v", got, err)
		}
		for i, k := range got {
			same := want[i].Key.(interface{ Equal(crypto.PrivateKey) bool }).Equal(k.Private)
			if !same || k.ID != want[i].KeyID || k.Alg != want[i].Algorithm || k.Use != want[i].Use || len(k.Chain) != len(want[i].Certificates) {
				t.Errorf("got %v for %q", k, want[i].KeyID)
			}
		}
	}
	for _, k := range all {
		check(t, must(json.Marshal(k)), k)
	}
	check(t, must(json.Marshal(gojose.JSONWebKeySet{Keys: all})), all...)
	// A set is not a key, whatever stands beside its list.
	check(t, []byte(`{"kty":"oct","k":"AAAA",`+string(must(json.Marshal(gojose.JSONWebKeySet{Keys: all})))[1:]), all...)

	ed := string(must(json.Marshal(all[2])))
	set := func(n int) string { return `{"keys":[` + strings.TrimSuffix(strings.Repeat(ed+",", n), ",") + `]}` }
	if keys, err := ParsePrivateJWK([]byte(set(maxPrivateKeys))); err != nil || len(keys) != maxPrivateKeys {
		t.Errorf("as many keys as there may be: got %d, %v", len(keys), err)
	}
	for name, c := range map[string]struct {
		text string
		want Reason
	}{
		"nothing":        {"", Malformed},
		"no object":      {"[" + ed + "]", Malformed},
		"a name twice":   {`{"kty":"OKP",` + ed[1:], Malformed},
		"no list":        {`{"keys":` + ed + `}`, Malformed},
		"no keys":        {set(0), BadKey},
		"too many keys":  {set(maxPrivateKeys + 1), BadKey},
		"no key":         {`{}`, BadKey},
		"unknown type":   {`{"kty":"XYZ","d":"AAAA"}`, BadKey},
		"public":         {string(must(json.Marshal(publicKey(rsaKey(), "k")))), BadKey},
		"secret":         {`{"kty":"oct","k":"AAAA"}`, BadKey},
		"not its curve":  {`{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA","d":"AAAA"}`, BadKey},
		"one is a fault": {`{"keys":[` + ed + `,{"kty":"oct","k":"AAAA"}]}`, BadKey},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := ParsePrivateJWK([]byte(c.text))
			if refused(t, err, c.want); keys != nil {
				t.Errorf("got %v", keys)
			}
		})
	}
}

// TestPublishedCertificates: the chain is published with the thumbprint of its
// leaf (RFC 7517 sections 4.7 and 4.9), and only where there is one.
func TestPublishedCertificates(t *testing.T) {
	text := must(PublicKeySet(SigningKey{Alg: "ES256", Private: p256Key(), Chain: [][]byte{{1, 2, 3}, {4}}}, SigningKey{Alg: "ES256", Private: p256Key()}))
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) != 2 {
		t.Fatal(err)
	}
	// printf '\x01\x02\x03' | sha256sum, in base64url
	if got := set.Keys[0]["x5t#S256"]; got != "A5BYxvLAy0ksUzsKTRTvd8wPeKvMztUofYShogEc-4E" {
		t.Errorf("got %v", got)
	}
	if chain, ok := set.Keys[0]["x5c"].([]any); !ok || len(chain) != 2 || chain[0] != "AQID" {
		t.Errorf("got %v", set.Keys[0]["x5c"])
	}
	for _, name := range []string{"x5c", "x5t#S256"} {
		if _, there := set.Keys[1][name]; there {
			t.Errorf("%s without a certificate", name)
		}
	}
}
