package jose

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"rely.example/internal/hook"
)

// Defaults of [RemoteConfig].
const (
	defaultMinRefresh   = 30 * time.Second
	defaultMinAge       = time.Minute
	defaultMaxAge       = time.Hour
	defaultMaxStale     = 6 * time.Hour
	defaultFetchTimeout = 10 * time.Second

	// unstatedAge is how long a set is fresh whose Cache-Control says nothing.
	unstatedAge = 15 * time.Minute

	// secondLook is how long after a fetch for a token that no key fits another
	// such token may cause one more in the same cool-down.
	secondLook = time.Second

	// firstBackoff is the pause after the first failed fetch; it doubles up to
	// MinRefresh.
	firstBackoff = time.Second

	// retryPause is how long a cold cache waits before its one retry: long
	// enough for a restarting instance to leave a load balancer.
	retryPause = 250 * time.Millisecond
)

// RemoteConfig says how a [Remote] gets its keys and how long it trusts them.
// It must not change after [NewRemote].
type RemoteConfig struct {
	// Fetch gets the set once, from the one URL that the issuer's own metadata
	// names; required. Its context is that of no single caller: it ends after
	// FetchTimeout, or with Close. Fetch answers any status but success with an
	// error. An error with a method Temporary() bool that returns false is not
	// retried at once.
	Fetch func(ctx context.Context) (Fetched, error)

	// Now is the clock; nil means time.Now. Ages are measured on the monotonic
	// clock where Now provides it, as time.Now does.
	Now func() time.Time

	// MinRefresh is the cool-down: after a fetch that was caused by a token no
	// key fits, and that did not help it, other such tokens cause only one more
	// for this long. It also bounds the pause after failed fetches, which begins at one
	// second and doubles. Zero means 30 seconds.
	MinRefresh time.Duration

	// MinAge and MaxAge clamp for how long the response of the issuer says a set
	// is fresh. MaxAge bounds how long a withdrawn key is trusted while the
	// issuer can be reached. Zero means one minute and one hour.
	MinAge, MaxAge time.Duration

	// MaxStale is for how long beyond its freshness the last good set is used
	// while fetching fails. Zero means six hours, negative not at all.
	MaxStale time.Duration

	// FetchTimeout bounds one fetch, with its retry. Zero means 10 seconds.
	FetchTimeout time.Duration

	// Observe, if not nil, is told of every fetch when it has ended, before
	// whoever waits for it goes on. It must not block and must not call the
	// Remote.
	Observe func(RemoteEvent)
}

// Fetched is what RemoteConfig.Fetch got.
type Fetched struct {
	Body         []byte // the JWK Set; not kept
	CacheControl string // the Cache-Control field of the response, empty if there was none
}

// Cause is why a set was fetched.
type Cause string

// The causes of a fetch.
const (
	ColdCache  Cause = "none were known" // the first use, or there was never a good copy
	Aging      Cause = "aging"           // the copy gets old; callers go on with it meanwhile
	Expired    Cause = "expired"         // the copy is no longer fresh; callers wait
	UnknownKey Cause = "unknown key"     // a token that no key fits: perhaps a rotation
)

// RemoteEvent tells of one fetch.
type RemoteEvent struct {
	Cause   Cause
	Took    time.Duration // with the retry
	Retried bool
	Err     error         // nil if there is a new set; otherwise the last good one stays
	Keys    int           // usable keys of the new set
	Skipped []SkippedKey  // and the others; see Skip about those that deserve an alarm
	Fresh   time.Duration // for how long the new set is fresh
}

// Remote is the JWK Set of one issuer, kept fresh (RFC 7517 section 5, OpenID
// Connect Core 1.0 section 10.1.1). It must not be shared between issuers, who
// may use the same kid for different keys.
//
// A use of the set keeps it alive: nothing runs in between. While the copy is
// fresh no lock is taken. When three quarters of its life are over one use
// starts a fetch and nobody waits for it; when it is over they wait; when
// fetching fails the last good copy goes on for MaxStale. A token that no key
// fits causes a fetch too, at once if the keys were rotated, and twice in a
// cool-down if somebody sends forged ones. A new set replaces the old one: what
// the issuer withdrew is gone.
type Remote struct {
	cfg     RemoteConfig
	closing context.Context // ends with Close
	close   context.CancelFunc

	current atomic.Pointer[snapshot]
	started atomic.Uint64 // how many fetches were begun

	mu       sync.Mutex // guards what follows
	flight   *flight    // the fetch that is under way, or nil
	missedAt time.Time  // when the cool-down began, with a fetch for an unknown key that has not helped; zero: none
	looked   bool       // the second look of this cool-down was taken
	failedAt time.Time  // when the last fetch failed; zero: it succeeded
	failures int        // how often in a row
	failure  error      // how the last one failed
}

