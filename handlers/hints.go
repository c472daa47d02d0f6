package handlers

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"
	"github.com/mileusna/useragent"
)

// hints are the client hints that browsers built on Chromium send with every request over TLS
// (https://wicg.github.io/ua-client-hints/). A member that was not sent, or not in good form, is zero.
type hints struct {
	brand      string // the family of the browser, as this package's other names are
	vague      bool   // the brand is that of an engine: what the User-Agent names besides is more telling
	version    int    // of the brand, major
	platform   string // the family of the system, as this package's other names are
	mobile     bool
	tellMobile bool // whether mobile was said
}

// maxHint bounds what is looked at of one hint.
const maxHint = 1024 // bytes

func hintsOf(header http.Header) hints {
	var h hints
	h.readBrands(hint(header, "Sec-Ch-Ua"))
	if item, err := httpsfv.UnmarshalItem(hint(header, "Sec-Ch-Ua-Mobile")); err == nil {
		h.mobile, h.tellMobile = item.Value.(bool)
	}
	if item, err := httpsfv.UnmarshalItem(hint(header, "Sec-Ch-Ua-Platform")); err == nil {
		name, _ := item.Value.(string)
		h.platform = platforms[name]
	}
	return h
}

// hint returns a header's lines, none if they are too long to be looked at.
func hint(header http.Header, name string) []string {
	length := 0
	lines := header.Values(name)
	for _, line := range lines {
		length += len(line)
	}
	if length > maxHint {
		return nil
	}
	return lines
}

// platforms has the systems by their names in hints.
var platforms = map[string]string{
	"Windows": useragent.Windows, "macOS": useragent.MacOS, "Linux": useragent.Linux, "Android": useragent.Android, "iOS": useragent.IOS,
	"Chrome OS": useragent.ChromeOS, "Chromium OS": useragent.ChromeOS,
}

// brands has the browsers by their names in hints, where those are others than in their User-Agent.
var brands = map[string]string{
	"Google Chrome": useragent.Chrome, "Microsoft Edge": useragent.Edge, "Samsung Internet": useragent.SamsungBrowser,
	"HeadlessChrome": useragent.HeadlessChrome,
}

// engines are brands that any number of browsers and apps share. The last is the most vague.
var engines = []string{"Microsoft Edge WebView2", "Android WebView", "Chromium"}

// noBrand is what browsers mix in so that nobody relies on the list's form.
var noBrand = regexp.MustCompile(`^\W*Not[\W_]+A[\W_]+Brand\W*$`)

// readBrands chooses the most telling one of a list of brands and versions.
func (h *hints) readBrands(lines []string) {
	list, err := httpsfv.UnmarshalList(lines)
	if err != nil {
		return
	}
	rank := -1
	for _, member := range list {
		item, _ := member.(httpsfv.Item)
		name, _ := item.Value.(string)
		if name = printable(name); name == "" || noBrand.MatchString(name) {
			continue
		}
		if r := rankOf(name); r > rank {
			rank, h.brand, h.vague, h.version = r, name, slices.Contains(engines, name), majorOf(item.Params)
		}
	}
	if known, ok := brands[h.brand]; ok {
		h.brand = known
	}
}

// rankOf orders brands: engines tell less than others, and those that are known tell more.
func rankOf(brand string) int {
	if i := slices.Index(engines, brand); i >= 0 {
		return len(engines) - i
	}
	if brands[brand] == "" {
		return len(engines) + 1
	}
	return len(engines) + 2
}

// majorOf reads the parameter v, zero if there is none.
func majorOf(p *httpsfv.Params) int {
	value, _ := p.Get("v")
	version, _ := value.(string)
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return 0
	}
	return n
}

// browser is the family of the browser that says both, and its major version.
func (h hints) browser(ua useragent.UserAgent) (name string, version int) {
	if h.brand == "" || h.vague && ua.Name != useragent.Chrome && ua.Name != "" {
		return ua.Name, ua.VersionNo.Major
	}
	return h.brand, h.version
}
