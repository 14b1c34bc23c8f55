package storetest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/store"
	"rely.example/store/memstore"
	"rely.example/store/storetest"
)

// The cases must pass on a store that keeps the contract with a clock that runs
// by itself, and through Check.
func TestCheck(t *testing.T) {
	s := new(memstore.Store)
	for _, r := range storetest.Check(t.Context(), storetest.Subject{Store: s, Another: s, Goroutines: 100}) {
		if r.Err != nil {
			t.Errorf("%s: %v", r.Name, r.Err)
		}
	}
	for _, st := range s.Stats() {
		if st.Records > 0 {
			t.Errorf("class %q: %d records left behind", st.Class, st.Records)
		}
	}
}

func TestCheckStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := storetest.Check(ctx, storetest.Subject{Store: new(memstore.Store)}); len(got) != 0 {
		t.Errorf("%d cases ran", len(got))
	}
}

// broken keeps the contract but for what its fields change.
type broken struct {
	store.Store
	create  func(context.Context, store.Record) (store.Record, error)
	replace func(context.Context, store.Record) (store.Record, error)
	load    func(context.Context, string) (store.Record, error)
	take    func(context.Context, string) (store.Record, error)
	remove  func(context.Context, string) error
	tagged  func(context.Context, string) ([]string, error)
}

func (b *broken) Create(ctx context.Context, r store.Record) (store.Record, error) {
	if b.create != nil {
		return b.create(ctx, r)
	}
	return b.Store.Create(ctx, r)
}

func (b *broken) Replace(ctx context.Context, r store.Record) (store.Record, error) {
	if b.replace != nil {
		return b.replace(ctx, r)
	}
	return b.Store.Replace(ctx, r)
}

func (b *broken) Load(ctx context.Context, key string) (store.Record, error) {
	if b.load != nil {
		return b.load(ctx, key)
	}
	return b.Store.Load(ctx, key)
}

func (b *broken) Take(ctx context.Context, key string) (store.Record, error) {
	if b.take != nil {
		return b.take(ctx, key)
	}
	return b.Store.Take(ctx, key)
}

func (b *broken) Delete(ctx context.Context, key string) error {
	if b.remove != nil {
		return b.remove(ctx, key)
	}
	return b.Store.Delete(ctx, key)
}

func (b *broken) Tagged(ctx context.Context, tag string) ([]string, error) {
	if b.tagged != nil {
		return b.tagged(ctx, tag)
	}
	return b.Store.Tagged(ctx, tag)
}

