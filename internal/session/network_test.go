package session

import (
	"net/netip"
	"testing"
	"time"
)

func TestJudgeNetwork(t *testing.T) {
	const v4, other4, v6, other6 = "203.0.113.7", "198.51.100.9", "2001:db8:7::1", "2001:db8:8::1"
	prefix := func(text string) (p netip.Prefix) {
		if text != "" {
			p = netip.MustParsePrefix(text)
		}
		return p
	}
	in := func(country string) *Location { return &Location{Country: country} }
	narrow := Policy{IPPolicy: IPWarn, IPv4: 32, IPv6: 64}
	wide := Policy{IPPolicy: IPStrict, IPv4: 24, IPv6: 48}
	only4, only6 := [3]string{v4 + "/32"}, [3]string{1: "2001:db8:7::/64"}
	both := [3]string{v4 + "/32", "2001:db8:7::/64"}
	for _, c := range []struct {
		name     string
		p        Policy
		networks [3]string
		home     *Location
		ip       string
		where    *Location
		age      time.Duration
		want     verdict
		after    [3]string
	}{
		{"the same address", narrow, only4, nil, v4, nil, time.Hour, networkSame, only4},
		{"another address", narrow, only4, nil, other4, nil, time.Minute, networkChanged, [3]string{v4 + "/32", "", other4 + "/32"}},
		{"another address of the country", narrow, only4, in("MX"), other4, in("MX"), time.Minute, networkChanged,
			[3]string{v4 + "/32", "", other4 + "/32"}},
		{"another address of the network", narrow, only6, nil, "2001:db8:7::2", nil, time.Hour, networkSame, only6},
		{"another network", narrow, only6, nil, other6, nil, time.Minute, networkChanged, [3]string{"", "2001:db8:7::/64", "2001:db8:8::/64"}},
		{"either of two families", narrow, both, nil, v4, nil, time.Hour, networkSame, both},
		{"the other of two families", narrow, both, nil, v6, nil, time.Hour, networkSame, both},
		{"a change of one family leaves the other", narrow, both, nil, other6, nil, time.Minute, networkChanged,
			[3]string{v4 + "/32", "2001:db8:7::/64", "2001:db8:8::/64"}},
		{"the second family within five minutes", narrow, only4, nil, v6, nil, 5 * time.Minute, networkLearned, both},
		{"the second family later", narrow, only4, nil, v6, nil, 5*time.Minute + 1, networkChanged,
			[3]string{v4 + "/32", "", "2001:db8:7::/64"}},
		{"the second family later, from the country", narrow, only6, in("MX"), v4, in("MX"), time.Hour, networkLearned, both},
		{"the second family later, from another country", narrow, only6, in("MX"), v4, in("ES"), time.Hour, networkChanged,
			[3]string{"", "2001:db8:7::/64", v4 + "/32"}},
		{"two unknown countries are not the same", narrow, only4, in(""), v6, in(""), time.Hour, networkChanged,
			[3]string{v4 + "/32", "", "2001:db8:7::/64"}},
		{"prefixes that the operator has widened", wide, only4, nil, "203.0.113.200", nil, time.Hour, networkSame, only4},
		{"beyond the widened prefix", wide, only4, nil, "203.0.114.7", nil, time.Hour, networkChanged,
			[3]string{v4 + "/32", "", "203.0.114.0/24"}},
		{"prefixes that the operator has narrowed", narrow, [3]string{"203.0.113.0/24"}, nil, "203.0.113.200", nil, time.Hour, networkSame,
			[3]string{"203.0.113.0/24"}},
		{"no address", narrow, only4, nil, "", nil, time.Hour, networkSame, only4},
		{"a session of no network", narrow, [3]string{}, nil, v4, nil, time.Hour, networkSame, [3]string{}},
		{"the policy off", Policy{IPPolicy: IPOff, IPv4: 32, IPv6: 64}, only4, nil, other4, nil, time.Hour, networkSame, only4},
		{"no policy", Policy{IPv4: 32, IPv6: 64}, only4, nil, other4, nil, time.Hour, networkSame, only4},
		{"a mapped address is none of IPv4", narrow, only4, nil, "::ffff:198.51.100.9", nil, time.Hour, networkChanged,
			[3]string{v4 + "/32", "", "::/64"}},
		{"one that has been told of", narrow, [3]string{v4 + "/32", "", other4 + "/32"}, nil, other4, nil, time.Hour, networkSame,
			[3]string{v4 + "/32", "", other4 + "/32"}},
		{"home from one that has been told of", narrow, [3]string{v4 + "/32", "", other4 + "/32"}, nil, v4, nil, time.Hour, networkSame,
			[3]string{v4 + "/32", "", other4 + "/32"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Session{CreatedAt: noon, Location: c.home, Networks: Networks{prefix(c.networks[0]), prefix(c.networks[1]), prefix(c.networks[2])}}
			from := Origin{Locate: func() *Location { return c.where }}
			if c.ip != "" {
				from.IP = netip.MustParseAddr(c.ip)
			}
			got, networks := c.p.judgeNetwork(s, from, noon.Add(c.age))
			if want := (Networks{prefix(c.after[0]), prefix(c.after[1]), prefix(c.after[2])}); got != c.want || networks != want {
				t.Errorf("verdict %d, networks %v; want %d, %v", got, networks, c.want, want)
			}
		})
	}
}

