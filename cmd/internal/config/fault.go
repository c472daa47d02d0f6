package config

import "errors"

// Fault is what is wrong with one setting.
type Fault struct{ Variable, Text string }

func (f Fault) Error() string { return f.Variable + ": " + f.Text }

// UsageError is a fault of the command line or of settings: whoever gave them can mend it.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e UsageError) Unwrap() error { return e.Err }

// ExitCode is a process's for an error: 2 when the command was given wrongly, and 1 when it failed.
func ExitCode(err error) int {
	if errors.As(err, &UsageError{}) {
		return 2
	}
	return 1
}
