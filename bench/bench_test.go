package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

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

func TestReadBenchmarks(t *testing.T) {
	got, err := readBenchmarks(`goos: linux
BenchmarkAdmit-2   	   42298	      2409.5 ns/op	       0 B/op	       0 allocs/op
BenchmarkDeadlines/disarmed_and_armed         	     100	        77 ns/op
PASS
`)
	want := []benchmark{
		{"BenchmarkAdmit", map[string]float64{"ns/op": 2409.5, "B/op": 0, "allocs/op": 0}},
		{"BenchmarkDeadlines/disarmed_and_armed", map[string]float64{"ns/op": 77}},
	}
	if !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
}

// The table says what was reached, and shows what it comes from.
func TestMarkdown(t *testing.T) {
	r := results{
		Samples: map[string][]float64{
			"check/echo-json": {0.7, 0.85, 0.8}, "memory": {1.05}, "check: requests per second of vigil's core": {12345.6},
		},
		Profiles: []explained{{"CPU time", "10ms main.main"}},
	}
	text := r.markdown(options{rounds: 3, sizes: full})
	for _, want := range []string{
		"3 rounds, 15000 sockets",
		"| ≥ 0.8 × | ≥ 0.9 × | 0.8 × | 0.7 – 0.85 | target | `check` |\n",
		"| ≤ 1.3 × | ≤ 1.1 × | 1.05 × |  | aim | `sockets` |\n",
		"| check: requests per second of vigil's core | 12346 |  |\n",
		"CPU time:\n\n```\n10ms main.main\n```\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "heartbeat") {
		t.Errorf("what was not measured is in the table:\n%s", text)
	}
}

// Every figure is some part's, and every part has a name of its own.
func TestParts(t *testing.T) {
	names := partNames()
	for _, f := range figures {
		if !slices.Contains(names, f.part) {
			t.Errorf("nobody measures %s", f.key)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(parts) {
		t.Error("two parts have one name")
	}
	if _, err := measure(t.Context(), options{only: []string{"nothing"}}, t.Output()); err == nil {
		t.Error("an unknown part is measured")
	}
}

// A process is on its core, what it says is quoted when it fails, and nothing is left of it.
func TestProcess(t *testing.T) {
	b := &bench{dir: t.TempDir(), progress: t.Output()}
	var stdout bytes.Buffer
	p, err := b.start(t.Context(), loadCore, "speaker", &stdout, []string{"WORD=good"}, "sh", "-c", "echo $WORD; echo bad >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.wait(t.Context()); err == nil || !strings.Contains(err.Error(), "speaker has ended: exit status 3\nbad") {
		t.Errorf("%v", err)
	}
	if stdout.String() != "good\n" {
		t.Errorf("printed %q", &stdout)
	}
	p.stop()
	if left, err := os.ReadDir(b.dir); len(left) > 0 || err != nil {
		t.Errorf("left %v (%v)", left, err)
	}
}
