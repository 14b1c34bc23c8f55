package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Timeouts of a new connection, all within the fetch's own. A dial outlives the
// request that asked for it (the next one may use the connection), so it needs
// an end of its own.
const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	keepAlive        = 30 * time.Second
)

// dialFunc is the shape of net.Dialer.DialContext.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// guard decides which hosts, ports and addresses may be connected to.
type guard struct {
	names    map[string]bool // normalised by hostKey
	prefixes []netip.Prefix
	resolver *net.Resolver // nil: net.DefaultResolver
}

// newGuard parses Config.AllowPrivate.
func newGuard(allow []string) (*guard, error) {
	g := &guard{names: make(map[string]bool)}
	for _, s := range allow {
		if strings.Contains(s, "/") {
			p, err := netip.ParsePrefix(s)
			if err != nil {
				return nil, fmt.Errorf("fetch: AllowPrivate entry %q is no prefix: want the form 10.0.0.0/8 or fd00::/8", s)
			}
			if p.Addr().Is4In6() {
				return nil, fmt.Errorf("fetch: AllowPrivate entry %q is an IPv4-mapped prefix: want it in IPv4 form, for addresses are compared so", s)
			}
			if p != p.Masked() {
				return nil, fmt.Errorf("fetch: AllowPrivate entry %q has bits beyond its length: want %s, or the host without a length", s, p.Masked())
			}
			g.prefixes = append(g.prefixes, p)
			continue
		}
		addr, _, why := parseHost(s, strings.Contains(s, ":"))
		if why != "" {
			return nil, fmt.Errorf("fetch: AllowPrivate entry %q is neither a prefix nor one host without scheme, port or wildcard: %s", s, why)
		}
		g.names[hostKey(s, addr)] = true
	}
	return g, nil
}

// hostKey is the form in which hosts are compared: addresses in their shortest
// spelling, names in lower case without the root's dot.
func hostKey(host string, addr netip.Addr) string {
	if addr.IsValid() {
		return addr.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// checkStatic judges what can be judged without a name lookup. addr is valid if
// the host is a literal address.
func (g *guard) checkStatic(host string, addr netip.Addr, port uint16) *Error {
	key := hostKey(host, addr)
	if g.names[key] {
		return nil
	}
	if what := badPort(port); what != "" {
		return &Error{Kind: BadPort, Detail: fmt.Sprintf("port %d is %s, to which no request is sent; if you trust this host, name it in AllowPrivate", port, what)}
	}
	if addr.IsValid() {
		return g.checkAddr(host, addr)
	}
	// RFC 6761, section 6.3: these names are loopback wherever they are asked.
	if (key == "localhost" || strings.HasSuffix(key, ".localhost")) &&
		!g.admits(netip.AddrFrom4([4]byte{127, 0, 0, 1})) && !g.admits(netip.IPv6Loopback()) {
		return &Error{Kind: PrivateAddress, Detail: fmt.Sprintf("%s is this machine (RFC 6761); if you trust this host, name it in AllowPrivate", clip(host, 256))}
	}
	return nil
}

// checkAddr judges an address that host is, or resolves to, where host is not
// itself admitted.
func (g *guard) checkAddr(host string, addr netip.Addr) *Error {
	what := special(addr)
	if what == "" || g.admits(addr) {
		return nil
	}
	verb := "resolves to " + addr.String() + ","
	if a, err := netip.ParseAddr(host); err == nil && a.Unmap() == addr.Unmap() {
		verb = "is"
	}
	return &Error{Kind: PrivateAddress, Detail: fmt.Sprintf("%s %s %s; if you trust this host, name it in AllowPrivate", clip(host, 256), verb, what)}
}

// admits reports whether a prefix of AllowPrivate holds the address.
func (g *guard) admits(addr netip.Addr) bool {
	addr = addr.Unmap()
	for _, p := range g.prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	if v4, ok := nat64(addr); addr.Is6() && ok {
		return g.admits(v4)
	}
	return false
}

// split parses the address that a transport wants to dial, and says whether it
// is exempt: the operator's proxy, or a host named in AllowPrivate.
func (g *guard) split(ctx context.Context, addr string) (host string, exempt bool, err error) {
	if proxy, _ := ctx.Value(proxyKey{}).(*url.URL); proxy != nil && strings.EqualFold(proxyAddr(proxy), addr) {
		return addr, true, nil
	}
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return "", false, &Error{Kind: BadURL, Detail: "the host and port to dial do not parse"}
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return "", false, &Error{Kind: BadURL, Detail: "the port to dial is no number"}
	}
	literal, _ := netip.ParseAddr(host)
	if err := g.checkStatic(host, literal, uint16(port)); err != nil {
		return "", false, err
	}
	return host, g.names[hostKey(host, literal)], nil
}

// dial connects with a dialer of our own. The address is judged after the name
// was resolved and before the first packet, for each address that is tried: the
// checked address is the dialled one, whatever the name server says next.
func (g *guard) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, exempt, err := g.split(ctx, addr)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive, Resolver: g.resolver}
	if !exempt {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return &Error{Kind: PrivateAddress, Detail: fmt.Sprintf("%s resolves to something that is no IP address", clip(host, 256))}
			}
			if err := g.checkAddr(host, ap.Addr()); err != nil {
				return err
			}
			return nil
		}
	}
	return d.DialContext(ctx, network, addr)
}

// wrap guards a caller's own dial function. It may resolve names in its own way,
// so the address is judged where it connected to, before a byte is sent.
func (g *guard) wrap(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, exempt, err := g.split(ctx, addr)
		if err != nil {
			return nil, err
		}
		conn, err := dial(ctx, network, addr)
		if err != nil || exempt {
			return conn, err
		}
		if err := g.checkConn(host, conn); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
}

// checkConn judges the far end of a connection.
func (g *guard) checkConn(host string, conn net.Conn) error {
	remote, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return &Error{Kind: PrivateAddress, Detail: fmt.Sprintf("the dial function given in HTTP connected %s to no TCP address; if you trust this host, name it in AllowPrivate", clip(host, 256))}
	}
	if err := g.checkAddr(host, remote.AddrPort().Addr()); err != nil {
		return err
	}
	return nil
}

// checkProxied judges a target that a proxy will connect to, by the addresses
// that it has here. All of them must pass, since the proxy may pick any.
func (g *guard) checkProxied(ctx context.Context, host string) error {
	literal, _ := netip.ParseAddr(host)
	if literal.IsValid() || g.names[hostKey(host, literal)] {
		return nil // checkStatic has judged it
	}
	resolver := g.resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	addrs, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return &Error{Kind: Unreachable, Err: err, Detail: fmt.Sprintf("%s cannot be resolved here, so its address cannot be judged before a proxy is asked for it; if you trust this host, name it in AllowPrivate", clip(host, 256))}
	}
	for _, a := range addrs {
		if err := g.checkAddr(host, a); err != nil {
			return err
		}
	}
	return nil
}
