package handlers

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

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

// maxBuckets bounds the users and addresses that a limit remembers: some 20 MB. Who was heard of longest ago is forgotten
// first, and has a full burst again a little early.
const maxBuckets = 1 << 16

// buckets are x/time's token buckets, already ours, in the plain LRU of golang-lru: neither has a goroutine, and the time is
// time.Now's. throttled's GCRA would do the same, but gives up with an error when requests of one user race.
type buckets struct {
	limit Limit
	byWho *lru.Cache[who, *rate.Limiter]
}

// who is whose requests are counted: a user's, or those of an address where it is not known whose.
type who struct {
	user   session.UserID
	holder string // see [session.Origin.Holder]
}

func newBuckets(l Limit) *buckets {
	if l.Burst <= 0 || l.PerSecond <= 0 {
		return nil
	}
	cache, err := lru.New[who, *rate.Limiter](maxBuckets)
	if err != nil {
		panic(err) // only a size that is not positive is an error
	}
	return &buckets{l, cache}
}

func (l Limits) buckets() [classes]*buckets {
	return [classes]*buckets{
		classRegister: newBuckets(l.Register), classSensitive: newBuckets(l.Sensitive),
		classAPI: newBuckets(l.API), classHandshake: newBuckets(l.Handshake),
	}
}

// take counts a request. It fails with rate_limited.
func (b *buckets) take(w who) error {
	if b == nil {
		return nil
	}
	bucket, ok := b.byWho.Get(w)
	if !ok {
		bucket = rate.NewLimiter(rate.Limit(b.limit.PerSecond), b.limit.Burst)
		if other, ok, _ := b.byWho.PeekOrAdd(w, bucket); ok {
			bucket = other
		}
	}
	now := time.Now()
	if bucket.AllowN(now, 1) {
		return nil
	}
	missing := max(1-bucket.TokensAt(now), 0)
	wait := time.Duration(missing / b.limit.PerSecond * float64(time.Second))
	return &session.Error{Op: "limit", Code: session.CodeRateLimited, RetryAfter: wait}
}

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
	of := routeOf(c).class()
	err := a.buckets[of].take(w)
	if err != nil {
		a.Meter.RateLimited(of.String())
	}
	return err
}
