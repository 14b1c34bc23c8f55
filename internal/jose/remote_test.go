package jose

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// issuer is what is behind the URL of a key set.
type issuer struct {
	mu      sync.Mutex
	keys    string
	control string
	fail    []error // one for each coming fetch; nil entries succeed
	down    error   // for every fetch
	delay   time.Duration
	fetches int
	trace   string // of the context that the last fetch got
	events  []RemoteEvent
}

func (i *issuer) fetch(ctx context.Context) (Fetched, error) {
	i.mu.Lock()
	i.fetches++
	i.trace, _ = ctx.Value(traceKey{}).(string)
	delay := i.delay
	got, err := Fetched{Body: []byte(i.keys), CacheControl: i.control}, i.down
	if len(i.fail) > 0 {
		err, i.fail = i.fail[0], i.fail[1:]
	}
	i.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return Fetched{}, ctx.Err()
	}
	return got, err
}

func (i *issuer) publish(keys ...any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = setOf(keys...)
}

func (i *issuer) set(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f()
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

func (i *issuer) last() RemoteEvent {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.events[len(i.events)-1]
}

// remote returns a Remote of the issuer, which publishes the RSA key as "a".
func (i *issuer) remote(t *testing.T, change ...func(*RemoteConfig)) *Remote {
	if i.keys == "" {
		i.publish(publicKey(rsaKey(), "a"))
	}
	cfg := RemoteConfig{Fetch: i.fetch, Observe: func(e RemoteEvent) { i.set(func() { i.events = append(i.events, e) }) }}
	for _, c := range change {
		c(&cfg)
	}
	r := NewRemote(cfg)
	t.Cleanup(r.Close)
	return r
}

type traceKey struct{}

// tokens made outside of the bubbles, because signing takes real time.
type tokens struct{ a, b, reused, ec string }

func issued(t *testing.T) tokens {
	return tokens{
		a:      issue(t, "RS256", "a", rsaKey(), claims, nil),
		b:      issue(t, "RS256", "b", otherRSA(), claims, nil),
		reused: issue(t, "RS256", "a", otherRSA(), claims, nil),
		ec:     issue(t, "ES256", "ec", p256Key(), claims, nil),
	}
}

func accepts(t *testing.T, r *Remote, token string) {
	t.Helper()
	v, err := r.Verify(t.Context(), token, []string{"RS256"})
	if err != nil || string(v.Payload) != claims {
		t.Fatalf("got %v, want the token accepted", err)
	}
}

func rejects(t *testing.T, r *Remote, token string, want Reason) {
	t.Helper()
	v, err := r.Verify(t.Context(), token, []string{"RS256"})
	refused(t, err, want)
	if v != (Verified{}) {
		t.Fatal("something unverified was returned")
	}
}

func fetched(t *testing.T, i *issuer, want int) {
	t.Helper()
	synctest.Wait()
	if got := i.count(); got != want {
		t.Fatalf("got %d fetches, want %d", got, want)
	}
}

func TestHostileRemote(t *testing.T) {
	tok := issued(t)
	oldKey, newKey := publicKey(rsaKey(), "a"), publicKey(otherRSA(), "b")
	forged := func(n int) string {
		return forge(fmt.Sprintf(`{"alg":"RS256","kid":"forged-%d"}`, n), claims, make([]byte, 256))
	}
	knownKid := forge(`{"alg":"RS256","kid":"a"}`, claims, make([]byte, 256))
	run := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}

	run("042_slow_set_has_its_own_deadline", func(t *testing.T) {
		i := &issuer{delay: time.Hour}
		r := i.remote(t)
		start := time.Now()
		_, err := r.Verify(t.Context(), tok.a, []string{"RS256"})
		refused(t, err, KeysUnavailable)
		if took := time.Since(start); took != defaultFetchTimeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v after %v", err, took)
		}
	})
	run("043_forged_kid_flood", func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		for n := range 1000 {
			rejects(t, r, forged(n), NoKey)
		}
		fetched(t, i, 2) // the cold one, and one for all the forged
		if e := i.last(); e.Cause != UnknownKey {
			t.Fatalf("got cause %q", e.Cause)
		}
		// A true rotation during the flood heals a second later.
		i.publish(newKey)
		rejects(t, r, tok.b, NoKey)
		time.Sleep(secondLook)
		rejects(t, r, tok.b[:len(tok.b)-4]+"AAAA", BadSignature) // even a forged one brings the new set
		fetched(t, i, 3)
		accepts(t, r, tok.b)
		for n := range 1000 {
			rejects(t, r, forged(n), NoKey)
		}
		fetched(t, i, 3)
		// The next one, when the cool-down is over.
		i.publish(publicKey(p256Key(), "ec"))
		time.Sleep(defaultMinRefresh - secondLook - time.Nanosecond)
		_, err := r.Verify(t.Context(), tok.ec, []string{"ES256"})
		refused(t, err, NoKey)
		time.Sleep(time.Nanosecond)
		rejects(t, r, forged(0), NoKey)
		fetched(t, i, 4)
		if _, err := r.Verify(t.Context(), tok.ec, []string{"ES256"}); err != nil {
			t.Fatal(err)
		}
	})
	run("043_endless_flood", func(t *testing.T) {
		i := &issuer{delay: 50 * time.Millisecond}
		r := i.remote(t)
		accepts(t, r, tok.a)
		start, before := time.Now(), i.count()
		for time.Since(start) < 10*defaultMinRefresh {
			var group sync.WaitGroup
			for n := range 20 {
				group.Go(func() {
					time.Sleep(time.Duration(n) * 10 * time.Millisecond) // some come while a fetch is under way
					_, err := r.Verify(t.Context(), forged(n), []string{"RS256"})
					refused(t, err, NoKey)
				})
			}
			group.Wait()
		}
		if got := i.count() - before; got > 22 { // the eleventh begins
			t.Fatalf("%d fetches in ten cool-downs, want two in each at most", got)
		}
	})
	run("043_rotation_right_after_a_forged_token", func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		rejects(t, r, forged(0), NoKey)
		i.publish(oldKey, newKey)
		time.Sleep(secondLook - time.Nanosecond)
		rejects(t, r, tok.b, NoKey)
		fetched(t, i, 2)
		time.Sleep(time.Nanosecond)
		accepts(t, r, tok.b)
		fetched(t, i, 3)
		// What helped does not cool down, though it was the second look.
		i.publish(publicKey(p256Key(), "ec"))
		if _, err := r.Verify(t.Context(), tok.ec, []string{"ES256"}); err != nil {
			t.Fatal(err)
		}
		fetched(t, i, 4)
	})
	run("061_rotation_during_a_fetch_for_a_forged_token", func(t *testing.T) {
		i := &issuer{delay: secondLook / 10}
		r := i.remote(t)
		accepts(t, r, tok.a)
		var group sync.WaitGroup
		group.Go(func() { rejects(t, r, forged(0), NoKey) })
		synctest.Wait() // its fetch is under way, with the old keys
		i.publish(oldKey, newKey)
		accepts(t, r, tok.b)
		group.Wait()
		fetched(t, i, 3)
	})
	run("061_two_rotations_during_one_fetch", func(t *testing.T) {
		i := &issuer{delay: secondLook / 10}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.publish(oldKey, newKey)
		var group sync.WaitGroup
		group.Go(func() { accepts(t, r, tok.b) })
		synctest.Wait() // its fetch is under way, with the first rotation
		i.publish(publicKey(p256Key(), "ec"))
		for range 10 {
			group.Go(func() {
				if _, err := r.Verify(t.Context(), tok.ec, []string{"ES256"}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		fetched(t, i, 3)
	})
	run("044_forged_tokens_with_known_kid", func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		for range 100 {
			rejects(t, r, knownKid, BadSignature)
		}
		fetched(t, i, 2)
		time.Sleep(secondLook - time.Nanosecond)
		rejects(t, r, knownKid, BadSignature)
		fetched(t, i, 2)
		time.Sleep(time.Nanosecond)
		rejects(t, r, knownKid, BadSignature)
		fetched(t, i, 3)
		time.Sleep(defaultMinRefresh - secondLook - time.Nanosecond)
		rejects(t, r, knownKid, BadSignature)
		fetched(t, i, 3)
		time.Sleep(time.Nanosecond)
		rejects(t, r, knownKid, BadSignature)
		fetched(t, i, 4)
	})
	run("044_cold_flood", func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		rejects(t, r, knownKid, BadSignature)
		fetched(t, i, 1) // the set is newer than the token: no second look
	})
	run("045_cold_stampede", func(t *testing.T) {
		i := &issuer{delay: time.Second}
		r := i.remote(t)
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				if _, err := r.Verify(t.Context(), tok.a, []string{"RS256"}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		fetched(t, i, 1)
	})
	run("046_first_waiter_cancelled", func(t *testing.T) {
		i := &issuer{delay: time.Second}
		r := i.remote(t)
		first, cancel := context.WithCancel(context.WithValue(t.Context(), traceKey{}, "trace"))
		var group sync.WaitGroup
		group.Go(func() {
			_, err := r.Verify(first, tok.a, []string{"RS256"})
			refused(t, err, KeysUnavailable)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want it to tell of the cancellation", err)
			}
		})
		synctest.Wait()
		for range 10 {
			group.Go(func() {
				if _, err := r.Verify(t.Context(), tok.a, []string{"RS256"}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel()
		group.Wait()
		fetched(t, i, 1)
		if i.trace != "trace" {
			t.Fatal("the fetch lost the values of its first waiter")
		}
	})
	run("060_withdrawn_key_dies", func(t *testing.T) {
		i := &issuer{control: "max-age=315360000"}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.publish(newKey)
		time.Sleep(defaultMaxAge - time.Nanosecond)
		accepts(t, r, tok.a) // and refreshes behind its back
		fetched(t, i, 2)
		rejects(t, r, tok.a, NoKey)
	})
	run("060_withdrawn_key_dies_after_idling", func(t *testing.T) {
		i := &issuer{control: "max-age=315360000"}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.publish(newKey)
		time.Sleep(defaultMaxAge)
		rejects(t, r, tok.a, NoKey) // waits for the new set
		fetched(t, i, 2)
	})
	run("060_all_keys_withdrawn", func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.publish()
		time.Sleep(defaultMaxAge)
		rejects(t, r, tok.a, NoKey)
	})
	run("061_rotation_just_before_signing", func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.publish(oldKey, newKey)
		accepts(t, r, tok.b)
		fetched(t, i, 2)
		accepts(t, r, tok.a)
		// And once more, at once: what helps does not cool down.
		i.publish(publicKey(p256Key(), "ec"))
		if _, err := r.Verify(t.Context(), tok.ec, []string{"ES256"}); err != nil {
			t.Fatal(err)
		}
		fetched(t, i, 3)
	})
	run("061_rotation_under_load", func(t *testing.T) {
		i := &issuer{delay: 100 * time.Millisecond}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.publish(oldKey, newKey)
		var group sync.WaitGroup
		for n := range 100 {
			group.Go(func() {
				token := tok.a
				if n%2 == 0 {
					token = tok.b
				}
				if _, err := r.Verify(t.Context(), token, []string{"RS256"}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		fetched(t, i, 2)
	})
	run("061_rotation_during_a_fetch", func(t *testing.T) {
		i := &issuer{delay: time.Second}
		r := i.remote(t)
		accepts(t, r, tok.a)
		time.Sleep(unstatedAge * 3 / 4)
		accepts(t, r, tok.a) // a background fetch is under way, with the old keys
		synctest.Wait()
		i.publish(oldKey, newKey)
		accepts(t, r, tok.b)
		fetched(t, i, 3)
	})
	run("062_same_kid_new_key", func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.publish(publicKey(otherRSA(), "a"))
		accepts(t, r, tok.reused)
		fetched(t, i, 2)
		rejects(t, r, tok.a, BadSignature)
	})
	run("063_503_with_a_warm_cache", func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.set(func() { i.down = errors.New("503") })
		for range 6 {
			time.Sleep(time.Hour)
			accepts(t, r, tok.a)
		}
		if e := i.last(); e.Err == nil || e.Cause != Expired || e.Retried {
			t.Fatalf("got %+v", e)
		}
		time.Sleep(unstatedAge) // six hours beyond its freshness
		rejects(t, r, tok.a, KeysUnavailable)
		i.set(func() { i.down = nil })
		time.Sleep(defaultMinRefresh)
		accepts(t, r, tok.a)
	})
	run("063_stale_never_if_so_configured", func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t, func(c *RemoteConfig) { c.MaxStale = -1 })
		accepts(t, r, tok.a)
		i.set(func() { i.down = errors.New("503") })
		time.Sleep(unstatedAge)
		rejects(t, r, tok.a, KeysUnavailable)
	})
	run("063_failing_set_is_not_hammered", func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.set(func() { i.down = errors.New("503") })
		time.Sleep(unstatedAge)
		for range 3600 { // one login a second for an hour
			accepts(t, r, tok.a)
			time.Sleep(time.Second)
		}
		// Pauses of 1, 2, 4, 8, 16 and then 30 seconds.
		if got := i.count(); got < 100 || got > 130 {
			t.Fatalf("got %d fetches in an hour", got)
		}
	})
	run("064_503_once_on_a_cold_cache", func(t *testing.T) {
		i := &issuer{fail: []error{errors.New("503")}}
		r := i.remote(t)
		accepts(t, r, tok.a)
		fetched(t, i, 2)
		if e := i.last(); !e.Retried || e.Err != nil || e.Took != retryPause || e.Keys != 1 || e.Cause != ColdCache {
			t.Fatalf("got %+v", e)
		}
	})
	run("064_503_twice_on_a_cold_cache", func(t *testing.T) {
		i := &issuer{fail: []error{errors.New("503"), errors.New("503")}}
		r := i.remote(t)
		rejects(t, r, tok.a, KeysUnavailable)
		rejects(t, r, tok.a, KeysUnavailable) // at once, without another fetch
		fetched(t, i, 2)
		time.Sleep(firstBackoff)
		accepts(t, r, tok.a)
	})
	run("064_final_failure_is_not_retried", func(t *testing.T) {
		i := &issuer{fail: []error{fmt.Errorf("fetch: %w", final{})}}
		r := i.remote(t)
		rejects(t, r, tok.a, KeysUnavailable)
		fetched(t, i, 1)
	})
	run("064_retry_stays_inside_the_deadline", func(t *testing.T) {
		i := &issuer{down: errors.New("503"), delay: 40 * time.Millisecond}
		r := i.remote(t, func(c *RemoteConfig) { c.FetchTimeout = 50 * time.Millisecond })
		start := time.Now()
		rejects(t, r, tok.a, KeysUnavailable)
		if took := time.Since(start); took != 50*time.Millisecond {
			t.Fatalf("took %v", took)
		}
		fetched(t, i, 1)
	})
	run("066_error_body_is_not_repeated", func(t *testing.T) {
		i := &issuer{keys: "<html>root:x:0:0</html>"}
		_, err := i.remote(t).Verify(t.Context(), tok.a, []string{"RS256"})
		refused(t, err, KeysUnavailable)
		if !errors.Is(err, BadKeySet) || strings.Contains(err.Error(), "root") {
			t.Fatalf("got %v", err)
		}
	})
	run("066_error_page_does_not_replace_the_set", func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.set(func() { i.keys = "<html>" })
		time.Sleep(unstatedAge)
		accepts(t, r, tok.a)
		if e := i.last(); !errors.Is(e.Err, BadKeySet) {
			t.Fatalf("got %+v", e)
		}
	})
	run("069_same_kid_of_two_issuers", func(t *testing.T) {
		one, two := &issuer{}, &issuer{keys: setOf(publicKey(otherRSA(), "a"))}
		r1, r2 := one.remote(t), two.remote(t)
		accepts(t, r1, tok.a)
		accepts(t, r2, tok.reused)
		rejects(t, r1, tok.reused, BadSignature)
		rejects(t, r2, tok.a, BadSignature)
	})
	run("070_refresh_replaces", func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.publish(newKey)
		accepts(t, r, tok.b)
		rejects(t, r, tok.a, NoKey)
		if s := must(r.Keys(t.Context())); s.Len() != 1 {
			t.Fatalf("got %d keys, want 1", s.Len())
		}
	})
	run("073_clock_goes_back", func(t *testing.T) {
		// A clock without a monotonic reading, as a test or a virtual machine may
		// have. The set must not live longer for it.
		var shift atomic.Int64
		i := &issuer{}
		r := i.remote(t, func(c *RemoteConfig) {
			c.Now = func() time.Time { return time.Now().Round(0).Add(time.Duration(shift.Load())) }
		})
		accepts(t, r, tok.a)
		i.publish(newKey)
		shift.Store(int64(-24 * time.Hour))
		rejects(t, r, tok.a, NoKey)
		fetched(t, i, 2)
		// Nor must the cool-down.
		rejects(t, r, forged(1), NoKey)
		shift.Store(int64(-48 * time.Hour))
		i.publish(oldKey)
		accepts(t, r, tok.a)
	})
	t.Run("073_monotonic_clock", func(t *testing.T) {
		// time.Now has a monotonic reading, so a step of the wall clock does not
		// reach ages at all; that Sub uses it is what this holds.
		i := &issuer{}
		r := i.remote(t, func(c *RemoteConfig) { c.Now = nil })
		accepts(t, r, tok.a)
		if s := r.current.Load(); !strings.Contains(s.fetched.String(), "m=") {
			t.Fatalf("%v has no monotonic reading", s.fetched)
		}
	})
}

