package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// results are all samples, by figure or by what else was counted, in the order of the rounds.
type results struct {
	Samples  map[string][]float64 `json:"samples"`
	Profiles []explained          `json:"profiles,omitempty"`
}

// explained is the upper end of a profile.
type explained struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

func (r *results) add(key string, value float64) {
	r.Samples[key] = append(r.Samples[key], value)
}

// The generated part of the document is between these.
const (
	beginMark = "<!-- made by make bench -->"
	endMark   = "<!-- end of what make bench has made -->"
)

// publish prints the tables and puts them where the options say.
func (r *results) publish(stdout io.Writer, o options) error {
	if len(r.Samples) == 0 {
		return nil
	}
	text := r.markdown(o)
	_, err := io.WriteString(stdout, text)
	if o.raw != "" {
		samples, encodeErr := json.MarshalIndent(r, "", "  ")
		err = errors.Join(err, encodeErr, os.WriteFile(o.raw, samples, 0o644))
	}
	if o.document != "" {
		err = errors.Join(err, replace(o.document, text))
	}
	return err
}

// replace puts text between the marks of a file.
func replace(file, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, began := strings.Cut(string(old), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !began || !ended {
		return fmt.Errorf("%s has no %s and %s", file, beginMark, endMark)
	}
	return os.WriteFile(file, []byte(before+beginMark+"\n\n"+text+"\n"+endMark+after), 0o644)
}

func (r *results) markdown(o options) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d rounds, %d sockets, %s.\n\n", o.rounds, o.sockets, runtime.Version())
	out.WriteString("| what | target | aim | median | range | reached | part |\n|---|---|---|---|---|---|---|\n")
	for _, f := range figures {
		samples := r.Samples[f.key]
		if len(samples) == 0 {
			continue
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s | `%s` |\n", f.what, f.bound(f.target), f.bound(f.aim),
			f.format(median(samples)), span(samples), f.verdict(median(samples)), f.part)
	}
	out.WriteString("\nWhat these are made of:\n\n| | median | range |\n|---|---|---|\n")
	for _, key := range slices.Sorted(maps.Keys(r.Samples)) {
		if slices.ContainsFunc(figures, func(f figure) bool { return f.key == key }) {
			continue
		}
		fmt.Fprintf(&out, "| %s | %s | %s |\n", key, number(median(r.Samples[key])), span(r.Samples[key]))
	}
	for _, p := range r.Profiles {
		fmt.Fprintf(&out, "\n%s:\n\n```\n%s\n```\n", p.Title, p.Text)
	}
	return out.String()
}

// span is the least and the greatest of the samples, or nothing if there is one alone.
func span(samples []float64) string {
	if len(samples) == 1 {
		return ""
	}
	return number(slices.Min(samples)) + " – " + number(slices.Max(samples))
}

// number writes three digits, and all of those before the point.
func number(x float64) string {
	switch size := math.Abs(x); {
	case size >= 100:
		return fmt.Sprintf("%.0f", x)
	case size >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return strconv.FormatFloat(math.Round(x*1000)/1000, 'f', -1, 64)
	}
}