// Each broken promise must be found, by the case that is named for it.
func TestBrokenStoresFail(t *testing.T) {
	for name, tc := range map[string]struct {
		found  string // the case that must fail
		breaks func(s *memstore.Store, b *broken)
	}{
		"create overwrites": {"CreateConflicts", func(s *memstore.Store, b *broken) {
			b.create = func(ctx context.Context, r store.Record) (store.Record, error) {
				if err := errors.Join(ctx.Err(), r.Check()); err != nil {
					return r, err
				}
				s.Delete(ctx, r.Key)
				return s.Create(ctx, r)
			}
		}},
		"create looks, then writes": {"CreateHasOneWinner", func(s *memstore.Store, b *broken) {
			b.create = func(ctx context.Context, r store.Record) (store.Record, error) {
				if _, err := s.Load(ctx, r.Key); err == nil {
					return r, store.ErrConflict
				}
				together()
				s.Delete(ctx, r.Key)
				return s.Create(ctx, r)
			}
		}},
		"take reads, then deletes": {"TakeHasOneWinner", func(s *memstore.Store, b *broken) {
			b.take = func(ctx context.Context, key string) (store.Record, error) {
				r, err := s.Load(ctx, key)
				together()
				s.Delete(ctx, key)
				return r, err
			}
		}},
		"replace ignores the revision": {"ReplaceLosesNoUpdate", func(s *memstore.Store, b *broken) {
			b.replace = func(ctx context.Context, r store.Record) (store.Record, error) {
				together()
				cur, err := s.Load(ctx, r.Key)
				if err != nil {
					return r, store.ErrConflict
				}
				r.Rev = cur.Rev
				return s.Replace(ctx, r)
			}
		}},
		"replace makes what is gone": {"ReplaceNeverRevives", func(s *memstore.Store, b *broken) {
			b.replace = func(ctx context.Context, r store.Record) (store.Record, error) {
				kept, err := s.Replace(ctx, r)
				if errors.Is(err, store.ErrConflict) {
					return s.Create(ctx, r)
				}
				return kept, err
			}
		}},
		"revisions start again": {"RevsDiffer", func(s *memstore.Store, b *broken) {
			b.create = func(ctx context.Context, r store.Record) (store.Record, error) {
				kept, err := s.Create(ctx, r)
				kept.Rev = 1
				return kept, err
			}
		}},
		"take leaves it": {"TakeRemoves", func(s *memstore.Store, b *broken) {
			b.take = func(ctx context.Context, key string) (store.Record, error) { return s.Load(ctx, key) }
		}},
		"delete of nothing fails": {"MissingRecords", func(s *memstore.Store, b *broken) {
			b.remove = func(ctx context.Context, key string) error {
				_, err := s.Take(ctx, key)
				return err
			}
		}},
		"nothing expires": {"Expiry", func(s *memstore.Store, b *broken) {
			b.create = func(ctx context.Context, r store.Record) (store.Record, error) {
				end := r.Expires
				if r.Check() == nil && s.Now().Before(end) {
					r.Expires = end.Add(24 * time.Hour)
				}
				kept, err := s.Create(ctx, r)
				kept.Expires = store.Expiry(end)
				return kept, err
			}
			b.load = func(ctx context.Context, key string) (store.Record, error) {
				r, err := s.Load(ctx, key)
				r.Expires = r.Expires.Add(-24 * time.Hour)
				return r, err
			}
		}},
		"a past expiry is refused": {"ExpiryPast", func(s *memstore.Store, b *broken) {
			b.create = func(ctx context.Context, r store.Record) (store.Record, error) {
				if r.Check() == nil && r.Expires.Before(s.Now()) {
					return r, store.ErrInvalid
				}
				return s.Create(ctx, r)
			}
		}},
		"seconds only": {"ExpiryPrecision", func(s *memstore.Store, b *broken) {
			b.create = func(ctx context.Context, r store.Record) (store.Record, error) {
				if r.Check() == nil {
					r.Expires = r.Expires.Add(500 * time.Millisecond).Truncate(time.Second)
				}
				return s.Create(ctx, r)
			}
		}},
		"replace keeps old tags": {"TagsFollowRecords", func(s *memstore.Store, b *broken) {
			b.replace = func(ctx context.Context, r store.Record) (store.Record, error) {
				if cur, err := s.Load(ctx, r.Key); err == nil {
					for _, tag := range cur.Tags {
						if !slices.Contains(r.Tags, tag) {
							r.Tags = append(slices.Clone(r.Tags), tag)
						}
					}
				}
				return s.Replace(ctx, r)
			}
		}},
		"tags are lost for a moment": {"TagsDuringReplace", func(s *memstore.Store, b *broken) {
			b.replace = func(ctx context.Context, r store.Record) (store.Record, error) {
				tags := r.Tags
				r.Tags = nil
				kept, err := s.Replace(ctx, r)
				if err != nil {
					return kept, err
				}
				together()
				kept.Tags = tags
				return s.Replace(ctx, kept)
			}
		}},
		"only a page of tags": {"TagsOfMany", func(s *memstore.Store, b *broken) {
			b.tagged = func(ctx context.Context, tag string) ([]string, error) {
				keys, err := s.Tagged(ctx, tag)
				return keys[:min(len(keys), 100)], err
			}
		}},
		"case is folded": {"NamesAreExact", func(s *memstore.Store, b *broken) {
			b.load = func(ctx context.Context, key string) (store.Record, error) {
				return s.Load(ctx, strings.ToLower(key[:len(key)-1])+key[len(key)-1:])
			}
		}},
		"values are text": {"Values", func(s *memstore.Store, b *broken) {
			b.create = func(ctx context.Context, r store.Record) (store.Record, error) {
				r.Value = []byte(strings.ToValidUTF8(string(r.Value), "?"))
				return s.Create(ctx, r)
			}
		}},
		"keys are short": {"BoundsAccepted", func(s *memstore.Store, b *broken) {
			b.create = func(ctx context.Context, r store.Record) (store.Record, error) {
				if len(r.Key) > 255 {
					return r, store.ErrInvalid
				}
				return s.Create(ctx, r)
			}
		}},
		"large values are kept": {"BoundsRefused", func(s *memstore.Store, b *broken) {
			b.create = func(ctx context.Context, r store.Record) (store.Record, error) {
				if len(r.Value) > store.MaxValue {
					r.Value = r.Value[:store.MaxValue]
				}
				return s.Create(ctx, r)
			}
		}},
		"load returns its own": {"NothingIsAliased", func(s *memstore.Store, b *broken) {
			var mu sync.Mutex
			cache := make(map[string]store.Record)
			b.load = func(ctx context.Context, key string) (store.Record, error) {
				r, err := s.Load(ctx, key)
				mu.Lock()
				defer mu.Unlock()
				if c, ok := cache[key]; ok && err == nil && c.Rev == r.Rev {
					return c, nil
				}
				cache[key] = r
				return r, err
			}
		}},
		"contexts are ignored": {"DoneContexts", func(s *memstore.Store, b *broken) {
			b.remove = func(ctx context.Context, key string) error { return s.Delete(context.WithoutCancel(ctx), key) }
		}},
		"half a record is seen": {"LoadSeesWholeRecords", func(s *memstore.Store, b *broken) {
			b.replace = func(ctx context.Context, r store.Record) (store.Record, error) {
				tags := r.Tags
				if cur, err := s.Load(ctx, r.Key); err == nil {
					r.Tags = cur.Tags
				}
				kept, err := s.Replace(ctx, r)
				if err != nil {
					return kept, err
				}
				together()
				kept.Tags = tags
				return s.Replace(ctx, kept)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var nanos atomic.Int64
			nanos.Store(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
			now := func() time.Time { return time.Unix(0, nanos.Load()) }
			s := &memstore.Store{Now: now}
			b := &broken{Store: s}
			tc.breaks(s, b)
			results := storetest.Check(t.Context(), storetest.Subject{Store: b, Only: tc.found, Now: now, Advance: func(d time.Duration) { nanos.Add(int64(d)) }, Goroutines: 100})
			if len(results) != 1 {
				t.Fatalf("%d cases are named %s", len(results), tc.found)
			}
			if results[0].Err == nil {
				t.Errorf("%s passed", tc.found)
			}
		})
	}
}

// together lets goroutines that are in the same gap meet there.
func together() {
	done := make(chan struct{})
	time.AfterFunc(time.Millisecond, func() { close(done) })
	<-done
}
