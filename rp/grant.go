package rp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"rely.example/oidc"
	"rely.example/store"
)

// Grant is what a login gave: who the user is, and tokens that stay fresh. It is
// safe for concurrent use, and may be kept or found anew by RP.Grant: what
// counts is in the store.
type Grant struct {
	rp    *RP
	state string
	place string
	held  atomic.Pointer[held]
	begun time.Time // when the login was; zero if it was found by RP.Grant
}

// held is a grant as it was read from the store, immutable.
type held struct {
	rec   store.Record
	grant *grantRecord
}

func newGrant(r *RP, state, place string, h *held) *Grant {
	g := &Grant{rp: r, state: state, place: place}
	g.held.Store(h)
	return g
}

// load reads a grant. If it is still what the caller has, or what was opened
// lately, nothing is opened.
func (r *RP) load(ctx context.Context, place string, have *held) (*held, error) {
	rec, err := r.shelf.load(ctx, place)
	if err != nil {
		if isNotFound(err) {
			r.recent.drop(place)
			return nil, &Error{Reason: GrantEnded, Detail: "it is not, or no longer, in the store; log in again"}
		}
		return nil, err
	}
	if have == nil || have.rec.Rev != rec.Rev {
		have = r.recent.get(place)
	}
	if have == nil || have.rec.Rev != rec.Rev {
		plain, err := r.ring.open(place, rec.Value)
		if err != nil {
			return nil, err
		}
		g, err := decodeGrant(plain)
		if err != nil {
			return nil, err
		}
		rec.Value = nil // sealed; nobody needs it any more
		have = &held{rec: rec, grant: g}
		r.recent.put(place, have)
	}
	if !r.now().Before(have.grant.ends) {
		// The store's clock may be behind ours.
		return nil, &Error{Reason: GrantEnded, Detail: "its lifetime is over; log in again"}
	}
	return have, nil
}

// State is the key of the grant: the state of its login.
func (g *Grant) State() string { return g.state }

// Issuer is the OP at which the user logged in.
func (g *Grant) Issuer() string { return g.held.Load().grant.issuer }

// Subject is the user's name at the issuer; see Identity.
func (g *Grant) Subject() string { return g.held.Load().grant.subject }

// Identity is who logged in: the one key under which to know a user. Its issuer is
// that of the ID Token, which at an OP with tenants is the tenant's.
func (g *Grant) Identity() oidc.Identity { return g.IDToken().Identity() }

// SessionID is the sid of the login, for logout; "" if the OP gave none.
func (g *Grant) SessionID() string { return g.held.Load().grant.sid }

// ClientID is the client that the grant was given to.
func (g *Grant) ClientID() string { return g.held.Load().grant.clientID }

// Started is when the login was finished, and Expires when the grant ends.
func (g *Grant) Started() time.Time { return g.held.Load().grant.started }

// Expires is when the grant ends, whatever is refreshed.
func (g *Grant) Expires() time.Time { return g.held.Load().grant.ends }

// Data is what Login.Data was.
func (g *Grant) Data() []byte { return []byte(g.held.Load().grant.data) }

// LoggedOut reports whether the user, or the session at the OP, was ended by RP.End
// since the login was begun. It is for who keeps a session of his own beside the
// grant, to be asked once the session is kept: End then either finds the session or
// is seen here. RP.Grant may still find a grant that another process has just
// ended, if the store caches (see store.Store); this never lags behind.
func (g *Grant) LoggedOut(ctx context.Context) (bool, error) {
	d := g.held.Load().grant
	begun := g.begun
	if begun.IsZero() {
		begun = d.started
	}
	return g.rp.loggedOutSince(ctx, d, begun)
}

// IDToken is the verified ID Token of the login, or a newer one of a refresh. It
// is never nil, and must not be changed.
func (g *Grant) IDToken() *oidc.IDToken { return g.held.Load().grant.tokens.IDToken }

// Tokens returns the tokens, with an access token that lives: if it is about to
// die it is renewed first, once for all who ask at the same time, in any
// process, and saved before it is handed out. Each call asks the store whether
// the grant still is.
//
// While a refresh fails, or is under way in another process, the old access
// token is returned as long as it lives. After that the error is RefreshFailed,
// which leaves the grant as it was; LoginNeeded if the OP gave no refresh token
// (as in the implicit flow); GrantEnded if the OP says that the grant is over,
// or it was ended here; StoreUnavailable if the store cannot tell.
//
// An access token without a known end is returned as it is. Tokens without any
// access token, of response type id_token, are returned too.
func (g *Grant) Tokens(ctx context.Context) (*oidc.Tokens, error) {
	h, err := g.fresh(ctx)
	if err != nil {
		return nil, err
	}
	return h.copy(), nil
}

// fresh is Tokens before they are copied for the caller.
func (g *Grant) fresh(ctx context.Context) (*held, error) {
	h, err := g.current(ctx)
	if err != nil {
		return nil, err
	}
	if h.grant.fresh(g.rp.now(), g.rp.margin) {
		return h, nil
	}
	return g.refresh(ctx, h, false)
}

// current is what the store has.
func (g *Grant) current(ctx context.Context) (*held, error) {
	if g.rp.waiting.Load() > 0 {
		if err := g.rp.saveWaiting(ctx, g.place); err != nil {
			return nil, err
		}
	}
	have := g.held.Load()
	h, err := g.rp.load(ctx, g.place, have)
	if err != nil {
		return nil, err
	}
	if h != have {
		g.held.Store(h)
	}
	return h, nil
}

