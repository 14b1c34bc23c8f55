package rp_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
)

// bothOPs reaches two OPs, each by its own certificate.
func bothOPs(ops ...*oidctest.OP) *http.Client {
	return &http.Client{Transport: roundTrip(func(q *http.Request) (*http.Response, error) {
		for _, op := range ops {
			if q.URL.Host == op.Host {
				return op.HTTPClient().Transport.RoundTrip(q)
			}
		}
		return nil, fmt.Errorf("no OP at %s", q.URL.Host)
	})}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// dynamic is a Dynamic at the rig's OP, with the rig's store.
func (r *rig) dynamic(edit ...func(*rp.Dynamic)) *rp.Dynamic {
	d := &rp.Dynamic{
		Allow: rp.AllowIssuers(r.op.Issuer), RedirectBase: "https://rp.example/dynamic/", Options: r.opts,
		Metadata: oidc.ClientMetadata{GrantTypes: []string{"authorization_code", "refresh_token"}},
		Store:    r.store, SealKeys: [][]byte{bytes.Repeat([]byte{9}, 32)},
	}
	for _, e := range edit {
		e(d)
	}
	return d
}

func refuse(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":%q}`, code)
	}
}

func asOPError(err error) (*oidc.OPError, bool) { return errors.AsType[*oidc.OPError](err) }

func contains(s string, parts ...string) bool {
	for _, p := range parts {
		if p != "" && strings.Contains(s, p) {
			return true
		}
	}
	return false
}
