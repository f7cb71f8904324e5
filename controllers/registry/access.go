package registry

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// Access is which registries may be asked in a way that is refused otherwise: by host,
// with its port unless that is 443 or 80.
type Access struct {
	// PlainHTTPHosts may be asked without TLS.
	PlainHTTPHosts []string
	// PrivateHosts may be at loopback, link-local and metadata addresses.
	PrivateHosts []string
}

// metadata addresses outside of the link-local ranges, by which clouds give
// credentials to whoever asks from a machine of theirs.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("fd20:ce::254"),
	netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("168.63.129.16"),
	netip.MustParseAddr("192.0.0.192"),
}

// embedding prefixes are those of IPv6 addresses by which a router or the system
// reaches the IPv4 address in them, and where that begins.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
	{netip.MustParsePrefix("::/96"), 12},
}

// judgeAddress says what an address is that must not be asked: "loopback",
// "link-local", "metadata", ...; "" for all others. Private networks are asked: that
// is where registries of clusters are.
func judgeAddress(address netip.Addr) string {
	address = address.Unmap().WithZone("")
	switch {
	case slices.Contains(metadata, address), address == netip.AddrFrom4([4]byte{169, 254, 169, 254}):
		return "metadata"
	case address.IsLoopback():
		return "loopback"
	case address.IsLinkLocalUnicast(), address.IsLinkLocalMulticast(), address.IsInterfaceLocalMulticast():
		return "link-local"
	case address.IsUnspecified(), address.Is4() && address.As4()[0] == 0:
		return "unspecified"
	case address.IsMulticast(), address == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "multicast"
	}
	if address.Is6() {
		bytes := address.As16()
		for _, e := range embedding {
			if e.prefix.Contains(address) {
				return judgeAddress(netip.AddrFrom4([4]byte(bytes[e.at : e.at+4])))
			}
		}
	}
	return ""
}

// Dial connects to a host, given with its port, whose addresses pass: the check runs for
// every address that is tried, after the name was resolved. It fails with an Error of
// ReasonAddress where none does.
func (a Access) Dial(ctx context.Context, network, host string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: dialTime, Control: func(_, address string, _ syscall.RawConn) error {
		return a.checkDial(host, address)
	}}
	return dialer.DialContext(ctx, network, host)
}

// checkDial judges the address that a connection to a host is about to be made to.
func (a Access) checkDial(host, address string) error {
	dialed, err := netip.ParseAddrPort(address)
	if err != nil {
		return refused(ReasonAddress, "%s is at %s, which is no address", host, address)
	}
	what := judgeAddress(dialed.Addr())
	if what == "" || listed(a.PrivateHosts, host) {
		return nil
	}
	return refused(ReasonAddress, "%s is at %s, a %s address, which is not asked; "+
		"a ReleasePolicy can list the host in registryAccess.privateHosts", host, dialed.Addr(), what)
}

// checkURL judges where a request goes, or is told to go, before any name is resolved.
func (a Access) checkURL(scheme, host string) error {
	port := map[string]string{"https": "443", "http": "80"}[scheme]
	if port == "" {
		return refused(ReasonAddress, "%s://%s is not an address of a registry", clip(scheme), clip(host))
	}
	name, given, err := net.SplitHostPort(host)
	if err != nil {
		name, given = strings.Trim(host, "[]"), port
	}
	full := net.JoinHostPort(name, given)
	if scheme == "http" && !listed(a.PlainHTTPHosts, full) {
		return refused(ReasonPlainHTTP, "%s is not asked without TLS; a ReleasePolicy can list the host in registryAccess.plainHTTPHosts", full)
	}
	if literal, err := netip.ParseAddr(name); err == nil {
		return a.checkDial(full, netip.AddrPortFrom(literal, 0).String())
	}
	return nil
}

// listed says whether a list of hosts has that one, given with its port.
func listed(hosts []string, full string) bool {
	name, port, err := net.SplitHostPort(full)
	if err != nil {
		return false
	}
	standard := port == "443" || port == "80"
	return slices.Contains(hosts, full) || standard && slices.Contains(hosts, name)
}
