package handlers

import (
	"maps"
	"slices"

	"github.com/vigilhq/vigil/internal/session"
)

// Codes are all codes that the edge has an answer for.
func Codes() []session.Code { return slices.Collect(maps.Keys(table)) }
