package otel_test

import (
	"context"
	"log"

	"rely.example/oidc"
	"rely.example/otel"
)

// Spans and metrics by the global providers, which the program has set up.
func Example() {
	// region: otel
	trace, err := otel.New(otel.Config{Issuers: []string{"https://op.example"}})
	if err != nil {
		log.Fatal(err)
	}
	op, err := oidc.Discover(context.Background(), "https://op.example", &oidc.Options{Trace: trace})
	if err != nil {
		log.Fatal(err)
	}
	// endregion
	defer op.Close()
}
