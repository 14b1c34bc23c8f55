package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// opVariable, set in the environment, makes this program the canned OP: a process
// of its own, so that its work does not count as that of who logs in.
const opVariable = "RELY_BENCH_OP"

const accessToken = "SlAV32hkKG-08a5019c17e149778f4265a12843ea02"

// announcement is what the canned OP prints when it is ready.
type announcement struct {
	Plain, TLS string // issuers
	CA         string // PEM
	IDToken    string // of Plain
	JWKS       json.RawMessage
}

// cannedOP answers every login with the same tokens, made once: what it costs it
// costs all alike. It listens twice: in the clear, to measure work without TLS,
// and over TLS with HTTP/1.1, to count connections.
type cannedOP struct {
	announcement
	opened atomic.Int64 // connections to TLS
}

// serveOP runs the canned OP until in ends.
func serveOP(in io.Reader, out io.Writer) error {
	op := &cannedOP{}
	m := &material{alg: "RS256"}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	m.public = &key.PublicKey
	if op.JWKS, err = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: m.public, KeyID: keyID, Algorithm: m.alg, Use: "sig"}}}); err != nil {
		return err
	}
	plain, secure := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	plain.Start()
	secure.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
	secure.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			op.opened.Add(1)
		}
	}
	secure.StartTLS()
	defer plain.Close()
	defer secure.Close()
	op.Plain, op.TLS = plain.URL, secure.URL
	op.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	for _, s := range []*httptest.Server{plain, secure} {
		claims, err := claimsOf(s.URL, smallClaims, map[string]any{"at_hash": accessTokenHash(accessToken)})
		if err != nil {
			return err
		}
		token, err := sign(m.alg, key, claims)
		if err != nil {
			return err
		}
		if s == plain {
			op.IDToken = token
		}
		s.Config.Handler = op.handler(s.URL, token)
	}
	if err := json.NewEncoder(out).Encode(op.announcement); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

func (op *cannedOP) handler(iss, idToken string) http.Handler {
	document := discovery(iss)
	tokens, _ := json.Marshal(map[string]any{"access_token": accessToken, "token_type": "Bearer", "expires_in": 3600,
		"refresh_token": "8xLOxBtZp8-08a5019c17e149778f4265a12843ea02", "scope": "openid profile email", "id_token": idToken})
	user, _ := json.Marshal(map[string]any{"sub": subject, "name": "Alice Example", "given_name": "Alice", "family_name": "Example",
		"preferred_username": "alice", "email": "alice@example.com", "email_verified": true, "locale": "en-GB", "updated_at": 1762300800})
	say := func(body []byte) http.HandlerFunc {
		length := []string{strconv.Itoa(len(body))}
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			h := w.Header()
			h["Content-Type"], h["Content-Length"] = []string{"application/json"}, length
			_, _ = w.Write(body)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/.well-known/openid-configuration", say(document))
	mux.Handle("/jwks", say(op.JWKS))
	mux.Handle("/token", say(tokens))
	mux.Handle("/token-dpop", say(bytes.Replace(tokens, []byte(`"Bearer"`), []byte(`"DPoP"`), 1)))
	mux.Handle("/par", say([]byte(`{"request_uri":"urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c","expires_in":60}`)))
	mux.Handle("/userinfo", say(user))
	mux.HandleFunc("/opened", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, op.opened.Load()) })
	return mux
}

// startOP starts the canned OP; the caller stops it.
func startOP() (a announcement, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return a, nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), opVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return a, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return a, nil, err
	}
	if err := cmd.Start(); err != nil {
		return a, nil, err
	}
	stop = func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	if err != nil {
		stop()
		return a, nil, fmt.Errorf("the canned OP did not start: %w", err)
	}
	return a, stop, nil
}

// httpClient is what a program gets that takes net/http's defaults and adds the
// certificate authority of its OP.
func (a announcement) httpClient() (*http.Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(a.CA)) {
		return nil, errors.New("the canned OP's certificate does not parse")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: pool}
	return &http.Client{Transport: t}, nil
}

// opened asks how many connections were opened to the TLS listener, over the other
// one.
func (a announcement) opened() (int, error) {
	ctx, cancel := context.WithTimeout(background, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Plain+"/opened", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(b))
}
