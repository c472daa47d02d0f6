package swarm

// An order is what the fleet tells a worker. Each but a token is answered by a reply, in order.
type order struct {
	ID      int    `json:"id"` // of the reply, too
	Do      do     `json:"do"`
	Plan    *Plan  `json:"plan,omitempty"`
	Browser int    `json:"browser,omitempty"` // whose token it is, or who is to be revoked, by number among all
	Token   string `json:"token,omitempty"`   // the browser's new one, or an administrator's
}

type do string

const (
	doPlan   do = "plan"   // take the plan
	doEnroll do = "enroll" // have the browsers begin their sessions, and nothing else
	doBegin  do = "begin"  // have them come
	doSteady do = "steady" // they have come: measure pings from now on
	doCount  do = "count"
	doToken  do = "token"  // a new one for a browser
	doRevoke do = "revoke" // have a browser's user revoked, and wait for its close
	doMass   do = "mass"   // everybody is about to be revoked
	doFinish do = "finish" // close everything, and tell what was measured
)

// news is what a worker tells: a reply to an order, or that a browser needs a token.
type news struct {
	ID      int      `json:"id,omitempty"`
	Renew   *int     `json:"renew,omitempty"` // the browser's number among all
	Counts  Counts   `json:"counts"`
	Revoked bool     `json:"revoked,omitempty"` // the browser has been closed
	Results *results `json:"results,omitempty"`
	Failure string   `json:"failure,omitempty"` // of the order
}

// Counts is what has happened to browsers since the start.
type Counts struct {
	Registered    int `json:"registered"` // sessions begun
	Connected     int `json:"connected"`  // have been ready at least once
	Failed        int `json:"failed"`     // have given up without that
	Open          int `json:"open"`       // are ready now
	Sent          int `json:"sent"`       // text frames
	Received      int `json:"received"`
	Pings         int `json:"pings"`
	Pongs         int `json:"pongs"`
	Cut           int `json:"cut"` // pings whose connection ended before the answer
	Activities    int `json:"activities"`
	Renewals      int `json:"renewals"` // tokens
	Reconnections int `json:"reconnections"`
}

func (c *Counts) add(other Counts) {
	c.Registered += other.Registered
	c.Connected += other.Connected
	c.Failed += other.Failed
	c.Open += other.Open
	c.Sent += other.Sent
	c.Received += other.Received
	c.Pings += other.Pings
	c.Pongs += other.Pongs
	c.Cut += other.Cut
	c.Activities += other.Activities
	c.Renewals += other.Renewals
	c.Reconnections += other.Reconnections
}

// Unanswered is how many pings still wait for their answer.
func (c *Counts) Unanswered() int { return c.Pings - c.Pongs - c.Cut }

// results is what a worker has measured.
type results struct {
	Latencies map[Kind]span  `json:"latencies"`
	Lateness  map[phase]span `json:"lateness"`
	Closes    map[string]int `json:"closes"`
	Failures  map[string]int `json:"failures"`
}
