package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/handlers"
)

// A file that cannot be used stops the start, whichever command it is.
func TestUnusablePlaces(t *testing.T) {
	nothing := func(string) (string, bool) { return "", false }
	for _, args := range [][]string{{"dev"}, {"serve", "--firebase-project-id=demo"}} {
		var out bytes.Buffer
		err := run(t.Context(), append(args, "--geoip-db=main.go"), nothing, &out, &out)
		if err == nil || !strings.Contains(err.Error(), "GEOIP_DB: open main.go as a MaxMind database") {
			t.Errorf("%v: %v", args, err)
		}
		err = run(t.Context(), append(args, "--geoip-db=main.go", "--max-sessions=-1"), nothing, &out, &out)
		if err == nil || !strings.Contains(err.Error(), "GEOIP_DB: ") || !strings.Contains(err.Error(), "MAX_SESSIONS: ") || config.ExitCode(err) != 2 {
			t.Errorf("%v with another fault: %v", args, err)
		}
	}
}

func TestUsage(t *testing.T) {
	nothing := func(string) (string, bool) { return "", false }
	for _, args := range [][]string{{"server"}, {"serve", "--no-such-flag"}, {"connect"}, {"dev", "extra"}, {"openapi", "extra"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, nothing, &out, &out); err == nil || config.ExitCode(err) != 2 {
			t.Errorf("%v: exit code %d, %v", args, config.ExitCode(err), err)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"serve", "--help"}, nothing, &out, &out); err != nil || !strings.Contains(out.String(), "--idle-timeout") {
		t.Errorf("%v: %s", err, out.String())
	}
	out.Reset()
	if err := run(t.Context(), []string{"openapi"}, nothing, &out, &out); err != nil || strings.TrimSpace(out.String()) != string(handlers.OpenAPI()) {
		t.Errorf("%v: %s", err, out.String())
	}
	if code := config.ExitCode(errors.New("it broke")); code != 1 {
		t.Errorf("exit code %d of a failure", code)
	}
}
