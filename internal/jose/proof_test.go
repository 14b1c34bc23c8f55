package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestVerifyProof(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := func(public any) any {
		j, err := PublicJWK(public)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	sign := func(k SigningKey, header map[string]any) string {
		token, err := Sign(k, header, []byte(`{"jti":"1"}`))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	es := SigningKey{Alg: "ES256", Private: ec}
	algs := []string{"ES256", "EdDSA", "PS256", "HS256", "none", "ES999"}

	for alg, k := range map[string]SigningKey{"ES256": es, "EdDSA": {Alg: "EdDSA", Private: ed}, "PS256": {Alg: "PS256", Private: rsaKey()}} {
		public, _ := publicOf(k.Private)
		p, err := VerifyProof(sign(k, map[string]any{"typ": "dpop+jwt", "jwk": jwk(public)}), algs)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		want, err := Thumbprint(public)
		if err != nil || p.Thumbprint != want || p.Payload != `{"jti":"1"}` || p.Header.Type != "dpop+jwt" {
			t.Errorf("%s: got %+v (%v)", alg, p, err)
		}
	}

	private := map[string]any{}
	raw, _ := json.Marshal(jwk(&ec.PublicKey))
	if err := json.Unmarshal(raw, &private); err != nil {
		t.Fatal(err)
	}
	private["d"] = "AAAA"
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	es64 := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	signedText := func(input string) string { // whatever it is, the key signs it
		digest := sha256.Sum256([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, ec, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return input + "." + es64(string(r.FillBytes(make([]byte, 32)))+string(s.FillBytes(make([]byte, 32))))
	}
	byHand := func(header, payload string) string { return signedText(es64(header) + "." + es64(payload)) }
	if _, err := VerifyProof(byHand(`{"alg":"ES256","jwk":`+string(raw)+`}`, "{}"), algs); err != nil {
		t.Fatalf("made by hand: %v", err)
	}
	secret := SigningKey{Alg: "HS256", Private: []byte("0123456789abcdef0123456789abcdef")}
	good := sign(es, map[string]any{"jwk": jwk(&ec.PublicKey)})
	for name, c := range map[string]struct {
		token string
		algs  []string
		want  Reason
	}{
		"no key":             {sign(es, nil), algs, NoKey},
		"private key":        {sign(es, map[string]any{"jwk": private}), algs, UnsupportedHeader},
		"symmetric key":      {sign(secret, map[string]any{"jwk": map[string]string{"kty": "oct", "k": "AAAA"}}), algs, AlgNotAllowed},
		"another key":        {sign(es, map[string]any{"jwk": jwk(&other.PublicKey)}), algs, BadSignature},
		"key of another alg": {sign(es, map[string]any{"jwk": jwk(ed.Public())}), algs, NoKey},
		"alg not allowed":    {good, []string{"PS256"}, AlgNotAllowed},
		"jwk is null":        {sign(es, map[string]any{"jwk": nil}), algs, UnsupportedHeader},
		"jwk is a string":    {sign(es, map[string]any{"jwk": "key"}), algs, UnsupportedHeader},
		"signature changed":  {good[:len(good)-6] + "AAAAAA", algs, BadSignature},
		"no signature":       {good[:strings.LastIndexByte(good, '.')+1], algs, BadSignature},
		"two parts":          {"a.b", algs, Malformed},
		"too long":           {strings.Repeat("a", MaxToken+1), algs, TooLarge},
		"no header":          {byHand("", "{}"), algs, Malformed},
		"header not JSON":    {byHand("ES256", "{}"), algs, Malformed},
		"crit":               {byHand(`{"alg":"ES256","crit":["b64"],"b64":true,"jwk":`+string(raw)+`}`, "{}"), algs, UnsupportedHeader},
		"kid too long":       {byHand(`{"alg":"ES256","kid":"`+strings.Repeat("k", MaxKeyID+1)+`","jwk":`+string(raw)+`}`, "{}"), algs, TooLarge},
		"unsigned":           {Unsigned(map[string]any{"jwk": jwk(&ec.PublicKey)}, []byte("{}")), algs, UnsupportedAlg},
		"unknown alg":        {byHand(`{"alg":"ES999","jwk":`+string(raw)+`}`, "{}"), algs, UnsupportedAlg},
		"payload not base64": {signedText(es64(`{"alg":"ES256","jwk":`+string(raw)+`}`) + ".?"), algs, NotCanonical},
		"signature padded":   {good + "=", algs, NotCanonical},
	} {
		p, err := VerifyProof(c.token, c.algs)
		if !errors.Is(err, c.want) || p != (Proof{}) {
			t.Errorf("%s: got %v and error %v, want %q", name, p, err, c.want)
		}
	}

	// A set of keys still refuses a token that brings its own.
	set, cause := PublicKeySet(SigningKey{Alg: "ES256", Private: ec})
	if cause != nil {
		t.Fatal(cause)
	}
	keys, cause := ParseKeySet(set)
	if cause != nil {
		t.Fatal(cause)
	}
	if _, err := keys.Verify(good, algs); !errors.Is(err, UnsupportedHeader) {
		t.Errorf("KeySet.Verify of a proof: got %v", err)
	}
}