// snapshot is one good copy of the set.
type snapshot struct {
	set     *KeySet
	number  uint64 // of the fetch that brought it
	fetched time.Time
	fresh   time.Duration // since fetched
}

// flight is one fetch, shared by all who need it.
type flight struct {
	done chan struct{} // closed when the fields below are set
	got  *snapshot
	err  error
	// panicked is what Fetch, Observe or Now said when it panicked, with the stack;
	// "" if none did.
	panicked string
}

// NewRemote returns a Remote that has not fetched anything yet. Without a
// cfg.Fetch every use is refused with [KeysUnavailable].
func NewRemote(cfg RemoteConfig) *Remote {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Fetch == nil {
		cfg.Fetch = func(context.Context) (Fetched, error) {
			return Fetched{}, errors.New("no way to fetch the key set is configured")
		}
	}
	setDefault(&cfg.MinRefresh, defaultMinRefresh)
	setDefault(&cfg.MinAge, defaultMinAge)
	setDefault(&cfg.MaxAge, defaultMaxAge)
	setDefault(&cfg.MaxStale, defaultMaxStale)
	setDefault(&cfg.FetchTimeout, defaultFetchTimeout)
	cfg.MaxAge = max(cfg.MaxAge, cfg.MinAge)
	cfg.MaxStale = max(cfg.MaxStale, 0)
	r := &Remote{cfg: cfg}
	r.closing, r.close = context.WithCancel(context.Background())
	return r
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Close ends a fetch that is under way. What was fetched stays usable, nothing
// more is fetched.
func (r *Remote) Close() {
	if r != nil && r.close != nil {
		r.close()
	}
}

// ready refuses what NewRemote did not make and what nothing can be waited with.
func (r *Remote) ready(ctx context.Context) *Error {
	switch {
	case r == nil || r.cfg.Now == nil:
		return refuse(KeysUnavailable, "the Remote was not made by NewRemote")
	case ctx == nil:
		return refuse(KeysUnavailable, "the context is nil")
	}
	return nil
}

// Verify is [KeySet.Verify] with the current set. If no key fits the token it
// looks once for a newer set, subject to the cool-down. ctx bounds how long the
// caller waits, not the fetch, which others may share; when it ends the error is
// a [KeysUnavailable] that wraps ctx.Err().
func (r *Remote) Verify(ctx context.Context, token string, algs []string) (Verified, error) {
	if err := r.ready(ctx); err != nil {
		return Verified{}, err
	}
	begun := r.started.Load()
	s, err := r.usable(ctx)
	if err != nil {
		return Verified{}, err
	}
	v, refused := s.set.verify(token, algs)
	// Twice, because the first fetch may have begun before the keys changed.
	for attempt := 0; refused != nil && attempt < 2; attempt++ {
		// A bad signature counts: a restored provider may reuse a kid.
		if refused.Reason != NoKey && refused.Reason != BadSignature {
			break
		}
		if s.number > begun {
			break // this set was fetched after the token had come
		}
		newer, err := r.newer(ctx, s, attempt > 0)
		if err != nil && ctx.Err() != nil {
			return Verified{}, err // whether the token is good nobody knows
		}
		if err != nil {
			return Verified{}, &Error{Reason: refused.Reason, Detail: refused.Detail + "; looking for newer keys", Err: err}
		}
		if newer == nil {
			break // cooling down
		}
		s = newer
		if v, refused = s.set.verify(token, algs); refused == nil {
			r.helped()
		}
	}
	if refused != nil {
		return Verified{}, refused
	}
	return v, nil
}

// Keys returns the current set, fetched if need be.
func (r *Remote) Keys(ctx context.Context) (*KeySet, error) {
	if err := r.ready(ctx); err != nil {
		return nil, err
	}
	s, err := r.usable(ctx)
	if err != nil {
		return nil, err
	}
	return s.set, nil
}

// RemoteStatus is how a Remote is.
type RemoteStatus struct {
	Keys     int           // usable keys of the current set
	Fetched  time.Time     // when it was fetched; zero: never
	Fresh    time.Duration // for how long since then
	Failures int           // how many fetches have failed in a row since
	FailedAt time.Time     // when the last one did; zero: none has
	Failure  error         // how
}

// Status tells how the Remote is. It fetches nothing.
func (r *Remote) Status() RemoteStatus {
	if r.ready(context.Background()) != nil {
		return RemoteStatus{}
	}
	var s RemoteStatus
	if c := r.current.Load(); c != nil {
		s.Keys, s.Fetched, s.Fresh = c.set.Len(), c.fetched, c.fresh
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Failures, s.FailedAt, s.Failure = r.failures, r.failedAt, r.failure
	return s
}

// usable returns a copy that may be used now.
func (r *Remote) usable(ctx context.Context) (*snapshot, error) {
	s := r.current.Load()
	if s == nil {
		return r.fetched(ctx, ColdCache)
	}
	switch age := r.cfg.Now().Sub(s.fetched); {
	case age < 0:
		// A clock without a monotonic reading went back. How old the copy is
		// nobody knows; one more fetch costs less than a key trusted too long.
	case age < s.fresh-s.fresh/4:
		return s, nil
	case age < s.fresh:
		r.begin(ctx, Aging)
		return s, nil
	case age >= s.fresh+r.cfg.MaxStale:
		return r.fetched(ctx, Expired)
	}
	newer, err := r.fetched(ctx, Expired)
	if err != nil && ctx.Err() == nil {
		return s, nil // bounded staleness: the last good copy
	}
	return newer, err
}

// fetched waits for a fetch, its own or one that is under way.
func (r *Remote) fetched(ctx context.Context, cause Cause) (*snapshot, error) {
	f, err := r.begin(ctx, cause)
	if err != nil {
		return nil, err
	}
	return f.wait(ctx)
}

func (f *flight) wait(ctx context.Context) (*snapshot, error) {
	select {
	case <-f.done:
		hook.Rethrow(f.panicked)
		return f.got, f.err
	case <-ctx.Done():
		return nil, &Error{Reason: KeysUnavailable, Detail: "gave up waiting", Err: ctx.Err()}
	}
}

// newer returns a set that is newer than s, for a token that s has no key for.
// late says that s is from a fetch that had begun when the token came. The result
// is nil without an error during the cool-down.
func (r *Remote) newer(ctx context.Context, s *snapshot, late bool) (*snapshot, error) {
	r.mu.Lock()
	if now := r.current.Load(); now != s {
		r.mu.Unlock()
		return now, nil // somebody else has fetched it
	}
	f := r.flight
	if f == nil {
		now := r.cfg.Now()
		if r.cooling(now, late) {
			r.mu.Unlock()
			return nil, nil
		}
		if err := r.resting(now); err != nil {
			r.mu.Unlock()
			return nil, err
		}
		if r.looked = within(now, r.missedAt, r.cfg.MinRefresh); !r.looked {
			r.missedAt = now
		}
		f = r.launch(ctx, UnknownKey)
	}
	r.mu.Unlock()
	return f.wait(ctx)
}

// cooling reports whether no token may cause a fetch now. The cool-down is there
// for forged tokens, but a rotation may follow one, or happen while the keys are
// being fetched for one, and the token under the new key is none the worse. So
// each cool-down has a second look: for a token that came when the first had
// begun already, or for any that comes a second later. The caller holds mu.
func (r *Remote) cooling(now time.Time, late bool) bool {
	return within(now, r.missedAt, r.cfg.MinRefresh) &&
		(r.looked || !late && within(now, r.missedAt, secondLook))
}

// helped ends the cool-down: the fetch was caused by a true rotation.
func (r *Remote) helped() {
	r.mu.Lock()
	r.missedAt = time.Time{}
	r.mu.Unlock()
}

// begin joins the fetch that is under way or starts one, unless the last failure
// is too recent to try again.
func (r *Remote) begin(ctx context.Context, cause Cause) (*flight, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight != nil {
		return r.flight, nil
	}
	if err := r.resting(r.cfg.Now()); err != nil {
		return nil, err
	}
	return r.launch(ctx, cause), nil
}

// resting returns how the last fetch failed if that is too recent to try again.
// The caller holds mu.
func (r *Remote) resting(now time.Time) error {
	if r.failures == 0 {
		return nil
	}
	pause := min(firstBackoff<<min(r.failures-1, 16), r.cfg.MinRefresh)
	if !within(now, r.failedAt, pause) {
		return nil
	}
	return r.failure
}

// within reports whether now is less than pause after since. A clock that went
// back does not prolong the pause.
func within(now, since time.Time, pause time.Duration) bool {
	if since.IsZero() {
		return false
	}
	passed := now.Sub(since)
	return 0 <= passed && passed < pause
}

// launch starts a fetch. The caller holds mu, and there is none under way.
//
// The fetch keeps the values of ctx, so that a trace sees it, and not its
// cancellation, because the others who wait have not been cancelled. It ends by
// its own deadline or by Close.
func (r *Remote) launch(ctx context.Context, cause Cause) *flight {
	f := &flight{done: make(chan struct{})}
	r.flight = f
	number := r.started.Add(1)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.FetchTimeout)
	stop := context.AfterFunc(r.closing, cancel)
	go func() {
		defer cancel()
		defer stop()
		r.fly(ctx, f, cause, number)
	}()
	return f
}

// fly performs a fetch and tells everybody.
func (r *Remote) fly(ctx context.Context, f *flight, cause Cause, number uint64) {
	event := RemoteEvent{Cause: cause}
	var begun, ended time.Time
	var got *snapshot
	var err error
	if f.panicked = hook.Caught(func() {
		begun = r.cfg.Now()
		ended = begun
		got, err = r.fetchOnce(ctx)
		if err != nil && r.current.Load() == nil && transient(err) && pause(ctx, retryPause) {
			event.Retried = true
			got, err = r.fetchOnce(ctx)
		}
		ended = r.cfg.Now()
	}); f.panicked != "" {
		err = errors.New("a hook of the application panicked")
	}
	event.Took = ended.Sub(begun)

	if err != nil {
		err = &Error{Reason: KeysUnavailable, Err: err}
		f.err, event.Err = err, err
	} else {
		got.number = number
		// From the beginning: the set is at least as old as the request.
		got.fetched = begun
		f.got = got
		event.Keys, event.Skipped, event.Fresh = got.set.Len(), got.set.Skipped(), got.fresh
	}

	if r.cfg.Observe != nil {
		if panicked := hook.Caught(func() { r.cfg.Observe(event) }); f.panicked == "" {
			f.panicked = panicked
		}
	}

	r.mu.Lock()
	r.flight = nil
	if err != nil {
		r.failures++
		r.failedAt, r.failure = ended, err
		if cause == UnknownKey {
			// It did not show that the token is forged. The pause after a
			// failure is enough of a brake, and lets a rotation heal sooner.
			r.missedAt = time.Time{}
		}
	} else {
		r.failures, r.failedAt, r.failure = 0, time.Time{}, nil
		r.current.Store(got)
	}
	r.mu.Unlock()
	close(f.done)
}

// fetchOnce fetches and parses, so that an error page with status 200 is a
// failure like any other.
func (r *Remote) fetchOnce(ctx context.Context) (*snapshot, error) {
	if err := r.closing.Err(); err != nil {
		return nil, err
	}
	got, err := r.cfg.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	set, err := ParseKeySet(got.Body)
	if err != nil {
		return nil, err
	}
	return &snapshot{set: set, fresh: clampAge(got.CacheControl, r.cfg.MinAge, r.cfg.MaxAge)}, nil
}

// transient reports whether trying again at once makes sense.
func transient(err error) bool {
	// errors.As would link reflection on types, which nothing else here needs.
	t, known := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return !known || t.Temporary()
}

// pause waits and reports whether ctx lasted that long.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
