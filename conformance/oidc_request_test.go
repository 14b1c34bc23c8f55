package conformance_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// requestTests are the modules about how the requests are made.
func requestTests() map[string]func(*run) {
	return map[string]func(*run){
		"mtls-endpoint-aliases":    aliases,
		"request-uri-signed-rs256": byReference("RS256"),
		"request-uri-signed-none":  byReference("none"),
	}
}

// byReference: the OP fetches the request object, which is signed as is registered.
func byReference(alg string) func(*run) {
	return func(r *run) {
		r.metadata.RequestObjectSigningAlg = alg
		if alg == "RS256" {
			r.useKeys(append(r.keys, oidc.Key{ID: "rp-rsa", Private: encryptionKey()})...)
		}
		r.complete()
		r.wantCalls(askedUserInfo)
		q := r.op.Requests(oidctest.EndpointAuthorization)[0].Query
		at, hash, _ := strings.Cut(q.Get("request_uri"), "#")
		object := r.objects[at]
		if len(r.objects) != 1 || object == "" {
			r.Fatalf("request_uri %q is none of the %d objects that are served", at, len(r.objects))
		}
		if sum := sha256.Sum256([]byte(object)); hash != b64(sum[:]) {
			r.Error("request_uri does not end in the hash of the object (Core 6.2)")
		}
		header, claims := decoded(r, object)
		if header["alg"] != alg || claims["iss"] != r.c.ID() || claims["aud"] != r.op.Issuer {
			r.Errorf("the object has header %v, iss %v, aud %v", header, claims["iss"], claims["aud"])
		}
		if q.Has("redirect_uri") || q.Has("state") || q.Has("nonce") {
			r.Errorf("the URL repeats what is in the object: %v", q)
		}
		if alg == "RS256" {
			encryptedObject(newRun(r.T, r.v))
		}
	}
}

// encryptedObject: an object that is encrypted for the OP names the key that it is
// for, which was fetched before.
func encryptedObject(r *run) {
	r.metadata.RequestObjectEncryptionAlg, r.metadata.RequestObjectEncryptionEnc = "ECDH-ES", "A128GCM"
	r.complete()
	at, _, _ := strings.Cut(r.op.Requests(oidctest.EndpointAuthorization)[0].Query.Get("request_uri"), "#")
	parts := strings.Split(r.objects[at], ".")
	if len(parts) != 5 {
		r.Fatalf("the object has %d parts, want those of a JWE", len(parts))
	}
	var header struct{ Alg, Enc, Kid, Cty string }
	text, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err == nil {
		err = json.Unmarshal(text, &header)
	}
	if err != nil || header.Alg != "ECDH-ES" || header.Enc != "A128GCM" || header.Kid == "" {
		r.Errorf("the object has header %s", text)
	}
	calls := r.op.Received()
	keys := slices.IndexFunc(calls, func(q oidctest.Request) bool { return q.Endpoint == oidctest.EndpointJWKS })
	login := slices.IndexFunc(calls, func(q oidctest.Request) bool { return q.Endpoint == oidctest.EndpointAuthorization })
	if keys < 0 || keys > login {
		r.Errorf("the keys were call %d, the authorization request %d", keys, login)
	}
}

// aliases: what a client with a certificate asks is asked at the aliases, where the
// OP looks at it. The ordinary endpoints take none, and so would fail.
func aliases(r *run) {
	r.complete()
	r.wantCalls(askedUserInfo)
	for _, e := range []oidctest.Endpoint{oidctest.EndpointToken, oidctest.EndpointUserInfo} {
		for _, q := range r.op.Requests(e) {
			if at := "https://" + q.Host + q.Path; at != r.op.MTLSURL(e) || q.Certificate == nil {
				r.Errorf("%s was asked at %s, with certificate: %v", e, at, q.Certificate != nil)
			}
		}
	}
}
