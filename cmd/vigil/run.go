package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/vigilhq/vigil/cmd/internal/config"
)

func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return config.UsageError{Err: err}
	}
	return nil
}

// environment is what a command gets from outside.
type environment struct {
	lookup         func(string) (string, bool) // set but empty differs from unset
	stdout, stderr io.Writer
}

// run executes the command line.
func run(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) error {
	env := environment{lookup: lookup, stdout: stdout, stderr: stderr}
	root := &cobra.Command{
		Use:           "vigil",
		Short:         "A session companion for Firebase",
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: noArgs,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return config.UsageError{Err: err} })
	root.AddCommand(newServe(env), newDev(env), newConnect(env), newSwarm(env), newOpenAPI(env)) //nolint:contextcheck // ExecuteContext below hands it on
	root.AddCommand(newSessions(env), newUsers(env), newSweep(env))                              //nolint:contextcheck // the same
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}
