package session

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// learnFor is how long after its registration a session's second address family is taken for its own: browsers try both at once
// (RFC 8305, Happy Eyeballs) and settle on either.
const learnFor = 5 * time.Minute

// verdict is what a policy says of a request's network.
type verdict int

const (
	networkSame    verdict = iota
	networkLearned         // the session's second address family
	networkChanged
)

func family(ip netip.Addr) int {
	if ip.Is4() {
		return 0
	}
	return 1
}

// network is the network of an address, the zero Prefix for none.
func (p *Policy) network(ip netip.Addr) netip.Prefix {
	bits := p.IPv6
	if ip.Is4() {
		bits = p.IPv4
	}
	prefix, err := ip.Prefix(bits)
	if err != nil { // no address, or a number of bits that it does not have
		return netip.Prefix{}
	}
	return prefix
}

// networksOf are the networks of a session that begins at ip.
func (p Policy) networksOf(ip netip.Addr) (n Networks) {
	if ip.IsValid() {
		n[family(ip)] = p.network(ip)
	}
	return n
}

// judgeNetwork says whether a request to s from an address comes from one of its networks, and what its networks are from now on. Where
// is asked only if the answer depends on it.
func (p Policy) judgeNetwork(s Session, from Origin, now time.Time) (verdict, Networks) {
	networks := s.Networks
	if p.atHome(&networks, from.IP) {
		return networkSame, networks
	}
	own := &networks[family(from.IP)]
	if !own.IsValid() && (now.Sub(s.CreatedAt) <= learnFor || sameCountry(s.Location, from.Location())) {
		*own = p.network(from.IP)
		return networkLearned, networks
	}
	copy(networks[OwnNetworks+1:], networks[OwnNetworks:])
	networks[OwnNetworks] = p.network(from.IP)
	return networkChanged, networks
}

// atHome reports whether nothing is to be said about an address from which a session of these networks is used.
func (p *Policy) atHome(networks *Networks, ip netip.Addr) bool {
	if p.IPPolicy == IPOff || p.IPPolicy == "" || !ip.IsValid() || *networks == (Networks{}) {
		return true
	}
	trusted := networks[:]
	if p.IPPolicy == IPStrict { // what a user has been warned of under another policy is no home
		trusted = networks[:OwnNetworks]
	}
	return slices.ContainsFunc(trusted, func(known netip.Prefix) bool { return p.within(known, ip) })
}

// within reports whether an address is in a network that is known, also where what counts as one has been widened since.
func (p *Policy) within(known netip.Prefix, ip netip.Addr) bool {
	if known.Contains(ip) {
		return true
	}
	widened, err := known.Addr().Prefix(p.network(ip).Bits())
	return err == nil && widened.Contains(ip)
}

func sameCountry(a, b *Location) bool {
	return a != nil && b != nil && a.Country != "" && a.Country == b.Country
}

// maxMoves bounds how often a request that loses against others is judged anew.
const maxMoves = 3

// judgeOrigin applies the IP policy to a request to a live session, and returns the session as it is afterwards. It fails
// with ip_changed, and with unavailable where a session would have to end and cannot.
func (r *Registry) judgeOrigin(ctx context.Context, s Session, from Origin) (Session, error) {
	for range maxMoves {
		verdict, networks := r.settings.judgeNetwork(s, from, r.clock.Now())
		if verdict == networkSame {
			return s, nil
		}
		if verdict == networkChanged && r.settings.IPPolicy == IPStrict {
			current, err := r.Look(ctx, s) // another instance may have learned the network
			if err != nil {
				return s, err
			}
			if again, _ := r.settings.judgeNetwork(current, from, r.clock.Now()); again != networkChanged {
				s = current
				continue
			}
			return s, r.endMoved(ctx, current, from)
		}
		stored, moved, err := r.move(ctx, s, networks, r.recordMove(s, from, verdict))
		switch {
		case CodeOf(err) == CodeNotFound:
			return s, missingIsRequired(err)
		case err != nil:
			r.log.Warn("network of a session not stored", "session", s.ID, "error", err)
			return s, nil // it is judged again with the next request
		case stored.Status == StatusEnded:
			r.states.Put(stored)
			return s, EndedError(stored)
		}
		r.states.Put(stored)
		if moved {
			r.moved(ctx, s, from, verdict)
			return r.withActivity(stored), nil
		}
		s = r.withActivity(stored)
	}
	return s, nil
}

// moveTimeout bounds what a request waits for a change of networks to be stored. It lives on what is known, if need be.
const moveTimeout = 500 * time.Millisecond

func (r *Registry) move(ctx context.Context, s Session, networks Networks, rec Record) (Session, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, moveTimeout)
	defer cancel()
	return r.store.Move(ctx, s, networks, rec)
}

// recordMove is what a change of networks says to others.
func (r *Registry) recordMove(s Session, from Origin, v verdict) Record {
	if v == networkLearned {
		e := newEvent(EventNetworkLearned, AudienceUser, s.UserID, s.ID, string(s.UserID), from.Address())
		return Record{Events: []Event{e}}
	}
	alert := ipAlert(s, from)
	return Record{Events: []Event{alertEvent(s, alert, from.Address())}}
}

// moved tells of a change of networks that has been stored.
func (r *Registry) moved(ctx context.Context, s Session, from Origin, v verdict) {
	if v == networkChanged {
		r.raise(ctx, s.UserID, ipAlert(s, from))
	}
}

func (r *Registry) endMoved(ctx context.Context, s Session, from Origin) error {
	alert := ipAlert(s, from)
	e := End{Reason: ReasonIPChanged, By: ActorSystem}
	stored, ended, err := r.end(ctx, s, e, alertEvent(s, alert, from.Address()))
	if err != nil {
		return err
	}
	if !ended && stored.Status == StatusEnded {
		return EndedError(stored)
	}
	r.raise(ctx, s.UserID, alert)
	return &Error{Op: "judge origin", Code: CodeIPChanged, Reason: ReasonIPChanged, EndedAt: stored.EndedAt}
}

func ipAlert(s Session, from Origin) Alert {
	a := Alert{Type: AlertIPChanged, SessionID: s.ID, IPAddress: from.Address(), PreviousIPAddress: s.IPAddress}
	known := s.Networks[family(from.IP)]
	if began, err := netip.ParseAddr(s.IPAddress); known.IsValid() && (err != nil || !known.Contains(began)) {
		a.PreviousIPAddress = known.Addr().String() // of the other family than the sign-in's, learned since
	}
	return a
}