// To know where an address is takes a look into a database: only one question needs it.
func TestJudgeNetworkAsksForThePlaceOnlyWhenItMatters(t *testing.T) {
	p := Policy{IPPolicy: IPWarn, IPv4: 32, IPv6: 64}
	s := Session{CreatedAt: noon, Networks: Networks{netip.MustParsePrefix("203.0.113.7/32")}}
	for ip, want := range map[string]int{"203.0.113.7": 0, "198.51.100.9": 0, "2001:db8::1": 1} {
		asked := 0
		p.judgeNetwork(s, Origin{IP: netip.MustParseAddr(ip), Locate: func() *Location { asked++; return nil }}, noon.Add(time.Hour))
		if asked != want {
			t.Errorf("%s: asked %d times", ip, asked)
		}
	}
}

func TestNetworksOfASessionThatBegins(t *testing.T) {
	p := Policy{IPv4: 24, IPv6: 48}
	for ip, want := range map[string]Networks{
		"203.0.113.7":   {0: netip.MustParsePrefix("203.0.113.0/24")},
		"2001:db8:7::1": {1: netip.MustParsePrefix("2001:db8:7::/48")},
	} {
		if got := p.networksOf(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %v", ip, got)
		}
	}
	if got := p.networksOf(netip.Addr{}); got != (Networks{}) {
		t.Errorf("no address: %v", got)
	}
	if got := (Policy{IPv4: 33}).networksOf(netip.MustParseAddr("203.0.113.7")); got != (Networks{}) {
		t.Errorf("more bits than there are: %v", got)
	}
}

func TestIPAlertNamesTheNetworkUntilThen(t *testing.T) {
	s := Session{ID: "one", IPAddress: "203.0.113.7", Networks: Networks{1: netip.MustParsePrefix("2001:db8:7::/64")}}
	for ip, want := range map[string]string{"198.51.100.9": "203.0.113.7", "2001:db8:8::1": "2001:db8:7::"} {
		got := ipAlert(s, Origin{IP: netip.MustParseAddr(ip)})
		if got.Type != AlertIPChanged || got.SessionID != "one" || got.IPAddress != ip || got.PreviousIPAddress != want {
			t.Errorf("%+v", got)
		}
	}
	s.Networks[0] = netip.MustParsePrefix("203.0.113.8/32")
	if got := ipAlert(s, Origin{IP: netip.MustParseAddr("198.51.100.9")}); got.PreviousIPAddress != "203.0.113.8" {
		t.Errorf("%+v", got)
	}
}

// What a session remembers is bounded: the network that was told of longest ago is forgotten first, its own never.
func TestJudgeNetworkRemembersTheLatest(t *testing.T) {
	p := Policy{IPPolicy: IPWarn, IPv4: 32, IPv6: 64}
	own := netip.MustParsePrefix("203.0.113.7/32")
	s := Session{CreatedAt: noon, Networks: Networks{own}}
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}) }
	for i := range len(s.Networks) {
		v, networks := p.judgeNetwork(s, Origin{IP: address(i)}, noon)
		if v != networkChanged || networks[0] != own || networks[OwnNetworks].Addr() != address(i) {
			t.Fatalf("%d: verdict %d, %v", i, v, networks)
		}
		s.Networks = networks
	}
	for i, want := range []verdict{0: networkChanged, 1: networkChanged, 2: networkSame, 7: networkSame} {
		if got, _ := p.judgeNetwork(s, Origin{IP: address(i)}, noon); (i < 2 || i == 7) && got != want {
			t.Errorf("%d: verdict %d, want %d", i, got, want)
		}
	}
}
