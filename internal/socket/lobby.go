package socket

import (
	"net/netip"
	"sync"
)

// Sockets that may be waiting for authentication at once.
const (
	maxWaiting          = 10_000
	maxWaitingByNetwork = 100
)

// lobby counts the sockets that have not authenticated yet: all of them, and those of one network. Safe for concurrent use.
type lobby struct {
	max, maxByNetwork int

	mu        sync.Mutex
	waiting   int
	byNetwork map[netip.Prefix]int
}

func newLobby() lobby {
	return lobby{max: maxWaiting, maxByNetwork: maxWaitingByNetwork, byNetwork: make(map[netip.Prefix]int)}
}

// enter takes a place if there is one. Leave gives it back; more than once is as good as once.
func (l *lobby) enter(ip netip.Addr) (leave func(), ok bool) {
	network := networkOf(ip)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting >= l.max || l.byNetwork[network] >= l.maxByNetwork {
		return nil, false
	}
	l.waiting++
	l.byNetwork[network]++
	return sync.OnceFunc(func() { l.leave(network) }), true
}

func (l *lobby) leave(network netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	if l.byNetwork[network]--; l.byNetwork[network] == 0 {
		delete(l.byNetwork, network)
	}
}

// networkOf is what one client can hold of the address space: one address of IPv4, 64 bits of IPv6. All clients of unknown
// addresses are one.
func networkOf(ip netip.Addr) netip.Prefix {
	if !ip.IsValid() {
		return netip.Prefix{}
	}
	ip = ip.Unmap()
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	return netip.PrefixFrom(ip, bits).Masked()
}
