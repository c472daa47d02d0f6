package handlers

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// proxies are the peers whose X-Forwarded-For is believed.
type proxies []netip.Prefix

func newProxies(trusted []netip.Prefix) proxies {
	p := slices.Clone(trusted)
	for i, each := range p {
		if each.Addr().Is4In6() && each.Bits() >= 96 {
			p[i] = netip.PrefixFrom(each.Addr().Unmap(), each.Bits()-96)
		}
	}
	return p
}

func (p proxies) trust(ip netip.Addr) bool {
	return slices.ContainsFunc(p, func(each netip.Prefix) bool { return each.Contains(ip) })
}

// trace finds where a request comes from: its peer, or, as long as that is a trusted proxy, whom that names; and by how many
// proxies that is. Each proxy appends its own peer to X-Forwarded-For, so the list is read from the right; whatever stands further
// left than the first address that is not trusted was written by anybody. No other header counts. An address that cannot be read is
// the zero Addr.
func (p proxies) trace(r *http.Request) (ip netip.Addr, hops int) {
	ip, ok := parsePeer(r.RemoteAddr)
	if !ok {
		return netip.Addr{}, 0
	}
	if !p.trust(ip) {
		return ip, 0
	}
	rest := strings.Join(r.Header[echo.HeaderXForwardedFor], ",")
	for rest != "" && p.trust(ip) {
		cut := strings.LastIndexByte(rest, ',')
		named, ok := parseIP(rest[cut+1:])
		if !ok {
			break // nothing left of it can be believed either
		}
		ip, rest = named, rest[:max(cut, 0)]
		hops++
	}
	return ip, hops
}

// clientIP is the address that trace finds as text, empty if there is none.
func (p proxies) clientIP(r *http.Request) string {
	ip, _ := p.trace(r)
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

// unheard warns, once, of a peer that forwards for others and is not believed: either a proxy that the settings do not know, behind
// which all clients look like one, or somebody's attempt to look like another.
func (a *api) unheard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if first(r.Header[echo.HeaderXForwardedFor]) == "" {
			return next(c)
		}
		if peer, ok := parsePeer(r.RemoteAddr); !ok || !a.proxies.trust(peer) {
			a.warnUnheard.Do(func() {
				a.Log.WarnContext(contextOf(c), "X-Forwarded-For is ignored: its sender is not in TRUSTED_PROXIES; said once",
					"setting", "TRUSTED_PROXIES", "peer", r.RemoteAddr)
			})
		}
		return next(c)
	}
}

// parsePeer is parseIP for what as a rule has a port.
func parsePeer(s string) (netip.Addr, bool) {
	if both, err := netip.ParseAddrPort(s); err == nil {
		return both.Addr().Unmap().WithZone(""), true
	}
	return parseIP(s)
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
