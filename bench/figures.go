package main

import (
	"slices"
	"strings"
)

// figure is a row of the table: something that is measured once a round, and what it is to be.
type figure struct {
	key     string // of its samples
	part    string // that measures it
	what    string
	unit    string // × for a ratio
	target  float64
	aim     float64
	atLeast bool // rather than at most
}

var figures = []figure{
	{key: "admit/time", part: "admit", what: "`Gate.Admit` warm, in process", unit: "µs", target: 2, aim: 1},
	{key: "admit/allocs", part: "admit", what: "… allocations", unit: "", target: 0, aim: 0},
	{key: "check/echo-json", part: "check", what: "`GET /v1/check`, production middleware on: throughput against a bare echo JSON handler", unit: "×", target: 0.80, aim: 0.90, atLeast: true},
	{key: "check/verify", part: "check", what: "… against `VerifyIDToken` per request", unit: "×", target: 3.5, aim: 4.5, atLeast: true},
	{key: "check/verify-revoked", part: "check", what: "… against `VerifyIDTokenAndCheckRevoked`, the look-up answered at once, on the other core", unit: "×", target: 7, aim: 9, atLeast: true},
	{key: "check/verify-revoked-in-process", part: "check", what: "… the look-up answered inside the process, without HTTP", unit: "×", target: 7, aim: 9, atLeast: true},
	{key: "memory", part: "sockets", what: "resident memory per idle authenticated socket, against plain tuned gorilla", unit: "×", target: 1.30, aim: 1.10},
	{key: "heartbeat", part: "sockets", what: "CPU per heartbeat, against an echo on the same gorilla", unit: "×", target: 1.8, aim: 1.4},
	{key: "revoke", part: "sockets", what: "one user revoked among all sockets, event in to close frame at the client: p99 above the lateness probe's", unit: "ms", target: 10, aim: 5},
	{key: "mass-close", part: "sockets", what: "all sockets closed by one mass notice", unit: "s", target: 2, aim: 1},
	{key: "firestore/active", part: "firestore", what: "Firestore writes per hour of a session that is active all the time, heartbeat 30 s", target: 13, aim: 12.5},
	{key: "firestore/idle", part: "firestore", what: "… of one that is connected and idle", target: 0, aim: 0},
	{key: "firestore/reads", part: "firestore", what: "Firestore reads per hour of a connected session beyond its registration", target: 2, aim: 0.5},
	{key: "firestore/lookups", part: "firestore", what: "identity look-ups per hour of a connected user, in batches", target: 0.2, aim: 0.12},
	{key: "flood", part: "flood", what: "p99 of good requests at a steady rate, in a flood of forged tokens against without", unit: "×", target: 1.2, aim: 1.2},
	{key: "growth/memory", part: "growth", what: "memory per socket as it grows: the dearest size against the cheapest", unit: "×", target: 1.10, aim: 1.10},
	{key: "growth/cpu", part: "growth", what: "CPU per socket for heartbeats as it grows: the dearest size against the cheapest", unit: "×", target: 1.10, aim: 1.10},
}

const missed = "**miss**"

// verdict says in a word how a figure stands.
func (f figure) verdict(median float64) string {
	reaches := func(mark float64) bool {
		if f.atLeast {
			return median >= mark
		}
		return median <= mark
	}
	switch {
	case reaches(f.aim):
		return "aim"
	case reaches(f.target):
		return "target"
	default:
		return missed
	}
}

// bound writes a target as the table has it.
func (f figure) bound(value float64) string {
	sign := "≤ "
	if f.atLeast {
		sign = "≥ "
	}
	return sign + f.format(value)
}

func (f figure) format(value float64) string {
	return strings.TrimSpace(number(value) + " " + f.unit)
}

// median of an odd number of values is one of them, of an even number the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// spread is how many times the least value goes into the greatest.
func spread(values []float64) float64 { return slices.Max(values) / slices.Min(values) }