// final is an error that will be the same next time.
type final struct{}

func (final) Error() string   { return "404" }
func (final) Temporary() bool { return false }

func TestHostile072CacheControl(t *testing.T) {
	const lowest, highest = time.Minute, time.Hour
	for _, c := range []struct {
		name, field string
		want        time.Duration
	}{
		{"absent", "", unstatedAge},
		{"max_age", "public, max-age=600", 10 * time.Minute},
		{"upper_case", "Max-Age=600", 10 * time.Minute},
		{"quoted", `max-age="600"`, 10 * time.Minute},
		{"zero", "max-age=0", lowest},
		{"ten_years", "max-age=315360000", highest},
		{"negative", "max-age=-1", lowest},
		{"garbage", "max-age=soon", lowest},
		{"no_value", "max-age", lowest},
		{"fraction", "max-age=600.5", lowest},
		{"twice", "max-age=600, max-age=700", lowest},
		{"overflow", "max-age=99999999999999999999999", highest},
		{"overflow_of_nanoseconds", "max-age=9223372036854775807", highest},
		{"no_store", "no-store, max-age=600", lowest},
		{"no_cache", "max-age=600, no-cache", lowest},
		{"other_directives", "private, must-revalidate", unstatedAge},
		{"s_maxage_is_not_ours", "s-maxage=600", unstatedAge},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := clampAge(c.field, lowest, highest); got != c.want {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestRemoteBackgroundRefresh(t *testing.T) {
	tok := issued(t)
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{control: "max-age=1000", delay: time.Second}
		r := i.remote(t)
		accepts(t, r, tok.a)
		time.Sleep(748 * time.Second) // the set is as old as the request that fetched it
		accepts(t, r, tok.a)
		fetched(t, i, 1)
		time.Sleep(time.Second)
		start := time.Now()
		for range 10 {
			accepts(t, r, tok.a)
		}
		if time.Since(start) != 0 {
			t.Fatal("somebody waited for a refresh that was not urgent")
		}
		fetched(t, i, 2)
		time.Sleep(time.Second)
		synctest.Wait()
		if e := i.last(); e.Cause != Aging || e.Err != nil || e.Fresh != 1000*time.Second {
			t.Fatalf("got %+v", e)
		}
	})
}

func TestRemoteObservesSkippedKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{keys: setOf(publicKey(rsaKey(), "a", with("d", "AQAB")))}
		if _, err := i.remote(t).Keys(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e := i.last(); len(e.Skipped) != 1 || e.Skipped[0].Why != PrivateKey || e.Keys != 0 {
			t.Fatalf("got %+v, want an alarm", e)
		}
	})
}

