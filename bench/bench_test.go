package main

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// raceFlags are what children are built with, so that they are what the tests around them have in the cache.
var raceFlags []string

// A round of the check comes out as figures, whatever they say about this machine. The other parts take longer than a test may.
func TestQuick(t *testing.T) {
	results, err := measure(t.Context(), options{sizes: quick, rounds: 1, only: []string{"check"}, build: raceFlags}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if got := results.Samples[f.key]; f.part == "check" && (len(got) != 1 || !(got[0] > 0) || math.IsInf(got[0], 0)) {
			t.Errorf("%s: %v", f.key, got)
		}
	}
	cost := func(server string) float64 {
		got := results.Samples["check: requests per second of "+server+"'s core"]
		if len(got) != 1 || got[0] <= 0 {
			t.Fatalf("throughput of %s: %v", server, got)
		}
		return 1 / got[0]
	}
	if cost("echo-json") >= cost("verify") {
		t.Error("a signature is checked for nothing")
	}
	if results.missed("check") && len(results.Profiles) == 0 {
		t.Error("a miss is not explained")
	}
}

func TestVerdict(t *testing.T) {
	most := figure{target: 2, aim: 1}
	least := figure{target: 1, aim: 2, atLeast: true}
	for _, test := range []struct {
		figure
		median float64
		want   string
	}{
		{most, 1, "aim"}, {most, 1.01, "target"}, {most, 2, "target"}, {most, 2.01, "**miss**"},
		{least, 2, "aim"}, {least, 1.99, "target"}, {least, 1, "target"}, {least, 0.99, "**miss**"},
	} {
		if got := test.verdict(test.median); got != test.want {
			t.Errorf("%+v: %v is %q, want %q", test.figure, test.median, got, test.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{4, 1, 2}, 2}, {[]float64{4, 1, 2, 8}, 3}} {
		if got := median(test.values); got != test.want {
			t.Errorf("median of %v: %v, want %v", test.values, got, test.want)
		}
	}
}

func TestReplace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "document.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n" + beginMark + "\nold\n" + endMark + "\nafter\n")
	for range 2 {
		if err := replace(file, "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	const want = "before\n" + beginMark + "\n\nnew\n\n" + endMark + "\nafter\n"
	if got, err := os.ReadFile(file); string(got) != want || err != nil {
		t.Errorf("got %q (%v)", got, err)
	}
	write("no marks")
	if replace(file, "new") == nil {
		t.Error("a document without marks was written")
	}
}
