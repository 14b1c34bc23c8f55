package oidctest

import "time"

// maxShelf is how many entries a shelf keeps: strangers can fill it.
const maxShelf = 10000

// shelf keeps values by key until they expire, or until so many younger ones
// have come that the oldest must go. The zero value is empty.
type shelf[V any] struct {
	entries map[string]shelved[V]
	order   []string // keys as they were added; some may be gone
}

type shelved[V any] struct {
	value   V
	expires time.Time
}

// put adds or replaces a value.
func (s *shelf[V]) put(key string, v V, expires time.Time) {
	if s.entries == nil {
		s.entries = map[string]shelved[V]{}
	}
	if _, ok := s.entries[key]; !ok {
		for len(s.entries) >= maxShelf {
			delete(s.entries, s.order[0])
			s.order = s.order[1:]
		}
		s.order = append(s.order, key)
		if len(s.order) > 2*maxShelf {
			s.compact()
		}
	}
	s.entries[key] = shelved[V]{v, expires}
}

// compact forgets the order of keys that are gone.
func (s *shelf[V]) compact() {
	kept := make([]string, 0, len(s.entries))
	seen := make(map[string]bool, len(s.entries))
	for _, k := range s.order {
		if _, ok := s.entries[k]; ok && !seen[k] {
			kept, seen[k] = append(kept, k), true
		}
	}
	s.order = kept
}

// get returns a value that has not expired.
func (s *shelf[V]) get(key string, now time.Time) (V, bool) {
	e, ok := s.entries[key]
	if !ok || !now.Before(e.expires) {
		var zero V
		return zero, false
	}
	return e.value, true
}

// drop removes a value.
func (s *shelf[V]) drop(key string) { delete(s.entries, key) }

// dropAll removes the values that match.
func (s *shelf[V]) dropAll(match func(V) bool) {
	for k, e := range s.entries {
		if match(e.value) {
			delete(s.entries, k)
		}
	}
}