// TestRemoteMissWhileFailing: a token of an unknown key, and no way to look.
func TestRemoteMissWhileFailing(t *testing.T) {
	tok := issued(t)
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.publish(publicKey(otherRSA(), "b"))
		i.set(func() { i.fail = []error{errors.New("503")} })
		_, err := r.Verify(t.Context(), tok.b, []string{"RS256"})
		refused(t, err, NoKey)
		if !errors.Is(err, KeysUnavailable) {
			t.Fatalf("got %v, want it to tell that the keys could not be fetched", err)
		}
		_, err = r.Verify(t.Context(), tok.b, []string{"RS256"})
		refused(t, err, NoKey)
		fetched(t, i, 2) // still pausing
		time.Sleep(firstBackoff)
		accepts(t, r, tok.b) // a failure is no cool-down
	})
}

// TestRemoteMissAfterRefresh: who finds that somebody else fetched a newer set in
// the meantime takes it, cool-down or not.
func TestRemoteMissAfterRefresh(t *testing.T) {
	tok := issued(t)
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		old := r.current.Load()
		i.publish(publicKey(otherRSA(), "b"))
		accepts(t, r, tok.b)
		if s, err := r.newer(t.Context(), old, false); err != nil || s != r.current.Load() {
			t.Fatalf("got %v, %v, want the current set", s, err)
		}
		fetched(t, i, 2)
	})
}

