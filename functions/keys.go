package functions

import (
	"cmp"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

// Where Google publishes the keys of its tokens, as JSON Web Key Sets: of Firebase Authentication, and of service accounts
// (https://accounts.google.com/.well-known/openid-configuration).
const (
	secureTokenKeys = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
	accountKeys     = "https://www.googleapis.com/oauth2/v3/certs"
)

const (
	// fetchTimeout leaves time to answer within the budget of a sign-in.
	fetchTimeout = 1500 * time.Millisecond
	maxKeys      = 256 << 10
	// keysAge is how long keys are current where their endpoint does not say; what it says is taken within the two limits.
	keysAge, leastKeysAge, mostKeysAge = 10 * time.Minute, time.Minute, 24 * time.Hour
	// keysKept is how long keys are believed that could not be replaced because their endpoint is down.
	keysKept = 24 * time.Hour
	// askPause and retryPause are how long the endpoint is left alone after it has answered, and after it has failed to. A token can
	// name any key it likes: it must not be able to make more requests than that.
	askPause, retryPause = time.Minute, 5 * time.Second
)

var (
	errKeys       = errors.New("the keys cannot be had")
	errUnknownKey = errors.New("no key of this name")
	errAsked      = errors.New("they were asked for a moment ago")
)

// keys are the public keys behind a URL. Unlike the key sets of the OpenID libraries they get old, survive an outage of their endpoint
// for a while, and are not fetched anew for each name that somebody makes up. Safe for concurrent use.
type keys struct {
	url    string
	client *http.Client
	flight singleflight.Group

	mu      sync.Mutex
	byName  map[string]*rsa.PublicKey
	fetched time.Time // of byName
	current time.Time // until then they need not be asked for
	pause   time.Time // until then they are not asked for
	failure error     // of the latest fetch
}

func newKeys(url string) *keys { return &keys{url: url, client: &http.Client{Timeout: fetchTimeout}} }

// find returns the key of a name. It fails with errKeys when it cannot tell, as about a name that is new since the keys were asked for.
func (k *keys) find(ctx context.Context, name string) (*rsa.PublicKey, error) {
	key, current, ask := k.look(name)
	if ask && (key == nil || !current) {
		if err := k.refresh(ctx); err != nil && key == nil {
			return nil, fmt.Errorf("%w: %w", errKeys, err)
		}
		key, _, _ = k.look(name)
	}
	switch {
	case key != nil:
		return key, nil
	case ask:
		return nil, errUnknownKey
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return nil, fmt.Errorf("%w: %w", errKeys, cmp.Or(k.failure, errAsked))
}

// look returns the key of a name, nil if it is not known, whether the keys are current, and whether they may be asked for now.
func (k *keys) look(name string) (key *rsa.PublicKey, current, ask bool) {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Sub(k.fetched) < keysKept {
		key = k.byName[name]
	}
	return key, now.Before(k.current), !now.Before(k.pause)
}

// refresh fetches the keys. Callers share one fetch, which goes on for the others when one of them gives up.
func (k *keys) refresh(ctx context.Context) error {
	fetch := k.flight.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		byName, age, err := k.fetch(ctx)
		now := time.Now()
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.failure = err; err != nil {
			k.pause = now.Add(retryPause)
			return nil, err
		}
		k.byName, k.fetched, k.current, k.pause = byName, now, now.Add(age), now.Add(askPause)
		return nil, nil
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case got := <-fetch:
		return got.Err
	}
}

func (k *keys) fetch(ctx context.Context) (byName map[string]*rsa.PublicKey, age time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, 0, err
	}
	response, err := k.client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("%s: %s", k.url, response.Status)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxKeys)).Decode(&set); err != nil {
		return nil, 0, err
	}
	byName = make(map[string]*rsa.PublicKey)
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil { // of a kind that is not for us
			continue
		}
		if public, ok := key.Key.(*rsa.PublicKey); ok && key.KeyID != "" {
			byName[key.KeyID] = public
		}
	}
	if len(byName) == 0 {
		return nil, 0, errors.New("no keys")
	}
	return byName, ageOf(response.Header), nil
}

// ageOf is how long an answer is current.
func ageOf(header http.Header) time.Duration {
	directives, err := httpsfv.UnmarshalDictionary(header.Values("Cache-Control"))
	if err != nil {
		return keysAge
	}
	member, _ := directives.Get("max-age")
	item, _ := member.(httpsfv.Item)
	seconds, ok := item.Value.(int64)
	if !ok {
		return keysAge
	}
	return max(leastKeysAge, min(time.Duration(min(seconds, int64(mostKeysAge/time.Second)))*time.Second, mostKeysAge))
}
