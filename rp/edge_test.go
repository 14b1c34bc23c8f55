package rp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store"
)

// standStill lets the first answer of the OP wait until goOn is closed.
func (r *rig) standStill() (arrived <-chan struct{}, goOn chan<- struct{}) {
	a, g := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	r.wire.set(nil, func(*http.Request) error {
		if first.CompareAndSwap(false, true) {
			close(a)
			<-g
		}
		return nil
	})
	return a, g
}

// TestOldTokenWhileAnotherRefreshes: nobody waits for another process as long as
// the old token lives; who demands a new one does.
func TestOldTokenWhileAnotherRefreshes(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	old, err := g.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.op.Advance(10*time.Minute - 10*time.Second)
	arrived, goOn := r.standStill()
	slow := make(chan error)
	go func() {
		_, err := g.Tokens(context.Background())
		slow <- err
	}()
	<-arrived
	other := r.newRP(nil)
	tok, err := other.Tokens(t.Context(), g.State())
	if err != nil || tok.AccessToken != old.AccessToken {
		t.Errorf("got %v, %v", tok, err)
	}
	h, err := other.Grant(t.Context(), g.State())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err = h.Refresh(ctx)
	want(t, err, context.DeadlineExceeded)
	close(goOn)
	if err := <-slow; err != nil {
		t.Fatal(err)
	}
	if tok, err := h.Refresh(t.Context()); err != nil || tok.AccessToken == old.AccessToken {
		t.Errorf("got %v, %v", tok, err)
	}
}

// TestRefusedOldTokenOfARenewedGrant: the OP refuses the token of a process that
// was too slow; another one has renewed the grant, which is not over.
func TestRefusedOldTokenOfARenewedGrant(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	r.expire()
	// The first process stands still before its request goes out.
	arrived, goOn := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	r.wire.set(func(*http.Request) error {
		if first.CompareAndSwap(false, true) {
			close(arrived)
			<-goOn
			r.op.Intercept(oidctest.EndpointToken, refuse(400, "invalid_grant"))
		}
		return nil
	}, nil)
	slow := make(chan *oidc.Tokens, 1)
	go func() {
		tok, err := g.Refresh(context.Background())
		if err != nil {
			t.Error(err)
		}
		slow <- tok
	}()
	<-arrived
	r.op.Advance(time.Minute)
	tok, err := r.newRP(nil).Tokens(t.Context(), g.State())
	if err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if got := <-slow; got == nil || got.AccessToken != tok.AccessToken {
		t.Error("the first process has not what the second one saved")
	}
	if _, err := r.rp.Grant(t.Context(), g.State()); err != nil {
		t.Errorf("the grant was ended: %v", err)
	}
}

// TestRefreshErrorsAreTold: why, and when to try again; the wish of the OP is
// heeded.
func TestRefreshErrorsAreTold(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	r.op.Intercept(oidctest.EndpointToken, func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Retry-After", "120")
		refuse(503, "temporarily_unavailable")(w, q)
	})
	_, err := g.Refresh(t.Context())
	want(t, err, rp.RefreshFailed)
	e, ok := errors.AsType[*rp.Error](err)
	if !ok || !e.Temporary() || e.RetryAfter != 2*time.Minute {
		t.Errorf("got %v, to be repeated after %v", err, e.RetryAfter)
	}
	r.op.Intercept(oidctest.EndpointToken, nil)
	r.op.Advance(time.Minute)
	n := r.refreshes()
	_, err = g.Refresh(t.Context())
	want(t, err, rp.RefreshFailed)
	if e, ok := errors.AsType[*rp.Error](err); !ok || !e.Temporary() || e.RetryAfter > time.Minute || e.RetryAfter < 50*time.Second || r.refreshes() != n {
		t.Errorf("got %v; the OP's wish was not heeded", err)
	}
	if _, err := g.Tokens(t.Context()); err != nil {
		t.Errorf("the token that lives: %v", err)
	}
	r.op.Advance(time.Minute)
	if _, err := g.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTemporary(t *testing.T) {
	for _, c := range []struct {
		err  *rp.Error
		want bool
	}{
		{&rp.Error{Reason: rp.StoreUnavailable, Err: errDown}, true},
		{&rp.Error{Reason: rp.GrantEnded}, false},
		{&rp.Error{Reason: rp.RefreshFailed}, true},
		{&rp.Error{Reason: rp.RefreshFailed, Err: &oidc.TransportError{Err: errDown}}, true},
		{&rp.Error{Reason: rp.RefreshFailed, Err: &oidc.OPError{Code: "invalid_client"}}, false},
		{&rp.Error{Reason: rp.RefreshFailed, Err: &oidc.ProtocolError{Reason: oidc.SubjectMismatch}}, false},
		{&rp.Error{Reason: rp.UnknownState}, false},
	} {
		if got := c.err.Temporary(); got != c.want {
			t.Errorf("%v: got %v", c.err, got)
		}
	}
	if s := rp.GrantEnded.Error(); s == "" || !strings.Contains((&rp.Error{Reason: rp.GrantEnded}).Error(), s) {
		t.Error("the reason is not in the error")
	}
}