func TestRemoteMissCancelled(t *testing.T) {
	tok := issued(t)
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.set(func() { i.delay = time.Second })
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := r.Verify(ctx, tok.b, []string{"RS256"})
		refused(t, err, KeysUnavailable)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		time.Sleep(time.Second)
	})
}

// TestRemoteNoFetchForOthers: only what a newer set can heal causes a fetch.
func TestRemoteNoFetchForOthers(t *testing.T) {
	tok := issued(t)
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		rejects(t, r, "x.y", Malformed)
		rejects(t, r, tok.ec, AlgNotAllowed)
		rejects(t, r, forge(`{"alg":"RS256","kid":"z","crit":[]}`, claims, nil), UnsupportedHeader)
		fetched(t, i, 1)
	})
}

func TestRemoteExpiredCancelled(t *testing.T) {
	tok := issued(t)
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		time.Sleep(unstatedAge)
		i.set(func() { i.delay = time.Second })
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := r.Keys(ctx)
		refused(t, err, KeysUnavailable)
		time.Sleep(time.Second)
	})
}

func TestRemoteClose(t *testing.T) {
	tok := issued(t)
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.set(func() { i.delay = time.Hour })
		go func() { _, _ = r.Verify(context.Background(), tok.b, []string{"RS256"}) }()
		synctest.Wait()
		r.Close()
		synctest.Wait()
		fetched(t, i, 2)
		accepts(t, r, tok.a)
		time.Sleep(unstatedAge)
		accepts(t, r, tok.a) // the last good copy
		fetched(t, i, 2)
	})
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		r := i.remote(t)
		r.Close()
		rejects(t, r, tok.a, KeysUnavailable)
		fetched(t, i, 0)
	})
}

