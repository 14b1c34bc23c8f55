package fetch

import "net/netip"

// special names the registered purpose of an address that is not somebody's
// public one, or returns "" for a public address. It judges the IPv4 address
// within an IPv4-mapped or NAT64 address (RFC 4291, section 2.5.5.2; RFC 6052).
func special(a netip.Addr) string {
	if a.Zone() != "" {
		return "an address with a zone (RFC 4007)"
	}
	a = a.Unmap()
	if a.Is4() {
		for _, s := range specialV4() {
			if netip.PrefixFrom(netip.AddrFrom4(s.addr), s.bits).Contains(a) {
				return s.what
			}
		}
		return ""
	}
	if !a.Is6() {
		return "no IP address"
	}
	if v4, ok := nat64(a); ok {
		if what := special(v4); what != "" {
			return "a NAT64 form of " + what
		}
		return ""
	}
	for _, s := range specialV6() {
		if netip.PrefixFrom(s.addr(), s.bits).Contains(a) {
			return s.what
		}
	}
	// Everything else that is not global unicast is unassigned (RFC 4291,
	// section 2.4, and IANA's registry of IPv6 address space).
	if !netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20}), 3).Contains(a) {
		return "an address outside IPv6 global unicast (RFC 4291)"
	}
	return ""
}

// nat64 returns the IPv4 address that the well-known prefix 64:ff9b::/96 wraps
// (RFC 6052, section 2.1). A network that has IPv6 alone reaches every IPv4
// server by it, so it cannot be refused as a whole.
func nat64(a netip.Addr) (netip.Addr, bool) {
	b := a.As16()
	if [12]byte(b[:12]) != [12]byte{0x00, 0x64, 0xff, 0x9b} {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(b[12:])), true
}

// prefixV4 is one line of IANA's registries of special-purpose addresses (RFC
// 6890), or of what they leave out: multicast, and addresses that are public by
// number but a cloud's own by use. The lines are constants, so that they cost no
// code.
type prefixV4 struct {
	addr [4]byte
	bits int
	what string
}

// prefixV6 is a prefixV4 of the other family, in groups of 16 bits.
type prefixV6 struct {
	groups [8]uint16
	bits   int
	what   string
}

func (p prefixV6) addr() netip.Addr {
	var b [16]byte
	for i, g := range p.groups {
		b[2*i], b[2*i+1] = byte(g>>8), byte(g)
	}
	return netip.AddrFrom16(b)
}

// specialV4 is searched in order, so the more telling line comes first. Blocks
// that the registry calls globally reachable (AS112, AMT) are public.
func specialV4() []prefixV4 {
	return []prefixV4{
		{[4]byte{169, 254, 169, 254}, 32, "the metadata address of cloud machines"},
		{[4]byte{169, 254, 170, 2}, 32, "the metadata address of cloud containers"},
		{[4]byte{100, 100, 100, 200}, 32, "the metadata address of cloud machines"},
		{[4]byte{192, 0, 0, 192}, 32, "the metadata address of cloud machines"},
		{[4]byte{168, 63, 129, 16}, 32, "the metadata address of cloud machines"},
		{[4]byte{0, 0, 0, 0}, 8, "an address of this machine (RFC 791)"},
		{[4]byte{10, 0, 0, 0}, 8, "a private address (RFC 1918)"},
		{[4]byte{100, 64, 0, 0}, 10, "a carrier's shared address (RFC 6598)"},
		{[4]byte{127, 0, 0, 0}, 8, "a loopback address (RFC 1122)"},
		{[4]byte{169, 254, 0, 0}, 16, "a link-local address (RFC 3927)"},
		{[4]byte{172, 16, 0, 0}, 12, "a private address (RFC 1918)"},
		{[4]byte{192, 0, 0, 0}, 24, "an address of IETF protocols (RFC 6890)"},
		{[4]byte{192, 0, 2, 0}, 24, "a documentation address (RFC 5737)"},
		{[4]byte{192, 88, 99, 0}, 24, "a 6to4 relay's address (RFC 7526)"},
		{[4]byte{192, 168, 0, 0}, 16, "a private address (RFC 1918)"},
		{[4]byte{198, 18, 0, 0}, 15, "a benchmarking address (RFC 2544)"},
		{[4]byte{198, 51, 100, 0}, 24, "a documentation address (RFC 5737)"},
		{[4]byte{203, 0, 113, 0}, 24, "a documentation address (RFC 5737)"},
		{[4]byte{224, 0, 0, 0}, 4, "a multicast address (RFC 5771)"},
		{[4]byte{255, 255, 255, 255}, 32, "the broadcast address (RFC 919)"},
		{[4]byte{240, 0, 0, 0}, 4, "a reserved address (RFC 1112)"},
	}
}

// specialV6 names blocks within and without 2000::/3; the rest of what lies
// without is refused by special itself.
func specialV6() []prefixV6 {
	return []prefixV6{
		{[8]uint16{}, 128, "an address of this machine (RFC 4291)"},
		{[8]uint16{7: 1}, 128, "a loopback address (RFC 4291)"},
		{[8]uint16{0xfd00, 0x0ec2}, 32, "the metadata address of cloud machines"},
		{[8]uint16{0xfd20, 0x00ce}, 32, "the metadata address of cloud machines"},
		{[8]uint16{0xfc00}, 7, "a private address (RFC 4193)"},
		{[8]uint16{0xfe80}, 10, "a link-local address (RFC 4291)"},
		{[8]uint16{0xfec0}, 10, "a site-local address (RFC 3879)"},
		{[8]uint16{0xff00}, 8, "a multicast address (RFC 4291)"},
		{[8]uint16{0x0064, 0xff9b, 1}, 48, "a local NAT64 address (RFC 8215)"},
		{[8]uint16{0x0100}, 64, "a discard address (RFC 6666)"},
		{[8]uint16{0x2001}, 32, "a Teredo address (RFC 4380)"}, // wraps IPv4
		{[8]uint16{0x2001}, 23, "an address of IETF protocols (RFC 2928)"},
		{[8]uint16{0x2001, 0x0db8}, 32, "a documentation address (RFC 3849)"},
		{[8]uint16{0x2002}, 16, "a 6to4 address (RFC 7526)"}, // wraps IPv4
		{[8]uint16{0x3fff}, 20, "a documentation address (RFC 9637)"},
		{[8]uint16{0x5f00}, 16, "a segment routing address (RFC 9602)"},
	}
}
