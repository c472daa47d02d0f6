package fireauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	// keysURL is where Google publishes the keys of ID tokens:
	// https://firebase.google.com/docs/auth/admin/verify-id-tokens#verify_id_tokens_using_a_third-party_jwt_library.
	keysURL = "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"
	maxKeys = 1 << 20
	// readyFor is how long a proof counts.
	readyFor = time.Minute
)

// Ready reports whether tokens can be verified. A token that was verified within the last minute proves it, so that
// an outage of the key endpoint does not take down an instance that still holds the keys; where there was none,
// the keys, or the emulator, are asked for.
func (v *Verifier) Ready(ctx context.Context) error {
	_, err := call(ctx, v.probes, func(ctx context.Context) (struct{}, error) {
		now := v.now()
		if age := now.Sub(time.Unix(0, v.proven.Load())); age < readyFor {
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

// keysAnswer fetches the keys the way the SDK does: its client for them is a copy of the default one.
func keysAnswer(ctx context.Context) error {
	var keys map[string]string
	if err := get(ctx, keysURL, &keys); err != nil {
		return err
	}
	if len(keys) == 0 {
		return errors.New("no keys")
	}
	return nil
}

// emulatorAnswers asks for the root, where the emulators say that they are ready.
func emulatorAnswers(host string) probe {
	return func(ctx context.Context) error {
		var answer map[string]any
		return get(ctx, "http://"+host+"/", &answer)
	}
}

func get(ctx context.Context, url string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return json.NewDecoder(io.LimitReader(response.Body, maxKeys)).Decode(answer)
}
