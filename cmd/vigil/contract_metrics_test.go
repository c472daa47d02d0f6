package main

import (
	"strconv"
	"strings"

	"github.com/vigilhq/vigil/internal/session"
)

// samples are the values of metrics in the text format, by name and labels.
func samples(text string) map[string]float64 {
	values := make(map[string]float64)
	for line := range strings.Lines(text) {
		cut := strings.LastIndexByte(strings.TrimSpace(line), ' ')
		if cut < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(strings.TrimSpace(line[cut+1:]), 64); err == nil {
			values[line[:cut]] = v
		}
	}
	return values
}

func asID(id string) session.ID { return session.ID(id) }
