package main

import (
	"math"
	"time"
)

// What the arithmetic takes from elsewhere. The document names the sources.
const (
	// Of an instance. What is measured is measured by `make bench` and stands in docs/benchmarks.md, in the rows named.
	socketsPerInstance = 15_000
	cloudRunSockets    = 1_000                    // an open WebSocket is a request, of which an instance holds so many
	heartbeatCPU       = 83_300 * time.Nanosecond // "sockets: µs of CPU per heartbeat of vigil"
	requestCPU         = time.Second / 36_794     // "check: requests per second of vigil's core"
	noticeCPU          = 20 * time.Microsecond    // not measured
	busy               = 0.6                      // share of a core that is used at most
	probesPerHour      = 360                      // of /readyz

	// Of Google, in US dollars.
	priceRead     = 0.03 / 100_000
	priceWrite    = 0.09 / 100_000
	priceDelete   = 0.01 / 100_000
	priceStorage  = 0.15 // a GiB and month
	priceInstance = 50.0 // a month
	hoursAMonth   = 730
	documentBytes = 2 << 10 // with its indexes

	// Of Firestore and Firebase Authentication, a second.
	sequentialWrites = 500 // to a collection, or a shard of it, with an index over a time
	shards           = 16
	rampStart        = 500 // operations to a collection that is new to them, and half as many more every five minutes
	lookUpsQuota     = 500 // of a service account
	lookUpsDaily     = 10_000_000

	// Of this code, and how long Firestore takes.
	pageLatency    = 100 * time.Millisecond // of 300 sessions, as a clean-up reads them
	sweepPage      = 300
	commitLatency  = 50 * time.Millisecond // of the ends of 50 sessions
	endsTogether   = 50
	commitsAtOnce  = 8
	overlap        = 2 * time.Minute
	listenerLife   = 30 * time.Minute
	countedPerRead = 1000
)

// perNotice is how many reads a notice costs an instance: by its listener, by those listeners that begin soon after it, and by the counts
// of the catch-ups.
var perNotice = 1 + overlap.Seconds()/listenerLife.Seconds() + overlap.Seconds()/feedResync.Seconds()/countedPerRead

// backgroundReads is what an instance reads in an hour without users: catch-ups, looks for unfinished revocations every 15 to 30
// seconds, for mass revocations every 5 to 10, and the census.
const backgroundReads = 3600/15 + 3600/22.5 + 3600/7.5 + 1 + probesPerHour

// design is how a fleet is laid out.
type design struct {
	sockets  float64 // of an instance
	sharded  bool    // each instance subscribes to its own users' notices; not built
	sweepsIn float64 // hours
}

var (
	asBuilt  = design{sockets: socketsPerInstance, sweepsIn: 1}
	cloudRun = design{sockets: cloudRunSockets, sweepsIn: 1}
	sharded  = design{sockets: socketsPerInstance, sweepsIn: 4, sharded: true}
)

// copies is how many instances receive a notice in a sharded design: the user's, and while users move another one.
const copies = 2

// row is a line of the bill, in operations a second.
type row struct {
	Name          string
	Reads, Writes float64
}

// load is what so many live sessions, all of them connected, come to. Rates are of a second.
type load struct {
	Sessions, Instances float64
	Rows                []row
	Reads, Writes       float64 // all of them
	Begun               float64 // sessions
	Activity            float64 // writes of lastActive
	Notices, Events     float64
	Heard               float64 // notices that reach one instance
	FanOut              float64 // reads of notices, by all instances
	Requests            float64
	LookUps             float64 // with affinity
	LookUpsFar          float64 // without
	Cores               float64
}

// at scales what was measured to so many sessions.
func (m measurement) at(sessions float64, d design) load {
	per := func(n int) float64 { return sessions * m.Hourly(n) / 3600 }
	l := load{
		Sessions: sessions, Instances: max(2, math.Ceil(sessions/d.sockets)), Begun: per(m.Sessions), Activity: per(m.writes[forActivity]),
		Notices: per(m.Notices), Events: per(m.Events), Requests: per(m.requests), LookUps: sessions * m.LookUps / m.LiveHours / 3600,
	}
	l.Heard, l.LookUpsFar = l.Notices, l.LookUps+l.Requests*missing(l.Instances)
	if d.sharded {
		l.Heard = min(l.Notices, l.Notices*copies/l.Instances)
	}
	l.FanOut = l.Heard * l.Instances * perNotice
	l.Rows = []row{
		{"registrations", per(m.reads[forRegistration]), per(m.writes[forRegistration])},
		{"activity", per(m.reads[forActivity]), per(m.writes[forActivity])},
		{"requests, sockets that open", per(m.reads[forRequests]), per(m.writes[forRequests])},
		{"looks before warnings and ends, news of other sessions", per(m.reads[forSockets]), per(m.writes[forSockets])},
		{"ends", per(m.reads[forEnds]), per(m.writes[forEnds])},
		{"clean-ups", per(m.reads[forSweep])/d.sweepsIn + purgeQueries/3600.0, 0},
		{"notices, read by every instance", l.FanOut, 0},
		{"instances without users", l.Instances * backgroundReads / 3600, 0},
	}
	for _, r := range l.Rows {
		l.Reads += r.Reads
		l.Writes += r.Writes
	}
	l.Cores = sessions/heartbeat.Seconds()*heartbeatCPU.Seconds() + l.Requests*requestCPU.Seconds() + l.Heard*l.Instances*noticeCPU.Seconds()
	l.Instances = max(l.Instances, math.Ceil(l.Cores/busy))
	return l
}

