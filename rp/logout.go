package rp

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"time"

	"rely.example/store"
)

// The kinds of tags; of a backchannel login it is tagRequest. Those that begin with out are of tombstones: they say who
// was logged out, for a login that is just being finished.
const (
	tagSubject    = "sub"
	tagSession    = "sid"
	tagRequest    = "auth-req-id"
	tagOutSubject = "out-sub"   // every login of the user
	tagOutSession = "out-sid"   // every login of the session
	tagOutUnnamed = "out-nosid" // those logins of the user that have no sid
)

// grantTags are under what End finds a grant.
func (r *RP) grantTags(g *grantRecord) (tags []string) {
	k := &r.ring[0]
	for _, issuer := range g.issuers() {
		tags = append(tags, k.Tag(tagSubject, issuer, g.subject))
		if g.sid != "" {
			tags = append(tags, k.Tag(tagSession, issuer, g.sid))
		}
	}
	return tags
}

// issuers are what a logout of the grant may name: the OP, and at an OP with
// tenants (oidc.Tenants) the tenant, which is the issuer of its logout tokens.
func (g *grantRecord) issuers() []string {
	if t := g.tokens.IDToken; t != nil && t.Issuer != g.issuer {
		return []string{g.issuer, t.Issuer}
	}
	return []string{g.issuer}
}

// End ends grants, and tells how many: with subject alone, every grant of that
// user at that issuer; with sid alone, those of that session of the OP; with
// both, those of the session that are the user's, and those of the user that
// have no sid to tell (Back-Channel Logout section 2.7). A login that was begun
// before and is not finished yet is refused with LoggedOut when it is. At an OP
// with tenants the issuer is the tenant's, as in IDToken.Issuer, or the OP's.
//
// The OP is not told. With an error some grants may be left: call it again.
func (r *RP) End(ctx context.Context, issuer, subject, sid string) (n int, err error) {
	if issuer == "" || subject == "" && sid == "" {
		return 0, &Error{Reason: BadConfig, Detail: "End needs an issuer, and a subject or a sid"}
	}
	// First what a login that is being finished will see, then the grants:
	// whichever comes first of the two, the other is met (hostile catalogue case
	// 266).
	if err := r.entomb(ctx, issuer, subject, sid); err != nil {
		return 0, err
	}
	places := make(map[string]bool) // whether the grant must be looked at
	for i := range r.ring {
		k := &r.ring[i]
		if sid != "" {
			err = firstError(err, r.collect(ctx, k.Tag(tagSession, issuer, sid), subject != "", places))
		}
		if subject != "" {
			err = firstError(err, r.collect(ctx, k.Tag(tagSubject, issuer, subject), sid != "", places))
		}
	}
	for place, look := range places {
		ended, e := r.endOne(ctx, place, look, subject, sid)
		err = firstError(err, e)
		if ended {
			n++
		}
	}
	return n, err
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (r *RP) collect(ctx context.Context, tag string, look bool, places map[string]bool) error {
	keys, err := r.shelf.tagged(ctx, tag)
	for _, k := range keys {
		if strings.HasPrefix(k, grantClass) {
			places[k] = look
		}
	}
	return err
}

// endOne ends one grant. If look is set it must be of the user and of the
// session, or of a session that it does not name.
func (r *RP) endOne(ctx context.Context, place string, look bool, subject, sid string) (bool, error) {
	if look {
		rec, err := r.shelf.load(ctx, place)
		if isNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		// One that cannot be read is of no use to anybody, and goes.
		if plain, err := r.ring.open(place, rec.Value); err == nil {
			if g, err := decodeGrant(plain); err == nil && (g.subject != subject || g.sid != "" && g.sid != sid) {
				return false, nil
			}
		}
	}
	r.forget(place)
	r.recent.drop(place)
	_, err := r.shelf.take(ctx, place)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// entomb leaves a record of the logout for as long as a login that was begun
// before may still be finished. Its key tells when, so that nothing needs to be
// opened.
func (r *RP) entomb(ctx context.Context, issuer, subject, sid string) error {
	k, now := &r.ring[0], r.now()
	rec := store.Record{
		Key:     tombstoneClass + strconv.FormatInt(now.UnixMilli(), 10) + ":" + rand.Text(),
		Expires: now.Add(r.loginLifetime + lateGrace),
	}
	switch {
	case sid == "":
		rec.Tags = []string{k.Tag(tagOutSubject, issuer, subject)}
	case subject == "":
		rec.Tags = []string{k.Tag(tagOutSession, issuer, sid)}
	default:
		rec.Tags = []string{k.Tag(tagOutSession, issuer, sid), k.Tag(tagOutUnnamed, issuer, subject)}
	}
	_, err := r.shelf.create(ctx, rec)
	return stillConflict("keeping the logout", err)
}

// loggedOutSince reports whether the user or the session was logged out after the
// login was begun. It asks Tagged, which never lags behind a write.
func (r *RP) loggedOutSince(ctx context.Context, g *grantRecord, begun time.Time) (bool, error) {
	for i := range r.ring {
		k := &r.ring[i]
		var tags []string
		for _, issuer := range g.issuers() {
			tags = append(tags, k.Tag(tagOutSubject, issuer, g.subject))
			if g.sid != "" {
				tags = append(tags, k.Tag(tagOutSession, issuer, g.sid))
			} else {
				tags = append(tags, k.Tag(tagOutUnnamed, issuer, g.subject))
			}
		}
		for _, tag := range tags {
			keys, err := r.shelf.tagged(ctx, tag)
			if err != nil {
				return false, err
			}
			for _, key := range keys {
				at, _, _ := strings.Cut(strings.TrimPrefix(key, tombstoneClass), ":")
				if ms, err := strconv.ParseInt(at, 10, 64); err != nil || begun.UnixMilli() <= ms {
					return true, nil
				}
			}
		}
	}
	return false, nil
}
