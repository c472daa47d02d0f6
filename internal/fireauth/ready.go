package fireauth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// readyFor is how long a proof counts.
const readyFor = time.Minute

// maxBody is how many bytes are read of an answer.
const maxBody = 1 << 20

// Ready reports whether tokens can be verified. Keys at hand prove it, and so does a token that was verified within the last minute,
// so that an outage of the key endpoint does not take down an instance that still holds the keys; where there is neither,
// the keys, or the emulator, are asked for.
func (v *Verifier) Ready(ctx context.Context) error {
	_, err := call(ctx, v.probes, func(ctx context.Context) (struct{}, error) {
		now := v.now()
		if age := now.Sub(time.Unix(0, v.proven.Load())); age < readyFor {
			return struct{}{}, nil
		}
		if ring := v.keyring.Load(); ring != nil && v.holdsKeys(ctx, *ring) {
			return struct{}{}, nil
		}
		err := v.probe(ctx)
		if err == nil {
			v.proven.Store(now.UnixNano())
		}
		return struct{}{}, err
	})
	if err != nil {
		return session.Unavailable("identity keys", err)
	}
	return nil
}

// probe asks whether what verification depends on is there.
type probe func(context.Context) error

// keysAnswer asks for the keys.
func keysAnswer(ctx context.Context) error {
	_, err := fetchKeys(ctx)
	return err
}

// emulatorAnswers asks for the root, where the emulators say that they are ready.
func emulatorAnswers(host string) probe {
	return func(ctx context.Context) error {
		var answer map[string]any
		_, err := get(ctx, "http://"+host+"/", &answer)
		return err
	}
}

// get asks for JSON and returns the header that it comes with.
func get(ctx context.Context, url string, answer any) (http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return response.Header, json.NewDecoder(io.LimitReader(response.Body, maxBody)).Decode(answer)
}
