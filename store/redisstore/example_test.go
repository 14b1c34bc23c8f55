package redisstore_test

import (
	"context"
	"fmt"
	"time"

	"rely.example/store"
	"rely.example/store/redisstore"
)

// It is compiled for README.md and not run: it needs a server.
func ExampleOpen() {
	keep := func(ctx context.Context, sealed []byte, end time.Time) error {
		// region: open
		s, err := redisstore.Open(ctx, "rediss://:secret@cache.example.com:6379/0")
		// a cluster: "redis://node1:6379?addr=node2:6379"
		// sentinels: "redis://sentinel1:26379?addr=sentinel2:26379&master_set=house"
		if err != nil {
			return err // not reachable, or it evicts
		}
		defer s.Close()

		// s is a store.Store.
		rec, err := s.Create(ctx, store.Record{Key: "grant:1", Value: sealed, Tags: []string{"sub:7"}, Expires: end})
		// endregion
		fmt.Println(rec.Rev)
		return err
	}
	_ = keep
}