// fresh reports whether the access token needs no renewal yet. A margin near the
// whole life of a token would renew it at every call.
func (g *grantRecord) fresh(now time.Time, margin time.Duration) bool {
	if g.tokens.AccessToken == "" || g.tokens.Expiry.IsZero() {
		return true
	}
	return g.tokens.Valid(now, min(margin, g.tokens.Expiry.Sub(g.obtained)/5))
}

// alive reports whether the access token can still be used.
func (g *grantRecord) alive(now time.Time) bool { return g.tokens.Valid(now, 0) }

func (h *held) copy() *oidc.Tokens {
	t := *h.grant.tokens
	t.Scopes = slices.Clone(t.Scopes)
	return &t
}

// Refresh renews the tokens now, also if they still live: after the rights of
// the user have changed, for instance. Of several calls at the same time one
// asks the OP. On error the tokens are as they were, unless it is GrantEnded.
func (g *Grant) Refresh(ctx context.Context) (*oidc.Tokens, error) {
	h, err := g.current(ctx)
	if err != nil {
		return nil, err
	}
	if h, err = g.refresh(ctx, h, true); err != nil {
		return nil, err
	}
	return h.copy(), nil
}

// UserInfo asks for claims about the user, with a fresh token (Core section 5.3).
// If the OP refuses a token that looked alive, it is renewed once.
func (g *Grant) UserInfo(ctx context.Context) (*oidc.UserInfo, error) {
	h, err := g.fresh(ctx)
	if err != nil {
		return nil, err
	}
	c, err := g.client(ctx, h)
	if err != nil {
		return nil, err
	}
	ui, err := c.UserInfo(ctx, h.grant.tokens)
	op, ok := errors.AsType[*oidc.OPError](err)
	if !ok || op.StatusCode != http.StatusUnauthorized || h.grant.tokens.RefreshToken == "" {
		return ui, err
	}
	if h, err = g.refresh(ctx, h, true); err != nil {
		return nil, err
	}
	return c.UserInfo(ctx, h.grant.tokens)
}

// client is the client that the grant was given to.
func (g *Grant) client(ctx context.Context, h *held) (*oidc.Client, error) {
	c, err := g.rp.client(ctx, h.grant.issuer)
	if err != nil {
		return nil, err
	}
	if c.ID() != h.grant.clientID {
		return nil, &Error{Reason: LoginNeeded, Detail: "the grant was given to a client that was registered anew since"}
	}
	return c, nil
}

// Authorize presents a fresh access token in a request to a resource (RFC 6750
// section 2.1), with a proof if it is bound to a key (RFC 9449 section 7). The
// caller sees to it that the request goes to a resource that the token is for,
// over https; Transport sees to that by itself, and to the resource's nonces.
func (g *Grant) Authorize(ctx context.Context, r *http.Request) error {
	h, err := g.fresh(ctx)
	if err != nil {
		return err
	}
	if h.grant.tokens.DPoP == nil {
		return h.grant.tokens.Authorize(r)
	}
	c, err := g.client(ctx, h)
	if err != nil {
		return err
	}
	return c.Authorize(r, h.grant.tokens)
}

// Transport presents the grant's access token, renewed when it must be, to
// resources at these origins, such as "https://api.example"; see oidc.Transport.
// base makes the requests and may be nil. The result is good for as long as the
// grant.
func (g *Grant) Transport(base http.RoundTripper, origins ...string) *oidc.Transport {
	return &oidc.Transport{
		Tokens: g.Tokens,
		Client: func(ctx context.Context) (*oidc.Client, error) { return g.client(ctx, g.held.Load()) },
		Base:   base, Origins: slices.Clone(origins),
	}
}

// Revoke ends the grant here and then tells the OP that its tokens are no longer
// needed (RFC 7009). If the OP cannot be told, the error says why, and the grant
// is over all the same; only with StoreUnavailable nothing was done. A grant
// that is over already is no error.
func (g *Grant) Revoke(ctx context.Context) error {
	// Taken, not deleted: what a refresh saved a moment ago is revoked too, and
	// what it has not saved yet it revokes itself.
	rec, err := g.rp.shelf.take(ctx, g.place)
	if err != nil {
		if isNotFound(err) {
			return nil
		}
		return err
	}
	newer := g.rp.forget(g.place)
	g.rp.recent.drop(g.place)
	plain, err := g.rp.ring.open(g.place, rec.Value)
	if err != nil {
		return err
	}
	d, err := decodeGrant(plain)
	if err != nil {
		return err
	}
	c, err := g.client(ctx, &held{grant: d})
	if err != nil {
		return err
	}
	if newer != nil {
		d = newer.next // the store did not take it in its time
	}
	return c.RevokeTokens(ctx, d.tokens)
}

// End ends the grant here, and leaves the OP out of it. A grant that is over
// already is no error.
func (g *Grant) End(ctx context.Context) error {
	err := g.rp.shelf.remove(ctx, g.place)
	if err == nil {
		g.rp.forget(g.place)
		g.rp.recent.drop(g.place)
	}
	return err
}

// Format prints who the grant is about, and no secret. The state is one.
func (g *Grant) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "rp.Grant{Issuer:%q Subject:%q Started:%s}", g.Issuer(), g.Subject(), g.Started().UTC().Format(time.RFC3339))
}

// LogValue is what slog logs: no secret.
func (g *Grant) LogValue() slog.Value {
	return slog.GroupValue(slog.String("iss", g.Issuer()), slog.String("sub", g.Subject()), slog.Time("started", g.Started()))
}

// MarshalJSON writes who the grant is about, and no secret.
func (g *Grant) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"iss": g.Issuer(), "sub": g.Subject()})
}
