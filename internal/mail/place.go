package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/vigilhq/vigil/internal/session"
)

const maxCity = 60 // characters

// place is where the sign-in came from, as far as it is known.
func (w words) place(l *session.Location) string {
	if l == nil {
		return ""
	}
	var known []string
	if cityName(l.City) {
		known = append(known, l.City)
	}
	if name := w.country(l.Country); name != "" {
		known = append(known, name)
	}
	return strings.Join(known, ", ")
}

// country is the name of a country by its ISO 3166-1 alpha-2 code.
func (w words) country(code string) string {
	if len(code) != 2 {
		return ""
	}
	region, err := language.ParseRegion(code)
	if err != nil || !region.IsCountry() {
		return ""
	}
	return display.Regions(w.tag).Name(region)
}

// cityName accepts names of cities, in any script, and nothing that mail software would make a link of.
func cityName(name string) bool {
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxCity || name != strings.TrimSpace(name) {
		return false
	}
	if strings.Contains(strings.ReplaceAll(name, ". ", ""), ".") {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !strings.ContainsRune(" .'’-", r)
	})
}
