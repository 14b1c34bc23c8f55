package rp

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"time"

	"rely.example/internal/layout"
	"rely.example/internal/seal"
	"rely.example/oidc"
	"rely.example/store"
)

const (
	// keepRegistration is how long a registration is kept that nobody uses. Who
	// uses one in the second half of that time keeps it for as long again.
	keepRegistration = 365 * 24 * time.Hour

	// secretMargin is how long before its end a client secret is renewed, but
	// never more than a fifth of its life.
	secretMargin = time.Minute

	// registrationTimeout bounds a registration, with everything around it, and
	// registrationLease how long others leave it alone.
	registrationTimeout = 30 * time.Second
	registrationLease   = 45 * time.Second
)

// kept is a registration with what we need to know beside it.
type kept struct {
	registration *oidc.Registration
	obtained     time.Time
	rev          uint64
}

// until is when to have it renewed; zero means never.
func (k *kept) until() time.Time {
	end := k.registration.SecretExpires
	if end.IsZero() {
		return end
	}
	return end.Add(-min(secretMargin, max(0, end.Sub(k.obtained)/5)))
}

// good reports whether it can be used: nil cannot.
func (k *kept) good(now time.Time) bool {
	if k == nil {
		return false
	}
	until := k.until()
	return until.IsZero() || now.Before(until)
}

func (k *kept) encode() ([]byte, error) {
	x, err := k.registration.Export()
	if err != nil {
		return nil, err
	}
	var w layout.Writer
	w.Time(k.obtained)
	w.Text(string(x))
	return w, nil
}

func decodeKept(b []byte) (*kept, error) {
	r := layout.Read(b)
	k := &kept{obtained: r.Time()}
	x := r.Text()
	if err := done(r); err != nil {
		return nil, err
	}
	var err error
	if k.registration, err = oidc.ImportRegistration([]byte(x)); err != nil {
		return nil, &Error{Reason: BadRecord, Detail: "the registration in it", Err: err}
	}
	return k, nil
}

// place is where the registration at an issuer is kept. What is asked for is
// part of it: while a program with another Metadata is rolled out, old and new
// processes each have their own.
func (d *Dynamic) place(issuer string) (string, error) {
	asked, err := json.Marshal(d.metadata(issuer))
	if err != nil {
		return "", &Error{Reason: BadConfig, Detail: "Dynamic.Metadata", Err: err}
	}
	sum := sha256.Sum256(asked)
	return seal.Hashed(clientClass, issuer+"\x00"+string(sum[:])), nil
}

// load returns what is kept, or nil.
func (d *Dynamic) load(ctx context.Context, e *entry, place string) (*kept, error) {
	if d.Store == nil {
		return e.registration, nil
	}
	rec, err := d.shelf.load(ctx, place)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	plain, err := d.ring.open(place, rec.Value)
	if err != nil {
		// Registering anew in its place would have two programs with different
		// keys do so for ever.
		return nil, &Error{Reason: BadRecord, Detail: "the registration under " + place + "; delete it to have the client registered anew", Err: err}
	}
	k, err := decodeKept(plain)
	if err != nil {
		return nil, err
	}
	k.rev = rec.Rev
	if rec.Expires.Sub(d.now()) < keepRegistration/2 {
		_ = d.keep(ctx, place, k) // the next use tries again
	}
	return k, nil
}

// keep writes a registration, over the one that was read if there was one.
func (d *Dynamic) keep(ctx context.Context, place string, k *kept) error {
	plain, err := k.encode()
	if err != nil {
		return err
	}
	sealed, err := d.ring.seal(place, plain)
	if err != nil {
		return err
	}
	rec := store.Record{Key: place, Value: sealed, Expires: d.now().Add(keepRegistration), Rev: k.rev}
	if k.rev == 0 {
		rec, err = d.shelf.create(ctx, rec)
	} else {
		rec, err = d.shelf.replace(ctx, rec)
	}
	if err == nil {
		k.rev = rec.Rev
	}
	return err
}

// settle has a registration that can be used, made by us or by another process
// (hostile catalogue cases 76 and 78). It goes on when the caller leaves: what
// was registered must be kept.
func (d *Dynamic) settle(ctx context.Context, e *entry, place string) (*kept, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), registrationTimeout)
	defer cancel()
	if d.Store == nil {
		k, err := d.register(ctx, e, e.registration)
		if err == nil {
			e.registration = k
		}
		return k, err
	}
	lease := store.Record{Key: leaseClass + place}
	for look := firstLook; ; look = min(2*look, lastLook) {
		lease.Expires = d.now().Add(registrationLease)
		held, err := d.shelf.create(ctx, lease)
		if err == nil {
			k, err := d.settleHeld(ctx, e, place)
			held.Expires = time.Unix(1, 0).UTC()
			_, _ = d.shelf.replace(ctx, held) // if not given back, it runs out
			return k, err
		}
		if !isConflict(err) {
			return nil, err
		}
		if err := pause(ctx, look); err != nil {
			return nil, &Error{Reason: StoreUnavailable, Detail: "another process has been registering for too long", Err: err}
		}
		if k, err := d.load(ctx, e, place); err != nil || k.good(d.now()) {
			return k, err
		}
	}
}

// settleHeld is settle with the lease.
func (d *Dynamic) settleHeld(ctx context.Context, e *entry, place string) (*kept, error) {
	before, err := d.load(ctx, e, place)
	if err != nil || before.good(d.now()) {
		return before, err
	}
	k, err := d.register(ctx, e, before)
	if err != nil {
		return nil, err
	}
	if before != nil {
		k.rev = before.rev
	}
	err = d.keep(ctx, place, k)
	if !isConflict(err) {
		return k, err
	}
	// Our lease had run out, or the store's cache was late: somebody else has
	// registered. That one is used, and ours is given back if the OP takes it.
	other, err := d.load(ctx, e, place)
	if err == nil && other == nil {
		err = &Error{Reason: StoreUnavailable, Detail: "the registration keeps changing"}
	}
	if err == nil && other.registration.ClientID != k.registration.ClientID {
		_ = e.provider.DeleteRegistration(ctx, k.registration)
	}
	return other, err
}

// register asks the OP. A client whose secret has expired is read first: an OP
// that gives it a new secret leaves the grants of the client alive.
func (d *Dynamic) register(ctx context.Context, e *entry, before *kept) (*kept, error) {
	now := d.now()
	if before != nil && before.registration.URI != "" && before.registration.AccessToken != "" {
		if r, err := e.provider.ReadRegistration(ctx, before.registration); err == nil {
			if k := (&kept{registration: r, obtained: now}); k.good(now) {
				return k, nil
			}
		}
	}
	token := ""
	if d.InitialToken != nil {
		var err error
		if token, err = d.InitialToken(ctx, e.issuer); err != nil {
			return nil, &Error{Reason: BadConfig, Detail: "Dynamic.InitialToken", Err: err}
		}
	}
	r, err := e.provider.Register(ctx, d.metadata(e.issuer), token)
	if err != nil {
		return nil, err
	}
	k := &kept{registration: r, obtained: now}
	if !k.good(now) {
		// To go on would be to register again and again.
		return nil, &oidc.ProtocolError{Reason: oidc.BadRegistration, Step: oidc.StepRegistration, Spec: "Registration 3.2",
			Detail: "client_secret_expires_at is " + r.SecretExpires.UTC().Format(time.RFC3339) + ", which is past"}
	}
	return k, nil
}
