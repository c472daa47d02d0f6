package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vigilhq/vigil/handlers"
)

// rateForm is a rate with a burst: 30/m:60.
var rateForm = regexp.MustCompile(`^([1-9]\d{0,8})/([smh]):([1-9]\d{0,8})$`)

var secondsOf = map[string]float64{"s": 1, "m": 60, "h": 3600}

// Limits are those of requests. They are none of what Load has refused.
func (c *Config) Limits() handlers.Limits {
	limits, _ := rateLimits(c.RateLimits)
	return limits
}

// rateLimits reads RATE_LIMITS. A class that is left out keeps its default; off, or nothing, limits none.
func rateLimits(text string) (limits handlers.Limits, faults []string) {
	if text == "" || text == "off" {
		return handlers.Limits{}, nil
	}
	field, _ := reflect.TypeFor[Config]().FieldByName("RateLimits")
	standard := field.Tag.Get("default")
	if text != standard {
		limits, _ = rateLimits(standard)
	}
	classes := map[string]*handlers.Limit{
		"register": &limits.Register, "sensitive": &limits.Sensitive, "api": &limits.API, "handshake": &limits.Handshake,
	}
	var seen []string
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		form := rateForm.FindStringSubmatch(value)
		switch limit := classes[name]; {
		case limit == nil:
			faults = append(faults, fmt.Sprintf("%q is none of register, sensitive, api, handshake", name))
		case slices.Contains(seen, name):
			faults = append(faults, fmt.Sprintf("%s is there twice", name))
		case form == nil:
			faults = append(faults, fmt.Sprintf("%q is not a rate and a burst such as %s=30/m:60, per s, m or h", part, name))
		default:
			rate, _ := strconv.ParseFloat(form[1], 64) // digits, by its form
			burst, _ := strconv.Atoi(form[3])
			*limit = handlers.Limit{PerSecond: rate / secondsOf[form[2]], Burst: burst}
		}
		seen = append(seen, name)
	}
	return limits, faults
}
