package handlers

import (
	"fmt"
	"hash/maphash"
	"math"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

// Limit is a rate with a burst. The zero value does not limit.
type Limit struct {
	PerSecond float64
	Burst     int
}

// Limits bound the requests of one user, or of one address where there is no user.
type Limits struct {
	Register  Limit // registrations
	Sensitive Limit // what needs a recent sign-in
	API       Limit // everything else below /v1
	Handshake Limit // of the WebSocket, by address
}

// class is one of the limits.
type class int

const (
	unlimited class = iota
	classRegister
	classSensitive
	classAPI
	classHandshake
	classes // how many there are
)

// String is the limit's name in RATE_LIMITS.
func (c class) String() string {
	return [...]string{"", "register", "sensitive", "api", "handshake"}[c]
}

// buckets are token buckets, each kept as the moment at which it will be full again (the generic cell rate algorithm): a bucket is a number,
// and a request looks at one line of memory, which the collector has nothing to do with. Who cannot be kept any more is forgotten, and has a
// full burst again a little early. Of those that share a row, that is whose bucket is full first: nobody gets rid of their own debt by way
// of others who have less.
type buckets struct {
	each time.Duration // after which there is room for one more request
	room time.Duration // for all of a burst
	born time.Time     // moments are since then
	seed maphash.Seed
	rows []bucketRow
}

// bucketRow has the buckets of those whose hash is of this row.
type bucketRow struct {
	mu      sync.Mutex
	buckets [3]bucket
	_       [8]byte // to the end of the line
}

// bucket is somebody's, whose hash stands for them: it is keyed, so nobody can look for another one's, and has all of 64 bits.
type bucket struct {
	who  uint64
	full time.Duration // in the past: it is full, and whose it is does not matter
}

// bucketRows bounds what a limit remembers: 1 MiB, for some ten thousands who are short of their bursts at the same time.
const bucketRows = 1 << 14

// who is whose requests are counted: a user's, or those of an address where it is not known whose.
type who struct {
	user   session.UserID
	holder string // see [session.Origin.Holder]
}

func newBuckets(l Limit) *buckets {
	if l.Burst <= 0 || l.PerSecond <= 0 {
		return nil
	}
	each := max(time.Duration(float64(time.Second)/l.PerSecond), 1)
	burst := min(time.Duration(l.Burst), math.MaxInt64/2/each)
	return &buckets{each, each * burst, time.Now(), maphash.MakeSeed(), make([]bucketRow, bucketRows)}
}

func (l Limits) buckets() [classes]*buckets {
	return [classes]*buckets{
		classRegister: newBuckets(l.Register), classSensitive: newBuckets(l.Sensitive),
		classAPI: newBuckets(l.API), classHandshake: newBuckets(l.Handshake),
	}
}

// take counts a request that came at the given time. It fails with rate_limited.
func (b *buckets) take(w who, at time.Time) error {
	if b == nil {
		return nil
	}
	hash := maphash.Comparable(b.seed, w)
	row := &b.rows[hash%bucketRows]
	row.mu.Lock()
	defer row.mu.Unlock()
	now := at.Sub(b.born)
	mine := &row.buckets[0]
	for i := range row.buckets {
		other := &row.buckets[i]
		if other.who == hash {
			mine = other
			break
		}
		if other.full < mine.full {
			mine = other
		}
	}
	full := now + b.each
	if mine.who == hash && mine.full > now {
		full = mine.full + b.each
	}
	if missing := full - now - b.room; missing > 0 {
		return limitedError{missing}
	}
	mine.who, mine.full = hash, full
	return nil
}

// limitedError is the error rate_limited.
type limitedError struct{ wait time.Duration }

func (e limitedError) Error() string { return fmt.Sprintf("%s for %s", codeRateLimited, e.wait) }

// Unwrap makes it an error of the domain.
func (e limitedError) Unwrap() error { return &session.Error{Code: codeRateLimited} }

// seconds is after how many there is room again.
func (e limitedError) seconds() int { return max(int(math.Ceil(e.wait.Seconds())), 1) }

// limitUser counts a request of a user.
func (a *api) limitUser(c echo.Context, uid session.UserID) error {
	return a.take(c, who{user: uid})
}

// limitAddress counts a request of nobody that is known.
func (a *api) limitAddress(c echo.Context) error {
	ip, _ := a.trace(c)
	return a.take(c, who{holder: session.Origin{IP: ip}.Holder()})
}

func (a *api) take(c echo.Context, w who) error {
	x := exchangeOf(c)
	of := x.route.class()
	err := a.buckets[of].take(w, x.began)
	if err != nil {
		a.Meter.RateLimited(of.String())
	}
	return err
}
