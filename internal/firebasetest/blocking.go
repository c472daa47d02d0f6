package firebasetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// BeforeSignIn registers a function that the Auth emulator calls before every sign-in, as Identity Platform does with a blocking
// function, until the test ends. Any URI will do. Its requests are not signed, and it waits for 60 seconds where Identity Platform waits
// for 7. All tests that share the emulator meet the function, so such a test runs alone.
func (e *Emulators) BeforeSignIn(tb testing.TB, uri string) {
	tb.Helper()
	triggers := map[string]any{"beforeSignIn": map[string]any{"functionUri": uri}}
	if err := e.setTriggers(tb.Context(), triggers); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 10*time.Second)
		defer cancel()
		if err := e.setTriggers(ctx, map[string]any{}); err != nil {
			tb.Error(err)
		}
	})
}

func (e *Emulators) setTriggers(ctx context.Context, triggers map[string]any) error {
	body, err := json.Marshal(map[string]any{"blockingFunctions": map[string]any{"triggers": triggers}})
	if err != nil {
		return err
	}
	url := "http://" + e.auth + "/identitytoolkit.googleapis.com/v2/projects/" + Project + "/config?updateMask=blockingFunctions"
	request, err := http.NewRequestWithContext(ctx, http.MethodPatch, url, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer owner")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("firebasetest: register a blocking function: %w", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("firebasetest: register a blocking function: %s", response.Status)
	}
	return nil
}
