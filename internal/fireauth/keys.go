package fireauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"firebase.google.com/go/v4/auth"
)

const (
	// keysURL is where Google publishes the keys of ID tokens:
	// https://firebase.google.com/docs/auth/admin/verify-id-tokens#verify_id_tokens_using_a_third-party_jwt_library.
	keysURL = "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"

	// renewTimeout bounds a renewal of the keys, which nobody waits for.
	renewTimeout = 15 * time.Second
	// renewInterval is the longest time between renewals. Keys are good for hours, and an outage may last for as long as the
	// latest are.
	renewInterval = 15 * time.Minute
	// minRenewInterval is the shortest, however short keys are said to live.
	minRenewInterval = 5 * time.Second
	// A renewal that has failed is tried again after the first, then after twice that, and so on up to the last.
	renewRetry, maxRenewRetry = time.Second, time.Minute
)

// keyring is a client that tokens can be verified with.
type keyring interface {
	VerifyIDToken(ctx context.Context, token string) (*auth.Token, error)
}

// verify has the SDK verify a token, and returns its error as it is.
//
// A keyring that [Verifier.KeepKeys] has filled answers by the keys that it holds, and nobody waits for Google. Where there is none
// yet, or its keys have expired because Google has not answered for as long as they live, the SDK fetches keys in the midst of the call: it
// drops the old ones before, has everybody else wait, and fails with the fetch.
func (v *Verifier) verify(ctx context.Context, token string) error {
	if ring := v.keyring.Load(); ring != nil {
		if err := v.inTurn(ctx, *ring, token); !auth.IsCertificateFetchFailed(err) {
			return err
		}
	}
	// No [call] here: the SDK does wait behind a lock while keys are fetched, but whoever holds it came before and
	// gives up before, and a look-up in emulator mode obeys its context.
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := v.client.VerifyIDToken(ctx, token)
	if v.newKeyring != nil && auth.IsIDTokenInvalid(err) {
		return byKeysHeld(ctx, v.client, token) // Google may have answered without any key: by none, every token is invalid
	}
	return err
}

// inTurn is byKeysHeld, after those who came before.
func (v *Verifier) inTurn(ctx context.Context, ring keyring, token string) error {
	select {
	case v.signatures <- struct{}{}:
		defer func() { <-v.signatures }()
		return byKeysHeld(ctx, ring, token)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// byKeysHeld has the SDK verify a token without asking Google: with a context that is over, it answers by the keys that it holds or,
// without any that have not expired, fails to fetch them before it has begun.
func byKeysHeld(ctx context.Context, ring keyring, token string) error {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	_, err := ring.VerifyIDToken(ctx, token)
	return err
}

// holdsKeys reports whether a keyring has keys that have not expired.
func (v *Verifier) holdsKeys(ctx context.Context, ring keyring) bool {
	return !auth.IsCertificateFetchFailed(byKeysHeld(ctx, ring, v.want.question()))
}

// question is a token that makes the SDK look for a key, one that does not exist.
func (want expected) question() string {
	now := time.Now().Unix() // the SDK goes by the machine's clock
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"RS256","kid":"none"}`)) + "." +
		part(fmt.Appendf(nil, `{"iss":%q,"aud":%q,"sub":"nobody","iat":%d,"exp":%d}`, want.issuer, want.audience, now, now+60)) + ".none"
}

// KeepKeys keeps keys at hand until ctx is done: long before those of one Admin client expire, another client fetches them anew and
// takes its place, so that an outage or slowness of Google's key endpoint is not noticed before the latest keys expire. A new
// key counts within [renewInterval] and half the time that keys live, a token with an unknown one has nothing fetched. On an
// emulator there are no keys, and it returns at once.
func (v *Verifier) KeepKeys(ctx context.Context) {
	if v.newKeyring == nil {
		return
	}
	for retry := renewRetry; ; {
		life, err := v.renewKeys(ctx)
		if ctx.Err() != nil {
			return
		}
		v.meter.KeysRenewed(err == nil)
		wait := min(max(life/2, minRenewInterval), renewInterval)
		if err != nil {
			v.log.WarnContext(ctx, "identity keys not renewed", "error", err)
			wait, retry = retry, min(2*retry, maxRenewRetry)
		} else {
			retry = renewRetry
		}
		timer := time.NewTimer(wait - rand.N(wait/4)) // instances started at once do not stay in step
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

var errNotKept = errors.New("no keys that may be kept")

// renewKeys puts a keyring in place that has just been filled, unless it has not, and returns for how long the keys are good. The SDK
// does not tell that, and takes an answer without keys for a good one, so the endpoint is asked directly before.
func (v *Verifier) renewKeys(ctx context.Context) (life time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	if life, err = fetchKeys(ctx); err != nil {
		return 0, err
	}
	if life == 0 {
		return 0, errNotKept
	}
	ring, err := v.newKeyring(ctx)
	if err != nil {
		return 0, err
	}
	if _, err := ring.VerifyIDToken(ctx, v.want.question()); auth.IsCertificateFetchFailed(err) {
		return 0, err
	}
	if !v.holdsKeys(ctx, ring) {
		return 0, errNotKept
	}
	v.keyring.Store(&ring)
	return life, nil
}

// fetchKeys fetches the keys the way the SDK does, whose client for them is a copy of the default one. It returns for how long they may be
// kept.
func fetchKeys(ctx context.Context) (life time.Duration, err error) {
	var keys map[string]string
	header, err := get(ctx, keysURL, &keys)
	if err != nil {
		return 0, err
	}
	if len(keys) == 0 {
		return 0, errors.New("no keys")
	}
	return maxAge(header), nil
}

// maxAge reads Cache-Control as the SDK does; zero without any.
func maxAge(header http.Header) time.Duration {
	for directive := range strings.SplitSeq(header.Get("Cache-Control"), ",") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(directive), "max-age="); ok {
			seconds, _ := strconv.ParseUint(text, 10, 31) // zero if it is no number
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}
