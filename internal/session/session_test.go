package session_test

import (
	"net/netip"
	"testing"

	"github.com/vigilhq/vigil/internal/session"
)

func TestHolder(t *testing.T) {
	for ip, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::": "2001:db8:1:2::/64",
		"2001:db8:1:3::": "2001:db8:1:3::/64", "fe80::1%eth0": "fe80::/64", "fe80::2%eth1": "fe80::/64",
	} {
		if got := (session.Origin{IP: netip.MustParseAddr(ip)}).Holder(); got != want {
			t.Errorf("%s is held with %s, want %s", ip, got, want)
		}
	}
	if got := (session.Origin{}).Holder(); got != "" {
		t.Errorf("nowhere is held with %s", got)
	}
}
