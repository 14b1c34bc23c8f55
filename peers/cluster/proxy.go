package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// proxyHeader marks what the proxy says by itself: that a process ended with the
// request in its hands.
const proxyHeader = "Cluster-Proxy"

// maxBody bounds what is passed on, in bytes.
const maxBody = 1 << 20

// proxy hands each request to the next process. One that cannot be connected to is
// passed over; what has begun is not sent twice.
type proxy struct {
	mu    sync.Mutex // guards addrs
	addrs []string   // "" while a process is away

	next      atomic.Uint64
	transport *http.Transport
}

func newProxy(n int) *proxy {
	// A connection for each request: one that is kept would have net/http send a
	// request again that a killed process may have done.
	return &proxy{addrs: make([]string, n), transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
}

func (p *proxy) set(i int, addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addrs[i] = addr
}

func (p *proxy) addr(i uint64) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addrs[i%uint64(len(p.addrs))]
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the request could not be read", http.StatusBadRequest)
		return
	}
	var res *http.Response
	for range len(p.addrs) {
		addr := p.addr(p.next.Add(1))
		if addr == "" {
			continue
		}
		out := r.Clone(r.Context())
		out.RequestURI, out.URL.Scheme, out.URL.Host = "", "http", addr
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		if res, err = p.transport.RoundTrip(out); err == nil {
			break
		}
		if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" {
			break
		}
	}
	if res == nil {
		w.Header().Set(proxyHeader, "gone")
		http.Error(w, fmt.Sprintf("no process answered: %v", err), http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		w.Header().Set(proxyHeader, "gone")
		http.Error(w, "the process ended while it answered", http.StatusBadGateway)
		return
	}
	for name, values := range res.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(res.StatusCode)
	_, _ = w.Write(answer) // a browser that left is nobody's fault
}