func TestRemoteWithoutFetch(t *testing.T) {
	r := NewRemote(RemoteConfig{})
	defer r.Close()
	_, err := r.Keys(t.Context())
	refused(t, err, KeysUnavailable)
}

func TestHostile337ZeroRemote(t *testing.T) {
	var none context.Context // as a caller who forgot it would pass
	ready := NewRemote(RemoteConfig{})
	defer ready.Close()
	for name, c := range map[string]struct {
		r   *Remote
		ctx context.Context
	}{
		"337_nil_remote": {nil, t.Context()}, "337_zero_remote": {new(Remote), t.Context()}, "337_nil_context": {ready, none},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.r.Keys(c.ctx)
			refused(t, err, KeysUnavailable)
			_, err = c.r.Verify(c.ctx, "x", []string{"RS256"})
			refused(t, err, KeysUnavailable)
			c.r.Close()
		})
	}
}

func TestRemoteConfigDefaults(t *testing.T) {
	r := NewRemote(RemoteConfig{MinAge: 2 * time.Hour})
	defer r.Close()
	if r.cfg.MaxAge != 2*time.Hour {
		t.Fatalf("got a MaxAge of %v below MinAge", r.cfg.MaxAge)
	}
}

func TestRemoteWarmPathTakesNoLock(t *testing.T) {
	tok := issued(t)
	i := &issuer{}
	r := i.remote(t)
	accepts(t, r, tok.a)
	r.mu.Lock() // a warm Verify that took it would never return
	defer r.mu.Unlock()
	accepts(t, r, tok.a)
}

