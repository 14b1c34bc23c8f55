package fetch

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

func TestCheckURL(t *testing.T) {
	c, err := New(Config{AllowPrivate: []string{"localhost", "127.0.0.1", "::1", "10.0.0.0/8"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, ok := range []string{
		"https://op.example", "https://op.example/", "https://OP.example:8443/a?b=c%20d", "https://op.example./x", "https://a_b.op.example/",
		"https://xn--bcher-kva.example/", "https://93.184.215.14/", "https://[2606:4700::1111]:8443/", "https://localhost:6379/", "https://LOCALHOST./",
		"https://127.0.0.1/", "https://[::1]/", "https://[0:0::1]/", "https://10.255.0.1/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://op.example/a:b@c/~d;e,f'()*!$&",
	} {
		u, err := c.CheckURL(ok)
		if err != nil || u.Host == "" {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for name, tc := range map[string]struct {
		url  string
		kind Kind
	}{
		"empty port":          {"https://op.example:/", BadURL},
		"port zero":           {"https://op.example:0/", BadURL},
		"port with a zero":    {"https://op.example:0443/", BadURL},
		"port too large":      {"https://op.example:65536/", BadURL},
		"port of letters":     {"https://op.example:https/", BadURL},
		"fragment":            {"https://op.example/#x", BadURL},
		"empty fragment":      {"https://op.example/#", BadURL},
		"decimal address":     {"https://2130706433/", BadURL},
		"octal address":       {"https://0177.0.0.1/", BadURL},
		"hexadecimal address": {"https://0x7f.0.0.1/", BadURL},
		"hexadecimal last":    {"https://127.0.0.0x1/", BadURL},
		"short address":       {"https://127.1/", BadURL},
		"rooted address":      {"https://127.0.0.1./", BadURL},
		"zone":                {"https://[fe80::1%25eth0]/", BadURL},
		"mapped address":      {"https://[::ffff:192.168.0.1]/", PrivateAddress},
		"IPv4 in brackets":    {"https://[10.0.0.1]/", BadURL},
		"empty label":         {"https://op..example/", BadURL},
		"leading hyphen":      {"https://-op.example/", BadURL},
		"long label":          {"https://" + strings.Repeat("a", 64) + ".example/", BadURL},
		"long name":           {"https://" + strings.Repeat("a.", 127) + "example/", BadURL},
		"long URL":            {"https://op.example/" + strings.Repeat("a", MaxURL), BadURL},
		"comma in host":       {"https://a,b/", BadURL},
		"star in host":        {"https://*.example/", BadURL},
		"only a dot":          {"https://./", BadURL},
		"template":            {"https://op.example/{tenant}", BadURL},
		"other loopback":      {"https://127.0.0.2/", PrivateAddress},
		"port of another":     {"https://10.0.0.1:6379/", BadPort},
		"plain":               {"http://op.example/", Insecure},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.CheckURL(tc.url)
			wantKind(t, err, tc.kind)
		})
	}
}

func TestSpecialAddresses(t *testing.T) {
	for s, want := range map[string]bool{
		"8.8.8.8": false, "9.255.255.255": false, "11.0.0.0": false, "100.63.255.255": false, "100.128.0.0": false, "172.15.255.255": false,
		"172.32.0.0": false, "192.0.1.0": false, "198.17.255.255": false, "198.20.0.0": false, "223.255.255.255": false, "168.63.129.15": false,
		"169.253.255.255": false, "169.255.0.0": false, "126.255.255.255": false, "128.0.0.0": false, "1.0.0.0": false, "192.167.255.255": false, "192.169.0.0": false,
		"2606:4700::1": false, "2a00::1": false, "2001:4860::8888": false, "2001:200::1": false, "64:ff9b::808:808": false, "2003::1": false, "3ffe::1": false, "::ffff:8.8.8.8": false,
		"0.255.255.255": true, "10.255.255.255": true, "100.127.255.255": true, "127.255.255.255": true, "169.254.0.1": true, "172.16.0.0": true, "172.31.255.255": true,
		"192.0.0.1": true, "192.0.2.1": true, "192.88.99.1": true, "192.168.255.255": true, "198.19.255.255": true, "198.51.100.1": true, "203.0.113.255": true,
		"224.0.0.0": true, "239.255.255.255": true, "240.0.0.0": true, "255.255.255.255": true,
		"::": true, "::1": true, "::7f00:1": true, "::ffff:10.0.0.1": true, "64:ff9b::a00:1": true, "64:ff9b:1::808:808": true, "100::1": true, "2001::1": true, "2001:1ff::1": true,
		"2001:db8::1": true, "2002:808:808::1": true, "3fff::1": true, "5f00::1": true, "fc00::1": true, "fdff::1": true, "fe80::1": true, "fec0::1": true, "ff02::1": true, "4000::1": true, "1fff::1": true, "fe80::1%eth0": true, "2606:4700::1%eth0": true,
	} {
		if got := special(netip.MustParseAddr(s)); (got != "") != want {
			t.Errorf("%s: special is %q", s, got)
		}
	}
	if special(netip.Addr{}) == "" {
		t.Error("the zero address is public")
	}
}

// An accepted URL means the same to whoever parses it next, and is neither a
// private literal nor one in disguise.
func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{
		"https://op.example/", "https://127.0.0.1/", "https://[::ffff:127.0.0.1]/", "https://good@evil/", `https://a\@b/`, "https://0x7f.1/", "https://[64:ff9b::7f00:1]:8443/x",
		"https://op.example:443/?q#f", "https://ex%61mple.com/", "https://localhost./", "http://op.example/", "https://[fe80::1%25eth0]/", "https://op.example:/%2e%2e/", "https:op.example",
	} {
		f.Add(s)
	}
	c, err := New(Config{InsecureAllowHTTP: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := c.CheckURL(raw)
		if err != nil {
			return
		}
		if u.User != nil || u.Fragment != "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http" {
			t.Fatalf("accepted %q as %#v", raw, u)
		}
		again, err := url.Parse(u.String())
		if err != nil || again.Host != u.Host || again.Scheme != u.Scheme || again.RequestURI() != u.RequestURI() {
			t.Fatalf("%q becomes %q: %v", raw, u, err)
		}
		if _, err := c.CheckURL(u.String()); err != nil {
			t.Fatalf("%q is accepted, its own form %q is not: %v", raw, u, err)
		}
		// What stands between the slashes is the host and port, and nothing else.
		authority := raw[strings.Index(raw, "//")+2:]
		if i := strings.IndexAny(authority, `/?#\`); i >= 0 {
			authority = authority[:i]
		}
		if authority != u.Host {
			t.Fatalf("the authority of %q is %q, taken for %q", raw, authority, u.Host)
		}
		host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
		if addr, err := netip.ParseAddr(host); err == nil && special(addr) != "" {
			t.Fatalf("accepted %q: %s", raw, special(addr))
		}
		if addr, ok := inetAton(host); host == "localhost" || ok && addr != host {
			t.Fatalf("accepted %q, which resolvers take for %s", raw, addr)
		}
	})
}

// inetAton reads a host as the C library's function does, which knows more
// spellings of an IPv4 address than RFC 3986.
func inetAton(host string) (string, bool) {
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return "", false
	}
	var v uint64
	for i, p := range parts {
		base := 10
		switch {
		case strings.HasPrefix(p, "0x"):
			base, p = 16, p[2:]
		case len(p) > 1 && p[0] == '0':
			base = 8
		}
		n, err := strconv.ParseUint(p, base, 32)
		if err != nil {
			return "", false
		}
		if i == len(parts)-1 {
			v |= n
		} else {
			v |= n << (24 - 8*i)
		}
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}).String(), true
}
