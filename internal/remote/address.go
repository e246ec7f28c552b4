package remote

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

type rawConn = syscall.RawConn

var errAddress = errors.New("remote: an address that may not be asked")

// guard judges the address of a connection that is about to be made. It runs
// after the name was resolved, once for each address that is tried.
func guard(allowPrivate bool) func(context.Context, string, string, rawConn) error {
	return func(_ context.Context, _, address string, _ rawConn) error {
		a, err := addressOf(address)
		if err != nil {
			return err
		}
		if isPublic(a) || allowPrivate && isPrivate(a) {
			return nil
		}
		return fmt.Errorf("%w: %s", errAddress, a)
	}
}

// guardLoopback admits this machine alone: plain http is for what no wire carries.
func guardLoopback(_ context.Context, _, address string, _ rawConn) error {
	a, err := addressOf(address)
	if err != nil {
		return err
	}
	if !a.IsLoopback() {
		return fmt.Errorf("%w: plain http to %s", errAddress, a)
	}
	return nil
}

// addressOf reads host:port as the dialer writes it. ::ffff:10.0.0.1 is 10.0.0.1.
func addressOf(address string) (netip.Addr, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%w: %w", errAddress, err)
	}
	return at.Addr().Unmap(), nil
}

// isPublic reports whether a belongs to the internet at large: for IPv4 all that no
// registry set aside, for IPv6 nothing but global unicast (RFC 4291 §2.5.4) less
// what was set aside within it. Addresses that only wrap another one (NAT64,
// 6to4, Teredo) are not public: they lead to whatever they wrap.
func isPublic(a netip.Addr) bool {
	if a.Is4() {
		return !within(a, reserved4())
	}
	return a.Zone() == "" && within(a, []string{"2000::/3"}) && !within(a, reserved6())
}

// isPrivate reports whether a is of a network that its owner may let be asked. The
// places where a cloud hands a machine its credentials are not of that kind: they
// lie in the link-local ranges, which are in no list, or are named in metadata.
func isPrivate(a netip.Addr) bool {
	return a.Zone() == "" && within(a, []string{
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // RFC 1918
		"100.64.0.0/10", // RFC 6598: behind a carrier's NAT
		"127.0.0.0/8", "::1/128",
		"fc00::/7", // RFC 4193
	}) && !within(a, metadata())
}

// metadata are the credential services of clouds outside the link-local ranges.
func metadata() []string {
	return []string{"fd00:ec2::/32", "100.100.100.200/32", "fd20:ce::254/128", "fd00:42::42/128"}
}

// reserved4 is the IPv4 Special-Purpose Address Registry (RFC 6890), multicast, the
// reserved rest, and the one public address at which a cloud serves its machines.
func reserved4() []string {
	return []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
	}
}

// reserved6 is what RFC 6890's registry sets aside within 2000::/3: protocol
// assignments with Teredo among them, documentation, 6to4.
func reserved6() []string {
	return []string{"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"}
}

func within(a netip.Addr, networks []string) bool {
	for _, n := range networks {
		if netip.MustParsePrefix(n).Contains(a) { // a test reads them all
			return true
		}
	}
	return false
}
