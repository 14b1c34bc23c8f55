package login_test

import (
	"context"
	"log"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"rely.example/login"
)

// A server that ends without breaking off a login.
func ExampleManager_Readiness() {
	var m *login.Manager // of login.New

	// region: shutdown
	http.Handle("/ready", m.Readiness()) // where the load balancer asks
	server := &http.Server{Addr: "localhost:8080"}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		log.Print(err)
	case <-ctx.Done():
		grace, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := server.Shutdown(grace); err != nil { // callbacks in mid-flight finish
			log.Print(err)
		}
	}
	if err := m.Close(); err != nil { // refreshes end, and what was not saved is
		log.Print(err)
	}
	// endregion
}