func BenchmarkRemoteParallel(b *testing.B) {
	token := issue(b, "ES256", "a", p256Key(), claims, nil)
	body := []byte(setOf(publicKey(p256Key(), "a")))
	r := NewRemote(RemoteConfig{Fetch: func(context.Context) (Fetched, error) { return Fetched{Body: body}, nil }})
	defer r.Close()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.Verify(b.Context(), token, []string{"ES256"}); err != nil {
				b.Error(err)
			}
		}
	})
}

// TestRemoteStatus tells of what there is, and fetches nothing.
func TestRemoteStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tok := issued(t)
		i := &issuer{}
		r := i.remote(t)
		if got := r.Status(); got != (RemoteStatus{}) {
			t.Errorf("before the first use: %+v", got)
		}
		fetched(t, i, 0)
		accepts(t, r, tok.a)
		want := RemoteStatus{Keys: 1, Fetched: time.Now(), Fresh: unstatedAge}
		if got := r.Status(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
	for _, r := range []*Remote{nil, {}} {
		if got := r.Status(); got != (RemoteStatus{}) {
			t.Errorf("of no Remote: %+v", got)
		}
	}
}

// TestRemoteFailedLookups: a fetch for an unknown key that fails does not show
// that the token is forged. So it starts no cool-down, and a rotation heals as soon
// as the pause after the last failure is over.
func TestRemoteFailedLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tok := issued(t)
		i := &issuer{}
		r := i.remote(t)
		accepts(t, r, tok.a)
		i.publish(publicKey(otherRSA(), "b"))
		i.set(func() { i.down = errors.New("reset") })
		for n := range 3 { // more looks than one cool-down has
			rejects(t, r, tok.b, NoKey)
			fetched(t, i, 2+n)
			time.Sleep(firstBackoff << n)
		}
		i.set(func() { i.down = nil })
		accepts(t, r, tok.b)
		fetched(t, i, 5)
	})
}

