package oidctest

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// attacker is a host that nobody owns (RFC 2606, section 2); what is sent
// there shows that a fault was believed.
const attacker = "https://attacker.example"

// group gives the entries of a table what they have in common.
func group(name string, at Endpoint, table []behaviour) []behaviour {
	for i := range table {
		table[i].Group = name
		if table[i].At == "" {
			table[i].At = at
		}
	}
	return table
}

// flow says that faults show in another exchange than a login.
func flow(name string, table []behaviour) []behaviour {
	for i := range table {
		table[i].Flow = name
	}
	return table
}

// needing says what an exchange must have for faults to show.
func needing(what string, table []behaviour) []behaviour {
	for i := range table {
		table[i].Needs = what
	}
	return table
}

// The hooks that many faults share.

// set puts a member into the document.
func set(name string, v any) func(*exchange, map[string]any) {
	return func(_ *exchange, m map[string]any) { m[name] = v }
}

// drop removes a member from the document.
func drop(name string) func(*exchange, map[string]any) {
	return func(_ *exchange, m map[string]any) { delete(m, name) }
}

// change replaces a member that is a string, if it is there.
func change(name string, f func(string) string) func(*exchange, map[string]any) {
	return func(_ *exchange, m map[string]any) {
		if s, ok := m[name].(string); ok {
			m[name] = f(s)
		}
	}
}

// claim puts a claim into an ID Token or a signed UserInfo response.
func claim(name string, v any) func(*exchange, *draft) {
	return func(_ *exchange, d *draft) { d.claims[name] = v }
}

// noClaim removes a claim.
func noClaim(name string) func(*exchange, *draft) {
	return func(_ *exchange, d *draft) { delete(d.claims, name) }
}

// headerParam puts a parameter into the JOSE header.
func headerParam(name string, v any) func(*exchange, *draft) {
	return func(_ *exchange, d *draft) { d.header[name] = v }
}

// onlyRefresh runs a hook for the ID Token of a refresh alone.
func onlyRefresh(f func(*exchange, *draft)) func(*exchange, *draft) {
	return func(x *exchange, d *draft) {
		if d.refresh {
			f(x, d)
		}
	}
}

// onlyGrant runs a hook, for the document or for the response, where the token
// request is of one of the grants.
func onlyGrant[T any](f func(*exchange, T), grants ...string) func(*exchange, T) {
	return func(x *exchange, of T) {
		if slices.Contains(grants, x.grantType) {
			f(x, of)
		}
	}
}

// body replaces the response.
func body(status int, mediaType, text string) func(*exchange, *reply) {
	return func(_ *exchange, r *reply) {
		r.status, r.body = status, []byte(text)
		r.header = http.Header{"Content-Type": {mediaType}}
	}
}

// refusal replaces the response by an error of RFC 6749, section 5.2.
func refusal(status int, code, description string) func(*exchange, *reply) {
	text, err := json.Marshal(map[string]string{"error": code, "error_description": description})
	if err != nil {
		text = []byte(`{"error":"server_error"}`) // two strings: never reached
	}
	return body(status, "application/json", string(text))
}

// mediaType sends the right bytes under another media type.
func mediaType(t string) func(*exchange, *reply) {
	return func(_ *exchange, r *reply) { r.header.Set("Content-Type", t) }
}

// status sends the right bytes under another status.
func status(code int) func(*exchange, *reply) {
	return func(_ *exchange, r *reply) { r.status = code }
}

// edit changes the bytes of a successful response.
func edit(f func(x *exchange, b []byte) []byte) func(*exchange, *reply) {
	return func(x *exchange, r *reply) {
		if r.status < 300 {
			r.body = f(x, r.body)
		}
	}
}

// firstMember puts a member in front of the others of a JSON object, also one
// that is there already.
func firstMember(b []byte, member string) []byte {
	if !bytes.HasPrefix(b, []byte("{")) {
		return b
	}
	return append([]byte("{"+member+","), bytes.TrimPrefix(b, []byte("{"))...)
}

