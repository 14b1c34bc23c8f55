// Package launch is the agreement between package interop and the OPs it runs:
// one JSON file, named by the only argument, says everything an OP is to be.
package launch

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

// headerTimeout bounds how long a client may take to send its request header.
const headerTimeout = 10 * time.Second

// Config is what an OP is told at its start.
type Config struct {
	// Issuer is the issuer identifier, an https URL with the port below.
	Issuer string `json:"issuer"`
	// Host and Port are the loopback address to listen on.
	Host string `json:"host"`
	Port int    `json:"port"`
	// CA, Cert and Key are paths of PEM files: the authority to trust, the
	// server certificate and its key (PKCS #8).
	CA   string `json:"ca"`
	Cert string `json:"cert"`
	Key  string `json:"key"`
	// Clients are known to the OP from the start.
	Clients []Client `json:"clients"`
	// User can log in.
	User User `json:"user"`
}

// Client is a client in the words of OpenID Connect Dynamic Client Registration
// 1.0, section 2.
type Client struct {
	ID            string   `json:"client_id"`
	Secret        string   `json:"client_secret,omitempty"` // empty: a public client
	RedirectURIs  []string `json:"redirect_uris"`
	ResponseTypes []string `json:"response_types"`
	GrantTypes    []string `json:"grant_types"`
	AuthMethod    string   `json:"token_endpoint_auth_method"`
	// JWKS is the client's public key set; nil without one.
	JWKS json.RawMessage `json:"jwks,omitempty"`
}

// User is an end-user of the OP.
type User struct {
	Name     string `json:"name"`
	Username string `json:"username"`
	Password string `json:"password"`
	Email    string `json:"email"`
	// Code is the user code of backchannel logins (CIBA Core 1.0, section 7.1).
	Code string `json:"code"`
}

// PhonePath is where the user decides a backchannel login, at an OP that has them: a
// form is posted there with the [PhoneID] of the login and a [PhoneDecision], [Allow]
// or [Refuse]. It is answered with 204 when the Relying Party has heard of it.
const (
	PhonePath     = "/phone"
	PhoneID       = "auth_req_id"
	PhoneDecision = "decision"
	Allow         = "allow"
	Refuse        = "refuse"
)

// Read reads the file that the program's only argument names.
func Read(args []string) (Config, error) {
	var c Config
	if len(args) != 2 {
		return c, fmt.Errorf("launch: want one argument, the configuration file; got %d", len(args)-1)
	}
	b, err := os.ReadFile(args[1])
	if err != nil {
		return c, fmt.Errorf("launch: %w", err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("launch: %s: %w", args[1], err)
	}
	return c, nil
}

// Addr is the address to listen on.
func (c Config) Addr() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// Serve serves h behind TLS and returns when the listener fails. A request for
// /.well-known/webfinger is answered here, because the libraries leave WebFinger
// (RFC 7033) to the host they run on.
func (c Config) Serve(h http.Handler) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/webfinger", c.webFinger)
	mux.Handle("/", h)
	s := &http.Server{
		Addr: c.Addr(), Handler: mux, ReadHeaderTimeout: headerTimeout,
		// Of whoever has one: each client says how it authenticates.
		TLSConfig: &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12},
	}
	return s.ListenAndServeTLS(c.Cert, c.Key)
}

// webFinger says that every resource on this host has this OP as its issuer
// (OpenID Connect Discovery 1.0, section 2).
func (c Config) webFinger(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(q["resource"]) != 1 {
		http.Error(w, "one resource parameter is wanted", http.StatusBadRequest) // RFC 7033 4.2
		return
	}
	w.Header().Set("Content-Type", "application/jrd+json")
	// The status is sent already; a client that went away is not our concern.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"subject": q.Get("resource"),
		"links": []map[string]string{{
			"rel":  "http://openid.net/specs/connect/1.0/issuer",
			"href": c.Issuer,
		}},
	})
}