// missing is the share of a user's requests, a minute apart on average, that come to an instance other than their socket's which has not
// looked the account up within [userStateTTL].
func missing(instances float64) float64 {
	between := request.Seconds() * instances
	return (instances - 1) / instances * between / (between + userStateTTL.Seconds())
}

// bills is what 1,000 sessions cost in a month, in US dollars.
type bills struct{ Reads, Writes, Deletes, Storage, Instances, Total float64 }

func (l load) bill() bills {
	const seconds = hoursAMonth * 3600
	thousands := l.Sessions / 1000
	documents := l.Begun + l.Events // those that are kept for policy.Retention
	b := bills{
		Reads:     (l.Reads + documents + l.Notices) * seconds * priceRead / thousands, // who deletes a document reads it
		Writes:    l.Writes * seconds * priceWrite / thousands,
		Deletes:   (documents + l.Notices) * seconds * priceDelete / thousands,
		Storage:   documents * policy.Retention.Seconds() * documentBytes / (1 << 30) * priceStorage / thousands,
		Instances: l.Instances * priceInstance / thousands,
	}
	b.Total = b.Reads + b.Writes + b.Deletes + b.Storage + b.Instances
	return b
}

// Firestore is the bill without the instances.
func (b bills) Firestore() float64 { return b.Total - b.Instances }

// naive is the bill of a query and a write for each heartbeat.
func naive() bills {
	n := 1000 * hoursAMonth * 3600 / heartbeat.Seconds()
	b := bills{Reads: n * priceRead, Writes: n * priceWrite}
	b.Total = b.Reads + b.Writes
	return b
}

// ramp is how long a load of so many operations a second has to be approached by the 500/50/5 rule.
func ramp(operations float64) time.Duration {
	if operations <= rampStart {
		return 0
	}
	steps := math.Ceil(math.Log(operations/rampStart) / math.Log(1.5))
	return time.Duration(steps) * 5 * time.Minute
}

// spot is something that has a limit.
type spot struct {
	Name  string
	Load  func(load) float64
	Limit float64
	Unit  string
	Then  string // what to do when it is reached
}

var spots = []spot{
	{"look-ups, requests at any instance", func(l load) float64 { return l.LookUpsFar }, lookUpsQuota, "a second",
		"route a user's requests to the instance of their socket, by a hash of the uid"},
	{"look-ups of a day, with affinity", func(l load) float64 { return l.LookUps * 86_400 }, lookUpsDaily, "a day",
		"ask Google for more; a longer `USER_STATE_TTL` and `WS_TOKEN_CHECK_INTERVAL` save only the batches"},
	{"look-ups, with affinity", func(l load) float64 { return l.LookUps }, lookUpsQuota, "a second",
		"ask Google for more, or give groups of instances service accounts of their own"},
	{"notices: the index over `at`", func(l load) float64 { return l.Notices }, sequentialWrites, "writes a second",
		"subscribe by `shard`, with a composite index that begins with it, and exempt `at`"},
	{"reads of notices are half of all reads", func(l load) float64 { return l.FanOut / l.Reads }, 0.5, "of the reads",
		"fewer, larger instances; then subscribe by `shard`, with affinity"},
	{"activity: the two indexes over `shard, lastActive`", func(l load) float64 { return l.Activity + l.Begun },
		shards * sequentialWrites, "writes a second", "a longer `TOUCH_INTERVAL`; then more shards"},
	{"audit trail: the index over `shard, at`", func(l load) float64 { return l.Events }, shards * sequentialWrites, "writes a second",
		"more shards"},
	{"a clean-up, which one instance does, page after page", func(l load) float64 { return l.Sessions / sweepPage * pageLatency.Hours() }, 1, "of `SWEEP_INTERVAL`",
		"a longer `SWEEP_INTERVAL`: deadlines hold without it; then a clean-up by shards"},
}

// breaksAt is the number of sessions at which a limit is reached.
func (m measurement) breaksAt(s spot, d design) float64 {
	low, high := 1.0, 1e12
	for high/low > 1.0001 {
		if middle := math.Sqrt(low * high); s.Load(m.at(middle, d)) < s.Limit {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}
