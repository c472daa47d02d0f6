package main

import (
	"github.com/spf13/cobra"

	"github.com/vigilhq/vigil/handlers"
)

func newOpenAPI(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "openapi",
		Short: "Print the OpenAPI 3.1 description of the HTTP API",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := env.stdout.Write(append(handlers.OpenAPI(), '\n'))
			return err
		},
	}
}
