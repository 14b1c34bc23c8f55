package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rely.example/oidctest"
)

// Timeouts of both servers. A callback may wait for the OP, so that a response
// has longer than a request.
const (
	headerTimeout   = 10 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 3 * time.Second
	maxHeader       = 64 << 10
)

// devTimeout is how long an exchange with the OP of this program may take: one
// that is slow on purpose is given up while somebody still looks.
const devTimeout = 4 * time.Second

// service is a handler on a loopback port.
type service struct {
	host   string // as it is called in URLs, with port
	server *http.Server
	done   chan error // one value, when the server has ended
}

// serve listens on 127.0.0.1 and nowhere else. handler is told the port, since
// what is served may have to name it.
func serve(ctx context.Context, port int, name string, handler func(host string) (http.Handler, error), log *slog.Logger) (*service, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		err = fmt.Errorf("port %d of 127.0.0.1 cannot be used: %w", port, err)
		if port != 0 {
			err = &UsageError{err}
		}
		return nil, err
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.Join(errors.New("the listener has no port"), l.Close())
	}
	s := &service{host: net.JoinHostPort(name, strconv.Itoa(addr.Port)), done: make(chan error, 1)}
	h, err := handler(s.host)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		// What is under way ends with the program.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	go func() { s.done <- s.server.Serve(l) }() // ended by close
	return s, nil
}

// close lets what is under way end, for a while, and stops the server.
func (s *service) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	if end := <-s.done; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// startOP runs the OP of this program at http://localhost:port. It answers at
// its own name alone, so that no other site's name can be bent to it.
func startOP(ctx context.Context, manual bool, log *slog.Logger) (*oidctest.OP, *service, error) {
	var provider *oidctest.OP
	s, err := serve(ctx, 0, "localhost", func(host string) (http.Handler, error) {
		var err error
		provider, err = oidctest.Start(oidctest.Config{
			Issuer:      "http://" + host,
			PlainHTTP:   true,
			ManualLogin: manual,
			// WebFinger asks 127.0.0.1 for alice@127.0.0.1 too.
			Hosts: []string{"127.0.0.1"},
		})
		if err != nil {
			return nil, err
		}
		_, port, _ := net.SplitHostPort(host)
		return onlyHosts(provider.Handler(), host, "127.0.0.1:"+port), nil
	}, log)
	if err != nil {
		return nil, nil, err
	}
	return provider, s, nil
}

// onlyHosts refuses requests for any other name (DNS rebinding: a stranger's name
// that leads to a loopback address).
func onlyHosts(h http.Handler, hosts ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, host := range hosts {
			if strings.EqualFold(r.Host, host) {
				h.ServeHTTP(w, r)
				return
			}
		}
		http.Error(w, "This server answers at "+hosts[0]+" alone.", http.StatusMisdirectedRequest)
	})
}