// redirectTo answers with a redirect.
func redirectTo(status int, to func(*exchange) string) func(*exchange, *reply) {
	return func(x *exchange, r *reply) {
		r.status, r.body = status, nil
		r.header = http.Header{"Location": {to(x)}}
	}
}

// elsewhere is a path at the attacker.
func elsewhere(path string) func(*exchange) string {
	return func(*exchange) string { return attacker + path }
}

// itself is the URL that was asked for.
func itself(x *exchange) string { return x.r.URL.RequestURI() }

// overHTTP is the URL that was asked for, without TLS.
func overHTTP(x *exchange) string { return "http://" + x.r.Host + x.r.URL.RequestURI() }

// endless answers with a body that does not end while the client reads.
func endless(mediaType string) func(*exchange, *reply) {
	return func(_ *exchange, r *reply) {
		r.hold = func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			w.WriteHeader(http.StatusOK)
			if _, err := w.Write([]byte(`{"padding":"`)); err != nil {
				return
			}
			chunk := bytes.Repeat([]byte("a"), 32<<10)
			for req.Context().Err() == nil {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}
	}
}

// bomb answers with gzip that grows to 256 MiB. It is made of 256 members that
// a reader unpacks as one (RFC 1952, section 2.2), so that it costs us nothing.
func bomb(mediaType string) func(*exchange, *reply) {
	return func(_ *exchange, r *reply) {
		const size = 1 << 20
		first, err := packed(append([]byte(`{"padding":"`), bytes.Repeat([]byte("a"), size)...))
		more, err2 := packed(bytes.Repeat([]byte("a"), size))
		if err != nil || err2 != nil {
			return // a buffer takes all: never reached
		}
		r.status, r.body = http.StatusOK, append(first, bytes.Repeat(more, 255)...)
		r.header = http.Header{"Content-Type": {mediaType}, "Content-Encoding": {"gzip"}}
	}
}

func packed(b []byte) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	err := z.Close()
	return out.Bytes(), err
}

// drip is how long a slow response takes for each byte.
const drip = 250 * time.Millisecond

// slow sends the right bytes so slowly that they never end.
func slow(_ *exchange, r *reply) {
	status, header, body := r.status, r.header, r.body
	r.hold = func(w http.ResponseWriter, req *http.Request) {
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		c := http.NewResponseController(w)
		tick := time.NewTicker(drip)
		defer tick.Stop()
		for i := 0; ; i++ {
			b := byte(' ') // JSON may end in white space
			if i < len(body) {
				b = body[i]
			}
			if _, err := w.Write([]byte{b}); err != nil || c.Flush() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-req.Context().Done():
				return
			}
		}
	}
}

// reset closes the connection after the request was read and handled.
func reset(_ *exchange, r *reply) {
	r.hold = func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			// Embedded in a server that does not lend its connections: a
			// response without status or body is as near as it gets.
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = conn.Close()
	}
}

// short announces more bytes than it sends.
func short(_ *exchange, r *reply) {
	body, header := r.body, r.header
	r.hold = func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range header {
			w.Header()[k] = v
		}
		w.Header().Set("Content-Length", "100000")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(body) // the server closes the connection on us
	}
}

// deep is JSON nested a hundred thousand times.
func deep() string { return strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) }

// html500 is a page where JSON is expected.
const html500 = "<!doctype html><title>Oops</title><script>alert('from the provider')</script><p>Something went wrong. Internal address: 10.1.2.3"

// strangerKey makes a key that the OP does not own, for the algorithm.
func strangerKey(alg string) crypto.Signer {
	var key crypto.Signer
	var err error
	switch family(alg) {
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, rsaBits)
	}
	if err != nil {
		return nil // the sizes are right and crypto/rand does not fail
	}
	return key
}

// byStranger signs with a key that the OP does not own, under the kid it had.
func byStranger(d *draft) {
	if len(d.secret) > 0 {
		d.secret = []byte(rand.Text() + rand.Text())
		return
	}
	if key := strangerKey(d.alg); key != nil {
		d.key = key
	}
}
