package handlers

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// clientIP finds where a request comes from: its peer, or, as long as that is a trusted proxy, whom that names. Each proxy appends its
// own peer to X-Forwarded-For, so the list is read from the right; whatever stands further left than the first address that is not
// trusted was written by anybody. No other header counts.
func clientIP(trusted []netip.Prefix) echo.IPExtractor {
	trusted = slices.Clone(trusted)
	for i, p := range trusted {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			trusted[i] = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
	}
	trusts := func(ip netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
	}
	return func(r *http.Request) string {
		ip, ok := parseIP(r.RemoteAddr)
		if !ok {
			return ""
		}
		rest := strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ",")
		for rest != "" && trusts(ip) {
			cut := strings.LastIndexByte(rest, ',')
			named, ok := parseIP(rest[cut+1:])
			if !ok {
				break // nothing left of it can be believed either
			}
			ip, rest = named, rest[:max(cut, 0)]
		}
		return ip.String()
	}
}

// parseIP reads an address, with or without a port. An IPv4 address is one however it is written.
func parseIP(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		both, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		ip = both.Addr()
	}
	return ip.Unmap().WithZone(""), true
}
