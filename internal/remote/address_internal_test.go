package remote

import (
	"net"
	"net/netip"
	"testing"
)

func TestWhichAddressesMayBeAsked(t *testing.T) {
	const never, private, public = 0, 1, 2
	for address, want := range map[string]int{
		"8.8.8.8": public, "1.1.1.1": public, "172.15.255.255": public, "172.32.0.1": public, "100.63.255.255": public, "100.128.0.1": public,
		"2606:4700::1111": public, "2a00:1450::1": public, "::ffff:8.8.8.8": public, "2001:4860::1": public, "192.0.1.1": public,

		"127.0.0.1": private, "127.255.255.254": private, "::1": private, "10.0.0.1": private, "10.255.255.255": private,
		"172.16.0.1": private, "172.31.255.255": private, "192.168.1.1": private, "100.64.0.1": private, "100.127.255.255": private,
		"fc00::1": private, "fd12:3456::1": private,
		"::ffff:127.0.0.1": private, "::ffff:10.0.0.1": private, "::ffff:7f00:1": private,

		"0.0.0.0": never, "0.1.2.3": never, "::": never, "::ffff:0.0.0.0": never,
		"169.254.169.254": never, "169.254.0.1": never, "::ffff:169.254.169.254": never, "fe80::1": never, "fe80::1%eth0": never, "febf::1": never,
		"fd00:ec2::254": never, "100.100.100.200": never, "168.63.129.16": never, "::ffff:100.100.100.200": never,
		"fd12::1%eth0": never, "2606:4700::1111%eth0": never,
		"224.0.0.1": never, "239.255.255.255": never, "240.0.0.1": never, "255.255.255.255": never, "ff02::1": never, "ff0e::1": never,
		"192.0.0.170": never, "192.0.2.1": never, "198.51.100.1": never, "203.0.113.1": never, "198.18.0.1": never, "192.88.99.1": never,
		"64:ff9b::a00:1": never, "64:ff9b::808:808": never, "64:ff9b:1::1": never, "64:ff9b::a9fe:a9fe": never, // NAT64
		"2002:a00:1::1": never, "2002:7f00:1::": never, // 6to4
		"2001::1": never, "2001:0:a00:1::": never, // Teredo
		"::10.0.0.1": never, "::7f00:1": never, "::ffff:0:10.0.0.1": never, // compatible and translated forms
		"2001:db8::1": never, "3fff::1": never, "100::1": never, "fec0::1": never, "5f00::1": never,
	} {
		hostport := net.JoinHostPort(address, "443")
		for _, allow := range []bool{false, true} {
			admitted := want == public || allow && want == private
			if err := guard(allow)(t.Context(), "tcp", hostport, nil); (err == nil) != admitted {
				t.Errorf("private networks allowed %t: %s got %v, want it admitted: %t", allow, address, err, admitted)
			}
		}
		loopback := netip.MustParseAddr(address).Unmap().IsLoopback()
		if err := guardLoopback(t.Context(), "tcp", hostport, nil); (err == nil) != loopback {
			t.Errorf("plain http to %s: %v", address, err)
		}
	}
	for _, address := range []string{"", "example.com:443", "127.0.0.1", "/run/x.sock"} {
		if guard(true)(t.Context(), "tcp", address, nil) == nil || guardLoopback(t.Context(), "tcp", address, nil) == nil {
			t.Errorf("%q is admitted", address)
		}
	}
}

// Whatever may be asked without leave is never of a range that leads inside,
// however it is written.
func FuzzAPublicAddressIsNeverAPrivateOne(f *testing.F) {
	for _, seed := range []string{"10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "8.8.8.8", "2002:a00:1::", "fe80::1"} {
		a := netip.MustParseAddr(seed).As16()
		f.Add(a[:])
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		err := guard(false)(t.Context(), "tcp", netip.AddrPortFrom(a, 443).String(), nil)
		u := a.Unmap()
		inside := u.IsLoopback() || u.IsPrivate() || u.IsLinkLocalUnicast() || u.IsMulticast() || u.IsUnspecified() || !u.IsGlobalUnicast()
		if err == nil && inside {
			t.Errorf("%s is admitted", a)
		}
	})
}
