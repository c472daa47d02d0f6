package swarm

import (
	"net/netip"
	"time"
)

// Protocol is what a server speaks.
type Protocol string

// The protocols.
const (
	Vigil Protocol = "vigil"
	// Plain is a server that sends every frame back: no sessions, no auth. It is what there is to compare with.
	Plain Protocol = "plain"
)

// Plan is what browsers do.
type Plan struct {
	Protocol Protocol     `json:"protocol"`
	URL      string       `json:"url"`      // base URL of the service, http or https
	Origin   string       `json:"origin"`   // the page that browsers pretend to be
	Browsers int          `json:"browsers"` // how many
	Tokens   []string     `json:"tokens"`   // an ID token for each, unless the protocol is plain
	Register bool         `json:"register"` // begin the session first
	Rate     float64      `json:"rate"`     // browsers that begin in a second
	Sources  []netip.Addr `json:"sources"`  // addresses to come from, in turn; none: the system's choice
	// Heartbeat is the time between pings; zero: what the server says, or [plainHeartbeat].
	Heartbeat time.Duration `json:"heartbeat"`
	// Activity is the time between two activities of a person; zero: nobody does anything.
	Activity  time.Duration `json:"activity"`
	PingToken bool          `json:"pingToken"` // send the token in every ping, rather than when it is new
	Renewable bool          `json:"renewable"` // new tokens can be had

	// First is the number of the first browser of a worker.
	First int `json:"first"`
}

// plainHeartbeat is the heartbeat of a server that names none.
const plainHeartbeat = 30 * time.Second

// split parts a plan among so many workers, as evenly as it goes.
func (p Plan) split(workers int) []Plan {
	plans := make([]Plan, 0, workers)
	for i := range workers {
		from, to := i*p.Browsers/workers, (i+1)*p.Browsers/workers
		part := p
		part.First, part.Browsers = from, to-from
		part.Rate = p.Rate / float64(workers)
		if p.Tokens != nil {
			part.Tokens = p.Tokens[from:to]
		}
		plans = append(plans, part)
	}
	return plans
}
