// Command functions serves Vigil's functions: what Google calls at sign-ins, on events, and on schedule. It is meant for Cloud Run, with
// the settings of `vigil serve`.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/vigilhq/vigil/cmd/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "functions:", err)
		os.Exit(config.ExitCode(err))
	}
}
