package identity

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// Listen listens on a TCP address whose host is a loopback name: localhost, an
// address of 127.0.0.0/8, or ::1. It refuses any other, also the empty host,
// which would mean every interface.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("identity: listen: %w", err)
	}
	if !loopbackName(host) {
		return nil, fmt.Errorf("identity: listen: %q is not a loopback address: use localhost, 127.0.0.1 or [::1]", addr)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("identity: listen: %w", err)
	}
	// A hosts file may point "localhost" anywhere.
	if bound, ok := listener.Addr().(*net.TCPAddr); !ok || !bound.IP.IsLoopback() {
		_ = listener.Close()
		return nil, fmt.Errorf("identity: listen: %q leads to %v, which is not a loopback address", addr, listener.Addr())
	}
	return listener, nil
}

// LoopbackHost answers 421 Misdirected Request unless the request names a
// loopback host, with any port. A page that rebinds its own DNS name to
// 127.0.0.1 still sends that name, and gets no further than this.
func LoopbackHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !LoopbackAuthority(r.Host) {
			http.Error(w, "This server answers to loopback host names only: localhost, 127.0.0.1 or [::1].",
				http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopbackOrigin lets browser pages of this machine in, and refuses others
// outright: a response they cannot read would still have had its effect.
func loopbackOrigin(next http.Handler) http.Handler {
	// What the JS SDK sends. Authorization is not among it: the administrator's
	// credential is nothing for a browser.
	const headers = "Content-Type, X-Client-Version, X-Firebase-AppCheck, X-Firebase-Client, X-Firebase-Gmpid, X-Firebase-Locale"

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" {
			if !originIsLoopback(origin) {
				writeError(w, &statusError{
					code: http.StatusForbidden, status: "PERMISSION_DENIED", reason: "forbidden",
					message: "Requests from this origin are blocked. Serve the page from a loopback address.",
				})
				return
			}
			header.Set("Access-Control-Allow-Origin", origin)
		}
		if r.Method == http.MethodOptions {
			header.Set("Access-Control-Allow-Methods", "GET, POST")
			header.Set("Access-Control-Allow-Headers", headers)
			header.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func originIsLoopback(origin string) bool {
	authority, found := strings.CutPrefix(origin, "http://")
	if !found {
		authority, found = strings.CutPrefix(origin, "https://")
	}
	return found && LoopbackAuthority(authority)
}

// LoopbackAuthority judges a host with or without a port, as in a Host header.
func LoopbackAuthority(authority string) bool {
	if host, port, err := net.SplitHostPort(authority); err == nil {
		// "localhost:@evil.example" is evil.example to who reads it as a URL.
		_, err := strconv.ParseUint(port, 10, 16)
		return err == nil && loopbackName(host)
	}
	if inner, found := strings.CutPrefix(authority, "["); found {
		return loopbackName(strings.TrimSuffix(inner, "]"))
	}
	return loopbackName(authority)
}

// loopbackName knows names by their spelling alone: to resolve one would be to
// believe the very DNS that a rebinding page controls.
func loopbackName(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.Is4() && ip.IsLoopback() || ip == netip.IPv6Loopback())
}
