package sqlstore_test

import (
	"context"
	"fmt"
	"time"

	"rely.example/store"
	"rely.example/store/sqlstore"
)

// It is compiled for README.md and not run: it would leave a file.
func ExampleOpen() {
	keep := func(ctx context.Context, sealed []byte, end time.Time) error {
		// region: open
		s, err := sqlstore.Open(ctx, "sqlite:/var/lib/shop/rely.db")
		// or "postgres://rely:secret@db.example.com/rely?sslmode=verify-full"
		if err != nil {
			return err // not reachable, or tables of a later version
		}
		defer s.Close()

		// s is a store.Store.
		rec, err := s.Create(ctx, store.Record{Key: "grant:1", Value: sealed, Tags: []string{"sub:7"}, Expires: end})
		if err != nil {
			return err
		}
		keys, err := s.Tagged(ctx, "sub:7")
		if err != nil {
			return err
		}
		rec, err = s.Take(ctx, rec.Key) // one of many callers gets it
		// endregion
		fmt.Println(rec.Rev, keys)
		return err
	}
	_ = keep
}