// TestRevokeWhatWasNotSaved: the store did not take the newest refresh token, and
// the user logs out.
func TestRevokeWhatWasNotSaved(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	r.expire()
	var refreshed atomic.Bool
	r.wire.set(nil, func(*http.Request) error { refreshed.Store(true); return nil })
	r.store.set(func(context.Context, string, string) error {
		if refreshed.Load() {
			return errDown
		}
		return nil
	}, nil)
	var newest atomic.Value
	r.op.TamperTokenResponse(func(m map[string]any) { newest.Store(fmt.Sprint(m["refresh_token"])) })
	_, err := g.Tokens(t.Context())
	want(t, err, rp.StoreUnavailable)
	r.store.up()
	if err := g.Revoke(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, q := range r.op.Requests(oidctest.EndpointRevocation) {
		if q.Form.Get("token") == newest.Load() {
			return
		}
	}
	t.Error("the newest refresh token was not revoked")
}

// TestUnsavedOfAnEndedGrant: a logout while tokens wait for the store wins.
func TestUnsavedOfAnEndedGrant(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	r.expire()
	var refreshed atomic.Bool
	r.wire.set(nil, func(*http.Request) error { refreshed.Store(true); return nil })
	r.store.set(func(context.Context, string, string) error {
		if refreshed.Load() {
			return errDown
		}
		return nil
	}, nil)
	_, err := g.Tokens(t.Context())
	want(t, err, rp.StoreUnavailable)
	r.store.up()
	if _, err := r.newRP(nil).End(t.Context(), g.Issuer(), g.Subject(), ""); err != nil {
		t.Fatal(err)
	}
	_, err = g.Tokens(t.Context())
	want(t, err, rp.GrantEnded)
	if held, _ := r.count("grant"); held != 0 {
		t.Error("the grant was revived")
	}
}

// TestDynamicAdjustAndKeys: a quirk for one OP, and keys that are registered.
func TestDynamicAdjustAndKeys(t *testing.T) {
	r := setup(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	adjusted := ""
	d := r.dynamic(func(d *rp.Dynamic) {
		d.Keys = []oidc.Key{{ID: "k1", Alg: "ES256", Use: "sig", Private: key}}
		d.Metadata.TokenEndpointAuthMethod = oidc.AuthPrivateKey
		d.Metadata.TokenEndpointAuthSigningAlg = "ES256"
		d.Adjust = func(issuer string, c *oidc.ClientConfig) {
			adjusted = issuer
			c.LoginLifetime = time.Second
		}
	})
	p := r.newRP(func(c *rp.Config) { c.Directory = d })
	at := func(req *oidc.AuthRequest) rp.Arrival {
		return rp.Arrival{Binding: req.Pending.State, RedirectURI: d.RedirectURI(r.op.Issuer)}
	}
	req, err := p.Start(t.Context(), r.op.Issuer, oidc.AuthParams{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Finish(t.Context(), r.browse(req), at(req)); err != nil {
		t.Fatal(err)
	}
	if q := r.op.Requests(oidctest.EndpointToken); len(q) != 1 || q[0].Auth.Method != "client_assertion" {
		t.Errorf("got %v", q)
	}
	if req, err = p.Start(t.Context(), r.op.Issuer, oidc.AuthParams{}); err != nil {
		t.Fatal(err)
	}
	a := r.browse(req)
	r.op.Advance(2 * time.Second)
	_, err = p.Finish(t.Context(), a, at(req))
	want(t, err, oidc.LoginExpired)
	if adjusted != r.op.Issuer {
		t.Errorf("adjusted %q", adjusted)
	}
}

// TestDynamicKeepsWhatIsUsed: a registration that is used every half year stays.
func TestDynamicKeepsWhatIsUsed(t *testing.T) {
	r := setup(t)
	for range 5 {
		if _, err := r.dynamic().Client(t.Context(), r.op.Issuer); err != nil {
			t.Fatal(err)
		}
		r.op.Advance(200 * 24 * time.Hour)
	}
	if n := len(r.op.Requests(oidctest.EndpointRegistration)); n != 1 {
		t.Errorf("%d registrations", n)
	}
}

// TestDynamicReadsBeforeItRegisters: an OP that renews the secret of a client
// keeps the client, and its grants.
func TestDynamicReadsBeforeItRegisters(t *testing.T) {
	r := setup(t, func(c *oidctest.Config) { c.SecretLifetime = time.Hour })
	d := r.dynamic()
	before, err := d.Client(t.Context(), r.op.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	r.op.Advance(2 * time.Hour)
	r.op.TamperRegistration(func(m map[string]any) {
		m["client_secret_expires_at"] = json.Number(fmt.Sprint(r.op.Now().Add(time.Hour).Unix()))
	})
	after, err := d.Client(t.Context(), r.op.Issuer)
	if err != nil || after.ID() != before.ID() || after == before {
		t.Fatalf("got %v, %v", after, err)
	}
	if n := len(r.op.Requests(oidctest.EndpointRegistration)); n != 1 {
		t.Errorf("%d registrations", n)
	}
}

// TestDynamicLosesTheRace: another process has registered while our lease ran
// out. Its client is used, and ours is given back.
func TestDynamicLosesTheRace(t *testing.T) {
	r := setup(t)
	var raced atomic.Bool
	other := r.dynamic(func(d *rp.Dynamic) { d.Store = r.mem })
	r.store.set(func(_ context.Context, op, key string) error {
		if op == "create" && store.Class(key) == "client" && raced.CompareAndSwap(false, true) {
			r.op.Advance(46 * time.Second)
			if _, err := other.Client(context.Background(), r.op.Issuer); err != nil {
				t.Error(err)
			}
		}
		return nil
	}, nil)
	c, err := r.dynamic().Client(t.Context(), r.op.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	o, err := other.Client(t.Context(), r.op.Issuer)
	if err != nil || o.ID() != c.ID() {
		t.Fatalf("two clients: %v", err)
	}
	q := r.op.Requests(oidctest.EndpointManagement)
	if len(q) != 1 || q[0].Method != http.MethodDelete {
		t.Errorf("ours was not given back: %v", q)
	}
}

// TestGrantOfTheRightLogin: every accessor tells of this login.
func TestGrantOfTheRightLogin(t *testing.T) {
	r := setup(t)
	g := r.loginWith("bob", "one")
	if g.SessionID() != "one" || g.ClientID() != r.client.ID() || g.Started().Sub(r.op.Now()).Abs() > time.Minute || g.Expires().Sub(g.Started()) != rp.DefaultGrantLifetime {
		t.Errorf("got %v from %v to %v", g, g.Started(), g.Expires())
	}
}

// TestCloseWaitsForRevocations: a login that is refused while the RP is being
// closed leaves no tokens at the OP.
func TestCloseWaitsForRevocations(t *testing.T) {
	r := setup(t)
	state, a := r.begin()
	arrived, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once // a second attempt follows
	r.store.set(func(_ context.Context, op, key string) error {
		if op == "create" && store.Class(key) == "grant" {
			once.Do(func() { close(arrived) })
			<-goOn
			return errDown
		}
		return nil
	}, nil)
	finished := make(chan error, 1)
	go func() {
		_, err := r.rp.Finish(t.Context(), a, here(state))
		finished <- err
	}()
	<-arrived
	closed := make(chan error, 1)
	go func() { closed <- r.rp.Close() }()
	for !r.rp.Health(t.Context()).Closed {
		runtime.Gosched()
	}
	close(goOn)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if n := len(r.op.Requests(oidctest.EndpointRevocation)); n == 0 {
		t.Error("Close returned before the tokens were revoked")
	}
	want(t, <-finished, rp.StoreUnavailable)
}

// TestCloseRevokesWhatItCannotSave: a grant that was ended while its new tokens
// waited for the store.
func TestCloseRevokesWhatItCannotSave(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	r.expire()
	var exchanged atomic.Bool
	r.wire.set(nil, func(*http.Request) error { exchanged.Store(true); return nil })
	r.store.set(func(_ context.Context, op, _ string) error {
		if op == "replace" && exchanged.Load() {
			return errDown
		}
		return nil
	}, nil)
	_, err := g.Tokens(t.Context())
	want(t, err, rp.StoreUnavailable)
	r.store.up()
	if n, err := r.newRP(nil).End(t.Context(), r.op.Issuer, g.Subject(), ""); err != nil || n != 1 {
		t.Fatalf("ended %d, %v", n, err)
	}
	if err := r.rp.Close(); err != nil {
		t.Error(err)
	}
	if n := len(r.op.Requests(oidctest.EndpointRevocation)); n == 0 {
		t.Error("the tokens that nobody has were not revoked")
	}
}