// TestRemoteWithoutKeys: of what cannot be had there is no set to encrypt with.
func TestRemoteWithoutKeys(t *testing.T) {
	r := NewRemote(RemoteConfig{})
	defer r.Close()
	set, err := r.Keys(t.Context())
	if refused(t, err, KeysUnavailable); set != nil {
		t.Errorf("got %v", set)
	}
}

// TestRemoteHandsPanicsOn: a hook that panics does so in the goroutine of who waits
// for the keys, where a server recovers; a fetch that nobody waits for is one that
// failed; and the next fetch is as any other.
func TestRemoteHandsPanicsOn(t *testing.T) {
	const fault = "a fault of the application"
	panicking := func(t *testing.T, r *Remote, token string) {
		t.Helper()
		defer func() {
			t.Helper()
			if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), fault) {
				t.Errorf("recovered %v", v)
			}
		}()
		_, err := r.Verify(t.Context(), token, []string{"RS256"})
		t.Errorf("returned %v", err)
	}
	for name, change := range map[string]func(c *RemoteConfig, broken *atomic.Bool){
		"fetch": func(c *RemoteConfig, broken *atomic.Bool) {
			fetch := c.Fetch
			c.Fetch = func(ctx context.Context) (Fetched, error) {
				if broken.Load() {
					panic(fault)
				}
				return fetch(ctx)
			}
		},
		"observe": func(c *RemoteConfig, broken *atomic.Bool) {
			observe := c.Observe
			c.Observe = func(e RemoteEvent) {
				observe(e)
				if broken.Load() {
					panic(fault)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tok := issued(t)
				i := &issuer{}
				var broken atomic.Bool
				r := i.remote(t, func(c *RemoteConfig) { change(c, &broken) })
				broken.Store(true)
				panicking(t, r, tok.a)
				broken.Store(false)
				time.Sleep(firstBackoff)
				accepts(t, r, tok.a)
				broken.Store(true)
				time.Sleep(unstatedAge - 2*firstBackoff)
				accepts(t, r, tok.a) // nobody waits for what it begins
				synctest.Wait()
				if failed := r.Status().Failure != nil; failed != (name == "fetch") {
					t.Errorf("the fetch in passing: %v", r.Status().Failure)
				}
				broken.Store(false)
				time.Sleep(firstBackoff)
				accepts(t, r, tok.a)
				synctest.Wait()
				if err := r.Status().Failure; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
